"""Tries to get in: five, then ever more rarely, alike for who is there and who is not, and nobody is shut out by others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from common.errors import RateLimited
from outbox.worker import work_off
from portal.accounts.attempts import begin_attempt
from tenants.models import User
from tests.accounts.test_people import LOGIN, code, with_totp
from tests.builders import NOW
from tests.graphql.test_accounts import SIGN_IN, ask
from tests.races.together import together
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db
# Seconds to wait after the fifth failure and each one more.
WAITS = [30, 60, 120, 240, 480, 900, 900]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def typed(client: Client, name: str, password: str = "wrong") -> Any:
    return client.post(LOGIN, {"login": name, "password": password})


def by_page(name: str, password: str = "wrong") -> tuple[int, str]:
    answer = typed(Client(), name, password)
    return answer.status_code, answer.get("Retry-After", "")


def by_api(name: str, password: str = "wrong") -> tuple[int, str]:
    answer = Api().post(SIGN_IN, input={"name": name, "password": password})
    found = answer.json()["data"]["signIn"]
    return {"SIGN_IN_FAILED": 200, "RATE_LIMITED": 429, None: 302}[found.get("code")], answer.get("Retry-After", "")


@pytest.mark.parametrize("way", [by_page, by_api])
@pytest.mark.parametrize("name", ["", "nobody", "nobody@contoso.example"])
def test_after_five_it_waits_doubling_to_fifteen_minutes_whoever_it_is(
    person: User, clock: time_machine.Coordinates, way: Any, name: str
) -> None:
    name = name or person.username
    assert [way(name) for _ in range(5)] == [(200, "")] * 5
    for seconds in WAITS:
        assert way(name, PASSWORD) == (429, str(seconds))
        clock.shift(timedelta(seconds=seconds - 1))
        # What is refused is not looked at, and costs nobody a longer wait.
        assert way(name, PASSWORD) == (429, "1")
        clock.shift(timedelta(seconds=1))
        assert way(name) == (200, "")


@pytest.mark.parametrize("way", [by_page, by_api])
def test_whoever_comes_in_begins_anew(person: User, clock: time_machine.Coordinates, way: Any) -> None:
    for _ in range(2):
        for _ in range(5):
            way(person.username)
        clock.shift(timedelta(seconds=30))
        assert way(person.username, PASSWORD) == (302, "")
        clock.shift(timedelta(seconds=61))


def test_no_other_name_host_or_address_begins_a_new_count(world: World, person: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    names = [person.username, person.email, person.username.upper(), person.email.title(), f" {person.username} "]
    for number, name in enumerate(names, 1):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}", headers={"Host": f"host{number}.example:{number}"})
        assert typed(client, name).status_code == 200
    elsewhere = Client(REMOTE_ADDR="192.0.2.99")
    for name in names:
        blocked = typed(elsewhere, name, PASSWORD)
        assert blocked.status_code == 429, name
        assert "Try again in 1 minute." in blocked.text
        # What was typed is still there.
        assert name.strip() in blocked.text
    # Somebody else is somebody else.
    assert typed(elsewhere, world.person(None).username).status_code == 200


def test_strangers_shut_nobody_out_of_a_browser_that_was_signed_in_before(world: World, person: User) -> None:
    own, other = Client(), world.person(None)
    assert typed(own, person.username, PASSWORD).status_code == 302
    own.post(reverse("account_logout"))
    for _ in range(6):
        typed(Client(), person.username)
    assert typed(Client(), person.username, PASSWORD).status_code == 429
    assert typed(own, person.username, PASSWORD).status_code == 302
    own.post(reverse("account_logout"))
    # It has a count, too, which is nobody else's; and none of its own for an account that was never here.
    assert [typed(own, person.email).status_code for _ in range(6)] == [200] * 5 + [429]
    for _ in range(6):
        typed(Client(), other.username)
    assert typed(own, other.username, PASSWORD).status_code == 429


@pytest.mark.parametrize("cookie", ["", "x", "eyJicm93c2VyIjoieCIsImFjY291bnRzIjpbMV19:1xxxxx:forged"])
def test_a_browser_cannot_say_by_itself_that_it_is_known(person: User, cookie: str) -> None:
    for _ in range(5):
        typed(Client(), person.username)
    client = Client()
    client.cookies["wayout_browser"] = cookie
    assert typed(client, person.username, PASSWORD).status_code == 429


def test_a_browser_of_several_people_knows_them_all(world: World, person: User) -> None:
    client, people = Client(), [person, world.person(None)]
    people[1].set_password(PASSWORD)
    people[1].save()
    for someone in people:
        assert typed(client, someone.username, PASSWORD).status_code == 302
        client.post(reverse("account_logout"))
    for someone in people:
        for _ in range(6):
            typed(Client(), someone.username)
        assert typed(client, someone.username, PASSWORD).status_code == 302
        client.post(reverse("account_logout"))


def test_a_portal_that_keeps_tokens_gets_no_cookie(person: User) -> None:
    given = {"name": person.username, "password": PASSWORD, "kind": "TOKEN"}
    answer = Api().post(SIGN_IN, input=given)
    assert answer.json()["data"]["signIn"]["session"]
    assert not answer.cookies


@pytest.mark.parametrize("language", ["en", "bg"])
def test_the_owner_is_told_once_and_strangers_learn_nothing(person: User, language: str) -> None:
    headers = {"Wayout-Locale": language}
    for name in (person.username, "nobody"):
        for _ in range(7):
            typed(Client(headers=headers, REMOTE_ADDR="192.0.2.5"), name)
    work_off(timezone.now)
    [message] = mail.outbox
    assert message.to == [person.email]
    said = {"en": "Somebody tried to sign in to your account", "bg": "Някой опита да влезе в профила Ви"}[language]
    assert said in message.subject
    assert "192.0.2.5" in message.body
    assert "%(" not in message.body


def test_a_second_factor_is_tried_as_often(person: User, clock: time_machine.Coordinates) -> None:
    secret = with_totp(person)
    api = Api()
    given = {"name": person.username, "password": PASSWORD}
    answers = [ask(api, SIGN_IN, **given, code="000000")["code"] for _ in range(6)]
    assert answers == ["SIGN_IN_FAILED"] * 5 + ["RATE_LIMITED"]
    assert ask(api, SIGN_IN, **given, code=code(secret))["code"] == "RATE_LIMITED"
    client = Client()
    assert typed(client, person.username, PASSWORD).status_code == 302
    tried = client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert (tried.status_code, tried["Retry-After"]) == (429, "30")
    clock.shift(timedelta(seconds=30))
    assert client.post(reverse("mfa_authenticate"), {"code": code(secret)}).status_code == 302


def test_a_new_password_ends_the_waiting(person: User) -> None:
    for _ in range(6):
        typed(Client(), person.username)
    Client().post(reverse("account_reset_password"), {"email": person.email})
    work_off(timezone.now)
    [link] = [word for message in mail.outbox for word in message.body.split() if "/reset/key/" in word]
    client = Client()
    form = client.get(link.partition("testserver")[2], follow=True)
    new = "another fine horse"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert typed(Client(), person.username, new).status_code == 302


def test_of_many_at_once_five_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    # All of them look before the first is counted.
    monkeypatch.setattr("portal.accounts.attempts.time_left", lambda *_: 0.0)
    answers = together(40, lambda _: begin_attempt("somebody"))
    made = [answer for answer in answers if isinstance(answer, bool)]
    assert sorted(made) == [False] * 4 + [True]
    assert {type(answer) for answer in answers if not isinstance(answer, bool)} == {RateLimited}
