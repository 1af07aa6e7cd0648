"""Whatever is registered in the admin, now or later: who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.contrib import admin
from django.forms import inlineformset_factory
from django.test import Client
from django.urls import NoReverseMatch, reverse

from desk.models import CallbackRequest
from subscriptions.models import FactSource
from tenants.models import AuditEvent, User
from tests.admin.scenes import REGISTRY, client_of, furnished, member, tables, who_looks
from tests.builders import NOW
from tests.world import World
from webhooks.sending import EndpointResponse

pytestmark = [pytest.mark.long, pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
# What any of the actions and buttons may ask for.
TYPED = {
    "confirmed": "1", "disposition": "OTHER", "tell": "no", "provider": "stripe", "external_id": "sub_12345678", "was": "",
    "reason": "asked on the phone", "amount": "1.00", "paid_on": "2026-11-25", "reference": "x", "seen": "99999",
    "outcome": "BUSY", "other_language": "en", "post": "yes", "note": "x", "quote": "x", "key": "x", "mode": "IMMEDIATE",
    "email": "new@contoso.example", "role": "VIEWER", "language": "en",
    "password1": "another fine horse", "password2": "another fine horse", "usable_password": "true",
}  # fmt: skip
# Addresses that only show something; and canceling for a customer, which takes a quote and is tried where quotes are.
SHOWS = {
    "/admin/billing/billingaccount/N/statement/",
    "/admin/billing/refund/export/",
    "/admin/desk/callbackrequest/due/",
    "/admin/desk/callbackrequest/reports/",
    "/admin/subscriptions/subscription/N/cancel/",
}


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def furnished_world(world: World, settings: Any) -> World:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    return furnished(world)


@pytest.fixture
def sends_nothing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where events would have been sent to."""
    sent: list[str] = []

    def post(url: str, *_given: Any, **_options: Any) -> EndpointResponse:
        sent.append(url)
        return EndpointResponse(200, "")

    monkeypatch.setattr("webhooks.deliveries.post", post)
    return sent


def without_trail(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: held for name, held in rows.items() if "Audit" not in name}


def on_the_trail(before: dict[str, list[Any]], after: dict[str, list[Any]], staff: User) -> bool:
    """Whether there are new events, and somebody's name is in them."""
    new = AuditEvent.objects.order_by("pk")[len(before["tenants.AuditEvent"]) :]
    return len(after["tenants.AuditEvent"]) > len(before["tenants.AuditEvent"]) and any(
        (event.actor_kind, event.actor_id) == ("STAFF", staff.pk) for event in new
    )


def actions() -> list[tuple[Any, str, Any]]:
    """Every action: its admin, its name, its function."""
    return [
        (model_admin, name, function)
        for model_admin in REGISTRY.values()
        for function, name, _ in model_admin._get_base_actions()
    ]


def views(model_admin: Any) -> Iterator[str]:
    """The addresses of an admin that are not Django's own, each with every row."""
    own = {pattern.name for pattern in admin.ModelAdmin.get_urls(model_admin)}
    keys = list(model_admin.model._default_manager.values_list("pk", flat=True))
    for pattern in model_admin.get_urls():
        if pattern.name in own:
            continue
        try:
            yield reverse(f"admin:{pattern.name}")
        except NoReverseMatch:
            assert keys, f"no row to try {pattern.name} with"
            yield from (reverse(f"admin:{pattern.name}", args=[key]) for key in keys)


def pages(model_admin: Any) -> dict[str, str]:
    """Django's own, by their names."""
    names = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}"
    row = model_admin.model._default_manager.first()
    assert row, f"no {model_admin.opts.label} to look at"
    of_a_row = {page: reverse(f"{names}_{page}", args=[row.pk]) for page in ("history", "change", "delete")}
    return {**of_a_row, **{page: reverse(f"{names}_{page}") for page in ("changelist", "add")}}


def rows(model_admin: Any) -> dict[str, str]:
    """One more row for every inline of a page."""
    sent = {}
    for inline in model_admin.inlines:
        prefix = inlineformset_factory(model_admin.model, inline.model, fields=()).get_default_prefix()
        sent.update({f"{prefix}-TOTAL_FORMS": "1", f"{prefix}-INITIAL_FORMS": "0", f"{prefix}-0-label": "x"})
        sent.update({f"{prefix}-0-{name}": "1" for name in ("amount", "external_id", "tax")})
    return sent


def act(client: Client, model_admin: Any, name: str, **typed: Any) -> Any:
    keys = list(model_admin.model._default_manager.values_list("pk", flat=True))
    assert keys, f"no row to try {name} with"
    page = reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist")
    return client.post(page, {**TYPED, **typed, "action": name, "_selected_action": keys})


def test_every_action_names_its_permission() -> None:
    nameless = [
        f"{a.opts.label}.{name}" for a, name, function in actions() if not getattr(function, "allowed_permissions", ())
    ]
    assert nameless == []


def test_who_only_looks_changes_nothing(furnished_world: World) -> None:
    client = client_of(who_looks(furnished_world))
    before = tables()
    for model_admin, name, _function in actions():
        # An action that is not offered answers with the list again.
        act(client, model_admin, name)
        assert tables() == before, f"{model_admin.opts.label}.{name}"
    for model_admin in REGISTRY.values():
        own = pages(model_admin)
        assert client.get(own["changelist"]).status_code == 200
        for address in (own["add"], own["change"], own["delete"]):
            assert client.post(address, {**TYPED, **rows(model_admin)}).status_code == 403, address
            assert tables() == before, address
        for address in views(model_admin):
            looked, pressed = client.get(address).status_code, client.post(address, TYPED).status_code
            assert looked in (200, 302, 403, 405), address
            assert pressed in (403, 405) or looked == 200, address
            assert tables() == before, address


def test_who_has_no_permission_is_refused_everywhere(furnished_world: World) -> None:
    client = client_of(member(furnished_world))
    before = tables()
    for model_admin, name, _function in actions():
        assert act(client, model_admin, name).status_code == 403, name
    for model_admin in REGISTRY.values():
        for address in (*pages(model_admin).values(), *views(model_admin)):
            assert client.get(address).status_code in (403, 405), address
            assert client.post(address, TYPED).status_code == 403, address
    assert tables() == before


def test_who_may_do_everything_does_something_by_each_action_and_it_is_on_the_trail(
    furnished_world: World, sends_nothing: list[str]
) -> None:
    staff = furnished_world.person(None, is_staff=True, is_superuser=True)
    client = client_of(staff)
    for model_admin, name, _function in actions():
        if name == "delete_selected":
            continue
        what, before = f"{model_admin.opts.label}.{name}", tables()
        del sends_nothing[:]
        act(client, model_admin, name, agent=staff.pk)
        after = tables()
        assert without_trail(after) != without_trail(before) or sends_nothing, (
            f"{what}: the tests above say nothing about it"
        )
        assert on_the_trail(before, after, staff), what


def test_who_may_do_everything_does_something_by_each_button_and_it_is_on_the_trail(furnished_world: World) -> None:
    staff = furnished_world.person(None, is_staff=True, is_superuser=True)
    client = client_of(staff)
    other = furnished_world.person(None, is_staff=True, is_superuser=True)
    calls = list(CallbackRequest.objects.values())
    done, nothing_done = set(), set()
    for model_admin in REGISTRY.values():
        for address in views(model_admin):
            button, held = re.sub("[0-9]+", "N", address), not address.endswith(("/claim/", "/next/"))
            for call in calls:
                claim = {"status": "CLAIMED", "claimed_by": staff, "claim_expires_at": NOW + timedelta(hours=1)}
                rows = CallbackRequest.objects.filter(pk=call["id"])
                rows.update(**call)
                if held:
                    rows.open().update(**claim)
            before = tables()
            to = FactSource.objects.latest("pk").pk
            client.post(address, {**TYPED, "agent": other.pk, "phone": "+359 88 765 4321", "to": to})
            after = tables()
            if without_trail(after) == without_trail(before):
                nothing_done.add(button)
                continue
            done.add(button)
            assert on_the_trail(before, after, staff), address
    assert nothing_done - done == SHOWS


def test_no_address_and_no_form_breaks_on_what_no_database_keeps(furnished_world: World) -> None:
    client = client_of(furnished_world.person(None, is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    for model_admin in REGISTRY.values():
        changelist = pages(model_admin)["changelist"]
        for key in ("abc", "\u00b2", "1\0", "9" * 30):
            for page in ("history", "change", "delete"):
                assert client.get(f"{changelist}{quote(key)}/{page}/").status_code in (302, 403, 404), (
                    changelist,
                    key,
                    page,
                )
        for address in views(model_admin):
            far = re.sub(r"/\d+/(?=[a-z_]+/$)", f"/{'9' * 30}/", address)
            if far != address:
                assert {client.get(far).status_code, client.post(far, TYPED).status_code} <= {302, 403, 404, 405}, far
            before = tables()
            for name in ("reason", "note", "amount", "external_id", "reference"):
                assert client.post(address, {**TYPED, name: "a\0b"}).status_code in (400, 405), address
            assert tables() == before, address
    for nothing in ("/receipts/a%00/", "/accounts/social/a%00/", "/a%00/"):
        assert Client().get(nothing).status_code == 404
        assert client.get(nothing).status_code == 404
    said = client.post(address, {"reason": "a\0b"}, headers={"Wayout-Locale": "en"})
    assert said.text == "The text holds a character that cannot be kept. Nothing was changed."
