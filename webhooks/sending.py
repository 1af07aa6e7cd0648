"""One POST to somebody else's machine: no private addresses, no redirects, no longer than it may take."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import httpcore

from common.connecting import addresses_of
from common.outbound import InTime, retry_after
from webhooks.errors import AddressMalformed, AddressNotHttps, AddressPrivate, AddressRefused

_EMBEDDING = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")]


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """What came back. ``status`` None: nothing did, and ``problem`` says why. ``after``: not again before that."""

    status: int | None
    problem: str
    after: timedelta = timedelta(0)

    @property
    def arrived(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def receiver_is_down(self) -> bool:
        """Whether it is no use to send something else; a refusal (4xx) may be about this one message."""
        return self.status is None or not 400 <= self.status < 500 or self.status in (408, 429)


def check_url(url: str, *, private: bool) -> None:
    """Raise AddressRefused for an address that events are never sent to. ``private``: plain HTTP and any host will do."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise AddressMalformed("url") from None
    if not host or parts.username is not None or parts.fragment or not url.isascii() or any(c <= " " for c in url):
        raise AddressMalformed("url")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise AddressNotHttps("url")
    if not private and _is_private_name(host):
        raise AddressPrivate("url")


def post(url: str, body: bytes, headers: Mapping[str, str], *, seconds: float, private: bool) -> EndpointResponse:
    """Send once and answer what came back within ``seconds`` altogether; never raises for what others do."""
    try:
        check_url(url, private=private)
        with (
            httpcore.ConnectionPool(network_backend=InTime(seconds, partial(_checked, private=private))) as pool,
            pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
        ):
            return _answer(response)
    except AddressRefused as error:
        return EndpointResponse(None, error.problem)
    except httpcore.TimeoutException:
        return EndpointResponse(None, "TIMEOUT")
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError, ValueError) as error:
        return EndpointResponse(None, "TLS" if "SSL" in str(error) or "CERTIFICATE" in str(error) else "NO_CONNECTION")


def _answer(response: httpcore.Response) -> EndpointResponse:
    """The status alone: the body is nothing to us and may have no end."""
    status = response.status
    problem = "" if 200 <= status < 300 else f"HTTP {status}"
    said = {name.lower(): value for name, value in response.headers}.get(b"retry-after", b"")
    return EndpointResponse(status, problem, retry_after(said.decode("latin-1")))


def _checked(host: str, port: int, seconds: float, *, private: bool) -> list[str]:
    """The addresses to connect to: the very ones that were checked."""
    found = addresses_of(host, port, seconds)
    if not private and not all(is_public(address) for address in found):
        raise AddressPrivate("url")
    return found


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, not of somebody's own network behind it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        elif any(ip in net for net in _EMBEDDING):
            return False
    return ip.is_global and not ip.is_multicast


def _is_private_name(host: str) -> bool:
    """A literal address is judged at once; a name when it is resolved."""
    try:
        return not is_public(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host
