"""What is good once is good once: in one process or several, one after the other or at the same instant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.sessions.models import Session as StoredSession
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from outbox.worker import work_off
from portal.accounts import tokens as ours
from portal.accounts.passwords import _use_key
from tenants.models import UsedCode, User
from tenants.once import use_once
from tests.accounts.test_organization import Provider, api, provider, who
from tests.accounts.test_people import LOGIN, code, with_totp
from tests.accounts.test_people import sign_in as sign_in_by_page
from tests.graphql.test_accounts import FORGOT, NEW, REFRESH, RESET, SIGN_IN, ask, email, tokens
from tests.races.together import together
from tests.world import PASSWORD, Api, World

__all__ = ["api", "provider"]
ROOT = Path(__file__).parents[2]
both = pytest.mark.parametrize("cached", [True, False], ids=["same cache", "another cache"])
# A second process of the installation, which asks the API what it is told to.
_ANOTHER = """
import json, sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from tests.world import Api
said = Api().post(sys.argv[2], input=json.loads(sys.argv[3])).json()
print(json.dumps(next(iter(said["data"].values()))))
"""


def in_another_process(document: str, **given: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", _ANOTHER, connection.settings_dict["NAME"], document, json.dumps(given)]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return found


def fresh(secret: str) -> str:
    """A code that is good for ten seconds more."""
    if time.time() % 30 > 20:
        time.sleep(30 - time.time() % 30)
    return code(secret)


def with_codes(user: User) -> str:
    with_totp(user)
    unused: str = RecoveryCodes.activate(user).get_unused_codes()[0]
    return unused


@pytest.mark.django_db
@both
def test_a_code_of_an_app_signs_in_once(person: User, cached: bool) -> None:
    secret = with_totp(person)
    given = {"name": person.username, "password": PASSWORD, "code": fresh(secret)}
    assert "session" in ask(Api(), SIGN_IN, **given)
    if not cached:
        cache.clear()
    for written in (given["code"], f"{given['code'][:3]} {given['code'][3:]}"):
        assert ask(Api(), SIGN_IN, **{**given, "code": written})["code"] == "SIGN_IN_FAILED"
        client = Client()
        sign_in_by_page(client, person)
        client.post(reverse("mfa_authenticate"), {"code": written})
        assert who(client) is None


@pytest.mark.django_db
@both
def test_the_code_that_set_an_app_up_signs_nobody_in(person: User, cached: bool) -> None:
    client = Client()
    sign_in_by_page(client, person)
    page = client.get(reverse("mfa_activate_totp"), follow=True)
    if page.redirect_chain:
        client.post(page.redirect_chain[-1][0], {"password": PASSWORD})
        client.get(reverse("mfa_activate_totp"))
    used = fresh(client.session["mfa.totp.secret"])
    client.post(reverse("mfa_activate_totp"), {"code": used})
    if not cached:
        cache.clear()
    assert ask(Api(), SIGN_IN, name=person.username, password=PASSWORD, code=used)["code"] == "SIGN_IN_FAILED"


@pytest.mark.django_db
def test_a_recovery_code_signs_in_once(person: User) -> None:
    given = {"name": person.username, "password": PASSWORD, "code": with_codes(person)}
    assert "session" in ask(Api(), SIGN_IN, **given)
    assert ask(Api(), SIGN_IN, **given)["code"] == "SIGN_IN_FAILED"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_many_with_one_code_one_gets_in(person: User, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Neither the cache nor the count of tries is what stops them.
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda *_: True)
    monkeypatch.setattr("portal.accounts.attempts.FREE", 1_000)
    given = {"name": person.username, "password": PASSWORD}
    given["code"] = fresh(with_totp(person)) if kind == "app" else with_codes(person)
    answers = together(8, lambda _: ask(Api(), SIGN_IN, **given))
    assert all(isinstance(answer, dict) for answer in answers), answers
    assert sorted("session" in answer for answer in answers) == [False] * 7 + [True]  # type: ignore[operator]


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_two_processes_take_a_code_once(person: User) -> None:
    given = {"name": person.username, "password": PASSWORD, "code": fresh(with_totp(person))}
    assert "session" in ask(Api(), SIGN_IN, **given)
    assert in_another_process(SIGN_IN, **given)["code"] == "SIGN_IN_FAILED"


def mailed_key(person: User, settings: Any) -> str:
    settings.HEADLESS_FRONTEND_URLS = {"account_reset_password_from_key": "https://portal.example/reset?key={key}"}
    ask(Api(), FORGOT, email=person.email)
    work_off()
    [key] = re.findall(r"https://portal\.example/reset\?key=(\S+)", mail.outbox[-1].body)
    return str(key)


@pytest.mark.django_db(transaction=True)
def test_of_many_with_one_link_one_sets_a_password(person: User, settings: Any) -> None:
    key = mailed_key(person, settings)
    answers = together(6, lambda n: ask(Api(), RESET, key=key, password=f"{NEW} {n}"))
    assert sorted(answer.get("code", "done") for answer in answers) == ["RESET_KEY_INVALID"] * 5 + ["done"]  # type: ignore[union-attr]
    [winner] = [n for n, answer in enumerate(answers) if answer == {"reset": True}]
    assert "session" in ask(Api(), SIGN_IN, name=person.username, password=f"{NEW} {winner}")


@pytest.mark.django_db
def test_a_link_that_somebody_is_just_using_is_used(person: User, settings: Any) -> None:
    """Before their password is set, which makes the link worthless."""
    key = mailed_key(person, settings)
    _use_key(person, key.partition("-")[2])
    assert ask(Api(), RESET, key=key, password=NEW)["code"] == "RESET_KEY_INVALID"


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_two_processes_take_a_link_once(person: User, settings: Any) -> None:
    key = mailed_key(person, settings)
    assert in_another_process(RESET, key=key, password=NEW) == {"reset": True}
    assert ask(Api(), RESET, key=key, password=f"{NEW}!")["code"] == "RESET_KEY_INVALID"


@pytest.mark.django_db
def test_a_link_is_not_used_up_by_a_password_that_is_too_weak(person: User, settings: Any) -> None:
    key = mailed_key(person, settings)
    uid, _, token = key.partition("-")
    page = Client()
    form = page.get(f"/accounts/password/reset/key/{uid}-{token}/", follow=True).redirect_chain[-1][0]
    assert "errorlist" in page.post(form, {"password1": "123", "password2": "123"}).text
    assert page.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert page.post(LOGIN, {"login": person.username, "password": NEW}).status_code == 302


@pytest.mark.django_db
def test_a_used_refresh_token_ends_its_session_and_no_other(person: User) -> None:
    stolen, other = tokens(person), tokens(person)
    after = ask(Api(), REFRESH, refreshToken=stolen["refreshToken"])["session"]
    newest = ask(Api(), REFRESH, refreshToken=after["refreshToken"])["session"]
    assert email(Api(token=newest["accessToken"])) == person.email
    assert ask(Api(), REFRESH, refreshToken=stolen["refreshToken"])["code"] == "SESSION_ENDED"
    # Whoever has the newer ones is out as well.
    assert ask(Api(), REFRESH, refreshToken=newest["refreshToken"])["code"] == "SESSION_ENDED"
    assert [email(Api(token=found["accessToken"])) for found in (stolen, after, newest)] == [None] * 3
    assert email(Api(token=other["accessToken"])) == person.email
    assert "session" in ask(Api(), REFRESH, refreshToken=other["refreshToken"])


@pytest.mark.django_db
def test_a_refresh_token_that_nobody_signed_ends_nothing(person: User) -> None:
    session = tokens(person)
    head, claims, signature = session["refreshToken"].split(".")
    for forged in (f"{head}.{claims}.{signature[::-1]}", session["accessToken"], "x", f"{head}.{claims}."):
        assert ask(Api(), REFRESH, refreshToken=forged)["code"] == "SESSION_ENDED"
    assert "session" in ask(Api(), REFRESH, refreshToken=session["refreshToken"])


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_two_processes_see_that_a_refresh_token_comes_again(person: User) -> None:
    session = tokens(person)
    after = in_another_process(REFRESH, refreshToken=session["refreshToken"])["session"]
    assert ask(Api(), REFRESH, refreshToken=session["refreshToken"])["code"] == "SESSION_ENDED"
    assert in_another_process(REFRESH, refreshToken=after["refreshToken"])["code"] == "SESSION_ENDED"
    assert not StoredSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_refresh_at_the_same_instant_stay_signed_in(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, looked = tokens(person), threading.Barrier(2)
    look = ours.tokens.validate_refresh_token
    calls: dict[int, int] = {}

    def look_together(token: str) -> Any:
        """Both look at the token before either takes it."""
        found, me = look(token), threading.get_ident()
        calls[me] = calls.get(me, 0) + 1
        if calls[me] == 1:
            looked.wait(timeout=30)
        return found

    monkeypatch.setattr(ours.tokens, "validate_refresh_token", look_together)
    answers = together(2, lambda _: ask(Api(), REFRESH, refreshToken=session["refreshToken"]))
    monkeypatch.undo()
    assert [type(answer) for answer in answers] == [dict, dict], answers
    [won] = [answer["session"] for answer in answers if "session" in answer]  # type: ignore[index, operator]
    assert email(Api(token=won["accessToken"])) == person.email
    assert "session" in ask(Api(), REFRESH, refreshToken=won["refreshToken"])


@pytest.mark.django_db(transaction=True)
def test_one_return_from_the_organization_signs_in_once(provider: Provider, world: World, person: User) -> None:
    provider.claims = {"sub": "u-1", "email": person.email, "email_verified": True}
    browser = Client()
    sent = browser.post("/accounts/oidc/organization/login/", {"next": "/"})
    [state] = re.findall(r"state=(\w+)", sent["Location"])
    cookies = browser.cookies.output(header="", sep=";")

    def come_back(_: int) -> str:
        client = Client()
        client.cookies.load(cookies)
        client.get("/accounts/oidc/organization/login/callback/", {"code": "once", "state": state})
        return who(client) or "nobody"

    assert sorted(map(str, together(5, come_back))) == sorted([str(person.pk), *["nobody"] * 4])
    # The code went to the server once.
    assert len(provider.asked) == 1


@pytest.mark.django_db
def test_what_is_too_old_to_be_good_is_forgotten(db: Any) -> None:
    assert use_once("a", "b", timedelta(minutes=1))
    assert not use_once("a", "b", timedelta(minutes=1))
    assert use_once("a", "c", timedelta(minutes=1))
    assert use_once("ab", "", timedelta(minutes=1))
    UsedCode.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert use_once("a", "b", timedelta(minutes=1))
    assert UsedCode.objects.count() == 1
