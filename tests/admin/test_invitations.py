"""Staff invite people on a tenant's page, and take a lost second factor away on a person's."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from outbox.worker import work_off
from tenants.models import AuditEvent, Invitation, User
from tests.accounts.test_people import code, sign_in, with_totp
from tests.admin.scenes import client_of, member, tables
from tests.admin.test_rights import above
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
FILLED = {"email": "grace@contoso.example", "first_name": "Grace", "role": "GLOBAL_ADMIN", "language": "bg"}


def with_permission(world: World, name: str) -> User:
    names = (name, "view_tenant", "view_user")
    return member(world, *Permission.objects.filter(codename__in=names, content_type__app_label="tenants"))


def invitations(world: World) -> str:
    return reverse("admin:tenants_tenant_invitations", args=[world.tenant.pk])


def factor(person: User) -> str:
    return reverse("admin:tenants_user_second_factor", args=[person.pk])


def test_who_may_invite_does_from_the_tenants_page(world: World) -> None:
    staff = with_permission(world, "invite_admin")
    client, at = client_of(staff), invitations(world)
    assert at in client.get(reverse("admin:tenants_tenant_change", args=[world.tenant.pk])).text
    assert client.post(at, FILLED).status_code == 302
    page = client.get(at).text
    assert FILLED["email"] in page
    assert "waiting" in page
    assert "There is an invitation for this address already." in client.post(at, FILLED).text
    found = Invitation.objects.get()
    assert (found.invited_by, found.tenant) == (staff, world.tenant)
    work_off(timezone.now)
    client.post(at, {"again": found.pk})
    work_off(timezone.now)
    assert [message.to for message in mail.outbox] == [[FILLED["email"]]] * 2
    client.post(at, {"withdraw": found.pk})
    assert "withdrawn" in client.get(at).text
    actions = AuditEvent.objects.filter(tenant=world.tenant, actor_id=staff.pk).order_by("pk")
    assert list(actions.values_list("action", flat=True)) == [
        "invitation.created",
        "invitation.sent_again",
        "invitation.withdrawn",
    ]


def test_the_answer_is_the_same_whether_there_is_such_an_account(world: World) -> None:
    client, at = client_of(with_permission(world, "invite_admin")), invitations(world)
    pages = []
    for email in (world.admin.email, "nobody@contoso.example"):
        said = client.post(at, {**FILLED, "email": email}, follow=True)
        pages.append([str(message) for message in said.context["messages"]])
    assert pages == [["The invitation is on its way."]] * 2


def test_an_invitation_of_another_tenant_is_not_on_this_page(world: World) -> None:
    client, elsewhere = client_of(with_permission(world, "invite_admin")), World.build()
    client.post(invitations(elsewhere), FILLED)
    found = Invitation.objects.get()
    before = tables()
    for name in ("again", "withdraw"):
        for key in (found.pk, "x", ""):
            assert client.post(invitations(world), {name: key}).status_code == 404
    assert tables() == before


@pytest.mark.parametrize("permission", ["reset_second_factor", "change_user", "add_membership"])
def test_it_takes_a_permission_of_its_own(world: World, permission: str) -> None:
    client, before = client_of(with_permission(world, permission)), Invitation.objects.count()
    at = invitations(world)
    assert (client.get(at).status_code, client.post(at, FILLED).status_code) == (403, 403)
    assert at not in client.get(reverse("admin:tenants_tenant_change", args=[world.tenant.pk])).text
    assert Invitation.objects.count() == before


def with_factors(user: User) -> str:
    secret = with_totp(user)
    RecoveryCodes.activate(user)
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={})
    return secret


@pytest.mark.parametrize("language", ["en", "bg"])
def test_a_lost_factor_is_reset_for_a_reason_and_its_person_is_told(world: World, person: User, language: str) -> None:
    User.objects.filter(pk=person.pk).update(language=language)
    secret = with_factors(person)
    theirs = Client()
    sign_in(theirs, person)
    theirs.post(reverse("mfa_authenticate"), {"code": code(secret)})
    assert theirs.get("/").status_code == 200
    staff = with_permission(world, "reset_second_factor")
    client, at = client_of(staff), factor(person)
    assert at in client.get(reverse("admin:tenants_user_change", args=[person.pk])).text
    assert client.get(at).status_code == 200
    assert client.post(at, {"reason": " "}).status_code == 200
    assert Authenticator.objects.filter(user=person).count() == 3
    mail.outbox.clear()
    assert client.post(at, {"reason": "phone lost, called back"}).status_code == 302
    assert not Authenticator.objects.filter(user=person).exists()
    assert theirs.get("/").status_code == 302
    event = AuditEvent.objects.get(action="person.second_factor_reset")
    assert (event.tenant, event.subject, event.actor_id) == (None, f"User:{person.pk}", staff.pk)
    assert event.data == {"factors": ["recovery_codes", "totp", "webauthn"]}
    assert event.personal.data["reason"] == "phone lost, called back"
    work_off(timezone.now)
    said = {"en": "Your second factor was reset", "bg": "Вторият ви фактор беше нулиран"}
    assert said[language] in next(m.subject for m in mail.outbox if m.to == [person.email])
    # A second time there is nothing to do.
    client.post(at, {"reason": "again"})
    assert AuditEvent.objects.filter(action="person.second_factor_reset").count() == 1


@pytest.mark.parametrize(
    "who", ["superuser", "superuser who left", "with a permission", "with a permission, who left", "by a group"]
)
def test_nobody_resets_the_factor_of_who_may_do_more(world: World, who: str) -> None:
    person = above(world)[who]
    with_factors(person)
    _stays(client_of(with_permission(world, "reset_second_factor")), person)


def test_nor_their_own_nor_without_the_permission(world: World, person: User) -> None:
    staff = with_permission(world, "reset_second_factor")
    boss = world.person(None, is_staff=True, is_superuser=True)
    for user in (staff, boss, person):
        with_factors(user)
    _stays(client_of(staff), staff)
    _stays(client_of(boss), boss)
    for other in ("invite_admin", "change_user"):
        _stays(client_of(with_permission(world, other)), person)
    _stays(client_of(person), person)


def _stays(client: Any, person: User) -> None:
    before = tables()
    answers = [client.get(factor(person)), client.post(factor(person), {"reason": "x"})]
    assert all(answer.status_code in (302, 403) for answer in answers)
    assert tables() == before
