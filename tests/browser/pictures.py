"""The pictures of the documentation, taken from a fresh demo by ``make pictures``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from tqdm import tqdm

from tests.browser.conftest import FLAGS, Visitor, chromium_path, visit
from tests.served.conftest import ROOT, Served, serve

TO = ROOT / "docs" / "pictures"
MAIN = "wayout-portal [part=main][aria-busy=false]"
# What is shown of the demo, by the number of the subscription in its account.
SCREENS = {
    "list": "/", "details": "/subscriptions/{3}/", "trial": "/subscriptions/{1}/#leave",
    "online": "/subscriptions/{3}/#leave", "remove-or-call": "/subscriptions/{6}/#leave",
    "undo": "/subscriptions/{11}/#leave", "done": "/subscriptions/{12}/#done",
}  # fmt: skip
QUEUE = "/admin/desk/callbackrequest/"


def main() -> int:
    """Write all pictures anew."""
    found = chromium_path()
    if found is None:
        print("Chromium is not there: install it, or say where it is in WAYOUT_CHROMIUM.")
        return 1
    TO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as site, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=FLAGS)
        for language, scheme, width in tqdm([("en", "light", 1280), ("bg", "dark", 320)]):
            portal(browser, site, language, scheme, width)
            desk(browser, site, language)
        browser.close()
    return 0


def portal(browser: Browser, site: Served, language: str, scheme: str, width: int) -> None:
    given = {"viewport": {"width": width, "height": 640}, "color_scheme": scheme}
    name, first = ("contoso-admin", 1) if language == "en" else ("rila-admin", 13)
    for visitor in visit(browser, site, language, **given):
        visitor.sign_in(name)
        for screen, address in SCREENS.items():
            before, _, rest = address.partition("{")
            number, _, after = rest.partition("}")
            visitor.go(f"{before}{int(number) + first - 1}{after}" if number else address)
            visitor.page.locator(MAIN).wait_for()
            visitor.page.wait_for_timeout(300)
            take(visitor.page, f"portal-{screen}-{language}-{scheme}-{width}")


def desk(browser: Browser, site: Served, language: str) -> None:
    for visitor in visit(browser, site, language):
        page = visitor.sign_in("staff").page
        visitor.go(f"{QUEUE}?queue=open")
        take(page, f"desk-queue-{language}")
        case = (page.locator(".field-reference a").first.get_attribute("href") or "").split("?")[0]
        select_all(visitor)
        take(page, f"desk-bulk-{language}")
        visitor.go(case)
        if page.locator("form[action$='/claim/']").count():
            page.locator("form[action$='/claim/'] input[type=submit]").click()
        take(page, f"desk-case-{language}")
        visitor.go(f"{QUEUE}reports/")
        take(page, f"desk-reports-{language}")


def select_all(visitor: Visitor) -> None:
    visitor.page.check("#action-toggle")
    visitor.page.select_option("select[name=action]", "hand_over_selected")
    visitor.page.click("button[name=index]")


def take(page: Page, name: str) -> None:
    page.screenshot(path=TO / f"{name}.png", full_page=True)
