"""Wayout in a browser: the demo as it is served, looked at by Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.served.conftest import ROOT, Served, serve

# What it shows; the server-rendered page stands beside it, unseen.
ELEMENT = "wayout-portal [part=main]"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A demo of the browser's own: what is clicked here changes nothing elsewhere."""
    with serve(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; without it says what was not tested, and fails in CI.

    It is closed with each module: while its event loop runs, this process may not use the database.
    """
    found = chromium_path()
    if found is None:
        said = "NOT TESTED: Chromium is not there, nothing was looked at in a browser"
        pytest.fail(said) if os.environ.get("CI") == "true" else pytest.skip(said)
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


def chromium_path() -> str | None:
    """Where Chromium is, if it is."""
    return os.environ.get("WAYOUT_CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def dataset(site: Served) -> dict[str, Any]:
    """The subscriptions that tests may change, each once."""
    facts: dict[str, Any] = json.loads(in_the_installation(site, "from tests.browser.dataset import build; build(16)"))
    return facts


def in_the_installation(site: Served, code: str) -> str:
    """What Python prints inside the served demo."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT, env=site[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def new_token(site: Served) -> str:
    """A partner token that may do with the demo's first account what a portal needs."""
    return in_the_installation(
        site,
        "from django.utils import timezone; from tenants.callers import EXCLUDES, Scope; from tenants.models import Tenant;"
        "from tenants.people import SYSTEM; from tenants.tokens import create_token;"
        "scopes = set(Scope) - {*EXCLUDES, Scope.WEBHOOKS};"
        "tenants = [Tenant.objects.get(domain='contoso.example')];"
        "print(create_token(name='Own', scopes=scopes, tenants=tenants, caller=SYSTEM, now=timezone.now())[1])",
    )


class Visitor:
    """Somebody in front of the page, and what the browser complained of."""

    def __init__(self, page: Page, port: int) -> None:
        self.page, self.base = page, f"http://127.0.0.1:{port}"
        self.complaints: list[str] = []
        page.on("console", lambda said: self._complain(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def sign_in(self, name: str, password: str = "leave-in-peace") -> Visitor:
        self.go("/accounts/login/")
        self.page.fill("input[name=login]", name)
        self.page.fill("input[name=password]", password)
        self.page.locator("main form button").first.click()
        return self

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def violations(self, *tags: str, within: str | None = None) -> set[str]:
        """What axe finds wrong, by rule. It styles the page while it looks, which the policy reports: not ours."""
        before = list(self.complaints)
        options = {"runOnly": {"type": "tag", "values": list(tags)}} if tags else None
        found = {str(one["id"]) for one in Axe().run(self.page, context=within, options=options).response["violations"]}
        self.page.wait_for_timeout(50)
        self.complaints[:] = before
        return found


@pytest.fixture
def visitor(browser: Browser, site: Served) -> Iterator[Visitor]:
    """A fresh visitor in English; a test that leaves complaints fails."""
    yield from visit(browser, site, "en")


@pytest.fixture(params=["en", "bg"])
def reader(browser: Browser, site: Served, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """A fresh visitor in each language."""
    yield from visit(browser, site, request.param)


def visit(browser: Browser, site: Served, language: str, **given: Any) -> Iterator[Visitor]:
    """Somebody with this language and what else is ``given`` of a browser's context."""
    port, _environment = site
    look = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **given}
    context = browser.new_context(locale=language, **look)
    visitor = Visitor(context.new_page(), port)
    yield visitor
    context.close()
    assert visitor.complaints == []


@dataclass(frozen=True)
class Own:
    """A subscription that this test alone changes, and somebody in front of it who may."""

    visitor: Visitor
    site: Served
    number: int
    name: str

    def leave(self) -> Locator:
        """Go to the list and press "Cancel subscription" of its row."""
        self.visitor.go("/")
        self.visitor.page.get_by_role("button", name=f"Cancel subscription: {self.name}").click()
        expect(heading(self.visitor.page)).to_have_text(f"Cancel “{self.name}”")
        return self.visitor.page.locator(ELEMENT)

    def cancellations(self) -> str:
        """How many there are of it."""
        return in_the_installation(
            self.site,
            "from subscriptions.models import Cancellation;"
            f" print(Cancellation.objects.filter(subscription={self.number}).count())",
        )


@pytest.fixture
def own(visitor: Visitor, site: Served, dataset: dict[str, Any]) -> Own:
    visitor.sign_in(dataset["admin"], dataset["password"])
    number = dataset["online"].pop()
    return Own(visitor, site, number, f"Own {len(dataset['online'])}")


@pytest.fixture
def over(visitor: Visitor, site: Served, dataset: dict[str, Any]) -> Own:
    visitor.sign_in(dataset["admin"], dataset["password"])
    return Own(visitor, site, dataset["over"][0], "Over 0")


def heading(page: Page) -> Locator:
    return page.locator(f"{ELEMENT} [part=heading]")


def told(page: Page, *names: str) -> None:
    page.add_init_script(
        "window.told = [];"
        + "".join(
            f"addEventListener('{name}', e => told.push({{ name: e.type, detail: e.detail }}));" for name in names
        )
    )
