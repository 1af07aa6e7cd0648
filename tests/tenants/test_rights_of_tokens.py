"""What one token may have, together: said by the service, the form and the command, and kept by the database."""

from __future__ import annotations

import io
from itertools import combinations

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from common.messages import error_message
from tenants.callers import Scope, excluded, with_included
from tenants.errors import ScimTakesOneTenant, ScopesExclude
from tenants.models import PartnerToken
from tenants.people import SYSTEM
from tenants.tokens import create_token
from tests.admin.scenes import client_of
from tests.builders import NOW
from tests.world import World

pytestmark = pytest.mark.django_db
# As the issue says it.
APART = {
    *((Scope.SYNC, other) for other in (Scope.CANCEL, Scope.REMOVE_USERS, Scope.SESSIONS)),
    *((Scope.SCIM, other) for other in (Scope.CANCEL, Scope.REMOVE_USERS, Scope.SESSIONS)),
    *((Scope.SETTLE, other) for other in (Scope.CANCEL, Scope.SESSIONS)),
}
PAIRS = list(combinations(Scope, 2))


def is_apart(pair: tuple[Scope, Scope]) -> bool:
    return bool({pair, pair[::-1]} & APART)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_service_and_the_database_refuse_the_same_pairs(world: World, pair: tuple[Scope, Scope]) -> None:
    row = PartnerToken(name="R", key_id="x", scopes=sorted(pair))
    if is_apart(pair):
        with pytest.raises(ScopesExclude) as refused:
            world.token(*pair)
        assert {refused.value.scope, refused.value.other} == set(pair)
        with pytest.raises(IntegrityError), transaction.atomic():
            row.save()
        assert not PartnerToken.objects.exists()
    else:
        assert world.token(*pair)
        row.save()


@given(st.sets(st.sampled_from(Scope)))
def test_what_is_excluded_is_a_pair_of_the_set_and_what_is_included_adds_none(scopes: set[Scope]) -> None:
    found = excluded(scopes)
    assert bool(found) == any(is_apart(pair) for pair in combinations(scopes, 2))
    assert found is None or set(found) <= scopes
    assert bool(found) == bool(excluded(with_included(frozenset(scopes))))


def test_a_scope_that_was_given_before_is_not_widened_past_the_service(world: World) -> None:
    world.token(Scope.SYNC)
    with pytest.raises(IntegrityError), transaction.atomic():
        PartnerToken.objects.update(scopes=["SYNC", "CANCEL"])


def test_scim_is_of_one_tenant(world: World) -> None:
    for tenants in ([], [world.tenant, World.build().tenant]):
        with pytest.raises(ScimTakesOneTenant):
            create_token(name="R", scopes=[Scope.SCIM], tenants=tenants, caller=SYSTEM, now=NOW)
    assert world.token(Scope.SCIM)


def test_the_form_says_it_beside_the_field(world: World) -> None:
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    form = {"name": "R", "scopes": ["SYNC", "CANCEL"], "tenants": [world.tenant.pk]}
    page = client.post(reverse("admin:tenants_partnertoken_add"), form)
    assert page.status_code == 200
    assert "SYNC and CANCEL do not go on one token" in page.text
    form = {"name": "R", "scopes": ["SCIM"], "tenants": [world.tenant.pk, World.build().tenant.pk]}
    assert "exactly one tenant" in client.post(reverse("admin:tenants_partnertoken_add"), form).text
    assert not PartnerToken.objects.exists()


def test_the_command_says_it(world: World) -> None:
    with pytest.raises(CommandError, match="SETTLE and CANCEL"):
        call_command(
            "partner_token", "--create", "R", "--scope", "SETTLE", "--scope", "CANCEL", "--tenant", world.tenant.domain,
            stdout=io.StringIO(), stderr=io.StringIO(),
        )  # fmt: skip


def test_every_language_names_both() -> None:
    for language in ("en", "bg"):
        with translation.override(language):
            assert {"SYNC", "CANCEL"} <= set(error_message(ScopesExclude(scope="SYNC", other="CANCEL")).split())
