"""What is kept of a partner token: who made it, who the caller behind it is, when it was used, and when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tenants.callers import CallerKind, Scope
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM, caller_of_staff
from tenants.tokens import (
    PREFIX,
    caller_of_token,
    create_token,
    is_well_formed,
    live_tokens,
    mint,
    revoke_token,
    rotate_token,
)
from tests.builders import NOW
from tests.world import World, later

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def made(world: World, **given: Any) -> tuple[PartnerToken, str]:
    values = {"name": "Reseller", "scopes": [Scope.READ], "tenants": [world.tenant], "caller": SYSTEM, "now": NOW}
    token, text = create_token(**{**values, **given})
    token.refresh_from_db()
    return token, text


def test_a_token_says_who_made_it_when_and_for_what(world: World) -> None:
    staff = world.person(None, is_staff=True)
    token, _ = made(
        world, scopes=[Scope.WEBHOOKS, Scope.CANCEL], expires_at=later(days=9), caller=caller_of_staff(staff)
    )
    assert (token.name, token.scopes, list(token.tenants.all())) == ("Reseller", ["CANCEL", "WEBHOOKS"], [world.tenant])
    assert (token.created_at, token.created_by, token.expires_at) == (NOW, staff, later(days=9))
    assert (token.revoked_at, token.last_used_at) == (None, None)


@pytest.mark.parametrize("action", ["token.created", "token.rotated", "token.revoked"])
def test_each_of_its_tenants_has_it_on_the_trail(world: World, action: str) -> None:
    other, staff = World.build(), world.person(None, is_staff=True)
    token, _ = made(world, tenants=[world.tenant, other.tenant])
    caller, at = caller_of_staff(staff), later(hours=1)
    if action == "token.created":
        token, _ = made(world, tenants=[world.tenant, other.tenant], caller=caller, now=at)
    elif action == "token.rotated":
        rotate_token(token=token, overlap=timedelta(days=7), caller=caller, now=at)
        token.refresh_from_db()
    else:
        assert revoke_token(token=token, caller=caller, now=at)
    events = AuditEvent.objects.filter(action=action, subject=f"PartnerToken:{token.pk}")
    assert {event.tenant_id for event in events} == {world.tenant.pk, other.tenant.pk}
    for event in events:
        assert (event.at, event.actor_kind, event.actor_id, event.language) == (at, "STAFF", staff.pk, "en")
        assert (event.data["token"], event.data["scopes"]) == (token.key_id, ["READ"])
        assert bool(event.data["expires_at"]) is (action == "token.rotated")
        assert event.personal.data == {"name": staff.display_name}


def test_the_text_is_of_this_installation_and_holds_the_id(world: World, settings: Any) -> None:
    settings.WAYOUT_ENVIRONMENT = "staging"
    token, text = made(world)
    assert text.startswith(f"{PREFIX}staging_{token.key_id}")
    assert len(token.key_id) == 10
    assert len(text.rpartition("_")[2]) == 10 + 32 + 7
    assert is_well_formed(text)
    assert made(world)[1][-39:] != text[-39:]


def test_the_caller_is_who_the_token_says(world: World) -> None:
    token, text = made(world, scopes=[Scope.READ, Scope.CALLBACK])
    caller = caller_of_token(text, NOW)
    assert caller
    assert (caller.kind, caller.id, caller.name) == (CallerKind.PARTNER, token.pk, "Reseller")
    assert (caller.scopes, caller.tenant_ids) == ({Scope.READ, Scope.CALLBACK}, {world.tenant.pk})
    assert caller.partner == token.partner == token.key_id


@pytest.mark.parametrize(("languages", "spoken"), [(("bg", "bg"), "bg"), (("bg", "en"), "")])
def test_the_caller_speaks_what_all_its_tenants_speak(languages: tuple[str, str], spoken: str) -> None:
    tenants = [World.build(language=language).tenant for language in languages]
    _, text = create_token(name="R", scopes=[Scope.READ], tenants=tenants, caller=SYSTEM, now=NOW)
    caller = caller_of_token(text, NOW)
    assert caller
    assert (caller.tenant_language, caller.tenant_ids) == (spoken, {tenant.pk for tenant in tenants})


def test_a_token_without_a_tenant_sees_none(world: World) -> None:
    token, text = made(world)
    token.tenants.clear()
    caller = caller_of_token(text, NOW)
    assert caller
    assert (caller.tenant_ids, caller.tenant_language) == (frozenset(), "")


def test_the_secret_of_another_token_opens_nothing(world: World) -> None:
    token, text = made(world)
    other, _ = made(world)
    PartnerToken.objects.filter(pk=token.pk).update(digest=other.digest)
    assert caller_of_token(text, NOW) is None
    PartnerToken.objects.filter(pk=token.pk).delete()
    assert caller_of_token(text, NOW) is None


def test_use_is_written_down_to_the_minute(world: World) -> None:
    token, text = made(world)
    for used, written in ((SECOND, SECOND), (60 * SECOND, SECOND), (61 * SECOND, 61 * SECOND)):
        assert caller_of_token(text, NOW + used)
        token.refresh_from_db()
        assert token.last_used_at == NOW + written


def test_use_of_one_token_is_not_written_on_another(world: World) -> None:
    (_, text), (other, _) = made(world), made(world)
    assert caller_of_token(text, NOW)
    other.refresh_from_db()
    assert other.last_used_at is None


def test_a_token_ends_at_its_instant(world: World) -> None:
    token, text = made(world, expires_at=later(days=1))
    before, then = later(days=1) - SECOND, later(days=1)
    assert caller_of_token(text, before)
    assert list(live_tokens(before)) == [token]
    assert caller_of_token(text, then) is None
    assert list(live_tokens(then)) == []


def test_a_token_is_revoked_once_and_alone(world: World) -> None:
    (token, text), (other, other_text) = made(world), made(world)
    assert revoke_token(token=token, caller=SYSTEM, now=NOW)
    assert not revoke_token(token=token, caller=SYSTEM, now=later(days=1))
    token.refresh_from_db()
    assert token.revoked_at == NOW
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1
    assert caller_of_token(text, NOW) is None
    assert caller_of_token(other_text, NOW)
    assert list(live_tokens(NOW)) == [other]


def test_a_successor_is_the_same_partner_with_the_same_rights_made_by_who_rotated(world: World) -> None:
    other, staff = World.build(), world.person(None, is_staff=True)
    old, _ = made(world, scopes=[Scope.CANCEL, Scope.READ], tenants=[world.tenant, other.tenant])
    new, text = rotate_token(token=old, overlap=timedelta(days=7), caller=caller_of_staff(staff), now=later(days=1))
    old.refresh_from_db()
    new.refresh_from_db()
    assert old.expires_at == later(days=8)
    assert (new.name, new.scopes, new.partner) == (old.name, old.scopes, old.key_id)
    assert set(new.tenants.all()) == {world.tenant, other.tenant}
    assert (new.expires_at, new.created_by, new.created_at) == (None, staff, later(days=1))
    caller = caller_of_token(text, later(days=1))
    assert caller
    assert caller.partner == old.partner


def test_a_partner_that_is_named_stays_that_partner() -> None:
    token = PartnerToken(partner="first")
    mint(token)
    assert token.partner == "first" != token.key_id
