"""Apply rows of a document, whichever section they are of, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from subscriptions.directory.catalog import Catalog, Context
from subscriptions.directory.charges import Charges
from subscriptions.directory.document import ChargeRow, Row, Section, SubscriptionRow, TenantRow
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.groups import Groups
from subscriptions.directory.license_rows import Licenses
from subscriptions.directory.people import People
from subscriptions.directory.purchases import Purchases, apply_tenant
from subscriptions.directory.staging import key_of, rank_of
from subscriptions.models import Subscription
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import Tenant
from tenants.people import SYSTEM


def apply_rows(context: Context, rows: Iterable[tuple[Section, Row]]) -> Catalog:
    """Make what is on record what these rows say, within a transaction; repeating it changes nothing.

    Sections in their order, so that rows may name what comes with them. What is refused is in the report.
    """
    # Locked first, as every writer does: nobody cancels or removes users meanwhile.
    locked = Subscription.objects.select_for_update(of=("self", "agreement"), no_key=True).filter(tenant=context.tenant)
    list(locked.select_related("agreement").order_by("pk"))
    by_rank: dict[int, list[Any]] = defaultdict(list)
    for section, row in rows:
        if not _is_contradicted(context, section, row):
            by_rank[rank_of(section, row)].append((section, row))
    for _section, row in by_rank.pop(rank_of(Section.TENANT, TenantRow(0)), ()):
        apply_tenant(context, row)
    catalog = Catalog(context)
    for rank in sorted(by_rank):
        of_one = by_rank[rank]
        _APPLIERS[of_one[0][0]](catalog).apply([row for _section, row in of_one])
    return catalog


_APPLIERS: Mapping[Section, Callable[[Catalog], Any]] = {
    Section.SUBSCRIPTIONS: Purchases,
    Section.CHARGES: Charges,
    Section.USERS: People,
    Section.GROUPS: Groups,
    Section.LICENSES: Licenses,
}


def _is_contradicted(context: Context, section: Section, row: Row) -> bool:
    """Of two rows that say different things of one, nobody knows which is right: neither is taken."""
    other = context.report.contradicted.get(key_of(section, row)) if context.report.contradicted else None
    if other is None:
        return False
    context.report.refuse(section, row.line, Refused(Fault.SAID_TWICE, other=other))
    if isinstance(row, ChargeRow):
        context.report.count_charge(row.currency, row.charged, row.paid, came_in=False)
    return True


def count_holders(context: Context, products: Iterable[SubscriptionRow] = ()) -> None:
    """Holders by product and subscription, as they now stand, and whether a list of products says the same."""
    ids = Subscription.objects.filter(tenant=context.tenant).order_by("pk").values_list("pk", flat=True)
    batch = SubscriptionBatch.find_many(list(ids), context.now, SYSTEM)
    catalog, report = Catalog(context), context.report
    for row in batch.rows:
        name = row.plan.display_name
        label = f"{name} ({row.external_id})" if len(catalog.of_plan[row.plan_id]) > 1 else name
        report.holders[label] = batch.counts[row.pk].assigned
    for product in products:
        held = sum(batch.counts[row.pk].assigned for row in catalog.known(product.product) if row.pk in batch.counts)
        if product.assigned not in (None, held):
            report.note(Fault.HOLDERS_DIFFER, product=product.product, said=product.assigned, count=held)


def take_seats(tenant: Tenant) -> None:
    """Where nobody ever said how many seats there are, those that are held."""
    unsaid = Subscription.objects.filter(
        tenant=tenant, purchased_licenses=0, seats_said_at=None, agreement__charges=None
    )
    for subscription in unsaid.filter(tally__assigned__gt=0).select_related("tally"):
        Subscription.objects.filter(pk=subscription.pk).update(purchased_licenses=subscription.tally.assigned)
