"""Rows by what the host calls them."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from common.lines import one_line
from subscriptions.errors import ExternalIdAmbiguous
from subscriptions.models import DirectoryUser, Subscription
from subscriptions.selectors.lists import visible
from tenants.callers import Caller
from tenants.models import Tenant

Row = TypeVar("Row", bound=Model)


def find_tenant(caller: Caller, external_id: str) -> Tenant | None:
    """One query."""
    return visible(_named(Tenant.objects.all(), external_id), caller, "pk").first()


def find_subscription_id(caller: Caller, external_id: str, tenant_external_id: str | None) -> int | None:
    """The number of its row. One query. Raises ExternalIdAmbiguous."""
    found = _one(Subscription.objects.only("pk"), caller, external_id, tenant_external_id)
    return found.pk if found else None


def find_user(caller: Caller, external_id: str, tenant_external_id: str | None) -> DirectoryUser | None:
    """One query. Raises ExternalIdAmbiguous."""
    return _one(DirectoryUser.objects.filter(deleted_at=None), caller, external_id, tenant_external_id)


def _one(rows: QuerySet[Row], caller: Caller, external_id: str, tenant_external_id: str | None) -> Row | None:
    seen = visible(_named(rows, external_id), caller)
    if isinstance(tenant_external_id, str):  # neither null nor left out
        seen = _named(seen, tenant_external_id, "tenant__external_id")
    found = list(seen[:2])
    if len(found) > 1:
        raise ExternalIdAmbiguous("tenantExternalId")
    return found[0] if found else None


def _named(rows: QuerySet[Row], external_id: str, column: str = "external_id") -> QuerySet[Row]:
    """What is called nothing is not found by nothing, and no database is asked for what is no text."""
    is_text = external_id and external_id == one_line(external_id)
    return rows.filter(**{column: external_id}) if is_text else rows.none()
