"""Names that look like somebody's: they are nobody's, at whichever door, on either database."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from common.names import is_plain
from outbox.worker import work_off
from tenants.models import User
from tenants.people import people_with_address
from tests.accounts.test_people import LOGIN
from tests.admin.scenes import client_of
from tests.graphql.test_accounts import FORGOT, SIGN_IN, ask
from tests.races.together import together
from tests.world import PASSWORD, Api, World

pytestmark = pytest.mark.django_db
OWN = "admin.task@contoso.example"
# What is written so, and whether its letters are plain.
LIKE_IT = {
    "dotless i": ("adm\u0131n.task@contoso.example", True),
    "dotted capital i": ("ADM\u0130N.TASK@CONTOSO.EXAMPLE", True),
    "i with a dot above it": ("admi\u0307n.task@contoso.example", True),
    "long s": ("admin.ta\u017fk@contoso.example", False),
    "long s in the domain": ("admin.task@conto\u017fo.example", False),
    "Kelvin sign": ("admin.tas\u212a@contoso.example", False),
    "full-width": ("\uff41dmin.task@contoso.example", False),
    "full-width at": ("admin.task\uff20contoso.example", False),
    "full-width stop": ("admin.task@contoso\uff0eexample", False),
    "ideographic stop": ("admin.task@contoso\u3002example", True),
    "mathematical letter": ("\U0001d41admin.task@contoso.example", False),
    "Cyrillic a": ("\u0430dmin.task@contoso.example", True),
    "Greek omicron": ("admin.task@c\u03bfntoso.example", True),
    "soft hyphen": ("ad\u00admin.task@contoso.example", True),
    "zero-width joiner": ("ad\u200dmin.task@contoso.example", True),
    "ligature": ("o\ufb03ce@contoso.example", False),
}
NAMES = [name for name, _plain in LIKE_IT.values()]


@pytest.fixture
def owner(person: User) -> User:
    User.objects.filter(pk=person.pk).update(username="admin.task", email=OWN)
    person.refresh_from_db()
    return person


@pytest.mark.parametrize(("name", "plain"), LIKE_IT.values(), ids=LIKE_IT.keys())
def test_what_looks_like_a_name_is_not_it(owner: User, name: str, plain: bool) -> None:
    assert is_plain(name) is plain
    local = name.replace("\uff20", "@").partition("@")[0]
    assert not User.objects.filter(email__iexact=name).exists()
    assert not User.objects.filter(username__iexact=local).exists() or local == "admin.task"
    for typed in {name, local} - {"admin.task"}:
        assert Client().post(LOGIN, {"login": typed, "password": PASSWORD}).status_code == 200
        assert ask(Api(), SIGN_IN, name=typed, password=PASSWORD)["code"] == "SIGN_IN_FAILED"


@pytest.mark.parametrize("name", ["ADMIN.TASK@CONTOSO.EXAMPLE", "Admin.Task@contoso.example", OWN])
def test_the_case_of_a_to_z_makes_no_difference(owner: User, name: str) -> None:
    assert User.objects.get(email__iexact=name) == owner
    assert "session" in ask(Api(), SIGN_IN, name=name, password=PASSWORD)


def test_anything_else_has_to_be_written_alike(world: World) -> None:
    person = world.person(None)
    User.objects.filter(pk=person.pk).update(email="иван@contoso.example")
    assert User.objects.get(email__iexact="иван@CONTOSO.example") == person
    assert not User.objects.filter(email__iexact="Иван@contoso.example").exists()


@pytest.mark.parametrize("name", NAMES)
def test_no_link_goes_to_somebody_whose_address_is_another(owner: User, name: str) -> None:
    Client().post(reverse("account_reset_password"), {"email": name})
    answer = ask(Api(), FORGOT, email=name)
    assert is_plain(name) or answer["code"] == "INPUT_INVALID"
    work_off()
    assert not [message for message in mail.outbox if OWN in message.to]
    # Where it is refused nobody is written to.
    assert is_plain(name) or not mail.outbox


def test_an_odd_address_from_before_they_were_refused_finds_nobody(world: World) -> None:
    odd = "admin.ta\u017fk@contoso.example"
    User.objects.filter(pk=world.person(None).pk).update(email=odd)
    assert not people_with_address(odd).exists()


@pytest.mark.parametrize("language", ["en", "bg"])
def test_a_refused_address_says_why(db: Any, language: str) -> None:
    client = Client(headers={"Wayout-Locale": language})
    page = client.post(reverse("account_reset_password"), {"email": "admin@conto\u017fo.example"}).text
    assert {"en": "only look like others", "bg": "само приличат на други"}[language] in page


@pytest.fixture
def boss(world: World) -> Client:
    return client_of(world.person(None, is_staff=True, is_superuser=True))


def test_staff_make_nobody_of_such_a_name(boss: Client) -> None:
    for name in ("\uff41da", "ta\u017fk", "\u212aim"):
        new = {"username": name, "password1": "a fine horse", "password2": "a fine horse", "usable_password": "true"}
        assert "only look like others" in boss.post(reverse("admin:tenants_user_add"), new).text
    assert not User.objects.filter(username__in=["ada", "task", "Kim"]).exists()


def test_staff_give_nobody_the_address_of_another(world: World, owner: User, boss: Client) -> None:
    other = world.person(None)
    page = reverse("admin:tenants_user_change", args=[other.pk])
    for address, why in {
        "admin.ta\u017fk@contoso.example": "only look like others",
        OWN.title(): "Another active person has this email address.",
    }.items():
        shown = boss.get(page).context["shown"]
        form = {"username": other.username, "email": address, "is_active": "on", "shown": shown}
        assert why in boss.post(page, form).text
    assert User.objects.get(pk=other.pk).email == other.email


def test_two_people_with_one_address_cannot_be(owner: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("namesake", email=OWN.title())
    # Of somebody who has left it may be given to another; and none is no address.
    User.objects.create_user("gone", email=OWN, is_active=False)
    for name in ("one", "two"):
        User.objects.create_user(name)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_an_address() -> None:
    made = together(8, lambda n: User.objects.create_user(f"at-once-{n}", email=f"{'Aa'[n % 2]}@x.example"))
    assert len([each for each in made if isinstance(each, User)]) == 1
    assert len([each for each in made if isinstance(each, IntegrityError)]) == 7
