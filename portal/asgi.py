"""The application that granian runs: ``granian --interface asginl portal.asgi:application``.

Django is asked by WSGI, which cannot do two things that have to happen before it:

* **Bodies are whole before a thread has to do with them.** Under WSGI the thread that answers reads the body, so as many
  unfinished ones as there are threads stop a process. Here they are awaited, which takes no thread, and not for ever.
* **Headers with an underscore in their name are dropped.** WSGI makes one name of ``X-Forwarded-For`` and
  ``X_Forwarded_For``: anybody could say what only a proxy may. No header that we know has one.

* **Long documents go to the disk.** What is sent to ``/sync/`` may have hundreds of megabytes: once its token is known, it
  is kept in a file as it comes, of a few senders at a time.

By ASGI and not by RSGI: that one leaves out a header whose value is not ASCII, and with a cookie of somebody else's
whoever is signed in.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from http import HTTPStatus
from io import SEEK_END, BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast
from urllib.parse import unquote_to_bytes

from django.conf import settings

# Sets Django up, without which nothing below can be imported.
from portal.wsgi import application as answer

# isort: split
from common.starting import log_warnings_beside
from connectors.sync.views import may_send
from portal.web.requests import BODY_REFUSED

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Response = tuple[int, list[tuple[bytes, bytes]], bytes]
Body = BinaryIO | HTTPStatus

# Seconds that a body may take, and up to which length one that is too long is read and thrown away: a client that
# cannot write on does not read what we answer.
_TIMEOUT, _LONGEST_READ = 10.0, 32_000_000
_LONGEST_SEND = 60.0
# Of documents: how long nothing may come, how long all of it may take, and how many are taken at a time.
_SYNC, _SILENCE, _LONGEST_UPLOAD, _UPLOADS = "/sync/", 10.0, 600.0, 4
# Those who wait for their turn (portal/web/overload.py) are threads, too.
_THREADS = ThreadPoolExecutor(4 * settings.WAYOUT_MAX_CONCURRENCY, "request")
_uploads = asyncio.Semaphore(_UPLOADS)


class ClientGone(Exception):
    """With a part of its body."""


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Take the body, then let a thread answer."""
    loop = asyncio.get_running_loop()
    try:
        body = await (_document(scope, receive) if _is_document(scope) else _body(_lengths(scope), receive))
    except ClientGone:
        return
    with nullcontext() if isinstance(body, HTTPStatus) else body:
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


def _is_document(scope: Message) -> bool:
    return bool(scope["method"] == "PUT" and scope["path"].startswith(_SYNC))


async def _document(scope: Message, receive: Receive) -> Body:
    """A document in a file, or the status that refuses it. Raises ClientGone.

    Whoever has no token to send one is answered without it.
    """
    headers = dict(scope["headers"])
    loop = asyncio.get_running_loop()
    if not await loop.run_in_executor(_THREADS, may_send, headers.get(b"authorization", b"").decode("latin-1")):
        return BytesIO()
    if _uploads.locked():
        return HTTPStatus.SERVICE_UNAVAILABLE
    async with _uploads:
        file = SpooledTemporaryFile(max_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 (closed when answered)
        try:
            async with asyncio.timeout(_LONGEST_UPLOAD):
                refused = await _keep(file, receive)
        except TimeoutError:
            refused = HTTPStatus.REQUEST_TIMEOUT
        except ClientGone:
            file.close()
            raise
        if refused:
            file.close()
            return refused
        file.seek(0)
        return cast(BinaryIO, file)


async def _keep(file: IO[bytes], receive: Receive) -> HTTPStatus | None:
    """Write a body down as it comes, up to the limit."""
    length, more = 0, True
    while more:
        async with asyncio.timeout(_SILENCE):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        length += len(piece)
        if length > settings.WAYOUT_SYNC_MAX_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        file.write(piece)
        more = message.get("more_body", False)
    return None


async def _body(said: tuple[str, bytes, bool], receive: Receive) -> Body:
    """The whole body, or the status that refuses it. Raises ClientGone."""
    method, declared, waits = said
    if not declared.isdigit():
        # Of a body without a length nobody can tell its end from the client's.
        return HTTPStatus.LENGTH_REQUIRED if method == "POST" else BytesIO()
    length, longest = int(declared[:20]), settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length == 0:
        return BytesIO()
    if length > longest and (length > _LONGEST_READ or waits):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    try:
        async with asyncio.timeout(_TIMEOUT):
            body = await _read(receive, keep=length <= longest)
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    return BytesIO(body) if length <= longest else HTTPStatus.REQUEST_ENTITY_TOO_LARGE


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


def _answer(scope: Message, body: Body) -> Response:
    """Ask Django. What it says is sent whole."""
    begun: list[tuple[int, list[tuple[bytes, bytes]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        begun.append((int(status[:3]), [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]))

    with closing(answer(_environ(scope, body), start_response)) as pieces:  # type: ignore[type-var]
        status, headers = begun[-1]
        return status, headers, b"".join(pieces)


def _environ(scope: Message, body: Body) -> dict[str, Any]:
    """The request as WSGI says it: bytes as the characters of the same numbers."""
    content = BytesIO() if isinstance(body, HTTPStatus) else body
    length = content.seek(0, SEEK_END)
    content.seek(0)
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
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": content,
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
