"""What one token may have, together: said by the service, the form and the command, and kept by the database."""

from __future__ import annotations

import io
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.urls import reverse, reverse_lazy
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from common.errors import NotPermitted
from common.messages import error_message
from outbox.models import Task
from portal.periodic import warn_of_ending_tokens
from tenants.callers import Caller, CallerKind, Scope, excluded, with_included
from tenants.errors import EndMissing, ScimTakesOneTenant, ScopesExclude, TenantsOrInstallation
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM, caller_of_staff
from tenants.tokens import caller_of_token, create_token, ending_tokens, revoke_token, rotate_token
from tests.admin.scenes import client_of
from tests.builders import NOW
from tests.graphql.documents import LIST as LIST_OF_SUBSCRIPTIONS
from tests.graphql.documents import VIEWER
from tests.world import Api, World
from webhooks.deliveries import partners_allowed

pytestmark = pytest.mark.django_db
# As the issue says it.
APART = {
    *((Scope.SYNC, other) for other in (Scope.CANCEL, Scope.REMOVE_USERS, Scope.SESSIONS)),
    *((Scope.SCIM, other) for other in (Scope.CANCEL, Scope.REMOVE_USERS, Scope.SESSIONS)),
    *((Scope.SETTLE, other) for other in (Scope.CANCEL, Scope.SESSIONS)),
}
END = NOW + timedelta(days=200)
PAIRS = list(combinations(Scope, 2))
ADD, LIST = reverse_lazy("admin:tenants_partnertoken_add"), reverse_lazy("admin:tenants_partnertoken_changelist")


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
    form = {"name": "R", "scopes": ["SYNC", "CANCEL"], "tenants": [world.tenant.pk], "max_role": "VIEWER"}
    page = client.post(ADD, form)
    assert page.status_code == 200
    assert "SYNC and CANCEL do not go on one token" in page.text
    form = {
        "name": "R",
        "scopes": ["SCIM"],
        "tenants": [world.tenant.pk, World.build().tenant.pk],
        "max_role": "VIEWER",
    }
    assert "exactly one tenant" in client.post(ADD, form).text
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


def installation_token(**given: Any) -> tuple[PartnerToken, str]:
    values = {"name": "Host", "scopes": [Scope.READ], "of_installation": True, "expires_at": END, "caller": SYSTEM}
    return create_token(**{**values, "now": NOW, **given})  # type: ignore[arg-type]


def test_one_of_the_installation_sees_all_tenants_those_to_come_included_and_does_what_its_scopes_say(
    world: World,
) -> None:
    _, text = installation_token(scopes=[Scope.CALLBACK])
    later = World.build()
    caller = caller_of_token(text, NOW)
    assert caller
    assert caller.reaches_all
    for tenant_id in (world.tenant.pk, later.tenant.pk):
        assert caller.sees(tenant_id)
        assert {scope for scope in Scope if caller.may(scope, tenant_id)} == {Scope.CALLBACK}


@given(st.sets(st.sampled_from(Scope)))
def test_what_sees_everything_may_no_more_than_its_scopes(scopes: set[Scope]) -> None:
    one = Caller(CallerKind.PARTNER, 1, "R", scopes=frozenset(scopes), tenant_ids=frozenset({7}))
    of_all = Caller(CallerKind.PARTNER, 1, "R", scopes=frozenset(scopes), of_installation=True)
    for scope in Scope:
        assert of_all.may(scope, 7) == one.may(scope, 7) == of_all.may(scope, 8)
    assert not any(one.may(scope, 8) for scope in Scope)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"expires_at": None}, EndMissing),
        ({"scopes": [Scope.SCIM]}, ScimTakesOneTenant),
        ({"of_installation": False}, TenantsOrInstallation),
    ],
)
def test_what_no_token_of_the_installation_is(given: dict[str, Any], refused: type[Exception]) -> None:
    with pytest.raises(refused):
        installation_token(**given)
    assert not PartnerToken.objects.exists()


def test_nor_of_some_tenants_besides(world: World) -> None:
    with pytest.raises(TenantsOrInstallation):
        installation_token(tenants=[world.tenant])


@pytest.mark.parametrize("changed", [{"expires_at": None}, {"scopes": ["SCIM"]}])
def test_the_database_keeps_it(changed: dict[str, Any]) -> None:
    installation_token()
    with pytest.raises(IntegrityError), transaction.atomic():
        PartnerToken.objects.update(**changed)


def test_superusers_make_and_rotate_it_and_nobody_else(world: World) -> None:
    staff = caller_of_staff(world.person(None, is_staff=True))
    superuser = caller_of_staff(world.person(None, is_staff=True, is_superuser=True))
    gone = caller_of_staff(world.person(None, is_staff=True, is_superuser=True, is_active=False))
    token, _ = installation_token(caller=superuser)
    for caller in (staff, gone, world.caller()):
        with pytest.raises(NotPermitted):
            installation_token(caller=caller)
        with pytest.raises(NotPermitted):
            rotate_token(token=token, overlap=timedelta(days=1), caller=caller, now=NOW)
    token.refresh_from_db()
    assert (PartnerToken.objects.count(), token.expires_at) == (1, END)
    new, text = rotate_token(token=token, overlap=timedelta(days=1), caller=superuser, now=NOW)
    assert (new.of_installation, new.expires_at, new.partner) == (True, END, token.partner)
    caller = caller_of_token(text, NOW)
    assert caller
    assert caller.reaches_all


def test_what_becomes_of_it_is_on_the_trail_of_the_installation(world: World) -> None:
    token, _ = installation_token()
    revoke_token(token=token, caller=SYSTEM, now=NOW)
    trail = AuditEvent.objects.order_by("pk").values_list("tenant", "action", "subject")
    assert list(trail) == [(None, f"token.{did}", f"PartnerToken:{token.pk}") for did in ("created", "revoked")]


def test_its_partner_hears_of_every_tenant(world: World) -> None:
    token, _ = installation_token(scopes=[Scope.WEBHOOKS])
    deaf, _ = installation_token(scopes=[Scope.READ])
    partners = [token.partner, deaf.partner]
    for tenant_id in (world.tenant.pk, World.build().tenant.pk):
        assert partners_allowed(tenant_id, partners, NOW) == {token.partner}
    revoke_token(token=token, caller=SYSTEM, now=NOW)
    assert partners_allowed(world.tenant.pk, partners, NOW) == set()


def test_staff_are_warned_two_weeks_before_it_ends_once(world: World) -> None:
    token, _ = installation_token()
    installation_token(expires_at=END + timedelta(days=30))
    world.token(Scope.READ, expires_at=END)
    day = timedelta(days=1)
    assert warn_of_ending_tokens(END - 14 * day - timedelta(seconds=1)) == 0
    assert warn_of_ending_tokens(END - 14 * day) == warn_of_ending_tokens(END - day) == 1
    [mail] = Task.objects.filter(kind="mail.staff")
    assert token.key_id in mail.payload["text"]
    PartnerToken.objects.filter(pk=token.pk).update(expires_at=END + 2 * day)
    warn_of_ending_tokens(END)
    assert Task.objects.filter(kind="mail.staff").count() == 2
    assert list(ending_tokens(END + 2 * day)) == []


def test_nobody_is_warned_of_one_that_has_a_successor() -> None:
    token, _ = installation_token(expires_at=END)
    new, _ = rotate_token(token=token, overlap=timedelta(days=7), caller=SYSTEM, now=NOW)
    assert list(ending_tokens(NOW)) == []
    assert list(ending_tokens(END - timedelta(days=1))) == [new]


def test_the_admin_lets_superusers_make_it(world: World) -> None:
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    form = {"name": "Host", "scopes": ["EVENTS"], "of_installation": "on", "max_role": "VIEWER"}
    assert "needs an end" in client.post(ADD, form).text
    page = client.post(ADD, {**form, "expires_at_0": "2027-06-01", "expires_at_1": "00:00"}, follow=True)
    token = PartnerToken.objects.get()
    assert (token.of_installation, token.scopes) == (True, ["EVENTS"])
    assert f"wyo_test_{token.key_id}" in page.text
    assert AuditEvent.objects.get(action="token.created").tenant_id is None


def test_other_staff_neither_make_nor_change_nor_rotate_it_and_may_end_it(world: World) -> None:
    staff = world.person(None, is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="tenants"))
    client = client_of(staff)
    form = {"name": "Host", "scopes": ["EVENTS"], "of_installation": "on", "max_role": "VIEWER", "expires_at_0": "2027-06-01",
            "expires_at_1": "00:00"}  # fmt: skip
    assert "either of some tenants or" in client.post(ADD, form).text
    token, _ = installation_token()
    change = reverse("admin:tenants_partnertoken_change", args=[token.pk])
    assert client.post(change, {**form, "scopes": ["CANCEL"]}).status_code == 403
    act = {"_selected_action": [token.pk]}
    assert client.post(LIST, {**act, "action": "rotate"}).status_code == 403
    token.refresh_from_db()
    assert (PartnerToken.objects.count(), token.scopes, token.expires_at) == (1, ["READ"], END)
    client.post(LIST, {**act, "action": "revoke"})
    token.refresh_from_db()
    assert token.revoked_at


def test_the_command_makes_it_and_lists_it() -> None:
    out = io.StringIO()
    call_command(
        "partner_token", "--create", "Host", "--scope", "EVENTS", "--installation", "--expires",
        "2099-01-01T00:00:00Z", stdout=out, stderr=io.StringIO(),
    )  # fmt: skip
    assert PartnerToken.objects.get().of_installation
    call_command("partner_token", "--list", stdout=out)
    assert "(the whole installation)" in out.getvalue()


def test_the_viewer_pages_through_all_tenants(world: World) -> None:
    World.build()
    _, text = installation_token(scopes=[Scope.QUOTE])
    api = Api(token=text)
    tenants = api(VIEWER)["viewer"]["tenants"]
    assert (tenants["totalCount"], len(tenants["edges"])) == (2, 2)
    subscription = world.subscription(3)
    found = api(LIST_OF_SUBSCRIPTIONS)["subscriptions"]
    assert [edge["node"]["id"] for edge in found["edges"]] == [f"sub_{subscription.pk}"]
    assert found["totalCount"] == 1
