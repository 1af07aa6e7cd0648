"""Whatever a row holds that a file, a form or a host can have said: the page that it is on is answered, its neighbor too.

Codes and references are ours alone, and instants come in within bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, models, transaction

from billing.models import Agreement, Charge
from billing.periods import EARLIEST, LATEST
from subscriptions.models import Cancellation, Plan, Subscription
from tenants.callers import Scope
from tenants.models import Tenant
from tests.builders import NOW
from tests.graphql.documents import CANCEL, LIST, OPTIONS
from tests.world import Api, World

pytestmark = [pytest.mark.long, pytest.mark.django_db]
SCOPES = [Scope.CANCEL, Scope.CALLBACK]
OURS = {"id", "search_key", "reference"}
HELD: list[type[models.Model]] = [Subscription, Plan, Tenant, Agreement, Charge, Cancellation]
INSTANTS = [EARLIEST, LATEST, NOW]
COLUMNS = [
    (model, field.attname)
    for model in HELD
    for field in model._meta.concrete_fields
    if field.name not in OURS and not field.is_relation and not field.choices
]


def odd(field: Any) -> Iterator[Any]:
    """Values that such a column may be found with."""
    if field.null:
        yield None
    match field:
        case models.BooleanField():
            yield from (True, False)
        case models.IntegerField():
            bits = 63 if isinstance(field, models.BigIntegerField) else 31
            yield from (0, 1, -1, 2**15 - 1, 2**bits - 1, -(2**bits))
        case models.DateTimeField():
            yield from INSTANTS
        case models.JSONField():
            yield from ({}, [], None, "x")
        case models.CharField() | models.TextField():
            yield from ("", "x", "Nowhere/Nothing", "\r\n\x0b", "А" * (field.max_length or 300))


@pytest.mark.parametrize(("model", "column"), COLUMNS, ids=lambda value: getattr(value, "__name__", value))
def test_one_odd_row_fails_no_page(world: World, model: type[models.Model], column: str) -> None:
    with time_machine.travel(NOW, tick=False):
        rows = [world.subscription(3, unit_price=200, is_trial=trial) for trial in (False, True)]
        other = World.build()
        neighbor = other.subscription(3)
        token = Api(token=world.token(*SCOPES, tenants=[world.tenant, other.tenant]))
        cancel(token, rows[0])
        for value in odd(model._meta.get_field(column)):
            found = None
            with transaction.atomic():
                try:
                    with transaction.atomic():
                        own(model, rows).update(**{column: value})
                except (DatabaseError, OverflowError):
                    continue
                found = token.raw(LIST)
                transaction.set_rollback(True)
            edges = ((found["data"] or {}).get("subscriptions") or {}).get("edges") or []
            assert f"sub_{neighbor.pk}" in [e["node"]["id"] for e in edges], (column, value, found.get("errors"))
            assert len(edges) == 3
            assert "errors" not in found, (column, value, found["errors"])


def own(model: type[models.Model], rows: list[Subscription]) -> Any:
    """Of a model, what stands behind these subscriptions."""
    paths = {
        Subscription: "pk__in", Plan: "subscriptions__in", Tenant: "subscriptions__in", Agreement: "subscription__in",
        Charge: "agreement__subscription__in", Cancellation: "subscription__in",
    }  # fmt: skip
    found = model._default_manager.filter(**{paths[model]: [row.pk for row in rows]})
    return model._default_manager.filter(pk__in=list(found.values_list("pk", flat=True)))


def cancel(api: Api, row: Subscription) -> None:
    options = api(OPTIONS, id=f"sub_{row.pk}")["cancellationOptions"]["options"]
    quote = next(quote["id"] for option in options for quote in option["quotes"] or () if quote["mode"] == "IMMEDIATE")
    given = {"subscriptionId": f"sub_{row.pk}", "quoteId": quote, "idempotencyKey": "x"}
    assert api(CANCEL, input=given)["cancelSubscription"]["__typename"] == "CancelSubscriptionSuccess"
