"""Calls to others over HTTP that end in time, whatever the other side does: a byte every few seconds does not do.

``session()`` is a ``requests.Session`` whose ``timeout`` is for everything together: looking up the name, connecting, TLS,
sending, and the whole answer. A library's own time limit is for each step alone.
"""

from __future__ import annotations

import functools
import io
import os
import ssl
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpcore
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_encoding_from_headers, select_proxy

from common.connecting import LookUp, addresses_of, connected
from common.whole_numbers import whole_number

# Seconds that a call may take altogether where its caller says no less.
LONGEST = 25.0
# One odd header holds nothing up for months.
_LONGEST_ASKED = 86_400


def session(made: requests.Session | None = None) -> requests.Session:
    """A session (or this one) whose calls end in time, each on a connection of its own."""
    made = made or requests.Session()
    del made.headers["Accept-Encoding"]  # nothing is unpacked here
    for scheme in ("https://", "http://"):
        made.mount(scheme, _InTime())
    return made


def retry_after(said: str) -> timedelta:
    """What a Retry-After header asks for, of what may be anybody's: nothing unless it is seconds, and a day at the most."""
    return timedelta(seconds=min(whole_number(said) or 0, _LONGEST_ASKED))


class InTime(httpcore.SyncBackend):
    """Connections that all together have so many seconds.

    ``look_up``: the addresses of a host and port, in so many seconds; or an error for one that is not to be called.
    """

    def __init__(self, seconds: float, look_up: LookUp = addresses_of) -> None:
        self._until, self._look_up = time.monotonic() + seconds, look_up

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Within the time, the name's look-up included."""

        def connect(address: str, seconds: float) -> httpcore.NetworkStream:
            return super(InTime, self).connect_tcp(address, port, seconds, local_address, socket_options)

        try:
            return _Hurried(connected(host, port, _left(self._until), connect, self._look_up), self._until)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None


class _Hurried(httpcore.NetworkStream):
    """A connection whose every step has only what is left of the time."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The certificate is checked against the name, not the address."""
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, _left(self._until)), self._until)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a connection."""
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left


class _InTime(BaseAdapter):
    """Has httpcore make the calls of ``requests``. Proxies and certificates are those that ``requests`` finds."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: dict[str, str] | None = None,
    ) -> requests.Response:
        """Make one call, and read all of its answer."""
        assert request.method
        assert request.url
        seconds = timeout if isinstance(timeout, int | float) else LONGEST
        given: dict[str, Any] = {"network_backend": InTime(seconds), "ssl_context": _trusting(verify)}
        proxy = select_proxy(request.url, proxies)
        headers = list(request.headers.items())
        body = request.body.encode() if isinstance(request.body, str) else request.body
        assert body is None or isinstance(body, bytes)  # nobody here sends without end
        try:
            with httpcore.HTTPProxy(proxy, **given) if proxy else httpcore.ConnectionPool(**given) as pool:
                answer = pool.request(request.method, request.url, headers=headers, content=body)
        except httpcore.TimeoutException as error:
            raise requests.Timeout("it took too long", request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
            raise requests.ConnectionError(str(error), request=request) from error
        return _as_response(request, answer)

    def close(self) -> None:
        pass


def _as_response(request: requests.PreparedRequest, answer: httpcore.Response) -> requests.Response:
    response = requests.Response()
    response.request, response.url, response.status_code = request, request.url or "", answer.status
    response.headers = CaseInsensitiveDict(
        {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    )
    response.encoding = get_encoding_from_headers(response.headers)
    response.reason = answer.extensions.get("reason_phrase", b"").decode("latin-1")
    response.raw = io.BytesIO(answer.content)
    return response


@functools.lru_cache(maxsize=8)
def _trusting(verify: bool | str) -> ssl.SSLContext:
    """The authorities of a file or a folder, or those that ``requests`` brings. There is no way to trust everybody."""
    where = verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH
    return (
        ssl.create_default_context(capath=where) if os.path.isdir(where) else ssl.create_default_context(cafile=where)
    )
