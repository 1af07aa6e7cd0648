"""Bring in what an admin exported: products, charges, users and who holds what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from common.languages import DEFAULT_LANGUAGE
from subscriptions.directory.catalog import Catalog
from subscriptions.directory.files import ChargeRow, ProductRow, UserRow
from subscriptions.directory.holders import Holders, named_twice
from subscriptions.directory.report import ImportReport
from subscriptions.directory.tables import FileTable, Parsed
from subscriptions.models import Subscription
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.actions import Action
from tenants.audit import record
from tenants.models import Tenant
from tenants.people import SYSTEM


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one import. The list of users may be long: it is read from the disk as it is worked on."""

    users: FileTable[UserRow]
    products: Parsed[ProductRow]
    charges: Parsed[ChargeRow]


def import_directory(
    *,
    tenant: Tenant,
    files: Files,
    exported_at: datetime,
    complete: bool,
    dry_run: bool,
    now: datetime,
    progress: Callable[[Iterable[UserRow], int], Iterable[UserRow]],
) -> ImportReport:
    """Make the tenant's rows what the export says, in one transaction; doing it again changes nothing.

    What was removed here after ``exported_at`` stays removed. Users that the file does not name keep what they
    have, unless the file is ``complete``. A tenant that was not saved yet is. Rows that contradict what is on record
    are reported, the others come in. ``progress`` gets the users and their number. Raises FileUnreadable.
    """
    twice, count = named_twice(files.users)
    unread = len(files.users.problems)
    report = ImportReport(problems=[*files.charges.problems, *files.products.problems, *files.users.problems])
    with transaction.atomic(durable=True):
        if tenant.pk is None:
            tenant.full_clean()
            tenant.save()
        # Locked first, as every writer does: nobody cancels or removes users on half an import.
        locked = Subscription.objects.select_for_update(of=("self", "agreement"), no_key=True).filter(tenant=tenant)
        list(locked.select_related("agreement").order_by("pk"))
        catalog = Catalog(tenant, exported_at, now, report)
        catalog.charges(files.charges.rows)
        catalog.products(files.products.rows)
        holders = Holders(catalog, exported_at, now, report)
        holders.users(progress(files.users, count), twice)
        holders.absent_users(complete=complete, unread=unread)
        _count_holders(catalog, files.products.rows, now)
        if report.changed:
            _audit(tenant, report, now)
        transaction.set_rollback(dry_run)
    return report


def _count_holders(catalog: Catalog, products: Sequence[ProductRow], now: datetime) -> None:
    """Holders by product and subscription, as they now stand, and whether the products file says the same."""
    ids = Subscription.objects.filter(tenant=catalog.tenant).order_by("pk").values_list("pk", flat=True)
    batch = SubscriptionBatch.find_many(list(ids), now, SYSTEM)
    for row in batch.rows:
        name = row.plan.display_name
        label = f"{name} ({row.external_id})" if len(catalog.of_plan[row.plan_id]) > 1 else name
        catalog.report.holders[label] = batch.counts[row.pk].assigned
    for product in products:
        held = sum(batch.counts[row.pk].assigned for row in catalog.of(product.title) if row.pk in batch.counts)
        if product.assigned not in (None, held):
            catalog.report.note(
                f"{product.title}: {product.assigned} licenses are assigned by the products file, {held} users hold it"
                " by the users file"
            )


def _audit(tenant: Tenant, report: ImportReport, now: datetime) -> None:
    record(
        tenant_id=tenant.pk,
        at=now,
        action=Action.DIRECTORY_IMPORTED,
        subject=f"Tenant:{tenant.pk}",
        caller=SYSTEM,
        language=DEFAULT_LANGUAGE,
        data={
            "users_created": report.users_created,
            "users_changed": report.users_changed,
            "licenses_assigned": report.licenses_assigned,
            "licenses_removed": report.licenses_removed,
            "charges_recorded": report.charges_recorded,
            "holders": report.holders,
        },
    )
