"""Whatever is registered in the admin, now or later: who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.forms import inlineformset_factory
from django.test import Client
from django.urls import NoReverseMatch, reverse

from tests.admin.scenes import REGISTRY, client_of, furnished, member, tables, who_looks
from tests.builders import NOW
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
# What any of the actions and buttons may ask for.
TYPED = {
    "confirmed": "1", "disposition": "OTHER", "tell": "no", "provider": "stripe", "external_id": "sub_12345678", "was": "",
    "reason": "asked on the phone", "amount": "1.00", "seen": "99999",
    "outcome": "BUSY", "other_language": "en", "post": "yes", "note": "x", "quote": "x", "key": "x", "mode": "IMMEDIATE",
    "password1": "another fine horse", "password2": "another fine horse", "usable_password": "true",
}  # fmt: skip
# Sends something and keeps nothing of it.
CHANGES_NO_ROW = {("webhooks.Endpoint", "test")}


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def furnished_world(world: World, settings: Any) -> World:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    return furnished(world)


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


def test_who_may_do_everything_changes_something_by_each_of_them(furnished_world: World) -> None:
    staff = furnished_world.person(None, is_staff=True, is_superuser=True)
    client = client_of(staff)
    for model_admin, name, _function in actions():
        if name == "delete_selected" or (model_admin.opts.label, name) in CHANGES_NO_ROW:
            continue
        before = tables()
        act(client, model_admin, name, agent=staff.pk)
        assert tables() != before, f"{model_admin.opts.label}.{name}: the tests above say nothing about it"
