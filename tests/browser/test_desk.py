"""The desk as an agent sees it: no complaint of the browser, nothing worse for anybody than Django's own pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visitor, in_the_installation
from tests.served.conftest import Served

# One process drives the one browser.
pytestmark = pytest.mark.xdist_group("browser")
QUEUE = "/admin/desk/callbackrequest/"
# Pages of Django as it comes: a selector with labelled spans, an inline table with nameless columns, a path of links.
STOCK = (
    "/admin/auth/group/", "/admin/auth/group/1/change/", "/admin/tenants/tenant/1/change/",
    "/admin/subscriptions/cancellationpolicy/",
)  # fmt: skip


@pytest.mark.long
def test_every_page_of_the_desk(reader: Visitor) -> None:
    page = reader.sign_in("staff").page
    stock: set[str] = set()
    for path in STOCK:
        reader.go(path)
        stock |= reader.violations()
    reader.complaints.clear()
    reader.go(f"{QUEUE}?queue=open")
    case = page.locator(".field-reference a").first.get_attribute("href") or ""
    reader.go(case.split("?")[0])
    if page.locator("form[action$='/claim/']").count():
        page.locator("form[action$='/claim/'] input[type=submit]").click()
    expect(page.locator("form[action$='/close/']")).to_be_visible()
    subscription = page.locator("a[href$='/cancel/']").get_attribute("href") or ""
    assert reader.violations() <= stock
    for path in (f"{QUEUE}?queue=open", f"{QUEUE}reports/", subscription, "/admin/desk/callbackdesk/1/change/",
                 case.split("?")[0].replace("change", "history")):  # fmt: skip
        reader.go(path)
        expect(page.locator("#content h1")).to_have_count(1)
        assert reader.violations() <= stock, path
    reader.go(f"{QUEUE}?queue=open")
    page.check("#action-toggle")
    page.select_option("select[name=action]", "hand_over_selected")
    page.click("button[name=index]")
    expect(page.locator("select[name=agent]")).to_be_visible()
    assert reader.violations() <= stock


def test_an_agents_call_by_keyboard_alone(visitor: Visitor, site: Served) -> None:
    page = visitor.sign_in("agent").page
    # Whatever the hour is: these are due, and somewhere it is day.
    due = "CallbackRequest.objects.filter(closed_at=None).update(next_attempt_at=now, time_zone=zone)"
    zone = "now = timezone.now(); zone = next(z for z in ZONES if z not in zones_at_night(now))"
    zones = "ZONES = ['Europe/Sofia', 'America/New_York', 'Asia/Tokyo']"
    imports = (
        "from django.utils import timezone; from desk.models import CallbackRequest;"
        "from desk.windows import zones_at_night"
    )
    in_the_installation(site, f"{imports}; {zones}; {zone}; {due}")
    visitor.go(QUEUE)
    page.locator("input[value='Claim next']").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("You have it for 20 minutes.")
    # In the order of reading: release, cancel, then what came of the call.
    page.locator("input[value='Release']").focus()
    page.keyboard.press("Tab")
    expect(page.locator("a", has_text="Cancel for the customer")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#id_close_disposition")).to_be_focused()
    page.locator("select[name=outcome]").select_option("BUSY")
    page.locator("input[value='Log the attempt']").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("Noted: busy.")


def test_the_number_of_calls_that_are_due_is_asked_again(visitor: Visitor) -> None:
    page = visitor.sign_in("staff").page
    page.clock.install()
    visitor.go(QUEUE)
    shown = page.locator("#due-now")
    expect(shown).to_have_text(re.compile(r"\d+ calls? (is|are) due"))
    page.route("**/callbackrequest/due/", lambda route: route.fulfill(json={"count": 7, "text": "7 calls are due"}))
    page.clock.run_for(31_000)
    expect(shown).to_have_text("7 calls are due")


@pytest.mark.parametrize(("asked", "said"), [("bg", "Поеми следващата"), ("en", "Claim next")])
def test_the_language_is_switched_on_the_page(visitor: Visitor, asked: str, said: str) -> None:
    page = visitor.sign_in("staff").page
    visitor.go(QUEUE)
    if page.locator(f"#language-form button[lang={asked}]").count():
        page.click(f"#language-form button[lang={asked}]")
    expect(page.locator(f"input[value='{said}']")).to_be_visible()
