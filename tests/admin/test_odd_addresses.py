"""What nobody's row can be asked for: numbers and dates that there are not are never an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.db.models import DateField, IntegerField, Model
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.converters import IntConverter

from common.admin import AuditedAdmin
from common.whole_numbers import RowKey, WholeNumberField
from subscriptions.admin.policies import PolicyForm
from tests.admin.scenes import REGISTRY, client_of
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db

HUGE = "99999999999999999999"
DATES = (
    "year=9999", "year=0", "year=1", f"year={HUGE}", "year=x", "year=9999&{f}__month=12", "year=9999&{f}__month=12&{f}__day=31",
    "year=2026&{f}__month=13", "year=2026&{f}__month=2&{f}__day=30", f"month={HUGE}", "day=x", "year__gte=99999", "year__lt=0",
    f"year__in={HUGE}", "gte=x", "gte=9999-12-31T23:59:59-14:00", "lt=0001-01-01T00:00:00+14:00", "week=x", "date=x",
)  # fmt: skip
WITH_FORMS = [model for model, model_admin in REGISTRY.items() if isinstance(model_admin, AuditedAdmin)]
NUMBERS = (f"={HUGE}", f"__gte=-{HUGE}", f"__in={HUGE}", "=x", "__in=x")


def patterns(among: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in (among or get_resolver()).url_patterns:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one, address)
        else:
            yield address, one


def with_numbers() -> list[tuple[str, URLPattern]]:
    return [
        (address, one)
        for address, one in patterns()
        if any(isinstance(found, IntConverter) for found in one.pattern.converters.values())
    ]


def test_every_number_in_an_address_can_be_a_row() -> None:
    found = with_numbers()
    assert len(found) > 10
    odd = [
        address
        for address, one in found
        if not all(isinstance(c, RowKey) for c in one.pattern.converters.values()) and "contenttypes" not in address
    ]
    assert not odd


@pytest.mark.parametrize("number", [HUGE, str(2**63), "9" * 5000], ids=len)
def test_a_number_that_no_row_has_is_not_found(world: World, number: str) -> None:
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    for address, _ in with_numbers():
        there = "/" + address.replace("<key:pk>", number)
        answers = {method(there).status_code for method in (client.get, client.post)}
        # A button that was not pressed leads to the page of its row, which is not there.
        assert answers <= {404, 405, *([302] if address.startswith("admin/") else [])}, address
        assert answers & {404, 302}, address
    for model in REGISTRY:
        kind = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"{kind}_change", args=[number])).status_code in (302, 404)


def asked(model: type[Model]) -> Iterator[str]:
    for field in model._meta.fields:
        if isinstance(field, DateField):
            yield from (f"{field.name}__{lookup}".replace("{f}", field.name) for lookup in DATES)
        if isinstance(field, IntegerField):
            yield from (f"{field.name}{lookup}" for lookup in NUMBERS)
        if field.is_relation:
            yield from (f"{field.name}__id__exact={number}" for number in (HUGE, "x"))
    yield from (f"p={HUGE}", "p=x", f"id={HUGE}", "all=1&p=0")


@pytest.mark.parametrize("model", REGISTRY, ids=lambda model: model._meta.label)
def test_a_list_asked_for_what_there_is_not(world: World, model: type[Model], time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    cancel(world, world.subscription(3))
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    failed = {}
    for query in asked(model):
        answer = client.get(f"{address}?{query}")
        if answer.status_code not in (200, 302, 400):
            failed[query] = answer.status_code
    assert not failed


def test_lists_by_day_are_among_them() -> None:
    assert [one for one in REGISTRY.values() if one.date_hierarchy]


def test_a_file_of_what_there_is_not(world: World) -> None:
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    for lookup in DATES:
        query = f"due_by__{lookup}".replace("{f}", "due_by")
        assert client.get(f"/admin/billing/refund/export/?{query}").status_code in (200, 302, 400), query


@pytest.mark.parametrize("model", WITH_FORMS, ids=lambda model: model._meta.label)
def test_forms_take_plain_digits_alone(world: World, model: type[Model], rf: Any) -> None:
    request = rf.get("/")
    request.user = world.person(None, is_staff=True, is_superuser=True)
    fields = REGISTRY[model].get_form(request)().fields.values()
    numbers = [field for field in (*fields, *PolicyForm().fields.values()) if isinstance(field, forms.IntegerField)]
    assert all(isinstance(field, WholeNumberField) for field in numbers)
