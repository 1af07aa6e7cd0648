"""Who gives rights, and whose account nobody else's staff can get hold of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from tenants.models import AuditEvent, User
from tests.admin.scenes import client_of, member, tables
from tests.builders import NOW
from tests.world import World

pytestmark = pytest.mark.django_db
OF_PEOPLE = ("add_user", "change_user", "delete_user", "view_user", "change_group", "add_group", "delete_group")
NEW = {"password1": "another fine horse", "password2": "another fine horse", "usable_password": "true"}


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def clerk(world: World) -> User:
    """Makes and mends accounts, and nothing else."""
    return member(world, *Permission.objects.filter(codename__in=OF_PEOPLE))


@pytest.fixture
def boss(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True, username="boss")


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def sent(client: Any, person: User, **given: Any) -> dict[str, Any]:
    shown = client.get(page("tenants_user_change", person.pk)).context["shown"]
    return {"username": person.username, "email": person.email, "is_active": "on", "shown": shown, **given}


RIGHTS = [
    {"is_superuser": "on"},
    {"is_staff": "on"},
    {"groups": lambda: [Group.objects.get(name="Callback supervisors").pk]},
    {"user_permissions": lambda: [Permission.objects.get(codename="settle_refund").pk]},
]


@pytest.mark.parametrize("rights", RIGHTS, ids=lambda rights: next(iter(rights)))
@pytest.mark.parametrize("who", ["themselves", "somebody"])
def test_nobody_but_a_superuser_gives_rights(world: World, clerk: User, rights: dict[str, Any], who: str) -> None:
    client, person = client_of(clerk), clerk if who == "themselves" else world.person(None)
    held = set(person.get_all_permissions()), person.is_staff
    [(name, value)] = rights.items()
    given = {name: value() if callable(value) else value}
    form = sent(client, person, first_name="Grace", **given)
    assert client.post(page("tenants_user_change", person.pk), form).status_code == 302
    fresh = User.objects.get(pk=person.pk)
    assert (fresh.first_name, fresh.is_superuser) == ("Grace", False)
    assert (set(fresh.get_all_permissions()), fresh.is_staff) == held
    assert client.post(page("tenants_user_add"), {"username": "new", **NEW, **given}).status_code == 302
    made = User.objects.get(username="new")
    assert (made.is_superuser, made.is_staff, made.get_all_permissions()) == (False, False, set())


def test_rights_that_a_superuser_gives_are_on_the_trail_with_what_they_were(world: World, boss: User) -> None:
    client, person = client_of(boss), world.person(None)
    agents = Group.objects.get(name="Callback agents")
    settle = Permission.objects.get(codename="settle_refund")
    given = {"is_staff": "on", "groups": [agents.pk], "user_permissions": [settle.pk]}
    assert client.post(page("tenants_user_change", person.pk), sent(client, person, **given)).status_code == 302
    event = AuditEvent.objects.get(action="user.changed")
    assert (event.tenant, event.subject, event.actor_id) == (None, f"User:{person.pk}", boss.pk)
    assert event.data["changes"]["is_staff"] == [False, True]
    assert event.data["changes"]["groups"] == [[], ["Callback agents"]]
    assert event.data["changes"]["user_permissions"] == [[], ["settle_refund.billing.refund"]]
    taken = sent(client, person, groups=[agents.pk], last_name=person.last_name)
    client.post(page("tenants_user_change", person.pk), taken)
    event = AuditEvent.objects.filter(action="user.changed").latest("pk")
    assert event.data["changes"]["user_permissions"] == [["settle_refund.billing.refund"], []]
    assert "groups" not in event.data["changes"]


def test_what_a_group_may_is_a_superusers_to_change_and_on_the_trail(world: World, clerk: User, boss: User) -> None:
    agents = Group.objects.get(name="Callback agents")
    clerk.groups.add(agents)
    before = tables()
    client = client_of(clerk)
    everything = {"name": "All", "permissions": list(Permission.objects.values_list("pk", flat=True))}
    for address in (page("auth_group_change", agents.pk), page("auth_group_add"), page("auth_group_delete", agents.pk)):
        assert client.post(address, {**everything, "post": "yes"}).status_code == 403
    assert tables() == before
    client = client_of(boss)
    shown = client.get(page("auth_group_change", agents.pk)).context["shown"]
    less = agents.permissions.exclude(codename="work_callbacks")
    form = {"name": agents.name, "permissions": [permission.pk for permission in less], "shown": shown}
    assert client.post(page("auth_group_change", agents.pk), form).status_code == 302
    old, new = AuditEvent.objects.get(action="group.changed").data["changes"]["permissions"]
    assert set(old) - set(new) == {"work_callbacks.desk.callbackrequest"}


def above(world: World) -> dict[str, User]:
    """People who may do more than the clerk; some are not active just now."""
    settle = Permission.objects.get(codename="settle_refund")
    grouped = world.person(None, is_staff=True)
    grouped.groups.add(Group.objects.get(name="Callback agents"))
    return {
        "superuser": world.person(None, is_staff=True, is_superuser=True),
        "superuser who left": world.person(None, is_staff=True, is_superuser=True, is_active=False),
        "with a permission": member(world, settle),
        "with a permission, who left": member(world, settle, is_active=False),
        "by a group": grouped,
    }


@pytest.mark.parametrize(
    "who", ["superuser", "superuser who left", "with a permission", "with a permission, who left", "by a group"]
)
def test_nobody_gets_hold_of_an_account_with_more_rights(world: World, clerk: User, who: str) -> None:
    client, person = client_of(clerk), above(world)[who]
    before = tables()
    change, password = page("tenants_user_change", person.pk), page("auth_user_password_change", person.pk)
    looked = client.get(change)
    assert looked.status_code == 200
    assert 'name="email"' not in looked.text
    form = {"username": person.username, "email": "clerk@evil.example", "is_active": "on", "shown": "{}"}
    assert client.post(change, form).status_code == 403
    assert (client.get(password).status_code, client.post(password, NEW).status_code) == (403, 403)
    assert client.post(page("tenants_user_delete", person.pk), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [person.pk], "post": "yes"}
    client.post(page("tenants_user_changelist"), chosen)
    assert tables() == before


def test_accounts_with_as_many_rights_or_fewer_are_mended(world: World, clerk: User) -> None:
    client = client_of(clerk)
    equal = member(world, *clerk.user_permissions.all())
    for person in (world.person(None), equal, clerk):
        assert client.post(page("tenants_user_change", person.pk), sent(client, person)).status_code == 302
        before = person.password
        answer = client.post(page("auth_user_password_change", person.pk), NEW)
        assert answer.status_code == 302
        person.refresh_from_db()
        assert person.password != before
        event = AuditEvent.objects.get(action="user.password_set", subject=f"User:{person.pk}")
        assert (event.tenant, event.actor_id) == (None, clerk.pk)
        # One's own session goes on.
        assert client.get(page("tenants_user_changelist")).status_code == 200
    wrong = {**NEW, "password2": "x"}
    assert client.post(page("auth_user_password_change", equal.pk), wrong).status_code == 200
    assert AuditEvent.objects.filter(action="user.password_set").count() == 3
    assert client.get(page("auth_user_password_change", 99999)).status_code == 404


def test_when_somebody_was_last_here_is_nobodys_to_write(world: World, boss: User) -> None:
    client, person = client_of(boss), world.person(None)
    form = sent(client, person, last_login_0="2020-01-01", last_login_1="00:00")
    client_of(person)
    assert client.post(page("tenants_user_change", person.pk), form).status_code == 302
    person.refresh_from_db()
    assert person.last_login == NOW
