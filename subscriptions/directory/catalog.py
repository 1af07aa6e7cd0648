"""What the tenant bought: which of its subscriptions a row of a document is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import Q

from billing.models import Agreement, BillingAccount
from billing.money import Money
from common.search import fold
from subscriptions.directory.document import Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.report import SyncReport
from subscriptions.models import FactSource, Plan, Subscription
from subscriptions.policy.facts import Status
from subscriptions.policy.status import is_in_service
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import Tenant
from tenants.people import SYSTEM

# Systems copy from one another, and clocks differ: so long after a decision of ours its opposite may still be said.
GRACE = timedelta(minutes=15)
# What a subscription is billed in as long as nobody says what it costs.
_CURRENCY = "EUR"


@dataclass(slots=True)
class Context:
    """What every section is applied with. ``now`` is when the run works on it, ``as_of`` when it was true."""

    tenant: Tenant
    source: FactSource
    as_of: datetime
    now: datetime
    report: SyncReport
    complete: Collection[Section] = ()

    def is_of_another(self, source_id: int | None) -> bool:
        """Whether a row belongs to another source. One that nobody has claimed is whose it is said by first."""
        return source_id is not None and source_id != self.source.pk

    def name_of(self, source_id: int | None) -> str:
        """What a source is called. One query."""
        return str(FactSource.objects.get(pk=source_id)) if source_id else ""

    def is_older(self, known_at: datetime | None) -> bool:
        """Whether what is known is from later than this document."""
        return known_at is not None and known_at > self.as_of


class Catalog:
    """The tenant's subscriptions, by id and by product. Three queries, however many there are; one for a new product."""

    def __init__(self, context: Context) -> None:
        self.context, self.tenant = context, context.tenant
        self.of_plan: dict[int, list[Subscription]] = defaultdict(list)
        self.by_id: dict[str, Subscription] = {}
        self.plan_of: dict[int, int] = {}
        self._plans: dict[str, Plan | None] = {}
        self._holding: dict[str, Sequence[Subscription]] = {}
        existing = Subscription.objects.filter(tenant=self.tenant).select_related("plan", "agreement__account__tenant")
        for subscription in existing.order_by("pk"):
            for name in (subscription.plan.part_number, subscription.plan.name):
                self._plans.setdefault(fold(name), subscription.plan)
            self._keep(subscription)

    @cached_property
    def _account(self) -> BillingAccount:
        return BillingAccount.objects.get_or_create(tenant=self.tenant)[0]

    def plan(self, product: str) -> Plan:
        """The plan that goes by this name or part number, made when there is none."""
        found = self._known_plan(product)
        if found is None:
            found, _ = Plan.objects.get_or_create(part_number=product, defaults={"name": product})
            self._plans[fold(product)] = found
        return found

    def _known_plan(self, product: str) -> Plan | None:
        """By its letters alone: case, spaces and the way that letters are composed make no other product."""
        key = fold(product)
        if key not in self._plans:
            alike = Plan.objects.filter(Q(search_key__contains=key) | Q(name=product) | Q(part_number=product))
            same = (plan for plan in alike.order_by("pk") if key in (fold(plan.name), fold(plan.part_number)))
            self._plans[key] = next(same, None)
        return self._plans[key]

    def known(self, product: str) -> Sequence[Subscription]:
        """The tenant's subscriptions of that product."""
        plan = self._known_plan(product)
        return self.of_plan[plan.pk] if plan else ()

    def one(self, reference: str) -> Subscription:
        """The subscription of that id, or the only one of that product. Raises Refused."""
        if named := self.by_id.get(reference):
            return named
        known = self.known(reference)
        if not known:
            raise Refused(Fault.SUBSCRIPTION_UNKNOWN, "subscription", value=reference)
        if len(known) > 1:
            raise Refused(Fault.SUBSCRIPTION_AMBIGUOUS, "subscription", value=reference)
        return known[0]

    def holding(self, reference: str) -> Sequence[Subscription]:
        """Those that a license of this id or product is of; none where it is not known.

        Of a product that was bought several times, the ones that go on: nobody says whose a license is, so that every
        holder counts for each. What has ended holds nobody while something else runs.
        """
        if named := self.by_id.get(reference):
            return [named]
        key = fold(reference)
        if key not in self._holding:
            self._holding[key] = self._running(self.known(reference))
        return self._holding[key]

    def unlisted(self, product: str) -> Sequence[Subscription]:
        """A subscription of a product that is sold here and that only its holders tell of; none of one that is not.

        Nobody says how many seats it has and until when: those that are held, and nothing.
        """
        if self._known_plan(product) is None:
            return ()
        made, _is_new = self.subscription(product, "", None)
        self.context.report.note(Fault.UNLISTED, product=product)
        self._holding[fold(product)] = [made]
        return [made]

    def _running(self, known: Sequence[Subscription]) -> Sequence[Subscription]:
        if len(known) < 2:
            return known
        batch = SubscriptionBatch.find_many([s.pk for s in known], self.context.now, SYSTEM)
        statuses = {pk: decision.status for pk, decision in batch.decisions.items()}
        in_service = [s for s in known if is_in_service(statuses[s.pk])]
        going_on = [s for s in in_service if statuses[s.pk] is not Status.CANCELING]
        return going_on or in_service or known

    def subscription(self, product: str, external_id: str, currency: str | None) -> tuple[Subscription, bool]:
        """The subscription of that id, or else of that product, and whether it was made for it."""
        if external_id and (named := self.by_id.get(external_id)):
            return named, False
        for known in self.known(product):
            if known.external_id == external_id or self._adopt(known, external_id, currency):
                return known, False
        subscription = Subscription.objects.create(
            tenant=self.tenant,
            plan=self.plan(product),
            agreement=Agreement.objects.create(account=self._account, currency=currency or _CURRENCY),
            external_id=external_id,
        )
        self._keep(subscription)
        return subscription, True

    def move(self, subscription: Subscription, product: str) -> bool:
        """Make it one of another product; whether that is new."""
        plan = self.plan(product)
        if plan.pk == subscription.plan_id:
            return False
        self.of_plan[subscription.plan_id].remove(subscription)
        subscription.plan = plan
        self._keep(subscription)
        return True

    def follow_currency(self, subscription: Subscription, before: str) -> None:
        """What a license costs follows into the successor of a currency that ended."""
        after = subscription.agreement.currency
        if subscription.unit_price is not None and after != before:
            subscription.unit_price = Money(subscription.unit_price, before).into(after).minor_units
            subscription.save(update_fields=["unit_price"])

    def _keep(self, subscription: Subscription) -> None:
        self.of_plan[subscription.plan_id].append(subscription)
        self.plan_of[subscription.pk] = subscription.plan_id
        self._name(subscription)

    def _name(self, subscription: Subscription) -> None:
        if subscription.external_id:
            self.by_id[subscription.external_id] = subscription

    def _adopt(self, known: Subscription, external_id: str, currency: str | None) -> bool:
        """Whether a subscription that nobody gave an id is the one that is now named."""
        if known.external_id or known.agreement.charges.exists():
            return False
        known.external_id = external_id
        known.agreement.currency = currency or known.agreement.currency
        known.agreement.save()
        known.save()
        self._name(known)
        return True
