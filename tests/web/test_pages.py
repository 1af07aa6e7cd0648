"""The pages: sign-in, the list, details with cancel and undo, receipts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from subscriptions.models import Cancellation, Subscription
from tenants.callers import Role, Scope
from tenants.models import User
from tests.builders import NOW, PERIOD
from tests.world import ACTING_SCOPES, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


LOGIN = "/accounts/login/"


def client_of(user: User, language: str = "en") -> Client:
    client = Client(headers={"Wayout-Locale": language})
    client.force_login(user)
    return client


def details(subscription: Subscription) -> str:
    return reverse("details", args=[subscription.pk])


def cancel(client: Client, subscription: Subscription, mode: int = 0) -> Any:
    page = client.get(details(subscription)).text
    quote = re.findall(r'name="quote" value="([^"]+)"', page)[mode]
    key = re.findall(r'name="key" value="([^"]+)"', page)[mode]
    return client.post(reverse("cancel", args=[subscription.pk]), {"quote": quote, "key": key}, follow=True)


def test_signing_in_leads_to_the_list(world: World) -> None:
    world.admin.set_password("correct horse")
    world.admin.save()
    world.subscription(3)
    client = Client()
    assert client.get("/").url == f"{LOGIN}?next=/"  # type: ignore[attr-defined]
    wrong = client.post(LOGIN, {"login": world.admin.username, "password": "wrong"})
    assert "errorlist" in wrong.text
    for name in (world.admin.username, world.admin.email):
        page = client.post(LOGIN, {"login": name, "password": "correct horse"}, follow=True)
        assert page.redirect_chain == [("/", 302)]
        assert "Cancel subscription" in page.text
        client.post("/accounts/logout/")
        assert client.get("/").status_code == 302


def test_signing_in_and_out_says_nothing_in_the_language_of_the_page_before(world: World) -> None:
    world.admin.set_password("correct horse")
    world.admin.language = "bg"
    world.admin.save()
    browser = Client(headers={"Accept-Language": "en"})
    signed_in = browser.post(LOGIN, {"login": world.admin.username, "password": "correct horse"}, follow=True)
    assert signed_in["Content-Language"] == "bg"
    assert "Изход" in signed_in.text
    signed_out = browser.post("/accounts/logout/", follow=True)
    for page in (signed_in, signed_out):
        assert list(page.context["messages"]) == []


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Products &amp; services", "24 of 40 assigned", "Cancel subscription", "Active"]),
        ("bg", ["Продукти и услуги", "присвоени са 24 от 40", "Анулиране на абонамента", "Активен"]),
    ],
)
def test_the_list_in_both_languages(world: World, language: str, words: list[str]) -> None:
    world.subscription(24)
    page = client_of(world.admin, language).get("/")
    assert page["Content-Language"] == language
    assert f'<html lang="{language}">' in page.text
    for word in words:
        assert word.replace("&amp;", "&") in page.text.replace("&amp;", "&")


def test_the_list_shows_only_ones_own(world: World) -> None:
    other = World.build().subscription(1)
    mine = world.subscription(1)
    page = client_of(world.admin).get("/").text
    assert details(mine) in page
    assert details(other) not in page
    for address in (details(other), reverse("cancel", args=[other.pk])):
        client = client_of(world.admin)
        assert client.get(details(other)).status_code == 404
        assert client.post(reverse("cancel", args=[other.pk]), {"quote": "x", "key": "k"}).status_code == 404
        assert address


def test_cancel_shows_a_receipt_and_undo_takes_it_back(world: World) -> None:
    subscription = world.subscription(3)
    client = client_of(world.admin)
    receipt = cancel(client, subscription)
    cancellation = Cancellation.objects.get()
    assert receipt.redirect_chain == [(f"/receipts/{cancellation.reference}/", 302)]
    for words in (
        cancellation.reference,
        "was canceled",
        "25 November 2026, 12:00 (Sofia)",
        "€4.00 is credited to your account by 31 December 2026 at the latest",
        "6 of 30 days unused, whole 24-hour days.",
        "23 February 2027",  # data available
        "24 May 2027",  # data erased: case 51
        "28 November 2026, 12:00 (Sofia)",  # undo
    ):
        assert words in receipt.text
    assert "refunded" not in receipt.text.lower()
    assert cancellation.reference in client.get(details(subscription)).text
    undone = client.post(reverse("undo", args=[cancellation.pk]), follow=True)
    assert "The cancellation was undone" in undone.text
    assert "was undone" in client.get(f"/receipts/{cancellation.reference}/").text


def test_a_double_click_is_one_cancellation(world: World) -> None:
    subscription = world.subscription(3)
    client = client_of(world.admin)
    page = client.get(details(subscription)).text
    given = {
        "quote": re.findall(r'name="quote" value="([^"]+)"', page)[0],
        "key": re.findall(r'name="key" value="([^"]+)"', page)[0],
    }
    answers = [client.post(reverse("cancel", args=[subscription.pk]), given) for _ in range(2)]
    assert answers[0].url == answers[1].url  # type: ignore[attr-defined]
    assert Cancellation.objects.count() == 1


def test_a_refusal_goes_back_to_the_details_and_says_why(world: World) -> None:
    subscription = world.subscription(24)
    client = client_of(world.admin)
    page = client.get(details(subscription)).text
    quote = re.findall(r'name="quote" value="([^"]+)"', page)[0]
    world.assign(subscription, 1)
    answer = client.post(reverse("cancel", args=[subscription.pk]), {"quote": quote, "key": "k"}, follow=True)
    assert "Something changed since this quote was made" in answer.text
    assert "Remove 1 user to cancel online" in answer.text
    assert not Cancellation.objects.exists()


def test_a_viewer_is_told_who_can(world: World) -> None:
    page = client_of(world.person(Role.VIEWER)).get(details(world.subscription(3))).text
    assert "A global admin or a billing admin of this account can do it" in page
    assert "Cancel subscription now" not in page
    assert "€4.00" in page


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"is_trial": True, "renews": False, "charged": None}, "The trial ends on 1 December 2026 by itself"),
        ({"is_trial": True, "charged": None}, "This trial becomes paid on 1 December 2026"),
        ({"channel": "PARTNER", "partner_name": "Fabrikam"}, "Fabrikam sold this subscription"),
        ({"renews": False}, "already ends on 1 December 2026"),
        ({"base_status": "EXPIRED"}, "has already ended"),
        (
            {"period_start": None, "period_end": None, "charged": None},
            "No credit is due because no charge is on record",
        ),
        ({"assigned": 30}, "Remove 6 users to cancel online"),
    ],
)
def test_the_details_always_say_how(world: World, given: dict[str, Any], words: str) -> None:
    page = client_of(world.admin).get(details(world.subscription(**{"assigned": 3, **given}))).text
    assert words in page
    assert "Settings &amp; Actions" in page or "Settings & Actions" in page
    assert "1970" not in page  # case 22
    assert "0.00" not in page  # case 38


def test_the_receipt_as_text_in_bulgarian(world: World) -> None:
    client = client_of(world.admin, "bg")
    cancel(client, world.subscription(3), mode=1)
    reference = Cancellation.objects.get().reference
    kept = client.get(f"/receipts/{reference}/", {"format": "html"})
    assert kept["Content-Disposition"] == f'attachment; filename="{reference}.html"'
    assert reference in kept.text
    assert "src=" not in kept.text
    assert "href=" not in kept.text
    text = client.get(f"/receipts/{reference}/", {"format": "txt"})
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert f"Референтен номер: {reference}" in text.text
    assert "Не се дължи кредит, защото можете да ползвате всичко платено до 1 декември 2026" in text.text
    assert "(София)" in text.text
    assert "<" not in text.text


def test_case_52_one_date_in_one_zone(world: World) -> None:
    # The period ends at 22:00 UTC on 30 November: 1 December in Sofia, everywhere.
    client = client_of(world.admin)
    subscription = world.subscription(3)
    assert "1 December 2026" in client.get(details(subscription)).text
    receipt = cancel(client, subscription, mode=1).text
    assert "1 December 2026, 00:00 (Sofia)" in receipt
    assert "30 November" not in receipt
    with time_machine.travel(PERIOD.end + timedelta(hours=1), tick=False):
        assert "it ended on 1 December 2026" in client_of(world.admin).get(details(subscription)).text


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("admin", 200), ("viewer", 200), ("staff", 200), ("read token", 200), ("cancel token", 200),
        ("nobody", 404), ("other", 404), ("other token", 404), ("callback token", 404), ("plain staff", 404),
        ("other with the permission", 404), ("viewer with the permission", 200), ("other token, staff's cookie", 404),
    ],
)  # fmt: skip
def test_a_receipt_is_for_whoever_may_see_the_cancellation(world: World, who: str, status: int) -> None:
    cancel(client_of(world.admin), world.subscription(3))
    other = World.build()

    def bearing(text: str) -> Client:
        return Client(headers={"Authorization": f"Bearer {text}"})

    def permitted(user: User) -> User:
        user.user_permissions.add(Permission.objects.get(codename="view_cancellation"))
        return user

    def with_cookie() -> Client:
        client = bearing(other.token(*ACTING_SCOPES))
        client.force_login(world.person(None, is_staff=True, is_superuser=True))
        return client

    client = {
        "admin": lambda: client_of(world.admin),
        "other with the permission": lambda: client_of(permitted(other.admin)),
        "viewer with the permission": lambda: client_of(permitted(world.person(Role.VIEWER))),
        "other token, staff's cookie": with_cookie,
        "viewer": lambda: client_of(world.person(Role.VIEWER)),
        "staff": lambda: client_of(world.person(None, is_staff=True, is_superuser=True)),
        "plain staff": lambda: client_of(world.person(None, is_staff=True)),
        "read token": lambda: bearing(world.token(Scope.READ)),
        "cancel token": lambda: bearing(world.token(Scope.CANCEL)),
        "callback token": lambda: bearing(world.token(Scope.CALLBACK)),
        "nobody": Client,
        "other": lambda: client_of(other.admin),
        "other token": lambda: bearing(other.token(*ACTING_SCOPES)),
    }[who]()
    reference = Cancellation.objects.get().reference
    assert client.get(f"/receipts/{reference}/").status_code == status
    assert client.get("/receipts/C-2222-2222/").status_code == 404


@pytest.mark.parametrize("reference", ["of a cancellation", "C-2222-2222"])
def test_staff_see_receipts_behind_their_second_factor(world: World, settings: Any, reference: str) -> None:
    settings.WAYOUT_STAFF_SECOND_FACTOR = True
    cancel(client_of(world.admin), world.subscription(3))
    if reference == "of a cancellation":
        reference = Cancellation.objects.get().reference
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    for format in ("", "?format=txt", "?format=html"):
        asked = client.get(f"/receipts/{reference}/{format}")
        after = urlencode({"next": f"/receipts/{reference}/{format}"}, safe="/")
        assert asked["Location"] == f"{reverse('admin:login')}?{after}"
    shown = client.get(asked["Location"])
    assert shown["Location"] == reverse("mfa_activate_totp")
    # What is their own they see as anybody does.
    own = client_of(world.person(Role.VIEWER, is_staff=True, is_superuser=True)).get(f"/receipts/{reference}/")
    assert own.status_code == (302 if reference == "C-2222-2222" else 200)
