"""The element in portals of others: a page in hostile CSS with a server of its own, and React on another origin."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import ELEMENT, Visitor, heading, new_token, visit
from tests.served.conftest import ROOT, Served, need_npm, serve, wait_for

# One process drives the one browser.
pytestmark = pytest.mark.xdist_group("browser")
FRONTEND = ROOT / "frontend"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def portal(site: Served) -> Iterator[int]:
    """The example's server, in front of the demo; its port."""
    port, environment = site
    facts = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    given = {"WAYOUT": f"http://127.0.0.1:{port}", "WAYOUT_TOKEN": json.loads(facts.stdout)["tokens"]["partner"]}
    own = free_port()
    command = [sys.executable, "server.py", str(own)]
    with subprocess.Popen(
        command, cwd=ROOT / "examples" / "portal-html", env=given, stderr=subprocess.DEVNULL
    ) as server:
        wait_for(own, "/")
        yield own
        server.terminate()


def test_in_a_host_with_hostile_styles_and_its_own_server(browser: Browser, portal: int) -> None:
    for visitor in visit(browser, (portal, {}), "en"):
        page = visitor.go("/")
        rows = page.locator(f"{ELEMENT} .row")
        expect(rows).to_have_count(12)
        # The host's own heading is as it wanted; ours are as we want.
        look = "e => { const s = getComputedStyle(e); return [s.fontSize, s.textTransform, s.letterSpacing, s.color] }"
        assert page.locator("body > h1").evaluate(look)[:2] == ["9px", "uppercase"]
        assert heading(page).evaluate(look) == ["24px", "none", "normal", "rgb(27, 31, 36)"]
        # A theme reaches it.
        assert rows.first.locator("h2 button").evaluate("e => getComputedStyle(e).color") == "rgb(109, 40, 217)"
        rows.last.locator("h2 button").click()
        expect(page.locator("#log")).to_contain_text('wayout-navigate {"subscriptionId":"sub_1"')
        page.locator(f"{ELEMENT} #cancel").click()
        expect(page.locator(ELEMENT)).to_contain_text("you will not be charged")
        inside = Visitor.violations(visitor, within="wayout-portal")
        assert inside == set()


def test_a_host_can_keep_it_from_canceling(browser: Browser, portal: int) -> None:
    for visitor in visit(browser, (portal, {}), "en"):
        page = visitor.go("/")
        page.evaluate("addEventListener('wayout-before-cancel', e => e.preventDefault())")
        page.get_by_role("button", name="Cancel subscription: Team Chat").click()
        page.evaluate("() => { window.fetch = () => { throw new Error('nothing may be sent') } }")
        page.get_by_role("button", name="Cancel subscription now").click()
        page.wait_for_timeout(200)
        expect(page.get_by_role("button", name="Cancel subscription now")).to_be_visible()


@pytest.fixture(scope="module")
def react(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The React example, with what it needs installed."""
    folder = tmp_path_factory.mktemp("examples")
    project = folder / "examples" / "portal-react"
    shutil.copytree(ROOT / "examples" / "portal-react", project, ignore=shutil.ignore_patterns("node_modules", "out"))
    shutil.copytree(FRONTEND, folder / "frontend")
    npm(project, "ci", "--no-audit", "--no-fund")
    return project


def npm(project: Path, *command: str) -> None:
    done = subprocess.run(
        [need_npm("the React example was not built"), *command],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_in_react_on_another_origin_with_a_persons_token(
    browser: Browser, react: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    npm(react, "run", "build")
    own = free_port()
    origins = {"WAYOUT_ORIGINS": f"http://127.0.0.1:{own}"}
    with files(react, own), serve(tmp_path_factory.mktemp("react"), **origins) as (port, _):
        for visitor in visit(browser, (own, {}), "en"):
            visitor.page.clock.install()
            page = visitor.go(f"/?wayout=http://127.0.0.1:{port}")
            page.get_by_label("Name").fill("contoso-admin")
            page.get_by_label("Password").fill("leave-in-peace")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("button", name="Cancel subscription: Team Chat")).to_be_visible()
            page.clock.fast_forward("05:00")
            with page.expect_request(lambda request: "refreshSession" in (request.post_data or "")):
                page.get_by_role("button", name="Cancel subscription: Team Chat").click()
            page.get_by_role("button", name="Cancel subscription now").click()
            expect(heading(page)).to_have_text("“Team Chat” was canceled")
            expect(page.locator("#root > p")).to_contain_text("Canceled C-")
            with page.expect_download() as download:
                page.get_by_role("button", name="Download the receipt").click()
            assert "Team Chat" in download.value.path().read_text()


LAZY = """
import { createRoot } from "react-dom/client";
const ask = new URLSearchParams(location.search);
const getToken = async () => ask.get("token");
createRoot(document.getElementById("root")).render(
  <wayout-portal endpoint={ask.get("wayout")} ref={(element) => { if (element) element.getToken = getToken; }} />);
setTimeout(() => import("wayout-portal"), 300);
"""


@pytest.mark.long
def test_in_react_that_imports_the_element_later(
    browser: Browser, react: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (react / "lazy.jsx").write_text(LAZY)
    npm(
        react,
        "exec",
        "--",
        "esbuild",
        "lazy.jsx",
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        "--outfile=out/portal.js",
    )
    own = free_port()
    with files(react, own), serve(tmp_path_factory.mktemp("lazy"), WAYOUT_ORIGINS=f"http://127.0.0.1:{own}") as lazy:
        for visitor in visit(browser, (own, {}), "en"):
            page = visitor.go(f"/?wayout=http://127.0.0.1:{lazy[0]}/graphql/&token={new_token(lazy)}")
            expect(page.get_by_role("button", name="Cancel subscription: Team Chat")).to_be_visible()


@contextmanager
def files(folder: Path, port: int) -> Iterator[None]:
    def handler(*args: Any) -> SimpleHTTPRequestHandler:
        return QuietFiles(*args, directory=str(folder))

    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_the_package_is_what_it_says(tmp_path: Path) -> None:
    npm = need_npm("the package was not packed")
    done = subprocess.run(
        [npm, "pack", "--json", "--pack-destination", str(tmp_path)],
        cwd=FRONTEND,
        capture_output=True,
        text=True,
        check=True,
    )
    [packed] = json.loads(done.stdout)
    names = {file["path"] for file in packed["files"]}
    sources = {str(path.relative_to(FRONTEND)) for path in (FRONTEND / "src").rglob("*.js")}
    assert names == {"package.json", "README.md", "index.d.ts", *sources}
    assert not json.loads((FRONTEND / "package.json").read_text()).get("dependencies")
