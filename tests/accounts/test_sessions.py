"""How long somebody stays signed in, by cookie and by token alike, and the list by which they end it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from outbox.registry import periodic_work
from portal.accounts.sessions import browser_in_words
from tenants.callers import Role
from tenants.models import SignIn, User
from tenants.sessions import end_sessions, forget_sessions
from tests.accounts.test_people import code, sign_in, with_totp
from tests.builders import NOW
from tests.graphql.documents import VIEWER
from tests.graphql.test_accounts import REFRESH, ask, email, tokens
from tests.logs import kept_log
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
PAGE = "/accounts/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def is_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def of_staff(world: World) -> User:
    user = world.person(None, is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.mark.parametrize(("who", "hours"), [("people", 12), ("staff", 2)])
def test_who_rests_for_too_long_is_out(world: World, person: User, clock: Any, who: str, hours: int) -> None:
    client, user = Client(), person if who == "people" else of_staff(world)
    sign_in(client, user)
    for _ in range(3):
        clock.shift(hours * HOUR - timedelta(minutes=10))
        assert is_in(client)
    clock.shift(hours * HOUR)
    assert not is_in(client)


@pytest.mark.parametrize(("who", "hours", "step"), [("people", 720, 11), ("staff", 12, 1)])
def test_nobody_stays_longer_than_the_longest(
    world: World, person: User, clock: Any, who: str, hours: int, step: int
) -> None:
    client, user = Client(), person if who == "people" else of_staff(world)
    sign_in(client, user)
    for _ in range((hours - 1) // step):
        clock.shift(step * HOUR)
        assert is_in(client)
    clock.shift(step * HOUR + HOUR)
    assert not is_in(client)


def test_remember_me_makes_it_no_longer(person: User, clock: Any) -> None:
    client = Client()
    sign_in(client, person, remember="on")
    assert client.cookies["sessionid"]["max-age"] == 12 * 3600
    clock.shift(12 * HOUR)
    assert not is_in(client)


def test_tokens_end_as_cookies_do(person: User, clock: Any) -> None:
    pair = tokens(person)
    for _ in range(65):
        clock.shift(11 * HOUR)
        pair = ask(Api(), REFRESH, refreshToken=pair["refreshToken"])["session"]
        assert email(Api(token=pair["accessToken"])) == person.email
    clock.shift(6 * HOUR)
    assert ask(Api(), REFRESH, refreshToken=pair["refreshToken"])["code"] == "SESSION_ENDED"
    pair = tokens(person)
    clock.shift(12 * HOUR)
    assert ask(Api(), REFRESH, refreshToken=pair["refreshToken"])["code"] == "SESSION_ENDED"


def test_a_session_from_before_there_were_limits_begins_now(person: User, clock: Any) -> None:
    client = Client()
    client.force_login(person)
    SignIn.objects.all().delete()
    session = client.session
    for name in ("wayout.began", "wayout.seen", "wayout.staff"):
        del session[name]
    super(type(session), session).save()
    assert is_in(client)
    assert SignIn.objects.get().began_at == NOW


def test_of_who_was_deactivated_meanwhile_nothing_is_noted(person: User, clock: Any) -> None:
    client = Client()
    client.force_login(person)
    User.objects.filter(pk=person.pk).update(is_active=False)
    clock.shift(HOUR)
    assert client.get(reverse("home")).status_code == 302
    assert client.post("/graphql/", {"query": VIEWER}, content_type="application/json").status_code == 200


def test_using_it_writes_once_in_five_minutes(person: User, clock: Any, django_assert_max_num_queries: Any) -> None:
    client = Client()
    sign_in(client, person)
    for minutes, seen in ((4, 0), (2, 6), (4, 6), (2, 12)):
        clock.shift(timedelta(minutes=minutes))
        assert is_in(client)
        assert SignIn.objects.get().seen_at == NOW + timedelta(minutes=seen)


def test_a_person_sees_and_ends_their_sessions(world: World, person: User) -> None:
    client = Client(headers={"User-Agent": FIREFOX})
    sign_in(client, person)
    portal = tokens(person)
    others = [Client(), Client()]
    for each in others:
        sign_in(each, person)
    stranger = world.person(Role.VIEWER)
    theirs = Client()
    theirs.force_login(stranger)
    page = client.get(PAGE)
    assert page.text.count("<tr>") == 1 + 4
    assert "Firefox, Windows" in page.text
    assert "Mozilla" not in page.text
    assert page.text.count("This session") == 1
    one = SignIn.objects.filter(user=person).order_by("pk")[2]
    with kept_log() as log:
        client.post(PAGE, {"session": one.pk})
        # Somebody else's is none of theirs.
        said = client.post(PAGE, {"session": SignIn.objects.get(user=stranger).pk}, follow=True)
        assert "There is no such session any more." in said.text
    assert log.security() == [("session.ended", f"person:{person.pk}")]
    assert [is_in(each) for each in (client, *others, theirs)] == [True, False, True, True]
    client.post(PAGE)
    assert [is_in(each) for each in (client, *others, theirs)] == [True, False, False, True]
    assert email(Api(token=portal["accessToken"])) is None
    assert ask(Api(), REFRESH, refreshToken=portal["refreshToken"])["code"] == "SESSION_ENDED"


@pytest.mark.parametrize("said", ["abc", "", "0", "-1", "9" * 30])
def test_what_is_no_session_ends_none(person: User, said: str) -> None:
    client, other = Client(), Client()
    for each in (client, other):
        sign_in(each, person)
    assert "There is no such session any more." in client.post(PAGE, {"session": said}, follow=True).text
    assert is_in(other)


def test_sessions_from_before_there_was_a_list_end_with_all_others(world: World, person: User) -> None:
    client, others, stranger = Client(), [Client(), Client()], Client()
    for each in (client, *others):
        sign_in(each, person)
    stranger.force_login(world.person(Role.VIEWER))
    # One of nobody, and one that nobody can read.
    Client().get("/accounts/login/")
    Session.objects.create(session_key="x" * 32, session_data="torn", expire_date=timezone.now() + HOUR)
    SignIn.objects.all().delete()
    assert "2 sessions were ended." in client.post(PAGE, follow=True).text
    assert [is_in(each) for each in (client, *others, stranger)] == [True, False, False, True]
    assert Session.objects.filter(session_key="x" * 32).exists()


def test_the_list_is_in_bulgarian_too(person: User) -> None:
    client = Client(headers={"Wayout-Locale": "bg"})
    sign_in(client, person)
    text = client.get(PAGE).text
    assert "Тази сесия" in text
    assert "Последно използвана" in text
    assert "след 12 часа без употреба" in text
    assert "след 30 дни" in text


def test_the_page_says_how_long_a_session_lasts_by_whose_it_is(world: World, person: User) -> None:
    for user, idle, longest in ((person, "12 hours", "30 days"), (of_staff(world), "2 hours", "12 hours")):
        client = Client()
        client.force_login(user)
        text = client.get(PAGE).text
        assert f"after {idle} without use, and after {longest} in any case." in text
        assert text.count("Sofia") == 1


def test_who_changes_the_password_or_drops_the_factor_ends_the_others(person: User) -> None:
    new = "another fine horse"
    client, other = Client(), Client()
    for each in (client, other):
        sign_in(each, person)
    pair = tokens(person)
    change = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    client.post(reverse("account_change_password"), change)
    assert (is_in(client), is_in(other)) == (True, False)
    assert email(Api(token=pair["accessToken"])) is None
    assert SignIn.objects.get(user=person).session_key == client.session.session_key

    secret = with_totp(person)
    sign_in(other, person, new)
    other.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert is_in(other)
    client.post(reverse("account_reauthenticate"), {"password": new})
    client.post(reverse("mfa_deactivate_totp"))
    assert not Authenticator.objects.exists()
    assert (is_in(client), is_in(other)) == (True, False)


def test_sessions_that_are_over_are_forgotten(person: User, clock: Any) -> None:
    assert "forget_sessions" in periodic_work()
    for hours in (0, 6):
        clock.shift(hours * HOUR)
        sign_in(Client(), person)
    clock.shift(7 * HOUR)
    assert forget_sessions(NOW + 13 * HOUR) == 1
    assert Session.objects.count() == SignIn.objects.count() == 1
    # One whose row is gone by other ways has no line either.
    Session.objects.all().delete()
    forget_sessions(NOW + 13 * HOUR)
    assert not SignIn.objects.exists()
    assert end_sessions(person.pk) == 0


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox, Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/1 Safari/604.1", "Safari, iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18 Safari/605", "Safari, macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1 Newcomer/1.0 Safari/605.1", ""),
        ("python-requests/2.32", ""), ("Firefox/" + "x" * 5000, "Firefox"), ("", ""),
    ],
)  # fmt: skip
def test_a_browser_in_words(agent: str, words: str) -> None:
    assert browser_in_words(agent) == words
