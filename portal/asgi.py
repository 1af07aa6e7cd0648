"""The application that granian runs: ``granian --interface asginl portal.asgi:application``.

Django is asked by WSGI, which cannot do two things that have to happen before it:

* **Bodies are whole before a thread has to do with them.** Under WSGI the thread that answers reads the body, so as many
  unfinished ones as there are threads stop a process. Here they are awaited, which takes no thread, and not for ever.
* **Headers with an underscore in their name are dropped.** WSGI makes one name of ``X-Forwarded-For`` and
  ``X_Forwarded_For``: anybody could say what only a proxy may. No header that we know has one.

By ASGI and not by RSGI: that one leaves out a header whose value is not ASCII, and with a cookie of somebody else's
whoever is signed in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from django.conf import settings

from common.starting import log_warnings_beside
from portal.web.requests import BODY_REFUSED
from portal.wsgi import application as answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Response = tuple[int, list[tuple[bytes, bytes]], bytes]

# Seconds that a body may take, and up to which length one that is too long is read and thrown away: a client that
# cannot write on does not read what we answer.
_TIMEOUT, _LONGEST_READ = 10.0, 32_000_000
_LONGEST_SEND = 60.0
# Those who wait for their turn (portal/web/overload.py) are threads, too.
_THREADS = ThreadPoolExecutor(4 * settings.WAYOUT_MAX_CONCURRENCY, "request")


class ClientGone(Exception):
    """With a part of its body."""


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Take the body, then let a thread answer."""
    try:
        body = await _body(_lengths(scope), receive)
    except ClientGone:
        return
    loop = asyncio.get_running_loop()
    status, headers, content = await loop.run_in_executor(_THREADS, _answer, scope, body)
    # Whoever went away without a word is not waited for: the server would not stop before.
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SEND):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})


def _lengths(scope: Message) -> tuple[str, bytes, bool]:
    """The method, the length that was declared, and whether the client waits for us before it sends."""
    headers = dict(scope["headers"])
    return scope["method"], headers.get(b"content-length", b""), b"expect" in headers


async def _body(said: tuple[str, bytes, bool], receive: Receive) -> bytes | HTTPStatus:
    """The whole body, or the status that refuses it. Raises ClientGone."""
    method, declared, waits = said
    if not declared.isdigit():
        # Of a body without a length nobody can tell its end from the client's.
        return HTTPStatus.LENGTH_REQUIRED if method == "POST" else b""
    length, longest = int(declared[:20]), settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length == 0:
        return b""
    if length > longest and (length > _LONGEST_READ or waits):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    try:
        async with asyncio.timeout(_TIMEOUT):
            body = await _read(receive, keep=length <= longest)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    return body if length <= longest else HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def _read(receive: Receive, *, keep: bool) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if keep:
            pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


def _answer(scope: Message, body: bytes | HTTPStatus) -> Response:
    """Ask Django. What it says is sent whole."""
    begun: list[tuple[int, list[tuple[bytes, bytes]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        begun.append((int(status[:3]), [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]))

    with closing(answer(_environ(scope, body), start_response)) as pieces:  # type: ignore[type-var]
        status, headers = begun[-1]
        return status, headers, b"".join(pieces)


def _environ(scope: Message, body: bytes | HTTPStatus) -> dict[str, Any]:
    """The request as WSGI says it: bytes as the characters of the same numbers."""
    content = b"" if isinstance(body, HTTPStatus) else body
    server, port = scope.get("server") or ("", "")
    client = scope.get("client") or ("", "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": client[0].strip("[]"),
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if isinstance(body, HTTPStatus):
        environ[BODY_REFUSED] = body
    for name, value in scope["headers"]:
        if b"_" in name or name == b"content-length":
            continue
        key = "CONTENT_TYPE" if name == b"content-type" else f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
        said, between = value.decode("latin-1"), "; " if name == b"cookie" else ","
        environ[key] = f"{environ[key]}{between}{said}" if key in environ else said
    return environ


# Here and not in wsgi.py, which benchmarks and tests import before they have a database: only what is served says it.
log_warnings_beside()
