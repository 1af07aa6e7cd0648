"""Partner tokens: made, checked offline, rotated with an overlap, revoked, on the audit trail."""

from __future__ import annotations

import io
import string
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from tenants.callers import Scope
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM
from tenants.tokens import TokenEnded, caller_of_token, create_token, is_well_formed, revoke_token, rotate_token
from tenants.verification import verify
from tests.builders import NOW
from tests.world import World, later

pytestmark = pytest.mark.django_db

TEXT = "wyo_test_0k7cod7w6d1z1o4dorxkm8fjhmpnr25pdjksspt6hj09cdwnp"


def run(*args: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("partner_token", *args, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue().strip()


def test_made_by_command_with_scopes_and_tenants(world: World) -> None:
    text, said = run("--create", "Reseller", "--scope", "READ", "--scope", "CANCEL", "--tenant", world.tenant.domain)
    assert said == "The token, shown only now:"
    caller = caller_of_token(text, NOW)
    assert caller
    assert (caller.scopes, caller.tenant_ids) == ({Scope.READ, Scope.CANCEL}, {world.tenant.pk})
    listed, _ = run("--list")
    assert "Reseller  CANCEL+READ" in listed
    assert text not in listed
    assert text not in str(PartnerToken.objects.values())
    [event] = AuditEvent.objects.all()
    assert (event.action, event.data["scopes"]) == ("token.created", ["CANCEL", "READ"])
    assert text not in str(event.data)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--create", "X", "--scope", "READ", "--tenant", "nowhere.example"], "no tenant nowhere.example"),
        (["--create", "X", "--scope", "READ"], "give --tenant"),
        (["--create", "X", "--tenant", "TENANT"], "at least one --scope"),
        (
            ["--create", "X", "--scope", "READ", "--tenant", "TENANT", "--expires", "2027-01-01T00:00"],
            "write the offset",
        ),
        (["--create", "X", "--scope", "READ", "--tenant", "TENANT", "--expires", "soon"], "not a date"),
        (["--rotate", "nothing"], "no token with the id nothing"),
        (["--revoke", "nothing"], "no token with the id nothing"),
        (["--check", "wyo_test_x"], "missing or mistyped"),
    ],
)
def test_what_the_command_refuses(world: World, args: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*[world.tenant.domain if arg == "TENANT" else arg for arg in args])
    assert not PartnerToken.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_whole_token_is_told_offline(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        said, _ = run("--check", TEXT)
    assert said.startswith("This is a whole token")


@given(st.integers(9, len(TEXT) - 1), st.sampled_from(string.ascii_lowercase + string.digits))
def test_any_mistyped_character_is_told(position: int, character: str) -> None:
    typed = TEXT[:position] + character + TEXT[position + 1 :]
    assert is_well_formed(typed) is (typed == TEXT)
    assert not is_well_formed(TEXT[:position] + TEXT[position + 1 :])


def test_rotation_overlaps_and_then_ends(world: World) -> None:
    old, old_text = create_token(name="R", scopes=[Scope.CALLBACK], tenants=[world.tenant], caller=SYSTEM, now=NOW)
    new, new_text = rotate_token(token=old, overlap=timedelta(days=7), caller=SYSTEM, now=NOW)
    for text in (old_text, new_text):
        caller = caller_of_token(text, later(days=6))
        assert caller
        assert (caller.scopes, caller.tenant_ids) == ({Scope.CALLBACK}, {world.tenant.pk})
    assert caller_of_token(old_text, later(days=7)) is None
    assert caller_of_token(new_text, later(days=7))
    assert [e.action for e in AuditEvent.objects.order_by("position")] == [
        "token.created",
        "token.rotated",
        "token.created",
    ]
    assert new.key_id != old.key_id


def test_rotation_never_makes_a_token_live_longer(world: World) -> None:
    old, text = create_token(
        name="R", scopes=[Scope.READ], tenants=[world.tenant], expires_at=later(days=1), caller=SYSTEM, now=NOW
    )
    rotate_token(token=old, overlap=timedelta(days=7), caller=SYSTEM, now=NOW)
    assert caller_of_token(text, later(days=1)) is None


def test_a_successor_ends_when_the_rotated_one_was_to_end(world: World) -> None:
    old, _ = create_token(
        name="R", scopes=[Scope.READ], tenants=[world.tenant], expires_at=later(days=30), caller=SYSTEM, now=NOW
    )
    new, text = rotate_token(token=old, overlap=timedelta(days=7), caller=SYSTEM, now=NOW)
    assert new.expires_at == later(days=30)
    assert caller_of_token(text, later(days=29))
    assert caller_of_token(text, later(days=30)) is None
    assert AuditEvent.objects.order_by("position").last().data["expires_at"] == "2026-12-25T10:00:00Z"


@pytest.mark.parametrize("ended", ["expired", "revoked"])
def test_what_ended_has_no_successor(world: World, ended: str) -> None:
    old, _ = create_token(
        name="R", scopes=[Scope.READ], tenants=[world.tenant], expires_at=later(days=1), caller=SYSTEM, now=NOW
    )
    stale = PartnerToken.objects.get()
    if ended == "revoked":
        revoke_token(token=old, caller=SYSTEM, now=NOW)
    with time_machine.travel(later(days=1), tick=False):
        with pytest.raises(TokenEnded):
            rotate_token(token=stale, overlap=timedelta(days=7), caller=SYSTEM, now=later(days=1))
        with pytest.raises(CommandError, match="was revoked or has expired: make a new one"):
            run("--rotate", old.key_id)
    assert PartnerToken.objects.count() == 1
    assert "token.rotated" not in AuditEvent.objects.values_list("action", flat=True)


def test_rotate_and_revoke_by_command(world: World) -> None:
    first, _ = run("--create", "R", "--scope", "READ", "--tenant", world.tenant.domain)
    key_id = PartnerToken.objects.get().key_id
    second, said = run("--rotate", key_id, "--overlap", "0")
    assert "works on for 0 days at most" in said
    assert caller_of_token(first, later(days=9999)) is None
    newest = PartnerToken.objects.exclude(key_id=key_id).get().key_id
    assert run("--revoke", newest)[1] == "Revoked."
    assert run("--revoke", newest)[1] == "It was revoked before."
    assert caller_of_token(second, NOW) is None
    assert list(verify(world.tenant.pk)) == []
