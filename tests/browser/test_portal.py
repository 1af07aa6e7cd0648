"""The portal page as people use it: every way out, in both languages, by mouse and by keyboard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import ELEMENT, Own, Visitor, heading, in_the_installation, told, visit
from tests.served.conftest import Served
from tests.world import PASSWORD

# One process drives the one browser.
pytestmark = pytest.mark.xdist_group("browser")
# The subscriptions of the demo, by the rule that decides.
WAYS = (
    "Video Trial", "Analytics Trial", "Team Chat", "Office Suite Key", "Mail Archive", "Design Studio", "Business Suite",
    "Remote Desktop", "Security Pack", "Legacy Backup", "Team Board", "Old Forms",
)  # fmt: skip
ONLINE, CALLED, GROUPS = "Team Chat", "Business Suite", "Remote Desktop"


@dataclass(frozen=True)
class Look:
    language: str
    scheme: str
    width: int
    forced: str = "none"


SHORT = [Look("bg", "dark", 320)]
LONG = [
    look
    for language in ("en", "bg")
    for scheme in ("light", "dark")
    for width in (320, 640, 1280)
    for look in (Look(language, scheme, width), Look(language, scheme, width, "active"))
    if look not in SHORT
]


@pytest.mark.parametrize(
    "look", [*SHORT, *(pytest.param(look, marks=pytest.mark.long) for look in LONG)], ids=lambda look: str(look)
)
def test_every_way_is_good_to_look_at(browser: Browser, site: Served, look: Look) -> None:
    given = {
        "viewport": {"width": look.width, "height": 800}, "color_scheme": look.scheme, "forced_colors": look.forced,
    }  # fmt: skip
    for visitor in visit(browser, site, look.language, **given):
        # Each speaks the language of the account; the demo makes its twelve subscriptions one account after the other.
        name, first = ("contoso-admin", 1) if look.language == "en" else ("rila-admin", 13)
        page = visitor.sign_in(name).page
        rows = page.locator(f"{ELEMENT} .row")
        expect(rows).to_have_count(len(WAYS))
        check(visitor, look)
        rows.first.locator("h2 button").click()
        check(visitor, look)
        for number in range(first, first + len(WAYS)):
            visitor.go(f"/subscriptions/{number}/#leave")
            expect(page.locator(f"{ELEMENT} details")).to_be_visible()
            check(visitor, look)


def check(visitor: Visitor, look: Look) -> None:
    page = visitor.page
    expect(page.locator(f"{ELEMENT}[aria-busy=false]")).to_have_count(1)
    expect(heading(page)).to_have_count(1)
    assert visitor.violations("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa") == set()
    words = page.locator(ELEMENT).inner_text()
    # Neither a key nor a placeholder shows through.
    assert not re.search(r"\{\w+\}|undefined|null|\[object", words)
    assert not re.search(r"\b(?:states|routes|failures|steps|credits)\.\w", words)
    if look.language == "bg":
        assert not re.search(r"\b(?:the|you|cancel|license)\b", words)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """() => [...document.querySelector("wayout-portal").shadowRoot.querySelectorAll("button, select, .choice")]
            .filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)"""
    )
    assert small == []


def test_from_the_list_to_done_by_mouse(own: Own) -> None:
    page = own.visitor.page
    told(page, "wayout-canceled", "wayout-undone")
    element = own.leave()
    expect(element).to_contain_text("Not canceled yet")
    expect(element).to_contain_text("Access, for 12 people")
    promise = element.locator("dd strong").first.inner_text()
    assert re.fullmatch(r"We will pay you €[\d.]+ by \d+ \w+ \d{4} at the latest", promise)
    page.get_by_role("button", name="Cancel subscription now").click()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    expect(heading(page)).to_be_focused()
    expect(element).to_contain_text(promise)
    reference = element.locator("dd strong").first.inner_text()
    assert re.fullmatch(r"C-\w{4}-\w{4}", reference)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the receipt").click()
    assert download.value.suggested_filename == f"{reference}.txt"
    assert reference in download.value.path().read_text()
    page.get_by_role("button", name="Not used").click()
    expect(element).to_contain_text("Thank you. It is noted.")
    page.get_by_role("button", name="Undo the cancellation").click()
    expect(element.locator("#undone")).to_be_focused()
    expect(element).to_contain_text("You keep")
    assert [event["name"] for event in page.evaluate("told")] == ["wayout-canceled", "wayout-undone"]
    assert page.evaluate("told[0].detail") == {"subscriptionId": f"sub_{own.number}", "reference": reference}


def test_from_details_to_done_by_keyboard_in_three_activations(own: Own) -> None:
    page = own.visitor.page
    own.visitor.go(f"/subscriptions/{own.number}/")
    expect(heading(page)).to_have_text(own.name)
    tab_to(page, "cancel")
    page.keyboard.press("Enter")
    expect(heading(page)).to_be_focused()
    tab_to(page, "mode-IMMEDIATE")
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{ELEMENT} #mode-AT_PERIOD_END")).to_be_focused()
    tab_to(page, "confirm")
    expect(page.locator(f"{ELEMENT} #confirm")).to_have_text("Cancel at the end of the period")
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    expect(page.locator(ELEMENT)).to_contain_text("no credit is due")


def tab_to(page: Page, wanted: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.shadowRoot?.activeElement?.id") == wanted:
            return
    pytest.fail(f"the keyboard does not reach {wanted}")


def test_a_double_click_on_a_slow_line_is_one_cancellation(own: Own) -> None:
    page = own.visitor.page
    sent: list[str] = []

    def slow(route: Route) -> None:
        if "mutation Cancel" in (route.request.post_data or ""):
            sent.append(route.request.post_data or "")
            page.wait_for_timeout(400)
        route.continue_()

    own.leave()
    page.route("**/graphql/", slow)
    page.get_by_role("button", name="Cancel subscription now").dblclick()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    assert len(sent) == 1
    assert own.cancellations() == "1"


def test_a_lost_answer_is_asked_for_again_and_makes_one_cancellation(own: Own) -> None:
    page = own.visitor.page
    lost: list[Any] = []

    def lose_first(route: Route) -> None:
        if "mutation Cancel" in (route.request.post_data or "") and not lost:
            lost.append(route.fetch().json())
            route.abort()
        else:
            route.continue_()

    own.leave()
    page.route("**/graphql/", lose_first)
    page.get_by_role("button", name="Cancel subscription now").click()
    notice = page.locator(f"{ELEMENT} #notice")
    expect(notice).to_contain_text("it is never done twice")
    expect(notice).to_be_focused()
    assert own.cancellations() == "1"
    page.get_by_role("button", name="Try again").click()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    expect(page.locator(ELEMENT)).to_contain_text(lost[0]["data"]["cancelSubscription"]["cancellation"]["reference"])
    assert own.cancellations() == "1"
    own.visitor.complaints.clear()  # the browser says that the request failed, as it was made to


def test_a_quote_that_changes_shows_both_numbers_and_asks_again(own: Own) -> None:
    page = own.visitor.page
    element = own.leave()
    before = element.locator("dd strong").first.inner_text().partition(" by ")[0]
    paid_less = f"Charge.objects.filter(agreement__subscription={own.number}).update(paid=1900)"
    in_the_installation(own.site, f"from billing.models import Charge; {paid_less}")
    page.get_by_role("button", name="Cancel subscription now").click()
    changed = element.locator("#changed")
    expect(changed).to_be_focused()
    expect(changed).to_contain_text(f"before: {before}")
    now = element.locator("#changed strong").inner_text().removeprefix("now: ")
    assert now != before
    assert own.cancellations() == "0"
    page.get_by_role("button", name="Cancel subscription now").click()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    expect(element).to_contain_text(f"{now} by")


WHO_PAYS = {
    "en": {
        "owed": "We will pay you €122.40", "ledger": "€122.40 is credited to your account",
        "stripe": "You get back €122.40",
    },
    "bg": {
        "owed": "Ще ви платим 122,40 €", "ledger": "По акаунта ви ще бъдат начислени 122,40 €",
        "stripe": "Ще ви върнем 122,40 €",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "language", [pytest.param(code, marks=pytest.mark.long) if code != "bg" else code for code in WHO_PAYS]
)
def test_who_pays_decides_the_words(browser: Browser, site: Served, language: str) -> None:
    """In the element, and on the page that stands behind it."""
    name, number = ("contoso-admin", 3) if language == "en" else ("rila-admin", 15)
    of = f"from billing.models import Agreement; Agreement.objects.filter(subscription={number})"
    for visitor in visit(browser, site, language):
        page = visitor.sign_in(name).page
        for provider, promise in WHO_PAYS[language].items():
            in_the_installation(site, f"{of}.update(provider='{provider}')")
            visitor.go(f"/subscriptions/{number}/#leave").reload()
            said = page.locator(f"{ELEMENT} .choice strong, {ELEMENT} dd strong")
            expect(said.first).to_have_text(promise)
            expect(said.last).to_contain_text(promise)
            expect(said.last).to_contain_text(re.compile(r"\b20\d\d\b"))
            behind = page.locator("wayout-portal > section dd strong").first.text_content() or ""
            assert behind.replace("\xa0", " ").startswith(promise)
    in_the_installation(site, f"{of}.update(provider='')")


def test_users_are_chosen_removed_and_canceling_online_opens(over: Own) -> None:
    page = over.visitor.page
    element = over.leave()
    expect(element.get_by_role("heading", name="Let us call you")).to_be_visible()
    people = element.locator(".people li")
    expect(people).to_have_count(20)
    page.get_by_role("button", name="Show more").click()
    expect(people).to_have_count(25)
    last = people.last.inner_text().split("@")[0].strip()
    page.get_by_label("Search users").fill(last.upper())
    expect(people).to_have_count(1)
    expect(people.first).to_contain_text(last)
    expect(element.locator("#search-people")).to_be_focused()
    people.first.locator("input").check()
    expect(element).to_contain_text("1 user is chosen")
    page.get_by_role("button", name="See what will happen").click()
    expect(element.locator("#previewed")).to_be_focused()
    expect(element).to_contain_text("After that you can cancel online.")
    page.get_by_role("button", name="Remove the license of 1 user").click()
    expect(element.locator("#removed")).to_be_focused()
    expect(element).to_contain_text("Not canceled yet")
    expect(page.get_by_role("button", name="Cancel subscription now")).to_be_visible()


@pytest.mark.long
def test_removing_and_canceling_in_bulgarian_by_keyboard(
    browser: Browser, site: Served, dataset: dict[str, Any]
) -> None:
    for visitor in visit(browser, site, "bg"):
        page = visitor.sign_in(dataset["admin"], PASSWORD).page
        visitor.go(f"/subscriptions/{dataset['over'][1]}/#leave")
        expect(heading(page)).to_have_text("Анулиране на „Over 1“")
        press(page, "least")
        expect(page.locator(ELEMENT)).to_contain_text("Избран е 1 потребител")
        press(page, "preview")
        expect(page.locator(f"{ELEMENT} #previewed")).to_be_focused()
        press(page, "do-remove")
        expect(page.locator(f"{ELEMENT} #removed")).to_be_focused()
        press(page, "confirm")
        expect(heading(page)).to_have_text("„Over 1“ е анулиран")
        press(page, "undo")
        expect(page.locator(f"{ELEMENT} #undone")).to_be_focused()


@pytest.mark.long
def test_a_call_in_bulgarian_by_keyboard(browser: Browser, site: Served) -> None:
    for visitor in visit(browser, site, "bg"):
        page = visitor.sign_in("rila-admin").page
        visitor.go("/subscriptions/20/#leave")
        expect(heading(page)).to_have_text(f"Анулиране на „{GROUPS}“")
        tab_to(page, "phone")
        page.keyboard.type("0888 123 321")
        press(page, "ask-call")
        expect(page.locator(f"{ELEMENT} #called")).to_be_focused()
        expect(page.locator(ELEMENT)).to_contain_text("Ще се обадим възможно най-скоро")
        press(page, "withdraw-call")
        expect(page.locator(f"{ELEMENT} #ask-call")).to_be_visible()


def press(page: Page, wanted: str) -> None:
    """Reach a button by the keyboard and press it."""
    tab_to(page, wanted)
    page.keyboard.press("Enter")


def test_the_least_active_are_chosen_for_you(visitor: Visitor) -> None:
    visitor.sign_in("contoso-admin")
    element = Own(visitor, (0, {}), 7, CALLED).leave()
    visitor.page.get_by_role("button", name="Choose the 8 users").click()
    expect(element).to_contain_text("8 users are chosen")
    expect(element.locator(".people input:checked")).to_have_count(8)


def test_a_call_is_asked_for_changed_and_withdrawn(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-admin").page
    element = Own(visitor, (0, {}), 8, GROUPS).leave()
    page.get_by_label("Phone").fill("12")
    page.get_by_label("Whom to ask for").fill("Ada")
    page.get_by_role("button", name="Ask for a call").click()
    field = page.get_by_label("Phone")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(element.locator("#phone-error")).to_contain_text("This is not a phone number")
    # What was typed is still there.
    expect(page.get_by_label("Whom to ask for")).to_have_value("Ada")
    field.fill("0888 765 432")
    page.get_by_label("When it suits you").select_option(index=1)
    page.get_by_role("button", name="Ask for a call").click()
    expect(element.locator("#called")).to_be_focused()
    expect(element).to_contain_text("We will call on")
    expect(element).to_contain_text("Your cancellation date counts from")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_label("When it suits you").select_option("")
    page.get_by_role("button", name="Change the call").click()
    expect(element).to_contain_text("We will call as soon as possible")
    page.get_by_role("button", name="Withdraw the request").click()
    expect(page.get_by_role("button", name="Ask for a call")).to_be_visible()


def test_who_may_not_act_reads_who_can(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-viewer").page
    for number in (3, 6, 11):
        visitor.go(f"/subscriptions/{number}/#leave")
        expect(page.locator(ELEMENT)).to_contain_text("a global admin or a billing admin of this account can do it")
        assert page.locator(f"{ELEMENT} #confirm, {ELEMENT} #ask-call, {ELEMENT} #undo").count() == 0


def test_addresses_lead_to_every_step_and_back(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-admin").page
    page.locator(f"{ELEMENT} .row h2 button", has_text=ONLINE).click()
    expect(page).to_have_url(re.compile(r"/subscriptions/3/$"))
    page.locator(f"{ELEMENT} #cancel").click()
    expect(page).to_have_url(re.compile(r"/subscriptions/3/#leave$"))
    page.reload()
    expect(heading(page)).to_have_text(f"Cancel “{ONLINE}”")
    page.go_back()
    expect(heading(page)).to_have_text(ONLINE)
    page.go_back()
    expect(heading(page)).to_have_text("Products & services")
    visitor.go("/subscriptions/12/#done")
    expect(heading(page)).to_have_text("“Old Forms” was canceled")
    visitor.go("/subscriptions/3/#done")
    expect(heading(page)).to_have_text(ONLINE)


def test_what_is_not_there_is_said_and_leads_back(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-admin").page
    expect(heading(page)).to_be_visible()
    for number in (999, 15):  # nobody's, and another account's
        page.evaluate(f"document.querySelector('wayout-portal').show('sub_{number}')")
        expect(heading(page)).to_have_text("There is no such subscription, or you cannot see it.")
        page.get_by_role("button", name="All subscriptions").click()
        expect(heading(page)).to_have_text("Products & services")


def test_offline_says_so_and_goes_on_afterwards(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-admin").page
    expect(heading(page)).to_be_visible()
    page.context.set_offline(True)
    page.locator(f"{ELEMENT} .row h2 button", has_text=ONLINE).click()
    expect(page.locator(f"{ELEMENT} #notice")).to_contain_text("You are offline. Nothing is lost")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(heading(page)).to_have_text(ONLINE)
    visitor.complaints.clear()  # the browser says that it is offline


@pytest.mark.long
def test_another_language_without_a_reload(visitor: Visitor) -> None:
    page = visitor.sign_in("northwind-viewer").page
    expect(heading(page)).to_have_text("Products & services")
    page.evaluate("window.same = true")
    page.locator("#language-form button").click()
    expect(heading(page)).to_have_text("Продукти и услуги")
    expect(page.locator("header")).to_contain_text("Изход")
    expect(page.locator(f"{ELEMENT} .row").first).to_contain_text("Анулиране на абонамента")
    assert page.evaluate("window.same && document.documentElement.lang") == "bg"
    assert visitor.violations() == set()


def test_without_javascript_the_page_cancels_too(browser: Browser, site: Served, dataset: dict[str, Any]) -> None:
    for visitor in visit(browser, site, "en", java_script_enabled=False):
        page = visitor.sign_in(dataset["admin"], PASSWORD).page
        dataset["online"].pop()
        name = f"Own {len(dataset['online'])}"
        page.get_by_role("row", name=name).get_by_role("link", name="Cancel subscription").click()
        page.get_by_role("button", name="Cancel subscription now").click()
        expect(page.locator("main h1")).to_have_text(f"“{name}” was canceled")


def test_a_session_that_ended_leads_to_the_sign_in_and_back(visitor: Visitor) -> None:
    page = visitor.sign_in("contoso-admin").page
    expect(heading(page)).to_be_visible()
    page.context.clear_cookies()
    page.locator(f"{ELEMENT} .row h2 button", has_text=ONLINE).click()
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next="))
    visitor.complaints.clear()  # 403 for the lost cookie is what was asked for
