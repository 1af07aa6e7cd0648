"""The proxies' files in examples/proxies, run as they are but for ports and certificates."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served.conftest import ROOT, free_port, serve, wait_until_bound

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("proxies")]
FILES = ROOT / "examples" / "proxies"
HOST = "wayout.example"
Ports = tuple[int, int]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Wayout as it stands behind a proxy: the folder of its database, and its port."""
    var = tmp_path_factory.mktemp("var")
    with serve(var, WAYOUT_PROXIES="1", WAYOUT_HOSTS=f"{HOST},127.0.0.1") as (port, _):
        yield var, port


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fullchain.pem, key.pem and both.pem."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", folder / "key.pem", "-out",
            folder / "fullchain.pem",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / "both.pem").write_text((folder / "fullchain.pem").read_text() + (folder / "key.pem").read_text())
    return folder


def nginx(text: str, folder: Path, ports: Ports, certificate: Path) -> list[str]:
    text = text.replace("listen 80;", f"listen {ports[0]};").replace("listen 443 ssl", f"listen {ports[1]} ssl")
    temporary = "".join(
        f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "wayout.conf").write_text(text.replace("/etc/ssl/wayout", str(certificate)))
    # Its workers are of this user, who may write into the folder.
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} pid {folder}/pid; error_log {folder}/log; daemon off; events {{}}"
        f" http {{ access_log off; {temporary} include {folder}/wayout.conf; }}"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(text: str, folder: Path, ports: Ports, certificate: Path) -> list[str]:
    of_all = f"{{\n admin off\n http_port {ports[0]}\n https_port {ports[1]}\n}}\n"
    site = f"{HOST} {{\n tls {certificate}/fullchain.pem {certificate}/key.pem"
    (folder / "Caddyfile").write_text(of_all + text.replace(f"{HOST} {{", site))
    return ["caddy", "run", "--config", str(folder / "Caddyfile")]


def haproxy(text: str, folder: Path, ports: Ports, certificate: Path) -> list[str]:
    text = text.replace("bind :80\n", f"bind :{ports[0]}\n").replace("bind :443", f"bind :{ports[1]}")
    (folder / "haproxy.cfg").write_text(text.replace("/etc/ssl/wayout", str(certificate)))
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


PROXIES = {"nginx.conf": nginx, "Caddyfile": caddy, "haproxy.cfg": haproxy}


@pytest.fixture(params=sorted(PROXIES))
def proxy(
    request: pytest.FixtureRequest, behind: tuple[Path, int], certificate: Path, tmp_path: Path
) -> Iterator[Ports]:
    """The ports of a proxy, for HTTP and for HTTPS."""
    ports = free_port(), free_port()
    text = (FILES / request.param).read_text()
    assert "127.0.0.1:8000" in text
    command = PROXIES[request.param](
        text.replace("127.0.0.1:8000", f"127.0.0.1:{behind[1]}"), tmp_path, ports, certificate
    )
    if shutil.which(command[0]) is None:
        pytest.skip(f"NOT TESTED: {command[0]} is not there, and so {request.param} was not run")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        try:
            for port in ports:
                wait_until_bound(port)
            yield ports
        finally:
            running.terminate()


def asked(port: int, path: str, *, tls: bool = True, body: bytes | None = None, **headers: str) -> Any:
    """The answer to one request, read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    connection.connect()
    if tls:
        context = ssl._create_unverified_context()
        connection.sock = context.wrap_socket(connection.sock, server_hostname=HOST)
    said = {"Host": HOST, "Content-Type": "application/json", **headers}
    connection.request("POST" if body else "GET", path, body, said)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_a_site_behind_it_is_as_documented(proxy: Ports, behind: tuple[Path, int]) -> None:
    plain, secure = proxy
    moved, _ = asked(plain, "/accounts/login/", tls=False)
    assert moved.status in (301, 308)
    assert moved.headers["Location"].startswith(f"https://{HOST}")

    page, text = asked(secure, "/accounts/login/")
    assert (page.status, "<form" in text) == (200, True)
    assert "Secure" in page.headers["Set-Cookie"]

    # Our own answer, not a page of the proxy's.
    refused, text = asked(secure, "/graphql/", body=b" " * 1_500_000)
    assert (refused.status, json.loads(text)["errors"][0]["extensions"]["code"]) == (413, "INPUT_INVALID")

    address_cannot_be_made_up(secure, behind[0])


def address_cannot_be_made_up(port: int, var: Path) -> None:
    """Whoever fails five times is told of to the owner: with the address that the proxy saw."""
    name = "admin@contoso.example"
    document = f'mutation {{ signIn(input: {{name: "{name}", password: "x"}}) {{ ... on Problem {{ code }} }} }}'
    made_up = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.10", "X-Forwarded-Proto": "http"}
    before = addresses(var)
    for _ in range(6):
        answer, text = asked(port, "/graphql/", body=json.dumps({"query": document}).encode(), **made_up)
        if json.loads(text)["data"]["signIn"]["code"] == "RATE_LIMITED":
            assert int(answer.headers["Retry-After"]) > 0
            break
    else:
        pytest.fail("tries are not counted")
    assert set(addresses(var)) - set(before) <= {"127.0.0.1"}
    assert "127.0.0.1" in addresses(var)


def addresses(var: Path) -> list[str]:
    database = sqlite3.connect(f"file:{var}/demo.sqlite3?mode=ro", uri=True)
    rows = database.execute("SELECT payload FROM outbox_task WHERE kind = 'mail.account'").fetchall()
    database.close()
    return [json.loads(payload)["facts"].get("ip", "") for (payload,) in rows]


def test_every_file_is_run() -> None:
    assert sorted(path.name for path in FILES.iterdir()) == sorted(PROXIES)
