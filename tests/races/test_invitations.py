"""One link, or one address, and several who use it at the same instant."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from outbox.worker import work_off
from portal.accounts.invitations import invite_admin, withdraw_invitation
from tenants.models import AuditEvent, Invitation, Membership, User
from tenants.people import SYSTEM
from tests.races.together import together
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "grace@contoso.example"
NEW = {"new_password1": "another fine horse", "new_password2": "another fine horse"}


def invited(world: World) -> tuple[Invitation, str]:
    """One, and where its mailed link leads."""
    invitation = Invitation(tenant=world.tenant, email=ADDRESS, role="VIEWER", language="en")
    invite_admin(invitation=invitation, by=world.admin, site="http://testserver", caller=SYSTEM, now=timezone.now())
    work_off()
    return invitation, re.findall(r"http://testserver(/accounts/invitations/\S+/)\s", mail.outbox[-1].body)[0]


def test_of_many_with_one_link_one_makes_an_account() -> None:
    world = World.build()
    _, at = invited(world)
    answers = together(8, lambda _: Client().post(at, NEW))
    done = [answer.headers.get("Location") for answer in answers if not isinstance(answer, Exception)]
    assert len(done) == 8, answers
    # Who was late is led to the page, which says that the link was used; or was told so at once.
    assert sorted(str(place) for place in done if place != at and place is not None) == ["/"]
    person = User.objects.get(email=ADDRESS)
    assert Membership.objects.filter(user=person).count() == 1
    assert AuditEvent.objects.filter(action="invitation.accepted").count() == 1


def test_links_of_several_tenants_make_one_account() -> None:
    links = [invited(World.build())[1] for _ in range(6)]
    answers = together(6, lambda n: Client().post(links[n], NEW))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    person = User.objects.get(email=ADDRESS)
    assert person.memberships.count() == 1
    assert Invitation.objects.filter(accepted_at=None).count() == 5
    client = Client()
    client.force_login(person)
    for link in links:
        client.post(link)
    assert person.memberships.count() == 6


def test_what_is_withdrawn_while_it_is_used_is_one_of_both() -> None:
    world = World.build()
    invitation, at = invited(world)

    def act(number: int) -> object:
        if number % 2:
            return Client().post(at, NEW)
        return withdraw_invitation(invitation=invitation, caller=SYSTEM, now=timezone.now())

    together(6, act)
    invitation.refresh_from_db()
    assert (invitation.accepted_at is None) != (invitation.withdrawn_at is None)
    assert User.objects.filter(email=ADDRESS).exists() == (invitation.accepted_at is not None)
