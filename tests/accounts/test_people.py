"""People: sign-in that tells nothing, second factor for staff, access that ends at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth.hashers import get_hasher
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from outbox.worker import work_off
from tenants.models import Membership, User
from tests.graphql.documents import VIEWER
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"


def sign_in(client: Client, user: User, password: str = PASSWORD, **more: str) -> Any:
    return client.post(LOGIN, {"login": user.username, "password": password, **more}, follow=True)


def with_totp(user: User) -> str:
    from allauth.mfa.totp.internal.auth import TOTP

    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code(secret: str) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


@pytest.mark.parametrize("language", ["en", "bg"])
def test_no_answer_tells_whether_an_account_exists(world: World, person: User, language: str) -> None:
    client = Client(headers={"Wayout-Locale": language})
    wrong = client.post(LOGIN, {"login": person.username, "password": "wrong"}).text
    unknown = client.post(LOGIN, {"login": "nobody", "password": "wrong"}).text
    for page, name in ((wrong, person.username), (unknown, "nobody")):
        assert "errorlist" in page
        assert name in page
    assert mask(wrong, person.username) == mask(unknown, "nobody")
    reset = reverse("account_reset_password")
    known, other = (client.post(reset, {"email": email}) for email in (person.email, "nobody@contoso.example"))
    assert (known.status_code, known["Location"]) == (other.status_code, other["Location"]) == (302, reset + "done/")
    work_off()
    assert [message.to for message in mail.outbox] == [[person.email], ["nobody@contoso.example"]]


def test_as_many_passwords_are_hashed_for_whoever_is_asked_for(
    world: World, person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.graphql.test_accounts import SIGN_IN, ask

    address_as_name = world.person(None)
    User.objects.filter(pk=address_as_name.pk).update(username=address_as_name.email)
    only_a_name = world.person(None, username="grace@contoso.example")
    gone = world.person(None, is_active=False)
    hashed: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode
    monkeypatch.setattr(hasher, "encode", lambda self, *given: hashed.append("x") or encode(self, *given))

    def counts(try_it: Callable[[str], Any], *names: str) -> set[int]:
        found = set()
        for name in names:
            cache.clear()
            hashed.clear()
            try_it(name)
            found.add(len(hashed))
        return found

    def by_page(name: str) -> None:
        assert "errorlist" in Client().post(LOGIN, {"login": name, "password": "wrong"}).text

    def by_api(name: str) -> None:
        assert ask(Api(), SIGN_IN, name=name, password="wrong")["code"] == "SIGN_IN_FAILED"

    known = (person.email, address_as_name.email, only_a_name.username, gone.email)
    for way in (by_page, by_api):
        for several in ((*known, "nobody@contoso.example"), (person.username, gone.username, "nobody")):
            [number] = counts(way, *several)
            assert number > 0


def mask(page: str, name: str) -> str:
    import re

    return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page.replace(name, "#"))


def test_resetting_a_password_works_once(world: World, person: User) -> None:
    Client().post(reverse("account_reset_password"), {"email": person.email})
    work_off()
    [link] = [word for word in mail.outbox[0].body.split() if "/accounts/password/reset/key/" in word]
    client = Client()
    form = client.get(link.partition("testserver")[2], follow=True)
    address = form.redirect_chain[-1][0]
    new = {"password1": "another fine horse", "password2": "another fine horse"}
    client.post(address, new)
    assert sign_in(Client(), person, "another fine horse").redirect_chain
    again = Client().get(link.partition("testserver")[2], follow=True)
    assert "invalid" in again.text.lower()


def test_a_request_past_a_proxy_counts_for_the_address_it_came_from(person: User, settings: Any) -> None:
    settings.WAYOUT_PROXIES = 2
    for number in range(31):
        client = Client(REMOTE_ADDR="192.0.2.7", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        answer = client.post(LOGIN, {"login": f"nobody{number}", "password": "wrong"})
        assert answer.status_code in (200, 429)
    assert answer.status_code == 429


def test_nobody_signs_up(world: World) -> None:
    form = {"username": "eve", "email": "eve@x.example", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", form)
    assert not User.objects.filter(username="eve").exists()


def test_deactivating_a_person_or_a_membership_ends_access_at_the_next_request(world: World, person: User) -> None:
    client = Client()
    sign_in(client, person)
    query = {"query": VIEWER}

    def viewer() -> Any:
        return client.post("/graphql/", query, content_type="application/json").json()

    assert viewer()["data"]["viewer"]["tenants"]["totalCount"] == 1
    Membership.objects.filter(user=person).update(is_active=False)
    assert viewer()["data"]["viewer"]["tenants"]["totalCount"] == 0
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert viewer()["errors"][0]["extensions"]["code"] == "NOT_AUTHENTICATED"
    assert client.get("/").status_code == 302


@pytest.fixture
def staff(world: World, settings: Any) -> User:
    settings.WAYOUT_STAFF_SECOND_FACTOR = True
    user = world.person(None, is_staff=True, is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def test_staff_without_a_second_factor_are_sent_to_set_one_up(staff: User) -> None:
    client = Client()
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith(LOGIN)
    sign_in(client, staff)
    page = client.get("/admin/", follow=True)
    assert "The admin needs a second factor" in page.text
    # Setting one up takes the password once more.
    again = page.redirect_chain[-1][0]
    assert again.startswith(reverse("account_reauthenticate"))
    set_up = client.post(again, {"password": PASSWORD}, follow=True)
    assert set_up.redirect_chain[-1][0] == reverse("mfa_activate_totp")
    secret = client.session["mfa.totp.secret"]
    client.post(reverse("mfa_activate_totp"), {"code": code(secret)})
    assert Authenticator.objects.filter(user=staff, type="totp").exists()


def test_staff_come_in_with_both(staff: User) -> None:
    secret = with_totp(staff)
    client = Client()
    asked = sign_in(client, staff)
    assert asked.redirect_chain[-1][0] == reverse("mfa_authenticate")
    assert client.get("/admin/").status_code == 302
    assert "errorlist" in client.post(reverse("mfa_authenticate"), {"code": "000000"}).text
    client.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert client.get("/admin/").status_code == 200


def test_a_session_from_before_the_second_factor_shows_it_first(staff: User) -> None:
    client = Client()
    sign_in(client, staff)
    secret = with_totp(staff)
    asked = client.get("/admin/subscriptions/subscription/", follow=True)
    address = asked.redirect_chain[-1][0]
    assert address.startswith(reverse("mfa_reauthenticate"))
    client.post(address, {"code": code(secret)})
    assert client.get("/admin/subscriptions/subscription/").status_code == 200


def test_customers_stay_out_of_the_admin(world: World, person: User, staff: User) -> None:
    client = Client()
    sign_in(client, person)
    assert client.get("/admin/", follow=True).status_code == 403


def test_the_embedded_demo_asks_for_none(world: World, staff: User, settings: Any) -> None:
    settings.WAYOUT_STAFF_SECOND_FACTOR = False
    client = Client()
    sign_in(client, staff)
    assert client.get("/admin/").status_code == 200
