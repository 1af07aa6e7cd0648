"""Subscriptions with all that their rows point at, and the counts and hints that a decision begins with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import Agreement, BillingAccount, PaymentMethod
from common.prepared import ModelColumns, PreparedQuery
from subscriptions.models import Plan, Subscription, SyncRun, SyncState
from tenants.models import Tenant

_NO_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LicenseCounts:
    """Distinct holders of one subscription, soft-deleted users left out. See policy/facts.py."""

    assigned: int = 0
    removable: int = 0
    by_group: int = 0
    pending: int = 0


_SUBSCRIPTION, _PLAN, _TENANT = ModelColumns(Subscription), ModelColumns(Plan, "plan"), ModelColumns(Tenant, "tenant")
_AGREEMENT, _ACCOUNT = ModelColumns(Agreement, "agreement"), ModelColumns(BillingAccount, "agreement__account")
_AT_PLAN = len(_SUBSCRIPTION)
_AT_TENANT = _AT_PLAN + len(_PLAN)
_AT_AGREEMENT = _AT_TENANT + len(_TENANT)
_AT_ACCOUNT = _AT_AGREEMENT + len(_AGREEMENT)
_AT_HINTS = _AT_ACCOUNT + len(_ACCOUNT)


# Facts of its tenant are being applied piece by piece, so that counts are of a part of them.
IS_SYNCING = Exists(
    SyncRun.objects.filter(tenant=OuterRef("tenant"), state=SyncState.APPLYING, pieces__gt=1, dry_run=False)
)


def _wide(rows: QuerySet[Subscription]) -> QuerySet[Any, Any]:
    return rows.annotate(
        has_method=Exists(PaymentMethod.objects.filter(account=OuterRef("agreement__account"), is_active=True)),
        is_syncing=IS_SYNCING,
        has_sibling=Exists(
            Subscription.objects.filter(tenant=OuterRef("tenant"), plan=OuterRef("plan")).exclude(pk=OuterRef("pk"))
        ),
    ).values_list(
        *_SUBSCRIPTION.paths,
        *_PLAN.paths,
        *_TENANT.paths,
        *_AGREEMENT.paths,
        *_ACCOUNT.paths,
        "has_method",
        "has_sibling",
        "is_syncing",
        "tally__assigned",
        "tally__removable",
        "tally__by_group",
        "tally__pending",
    )


_OF_IDS = PreparedQuery("subscriptions by id", lambda ids, _: _wide(Subscription.objects.filter(pk__in=ids)))
# The ids inside, so that PostgreSQL plans the rest for as few rows as there will be, whoever asks.
_NEWEST = PreparedQuery(
    "newest subscriptions",
    lambda tenants, before, limit: _wide(
        Subscription.objects.filter(
            pk__in=Subscription.objects.filter(tenant__in=tenants, pk__lt=before).order_by("-pk").values("pk")[:limit]
        )
    ),
)


def find_rows(ids: Iterable[int]) -> Iterator[Subscription]:
    """The rows with plan, tenant, agreement and account, in any order. One query."""
    return _read(_OF_IDS.rows(ids))


def newest(tenants: Collection[int], before: int | None, limit: int) -> list[Subscription]:
    """The newest of some tenants, of ids below ``before``, as many as ``limit``. One query."""
    found = _NEWEST.rows(tenants, _NO_ID if before is None else before, limit)
    return list(_read(sorted(found, reverse=True)[:limit]))


def _read(rows: Iterable[tuple[Any, ...]]) -> Iterator[Subscription]:
    """Objects of wide rows. Those of one page share their tenants and accounts."""
    tenants: dict[int, Any] = {}
    accounts: dict[int, Any] = {}
    for values in rows:
        tenant = tenants.get(values[_AT_TENANT]) or _TENANT.read(values, _AT_TENANT)
        account = accounts.get(values[_AT_ACCOUNT]) or _ACCOUNT.read(values, _AT_ACCOUNT)
        tenants[tenant.pk], accounts[account.pk] = tenant, account
        plan, agreement = _PLAN.read(values, _AT_PLAN), _AGREEMENT.read(values, _AT_AGREEMENT, account=account)
        row: Any = _SUBSCRIPTION.read(values, 0, plan=plan, tenant=tenant, agreement=agreement)
        row.has_method, row.has_sibling, row.is_syncing, *tally = values[_AT_HINTS:]
        row.counts = LicenseCounts(*(number or 0 for number in tally))
        yield row
