"""Answers that come late, wrong or never, and a host that says who is asking sooner or later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import ELEMENT, Own, Visitor, heading, new_token, told, visit
from tests.served.conftest import Served

# One process drives the one browser.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("browser")]
# Every answer waits at the network until it is let in by the name of its operation.
HOLD = """
  const ask = window.fetch; window.held = []; window.holding = false;
  window.fetch = async (address, init) => {
    const answer = await ask(address, init);
    if (window.holding) await new Promise(go => held.push({ go, name: JSON.parse(init.body).operationName }));
    return answer;
  };
  window.letIn = name => { const at = held.findIndex(one => one.name === name); held.splice(at, 1)[0].go(); };
"""


def one_now(found: Iterable[str], *now: str) -> list[Any]:
    """The ones to look at now; the others in the long run. Without a browser, node looks at each."""
    return [one if one in now else pytest.param(one, marks=pytest.mark.long) for one in found]


def hold(page: Page) -> Callable[[str], None]:
    """Hold what is asked from now on; answers what lets one answer in."""
    page.evaluate("holding = true")

    def let_in(name: str) -> None:
        page.wait_for_function("name => held.some(one => one.name === name)", arg=name)
        page.evaluate("name => letIn(name)", name)

    return let_in


@pytest.fixture
def slow(visitor: Visitor, site: Served, dataset: dict[str, Any]) -> Own:
    """A subscription of its own on a line that can be held, and a host that listens."""
    visitor.page.add_init_script(HOLD)
    told(visitor.page, "wayout-canceled", "wayout-undone", "wayout-error")
    visitor.sign_in(dataset["admin"], dataset["password"])
    number = dataset["online"].pop()
    return Own(visitor, site, number, f"Own {len(dataset['online'])}")


def news(page: Page) -> Locator:
    return page.locator(f"{ELEMENT} .news")


@pytest.mark.parametrize("elsewhere", ["another subscription", pytest.param("the list", marks=pytest.mark.long)])
def test_a_late_answer_belongs_to_the_subscription_that_asked(slow: Own, elsewhere: str) -> None:
    page = slow.visitor.page
    element = slow.leave()
    let_in = hold(page)
    page.get_by_role("button", name="Cancel subscription now").click()
    page.locator(f"{ELEMENT} #to-subscription").click()
    page.locator(f"{ELEMENT} #to-list").click()
    let_in("Subscriptions")
    if elsewhere == "another subscription":
        page.get_by_role("button", name="Cancel subscription: Own 0").click()
        let_in("Subscription")
        expect(heading(page)).to_have_text("Cancel “Own 0”")
    let_in("Cancel")
    expect(news(page)).to_contain_text(f"“{slow.name}” was canceled")
    page.evaluate("holding = false; held.forEach(one => one.go())")
    [event] = page.evaluate("told")
    assert (event["name"], event["detail"]["subscriptionId"]) == ("wayout-canceled", f"sub_{slow.number}")
    expect(news(page)).to_contain_text(event["detail"]["reference"])
    assert slow.cancellations() == "1"
    if elsewhere == "another subscription":
        expect(heading(page)).to_have_text("Cancel “Own 0”")
        expect(element).to_contain_text("Not canceled yet")
    else:
        expect(element.locator("li", has_text=slow.name).filter(has_text="12 of")).to_contain_text("Canceled")
    assert slow.visitor.violations("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa") == set()
    news(page).get_by_role("button", name="Show").click()
    expect(heading(page)).to_have_text(slow.name)
    expect(news(page)).to_have_count(0)


def test_a_late_failure_says_whose_it_is_and_is_asked_for_again(slow: Own) -> None:
    page = slow.visitor.page
    element = slow.leave()

    def lose(route: Route) -> None:
        if "mutation Cancel" in (route.request.post_data or ""):
            route.fetch()
            page.wait_for_timeout(300)
            route.abort()
        else:
            route.continue_()

    page.route("**/graphql/", lose)
    page.get_by_role("button", name="Cancel subscription now").click()
    page.locator(f"{ELEMENT} #to-subscription").click()
    page.locator(f"{ELEMENT} #to-list").click()
    expect(news(page)).to_contain_text(f"“{slow.name}”: No answer came. What you asked for may have arrived")
    [event] = page.evaluate("told")
    assert event == {"name": "wayout-error", "detail": {"kind": "timeout", "subscriptionId": f"sub_{slow.number}"}}
    news(page).get_by_role("button", name="Show").click()
    expect(element).to_contain_text("Canceled")
    slow.visitor.complaints.clear()  # the browser says that the request failed, as it was made to


def test_what_was_undone_is_never_shown_as_canceled(own: Own) -> None:
    page = own.visitor.page
    own.leave()
    page.get_by_role("button", name="Cancel subscription now").click()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    page.get_by_role("button", name="Undo the cancellation").click()
    expect(page.locator(f"{ELEMENT} #undone")).to_be_focused()
    page.go_back()
    for way in ("back", "reload", "bookmark"):
        if way == "reload":
            page.reload()
        elif way == "bookmark":
            own.visitor.go("/")
            own.visitor.go(f"/subscriptions/{own.number}/#done")
        expect(page.locator(f"{ELEMENT}[aria-busy=false]")).to_have_count(1)
        expect(heading(page)).to_have_text(own.name)
        expect(page.locator(f"{ELEMENT} #undo, {ELEMENT} #why")).to_have_count(0)


@pytest.mark.parametrize("known", [False, True])
def test_done_of_what_was_never_canceled_shows_the_subscription(own: Own, known: bool) -> None:
    page = own.visitor.page
    if known:
        own.visitor.go(f"/subscriptions/{own.number}/")
        expect(heading(page)).to_have_text(own.name)
        page.evaluate("location.hash = 'done'")
    else:
        own.visitor.go(f"/subscriptions/{own.number}/#done")
    expect(page.locator(f"{ELEMENT}[aria-busy=false]")).to_have_count(1)
    expect(heading(page)).to_have_text(own.name)
    page.evaluate("document.querySelector('wayout-portal').show('sub_999999', 'done')")
    expect(heading(page)).to_have_text("There is no such subscription, or you cannot see it.")


@pytest.fixture(scope="session")
def token(site: Served) -> str:
    return new_token(site)


class Host:
    """A page of somebody else's with the element in it, and what it heard."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.asked: list[str | None] = []
        visitor.page.on("request", self._note)
        told(visitor.page, "wayout-error")

    def _note(self, request: Any) -> None:
        if request.url.endswith("/graphql/"):
            self.asked.append(request.headers.get("authorization"))

    def open(self, script: str, attributes: str = "") -> Locator:
        body = f"<!doctype html><html lang=en><title>Host</title><wayout-portal {attributes}></wayout-portal><script type=module>const load = () => import('/static/wayout/index.js'); const element = document.querySelector('wayout-portal');{script}</script>"
        self.page.route("**/host.html", lambda route: route.fulfill(content_type="text/html", body=body))
        self.visitor.go("/host.html")
        return self.page.locator(ELEMENT)

    def kinds(self) -> list[str]:
        return [event["detail"]["kind"] for event in self.page.evaluate("told")]


@pytest.fixture
def host(browser: Browser, site: Served) -> Iterator[Host]:
    for visitor in visit(browser, site, "en"):
        yield Host(visitor)


SETTERS = {
    "before the element is known": "element.getToken = () => TOKEN; await load();",
    "after it is known": "await load(); element.getToken = () => TOKEN;",
    "a while after": "await load(); setTimeout(() => { element.getToken = async () => TOKEN }, 200);",
    "before it is in the page": "element.remove(); await load(); const made = document.createElement('wayout-portal');"
    " made.getToken = () => TOKEN; document.body.append(made);",
    "right after it is in the page": "element.remove(); await load();"
    " const made = document.createElement('wayout-portal'); document.body.append(made); made.getToken = () => TOKEN;",
    "by a fetcher before": "element.fetcher = (url, init) => fetch(url, { ...init, credentials: 'omit',"
    " headers: { ...init.headers, Authorization: `Bearer ${TOKEN}` } }); await load();",
    "by a fetcher after": "await load(); element.fetcher = (url, init) => fetch(url, { ...init, credentials: 'omit',"
    " headers: { ...init.headers, Authorization: `Bearer ${TOKEN}` } });",
    "an address that comes later": "element.getToken = () => TOKEN; element.setAttribute('endpoint', '/nowhere/');"
    " await load(); setTimeout(() => element.setAttribute('endpoint', '/graphql/'), 200);",
}


@pytest.mark.parametrize("when", one_now(SETTERS, "before the element is known", "a while after", "by a fetcher after"))
def test_who_is_asking_may_be_said_at_any_time(host: Host, token: str, when: str) -> None:
    element = host.open(f"const TOKEN = {json.dumps(token)}; {SETTERS[when]}")
    expect(element.locator(".row")).to_have_count(12)
    assert f"Bearer {token}" in host.asked
    host.visitor.complaints.clear()  # /nowhere/ is not there


@pytest.mark.parametrize("shown", [pytest.param("", marks=pytest.mark.long), "subscription-id=sub_3"])
def test_another_token_is_asked_with_at_once(host: Host, token: str, shown: str) -> None:
    element = host.open(f"element.getToken = () => {json.dumps(token)}; await load();", shown)
    expect(element.locator("h1")).to_have_text("Team Chat" if shown else "Products & services")
    host.page.evaluate("document.querySelector('wayout-portal').getToken = () => 'wyo_test_wrong'")
    expect(heading(host.page)).to_have_text("You are signed out")
    assert host.kinds() == ["signedOut"]
    asked = len(host.asked)
    host.page.evaluate(
        "{ const e = document.querySelector('wayout-portal'); e.getToken = e.getToken; e.fetcher = null; }"
    )
    host.page.wait_for_timeout(100)
    assert len(host.asked) == asked
    host.page.evaluate("text => { document.querySelector('wayout-portal').getToken = () => text }", token)
    expect(heading(host.page)).to_have_text("Team Chat" if shown else "Products & services")


FAILING = {
    "() => Promise.reject(new Error('no token'))": "token",
    "() => { throw new Error('no token') }": "token",
    "'not a function'": "token",
    "() => new Promise(() => {})": "token",
}


@pytest.mark.parametrize("given", one_now(FAILING, "() => new Promise(() => {})"))
def test_a_token_that_does_not_come_is_said_and_told(host: Host, token: str, given: str) -> None:
    host.page.clock.install()
    element = host.open(f"element.getToken = {given}; await load(); window.loaded = true;")
    host.page.wait_for_function("window.loaded")
    host.page.clock.run_for(21_000)
    expect(element).to_contain_text("This page could not say who you are")
    expect(element).not_to_contain_text("Loading")
    assert host.kinds() == [FAILING[given]]
    assert host.asked == []
    host.page.evaluate("text => { const e = document.querySelector('wayout-portal'); e.getToken = () => text; }", token)
    expect(element.locator(".row")).to_have_count(12)


FETCHERS = {
    "() => Promise.reject(new Error('no line'))": "timeout",
    "() => { throw new Error('no line') }": "timeout",
    "() => new Promise(() => {})": "timeout",
    "() => undefined": "server",
    "async () => new Response('<html>', { status: 200 })": "server",
    "async () => new Response(new ReadableStream(), { status: 200 })": "timeout",
}


@pytest.mark.parametrize("given", one_now(FETCHERS, "() => undefined"))
def test_a_fetcher_that_fails_is_said_and_told(host: Host, given: str) -> None:
    host.page.clock.install()
    element = host.open(f"element.fetcher = {given}; await load(); window.loaded = true;")
    host.page.wait_for_function("window.loaded")
    host.page.clock.run_for(21_000)
    expect(element.locator("#notice")).to_be_visible()
    expect(element).not_to_contain_text("Loading")
    # Nothing was to be changed, so nothing may have been.
    expect(element).not_to_contain_text("may have arrived")
    assert host.kinds() == [FETCHERS[given]]


def test_a_session_that_ends_at_a_change_has_a_way_on(host: Host, token: str) -> None:
    element = host.open(
        f"window.token = {json.dumps(token)}; element.getToken = () => window.token; await load();",
        "subscription-id=sub_4 step=leave",
    )
    expect(heading(host.page)).to_have_text("Cancel “Office Suite Key”")
    host.page.evaluate("window.right = window.token; window.token = 'wyo_test_wrong'")
    element.get_by_role("button", name="Cancel subscription now").click()
    expect(heading(host.page)).to_have_text("You are signed out")
    expect(heading(host.page)).to_be_focused()
    expect(element).to_contain_text("Nothing was changed")
    expect(element).not_to_contain_text("may have arrived")
    assert host.kinds() == ["signedOut"]
    assert host.visitor.violations("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa") == set()
    element.get_by_role("button", name="Continue").click()
    expect(heading(host.page)).to_have_text("You are signed out")
    host.page.evaluate("window.token = window.right")
    element.get_by_role("button", name="Continue").click()
    expect(heading(host.page)).to_have_text("Cancel “Office Suite Key”")
    host.page.evaluate("window.token = 'wyo_test_wrong'; document.querySelector('wayout-portal').refresh()")
    expect(heading(host.page)).to_have_text("You are signed out")
    host.page.evaluate("window.token = window.right; document.querySelector('wayout-portal').refresh()")
    expect(heading(host.page)).to_have_text("Cancel “Office Suite Key”")


def test_too_many_requests_and_an_outage_are_called_what_they_are(own: Own) -> None:
    page = own.visitor.page
    told(page, "wayout-error")
    element = own.leave()
    answers: list[dict[str, Any]] = [
        {"status": 429, "headers": {"Retry-After": "30"}, "json": {"errors": [{"extensions": {"code": "RATE_LIMITED"}}]}},
        {"status": 502, "body": "<html>Bad gateway</html>"},
    ]  # fmt: skip
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "")["variables"]["input"]["idempotencyKey"])
        route.fulfill(**answers.pop(0)) if answers else route.continue_()

    page.clock.install()
    page.route(
        "**/graphql/", lambda route: refuse(route) if "mutation" in str(route.request.post_data) else route.continue_()
    )
    page.get_by_role("button", name="Cancel subscription now").click()
    notice = element.locator("#notice")
    expect(notice).to_contain_text("Too many requests came. Nothing was changed. Try again in 30 seconds.")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_have_attribute("aria-disabled", "true")
    again.dispatch_event("click")
    page.clock.run_for(31_000)
    expect(again).not_to_have_attribute("aria-disabled", "true")
    again.click()
    expect(notice).to_contain_text("cannot be reached right now. It may have arrived")
    again.click()
    expect(heading(page)).to_have_text(f"“{own.name}” was canceled")
    assert [event["detail"]["kind"] for event in page.evaluate("told")] == ["rateLimited", "unavailable"]
    assert len(asked) == 3
    assert len(set(asked)) == 1
    own.visitor.complaints.clear()  # the browser says that requests failed, as they were made to


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 503, "headers": {"Retry-After": "5"}, "body": ""}, "cannot be reached right now. Try again in 5 seconds."),
        pytest.param({"status": 500, "body": ""}, "on our side. Try again in a moment.", marks=pytest.mark.long),
        pytest.param(None, "No answer came. Try again in a moment.", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_what_only_reads_never_may_have_arrived(visitor: Visitor, answer: dict[str, Any] | None, said: str) -> None:
    page = visitor.sign_in("contoso-admin").page
    expect(heading(page)).to_be_visible()
    page.route("**/graphql/", lambda route: route.fulfill(**answer) if answer else route.abort())
    page.evaluate("document.querySelector('wayout-portal').refresh()")
    notice = page.locator(f"{ELEMENT} #notice")
    expect(notice).to_contain_text(said)
    expect(notice).not_to_contain_text("arrived")
    visitor.complaints.clear()  # the browser says that requests failed, as they were made to
