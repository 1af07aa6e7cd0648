"""Invitations: a link by mail that works once, makes an account or adds a role, and tells nobody else anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from common.errors import ExpectedError, RateLimited
from outbox.models import Task
from outbox.worker import work_off
from portal.accounts.errors import InvitationEnded, InvitationWaiting
from portal.accounts.invitations import (
    LASTS,
    MAX_SENDS,
    PER_STAFF,
    PER_TENANT,
    STAFF_WINDOW,
    TENANT_WINDOW,
    invite_admin,
    send_again,
    withdraw_invitation,
)
from tenants.callers import Role
from tenants.models import AuditEvent, Invitation, Membership, User
from tenants.people import caller_of_staff
from tenants.verification import verify
from tests.accounts.test_people import sign_in
from tests.builders import NOW
from tests.world import PASSWORD, World

pytestmark = pytest.mark.django_db
ADDRESS = "grace@contoso.example"
NEW = {"new_password1": "another fine horse", "new_password2": "another fine horse"}
SITE = "http://testserver"
ENDED = {
    "en": "This link does not work, or no longer. Ask whoever invited you for a new one.",
    "bg": "Тази връзка не работи или вече не работи. Поискайте нова от този, който ви е поканил.",
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def invite(world: World, by: User | None = None, **given: Any) -> Invitation:
    values = {"email": ADDRESS, "first_name": "Grace", "role": Role.BILLING_ADMIN.value, "language": "en", **given}
    invitation = Invitation(tenant=world.tenant, **values)
    by = by or world.person(None, is_staff=True)
    invite_admin(invitation=invitation, by=by, site=SITE, caller=caller_of_staff(by), now=timezone.now())
    return invitation


def mailed() -> str:
    """Where the link of the last mail leads."""
    work_off(timezone.now)
    return re.findall(rf"{SITE}(/accounts/invitations/\S+/)\s", mail.outbox[-1].body)[0]


def ended(address: str, language: str = "en") -> bool:
    answers = [getattr(Client(headers={"Wayout-Locale": language}), how)(address) for how in ("get", "post")]
    assert {answer.status_code for answer in answers} <= {200, 302, 410}
    return all(answer.status_code == 410 and ENDED[language] in answer.text for answer in answers)


def test_it_makes_an_account_that_signs_in_by_its_address(world: World) -> None:
    invite(world)
    people, at = User.objects.count(), mailed()
    [message] = mail.outbox
    assert message.to == [ADDRESS]
    assert world.tenant.name in message.subject
    client = Client()
    assert "Choose a password" in client.get(at).text
    # Looking, as scanners do, uses nothing up; nothing was made yet.
    assert User.objects.count() == people
    answer = client.post(at, NEW)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    person = User.objects.get(email=ADDRESS)
    assert (person.first_name, person.language, person.is_staff, person.username) == ("Grace", "en", False, ADDRESS)
    assert [(m.tenant, m.role) for m in person.memberships.all()] == [(world.tenant, "BILLING_ADMIN")]
    assert "_auth_user_id" not in client.session
    client.post("/accounts/login/", {"login": ADDRESS, "password": NEW["new_password1"]})
    assert client.session["_auth_user_id"] == str(person.pk)
    assert ended(at)


def test_what_happened_is_on_the_trails(world: World) -> None:
    staff = world.person(None, is_staff=True)
    invitation = invite(world, staff)
    Client().post(mailed(), NEW)
    person = User.objects.get(email=ADDRESS)
    events = list(
        AuditEvent.objects.order_by("pk").values_list("tenant", "action", "subject", "actor_kind", "actor_id")
    )
    tenant, subject = world.tenant.pk, f"Invitation:{invitation.pk}"
    assert events == [
        (tenant, "invitation.created", subject, "STAFF", staff.pk),
        (None, "user.added", f"User:{person.pk}", "PERSON", person.pk),
        (tenant, "membership.given", f"Membership:{person.memberships.get().pk}", "PERSON", person.pk),
        (tenant, "invitation.accepted", subject, "PERSON", person.pk),
    ]
    assert [*verify(tenant), *verify(None)] == []
    assert not any(ADDRESS in str(event.data) for event in AuditEvent.objects.all())


def test_who_has_an_account_accepts_with_it_and_nobody_else_can(world: World) -> None:
    elsewhere = World.build()
    person, other = elsewhere.person(Role.VIEWER), elsewhere.person(Role.VIEWER)
    for user in (person, other):
        user.set_password(PASSWORD)
        user.save()
    invite(world, email=person.email.upper())
    at = mailed()
    clients = {who: Client() for who in ("nobody", "other", "person")}
    sign_in(clients["other"], other)
    sign_in(clients["person"], person)
    for who in ("nobody", "other"):
        assert "Sign in to it" in clients[who].get(at).text
        assert clients[who].post(at, NEW).status_code == 200
    assert Membership.objects.filter(tenant=world.tenant).count() == 1
    assert clients["person"].post(at, {}).status_code == 302
    assert Membership.objects.get(tenant=world.tenant, user=person).role == "BILLING_ADMIN"
    person.refresh_from_db()
    assert person.check_password(PASSWORD)
    assert User.objects.filter(email__iexact=person.email).count() == 1


def test_a_role_that_somebody_has_or_had_becomes_the_one_invited_to(world: World) -> None:
    person = world.person(Role.VIEWER)
    Membership.objects.filter(user=person).update(is_active=False)
    invite(world, email=person.email)
    client = Client()
    client.force_login(person)
    client.post(mailed())
    assert Membership.objects.filter(user=person).values_list("role", "is_active").get() == ("BILLING_ADMIN", True)
    assert AuditEvent.objects.filter(action="membership.changed", tenant=world.tenant).exists()


@pytest.mark.parametrize("email", ["\uff47race@contoso.example", "grace\u212a@contoso.example", "no address", ""])
def test_an_address_that_looks_like_another_is_nobodys(world: World, email: str) -> None:
    from portal.admin import InvitationForm

    User.objects.filter(pk=world.admin.pk).update(email="gracek@contoso.example")
    given = {"email": email, "role": "VIEWER", "language": "en"}
    assert list(InvitationForm(given, instance=Invitation(tenant=world.tenant)).errors) == ["email"]


def test_an_account_that_was_made_meanwhile_is_not_taken_over(world: World) -> None:
    invite(world)
    at = mailed()
    assert "Choose a password" in Client().get(at).text
    meanwhile = User.objects.create_user("grace", email=ADDRESS, password=PASSWORD)
    assert "Sign in to it" in Client().post(at, NEW).text
    meanwhile.refresh_from_db()
    assert meanwhile.check_password(PASSWORD)
    assert not meanwhile.memberships.exists()


def test_somebody_who_left_gets_an_account_of_their_own_anew(world: World) -> None:
    gone = User.objects.create_user(ADDRESS, email=ADDRESS, is_active=False)
    invite(world)
    Client().post(mailed(), NEW)
    new = User.objects.get(email=ADDRESS, is_active=True)
    assert new.pk != gone.pk
    assert new.username.startswith("person-")


@pytest.mark.parametrize("password", ["short", "password123", "grace@contoso.example"])
def test_a_weak_password_makes_nothing_and_uses_nothing_up(world: World, password: str) -> None:
    invite(world)
    at = mailed()
    refused = Client().post(at, {"new_password1": password, "new_password2": password})
    assert (refused.status_code, "errorlist" in refused.text) == (200, True)
    assert not User.objects.filter(email=ADDRESS).exists()
    assert Client().post(at, NEW).status_code == 302


def _used(world: World, invitation: Invitation, clock: Any) -> None:
    Client().post(mailed(), NEW)


def _expired(world: World, invitation: Invitation, clock: Any) -> None:
    clock.shift(LASTS)


def _withdrawn(world: World, invitation: Invitation, clock: Any) -> None:
    withdraw_invitation(invitation=invitation, caller=caller_of_staff(world.admin), now=timezone.now())


def _sent_again(world: World, invitation: Invitation, clock: Any) -> None:
    send_again(invitation=invitation, site=SITE, caller=caller_of_staff(world.admin), now=timezone.now())


@pytest.mark.parametrize("language", ["en", "bg"])
@pytest.mark.parametrize("end", [_used, _expired, _withdrawn, _sent_again])
@pytest.mark.parametrize("known", [True, False])
def test_a_link_that_does_not_work_says_one_thing(
    world: World, clock: Any, end: Callable[..., None], language: str, known: bool
) -> None:
    invitation = invite(world)
    at = mailed()
    end(world, invitation, clock)
    if known and end is not _used:
        User.objects.create_user("grace", email=ADDRESS)
    assert ended(at, language)


@pytest.mark.parametrize("key", ["x", "%00", "a" * 500, "%ED%A0%80", "я"])
def test_neither_does_one_that_is_none(world: World, key: str) -> None:
    Invitation(tenant=world.tenant, created_at=NOW, expires_at=NOW + LASTS).save()
    assert Client().get(f"/accounts/invitations/{key}/").status_code in (404, 410)


def test_it_works_for_72_hours_from_when_it_was_sent(world: World, clock: Any) -> None:
    invite(world)
    clock.shift(timedelta(hours=5))
    at = mailed()
    clock.shift(timedelta(hours=72, seconds=-1))
    assert Client().get(at).status_code == 200
    clock.shift(timedelta(seconds=1))
    assert ended(at)


def test_the_mail_is_in_their_language_and_the_page_too(world: World) -> None:
    invite(world, language="bg", role="VIEWER")
    at = mailed()
    assert "Поканени сте" in mail.outbox[0].body
    assert "Изберете парола" in Client(headers={"Wayout-Locale": "en"}).get(at).text


def test_no_task_and_no_row_holds_a_link(world: World) -> None:
    invitation = invite(world)
    key = mailed().split("/")[-2]
    invitation.refresh_from_db()
    assert key not in str(Invitation.objects.values().get())
    assert not any(key in str(task) for task in Task.objects.values())


def test_what_ended_before_its_mail_is_not_mailed(world: World) -> None:
    withdrawn, again = invite(world), invite(world, email="ada@contoso.example")
    caller = caller_of_staff(world.admin)
    withdraw_invitation(invitation=withdrawn, caller=caller, now=NOW)
    send_again(invitation=again, site=SITE, caller=caller, now=NOW)
    work_off(timezone.now)
    assert [message.to for message in mail.outbox] == [["ada@contoso.example"]]


def test_sending_again_is_for_what_waits_or_expired_and_not_without_end(world: World, clock: Any) -> None:
    invitation, caller = invite(world), caller_of_staff(world.admin)
    clock.shift(LASTS)
    for _ in range(MAX_SENDS - 1):
        send_again(invitation=invitation, site=SITE, caller=caller, now=timezone.now())
    with pytest.raises(RateLimited):
        send_again(invitation=invitation, site=SITE, caller=caller, now=timezone.now())
    at = mailed()
    assert len(mail.outbox) == 1
    Client().post(at, NEW)
    for act in (
        lambda: send_again(invitation=invitation, site=SITE, caller=caller, now=timezone.now()),
        lambda: withdraw_invitation(invitation=invitation, caller=caller, now=timezone.now()),
    ):
        with pytest.raises(InvitationEnded):
            act()


def test_one_invitation_waits_for_an_address_of_a_tenant(world: World, clock: Any) -> None:
    invite(world)
    with pytest.raises(InvitationWaiting):
        invite(world, email=ADDRESS.upper())
    invite(World.build())
    clock.shift(LASTS)
    invite(world)


def _fill(world: World, by: User, many: int) -> ExpectedError | None:
    try:
        for number in range(many):
            invite(world, by, email=f"p{number}@contoso.example")
    except ExpectedError as error:
        return error
    return None


def test_a_staff_member_and_a_tenant_have_limits(world: World, clock: Any) -> None:
    staff = world.person(None, is_staff=True)
    assert _fill(world, staff, PER_STAFF) is None
    refused = _fill(World.build(), staff, 1)
    assert isinstance(refused, RateLimited)
    assert refused.retry_after == STAFF_WINDOW.total_seconds()
    clock.shift(STAFF_WINDOW)
    assert _fill(World.build(), staff, 1) is None
    other = world.person(None, is_staff=True)
    Invitation.objects.filter(tenant=world.tenant).update(email="x@contoso.example")
    assert _fill(world, other, PER_TENANT - PER_STAFF) is None
    Invitation.objects.filter(tenant=world.tenant).update(email="x@contoso.example")
    refused = _fill(world, world.person(None, is_staff=True), 1)
    assert isinstance(refused, RateLimited)
    assert refused.retry_after == (TENANT_WINDOW - STAFF_WINDOW).total_seconds()
