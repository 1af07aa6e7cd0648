"""The application that granian runs: ``granian --interface rsgi portal.rsgi:application``.

Django is asked by WSGI, which cannot do two things that have to happen before it:

* **Bodies are whole before a thread has to do with them.** Under WSGI the thread that answers reads the body, so as many
  unfinished ones as there are threads stop a process. Here they are awaited, which takes no thread, and not for ever.
* **Headers with an underscore in their name are dropped.** WSGI makes one name of ``X-Forwarded-For`` and
  ``X_Forwarded_For``: anybody could say what only a proxy may. No header that we know has one.
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http import HTTPStatus
from io import BytesIO
from typing import Any

from django.conf import settings
from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope  # type: ignore[attr-defined]

from portal.web.requests import BODY_REFUSED
from portal.wsgi import application as answer

# Seconds that a body may take, and up to which length one that is too long is read and thrown away: a client that
# cannot write on does not read what we answer.
_PATIENCE, _LONGEST_READ = 10.0, 32_000_000
# Those who wait for their turn (portal/web/overload.py) are threads, too.
_THREADS = ThreadPoolExecutor(4 * settings.WAYOUT_AT_ONCE, "request")


async def application(scope: Scope, proto: HTTPProtocol) -> None:
    """Take the body, then let a thread answer."""
    try:
        body = await _body(scope, proto)
    except ProtocolClosed:
        return  # the client is gone, with a part of its body
    await asyncio.get_running_loop().run_in_executor(_THREADS, _answer, scope, proto, body)


async def _body(scope: Scope, proto: HTTPProtocol) -> bytes | HTTPStatus:
    """The whole body, or the status that refuses it. Raises ProtocolClosed."""
    declared = scope.headers.get("content-length", "")
    if not declared.isdecimal():
        # Of a body without a length nobody can tell its end from the client's.
        return HTTPStatus.LENGTH_REQUIRED if scope.method == "POST" else b""
    try:
        async with asyncio.timeout(_PATIENCE):
            if int(declared) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
                return await proto()
            if int(declared) <= _LONGEST_READ and "expect" not in scope.headers:
                async for _piece in proto:
                    pass
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def _answer(scope: Scope, proto: HTTPProtocol, body: bytes | HTTPStatus) -> None:
    """Ask Django. What it says is sent whole."""
    begun: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        begun.append((int(status[:3]), headers))

    with closing(answer(_environ(scope, body), start_response)) as pieces:  # type: ignore[type-var]
        status, headers = begun[-1]
        proto.response_bytes(status, headers, b"".join(pieces))


def _environ(scope: Scope, body: bytes | HTTPStatus) -> dict[str, Any]:
    """The request as WSGI says it."""
    content = b"" if isinstance(body, HTTPStatus) else body
    server, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if isinstance(body, HTTPStatus):
        environ[BODY_REFUSED] = body
    for name, value in scope.headers.items():
        if "_" in name or name == "content-length":
            continue
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
        between = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    if scope.authority:
        environ.setdefault("HTTP_HOST", scope.authority)
    return environ
