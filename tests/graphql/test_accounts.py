"""Accounts over GraphQL: what is told and what is not, sessions by cookie and by token, and their ends."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from outbox.worker import work_off
from tenants.callers import Role
from tenants.models import User
from tests.accounts.test_people import code, with_totp
from tests.graphql.documents import VIEWER
from tests.graphql.test_access import everything
from tests.world import ACTING_SCOPES, PASSWORD, Api, World

pytestmark = pytest.mark.django_db

SESSION = "session { viewer { email } expiresAt accessToken accessTokenLives refreshToken }"
PROBLEM = "... on Problem { code message path }"
SIGN_IN = (
    f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ ... on SignInSuccess {{ {SESSION} }} {PROBLEM} }} }}"
)
SIGN_OUT = f"mutation {{ signOut {{ ... on SignOutSuccess {{ signedOut }} {PROBLEM} }} }}"
REFRESH = (
    "mutation($input: RefreshSessionInput!)"
    f" {{ refreshSession(input: $input) {{ ... on RefreshSessionSuccess {{ {SESSION} }} {PROBLEM} }} }}"
)
FORGOT = (
    "mutation($input: RequestPasswordResetInput!)"
    f" {{ requestPasswordReset(input: $input) {{ ... on RequestPasswordResetSuccess {{ email }} {PROBLEM} }} }}"
)
RESET = (
    "mutation($input: ResetPasswordInput!)"
    f" {{ resetPassword(input: $input) {{ ... on ResetPasswordSuccess {{ reset }} {PROBLEM} }} }}"
)
CHANGE = (
    "mutation($input: ChangePasswordInput!)"
    f" {{ changePassword(input: $input) {{ ... on ChangePasswordSuccess {{ {SESSION} }} {PROBLEM} }} }}"
)
NEW = "another fine horse"


def ask(api: Api, document: str, **given: Any) -> dict[str, Any]:
    variables = {"input": given} if given or "$input" in document else {}
    [answer] = api(document, **variables).values()
    found: dict[str, Any] = answer
    return found


def sign_in(api: Api, user: User, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    return ask(api, SIGN_IN, name=user.username, password=password, **more)


def tokens(user: User) -> dict[str, Any]:
    found: dict[str, Any] = sign_in(Api(), user, kind="TOKEN")["session"]
    return found


def email(api: Api) -> str | None:
    """Who the API thinks is calling."""
    body = api.raw(VIEWER)
    return body["data"]["viewer"]["email"] if body["data"] else None


@pytest.mark.parametrize("by", ["username", "email"])
def test_a_person_signs_in_and_out_by_cookie(person: User, by: str) -> None:
    api = Api()
    session = ask(api, SIGN_IN, name=getattr(person, by), password=PASSWORD)["session"]
    assert session["viewer"] == {"email": person.email}
    assert (session["accessToken"], session["refreshToken"], session["accessTokenLives"]) == (None, None, None)
    assert email(api) == person.email
    assert sign_in(api, person)["code"] == "ALREADY_SIGNED_IN"
    assert ask(api, REFRESH)["session"]["viewer"] == {"email": person.email}
    assert ask(api, SIGN_OUT) == {"signedOut": True}
    assert email(api) is None
    assert ask(api, SIGN_OUT) == {"signedOut": True}
    assert ask(api, REFRESH)["code"] == "SESSION_ENDED"


def test_a_portal_on_another_origin_keeps_tokens(person: User) -> None:
    elsewhere = Api()
    session = sign_in(elsewhere, person, kind="TOKEN")["session"]
    assert session["accessTokenLives"] == 300
    assert not elsewhere.client.cookies
    api = Api(token=session["accessToken"])
    assert email(api) == person.email
    after = ask(Api(), REFRESH, refreshToken=session["refreshToken"])["session"]
    assert email(Api(token=after["accessToken"])) == person.email
    # A refresh token is good once.
    assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"
    assert ask(Api(token=after["accessToken"]), SIGN_OUT) == {"signedOut": True}
    assert [email(Api(token=found["accessToken"])) for found in (session, after)] == [None, None]
    assert ask(Api(), REFRESH, refreshToken=after["refreshToken"])["code"] == "SESSION_ENDED"


def test_a_refresh_token_opens_nothing_else_and_a_session_key_is_no_token(person: User) -> None:
    session = tokens(person)
    assert email(Api(token=session["refreshToken"])) is None
    api = Api()
    sign_in(api, person)
    bare = Api()
    bare.headers["X-Session-Token"] = api.client.session.session_key or ""
    assert email(bare) is None


@pytest.mark.parametrize("language", ["en", "bg"])
def test_no_answer_tells_whether_an_account_exists(world: World, person: User, language: str) -> None:
    gone = world.person(Role.VIEWER, is_active=False)
    gone.set_password(PASSWORD)
    gone.save()
    guarded = world.person(Role.VIEWER)
    guarded.set_password(PASSWORD)
    guarded.save()
    with_totp(guarded)
    attempts = [
        {"name": person.username, "password": "wrong"},
        {"name": person.email, "password": "wrong"},
        {"name": "nobody", "password": "wrong"},
        {"name": "nobody@contoso.example", "password": "wrong"},
        {"name": gone.username, "password": PASSWORD},
        {"name": guarded.username, "password": "wrong", "code": "000000"},
        {"name": "", "password": ""},
        {"name": "half\u0000", "password": "x"},
    ]
    answers = [ask(Api(language=language), SIGN_IN, **given) for given in attempts]
    assert {found["code"] for found in answers} == {"SIGN_IN_FAILED"}
    assert len({found["message"] for found in answers}) == 1
    answers = [ask(Api(language=language), FORGOT, email=each) for each in (person.email, "nobody@contoso.example")]
    assert answers == [{"email": person.email}, {"email": "nobody@contoso.example"}]
    work_off()
    assert [message.to for message in mail.outbox] == [[person.email], ["nobody@contoso.example"]]


@pytest.mark.parametrize("kind", ["COOKIE", "TOKEN"])
def test_a_second_factor_is_asked_for_and_taken(person: User, kind: str) -> None:
    secret = with_totp(person)
    api = Api()
    asked = sign_in(api, person, kind=kind)
    assert (asked["code"], asked["path"]) == ("SECOND_FACTOR_REQUIRED", ["input", "code"])
    assert email(api) is None
    assert sign_in(api, person, kind=kind, code="000000")["code"] == "SIGN_IN_FAILED"
    assert email(api) is None
    session = sign_in(api, person, kind=kind, code=code(secret))["session"]
    assert email(api if kind == "COOKIE" else Api(token=session["accessToken"])) == person.email


def test_sign_ins_and_resets_are_counted(person: User) -> None:
    tries = " ".join(
        f'a{n}: signIn(input: {{name: "{person.username}", password: "x"}}) {{ {PROBLEM} }}' for n in range(2)
    )
    # Of those a document has one: it is meant to take long.
    [error] = Api().raw(f"mutation {{ {tries} }}")["errors"]
    assert error["extensions"]["limit"] == "cost"
    codes = [sign_in(Api(), person, "x")["code"] for _ in range(8)]
    assert codes == ["SIGN_IN_FAILED"] * 5 + ["RATE_LIMITED"] * 3
    # From here even the right password does not help for a while.
    assert sign_in(Api(), person)["code"] == "RATE_LIMITED"
    answers = [ask(Api(), FORGOT, email=person.email) for _ in range(6)]
    assert answers[-1]["code"] == "RATE_LIMITED"
    work_off()
    # The owner is told of the tries, and gets five links.
    assert [message.subject.partition("] ")[2] for message in mail.outbox].count("Password Reset Email") == 5
    assert len(mail.outbox) == 6


def test_a_forgotten_password_is_reset_once_and_ends_every_session(person: User, settings: Any) -> None:
    settings.HEADLESS_FRONTEND_URLS = {"account_reset_password_from_key": "https://portal.example/reset?key={key}"}
    api, session = Api(), tokens(person)
    sign_in(api, person)
    ask(Api(), FORGOT, email=person.email)
    work_off()
    [key] = re.findall(r"https://portal\.example/reset\?key=(\S+)", mail.outbox[0].body)
    weak = ask(Api(), RESET, key=key, password="123")
    assert (weak["code"], weak["path"]) == ("INPUT_INVALID", ["input", "password"])
    assert ask(Api(), RESET, key=key, password=NEW) == {"reset": True}
    again = ask(Api(), RESET, key=key, password="a third fine horse")
    assert (again["code"], again["path"]) == ("RESET_KEY_INVALID", ["input", "key"])
    assert [email(api), email(Api(token=session["accessToken"]))] == [None, None]
    assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"
    assert sign_in(Api(), person)["code"] == "SIGN_IN_FAILED"
    assert "session" in sign_in(Api(), person, NEW)


@pytest.mark.parametrize("kind", ["COOKIE", "TOKEN"])
def test_changing_the_password_keeps_this_session_and_ends_the_others(person: User, kind: str) -> None:
    other, api = Api(), Api()
    sign_in(other, person)
    session = sign_in(api, person, kind=kind)["session"]
    if kind == "TOKEN":
        api = Api(token=session["accessToken"])
    wrong = ask(api, CHANGE, currentPassword="wrong", newPassword=NEW)
    assert (wrong["code"], wrong["path"]) == ("INPUT_INVALID", ["input", "currentPassword"])
    weak = ask(api, CHANGE, currentPassword=PASSWORD, newPassword="123")
    assert (weak["code"], weak["path"]) == ("INPUT_INVALID", ["input", "newPassword"])
    assert email(api) == person.email
    changed = ask(api, CHANGE, currentPassword=PASSWORD, newPassword=NEW)["session"]
    if kind == "TOKEN":
        api = Api(token=changed["accessToken"])
        assert "session" in ask(Api(), REFRESH, refreshToken=changed["refreshToken"])
        assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"
    assert [email(api), email(other)] == [person.email, None]


@pytest.mark.parametrize("who", ["nobody", "token"])
def test_only_a_person_changes_a_password(world: World, person: User, who: str) -> None:
    api = Api() if who == "nobody" else Api(token=world.token(*ACTING_SCOPES))
    before = everything()
    found = ask(api, CHANGE, currentPassword=PASSWORD, newPassword=NEW)
    assert found["code"] == ("NOT_AUTHENTICATED" if who == "nobody" else "NOT_PERMITTED")
    assert everything() == before


def test_a_deactivated_person_is_out_at_the_next_request(person: User) -> None:
    session = tokens(person)
    api = Api(token=session["accessToken"])
    assert email(api) == person.email
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert email(api) is None
    assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"


def test_a_cookie_needs_the_csrf_token_to_sign_out(person: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    answer = client.post("/graphql/", {"query": SIGN_OUT}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"


HALF = "\ud800"


def test_half_a_character_is_refused_as_anything_else_that_is_wrong(person: User) -> None:
    for wrong in ({"name": HALF}, {"password": HALF}, {"name": f"{HALF}@x.example"}, {"code": HALF}):
        given = {"name": person.username, "password": "wrong", **wrong}
        assert ask(Api(), SIGN_IN, **given)["code"] == "SIGN_IN_FAILED", wrong
    assert ask(Api(), REFRESH, refreshToken=HALF)["code"] == "SESSION_ENDED"
    assert ask(Api(), FORGOT, email=f"{HALF}@x.example")["code"] == "INPUT_INVALID"
    assert ask(Api(), RESET, key=HALF, password=NEW)["code"] == "INPUT_INVALID"
    problem = ask(Api(person), CHANGE, currentPassword=PASSWORD, newPassword=NEW + HALF)
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "newPassword"])
    assert ask(Api(person), CHANGE, currentPassword=HALF, newPassword=NEW)["code"] == "INPUT_INVALID"
