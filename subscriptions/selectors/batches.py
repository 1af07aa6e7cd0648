"""Everything about a page of subscriptions, read together: what is decided on, and what explains it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Self, cast

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.utils.functional import SimpleLazyObject

from billing.currencies import currency_on
from billing.models import Refund, RefundStatus
from billing.money import Money
from billing.providers import credit_form
from billing.selectors import Charges, charged_before, charges_not_over, held_by_charge, provider_of
from common.prepared import ModelColumns, PreparedQuery
from subscriptions.errors import SyncRunning
from subscriptions.models import Cancellation, CancellationPolicy, License, Subscription
from subscriptions.policy.decision import Decision, evaluate
from subscriptions.policy.facts import Channel, InForce, Mode, OnBehalf, PolicyTerms, QuoteFacts, Snapshot, Status
from subscriptions.selectors.rows import LicenseCounts, find_rows
from tenants.callers import Caller
from tenants.models import PartnerToken, User, VouchedPerson

logger = logging.getLogger("wayout.subscriptions")


def _elsewhere(at: datetime) -> QuerySet[License]:
    """Licenses by which the same user keeps the product. A subscription that was canceled goes as well."""
    going_on = Subscription.objects.in_service(at).filter(pk=OuterRef("subscription"), canceled_mode=None)
    same = License.objects.held().filter(user=OuterRef("user"), subscription__plan=OuterRef("subscription__plan"))
    return same.exclude(subscription=OuterRef("subscription")).filter(Exists(going_on))


_STILL_COVERED = PreparedQuery(
    "holders still covered",
    lambda ids, at: (
        License.objects.held()
        .filter(Exists(_elsewhere(at)), subscription__in=ids)
        .values_list("subscription")
        .annotate(Count("pk"))
    ),
)
_CANCELLATION = ModelColumns(Cancellation)
_USER, _TOKEN = ModelColumns(User, "requested_by_user"), ModelColumns(PartnerToken, "requested_by_token")
_VOUCHED = ModelColumns(VouchedPerson, "requested_by_vouched")
_VOUCHING = ModelColumns(PartnerToken, "requested_by_vouched__token")
_LATEST_CANCELLATIONS = PreparedQuery(
    "latest cancellations",
    lambda ids, _: Cancellation.objects.filter(
        pk__in=Cancellation.objects.filter(subscription__in=ids)
        .values("subscription")
        .annotate(Max("pk"))
        .values("pk__max")
    ).values_list(*_CANCELLATION.paths, *_USER.paths, *_TOKEN.paths, *_VOUCHED.paths, *_VOUCHING.paths),
)
_POLICY = ModelColumns(CancellationPolicy)
_POLICIES = PreparedQuery(
    "policies in force",
    lambda ids, _: CancellationPolicy.objects.filter(Q(tenant=None) | Q(tenant__in=ids), in_force=True).values_list(
        *_POLICY.paths
    ),
)


class SubscriptionBatch:
    """A page of subscriptions whose facts are read together: each kind with one query, when it is first asked for."""

    def __init__(self, rows: Iterable[Subscription], at: datetime, *, on_behalf: OnBehalf | None = None) -> None:
        self.rows = list(rows)
        self.at = at
        self.on_behalf = on_behalf
        self._ids = [row.pk for row in self.rows]

    @classmethod
    def find(
        cls, caller: Caller, subscription_id: int, at: datetime, *, on_behalf: OnBehalf | None = None
    ) -> Self | None:
        """The batch of one subscription, or None when the caller sees no such one."""
        batch = cls.find_many([subscription_id], at, caller, on_behalf=on_behalf)
        return batch if batch.rows else None

    @classmethod
    def get(cls, caller: Caller, subscription_id: int, at: datetime, *, on_behalf: OnBehalf | None = None) -> Self:
        """The batch of one subscription that this caller was already found to see."""
        return cls.find_many([subscription_id], at, caller, on_behalf=on_behalf)

    @classmethod
    def find_many(cls, ids: Sequence[int], at: datetime, caller: Caller, *, on_behalf: OnBehalf | None = None) -> Self:
        """Those of the ids that the caller sees, in their order."""
        found = {row.pk: row for row in find_rows(ids)}
        rows = [found[pk] for pk in ids if pk in found and caller.sees(found[pk].tenant_id)]
        return cls(rows, at, on_behalf=on_behalf)

    @cached_property
    def counts(self) -> Mapping[int, LicenseCounts]:
        """License counts by subscription, which came with the rows."""
        return {row.pk: row.counts for row in self.rows}  # type: ignore[attr-defined]

    def require_whole(self, subscription_id: int) -> None:
        """Raise SyncRunning while facts of its tenant are half applied: nobody decides on those, however it looks."""
        if any(row.is_syncing for row in self.rows if row.pk == subscription_id):  # type: ignore[attr-defined]
            raise SyncRunning

    @cached_property
    def group_names(self) -> Mapping[int, tuple[str, ...]]:
        """The groups that hand out licenses, by subscription. No query where no license is by group."""
        with_groups = [pk for pk, counts in self.counts.items() if counts.by_group]
        names: dict[int, list[str]] = defaultdict(list)
        if with_groups:
            held = License.objects.held().filter(subscription__in=with_groups, is_inherited=True)
            pairs = held.values_list("subscription", "groups__name").distinct().order_by("groups__name")
            for subscription_id, name in pairs:
                if name:
                    names[subscription_id].append(name)
        return {pk: tuple(of_one) for pk, of_one in names.items()}

    @cached_property
    def still_covered(self) -> Mapping[int, int]:
        """Holders who keep the product through another subscription. No query where no product was bought twice."""
        twice = [row.pk for row in self.rows if row.has_sibling]  # type: ignore[attr-defined]
        if not twice:
            return {}
        return dict(_STILL_COVERED.rows(twice, self.at))

    @cached_property
    def charges(self) -> Charges:
        """Charges by agreement that are not over yet; what an undoable cancellation holds counts as not refunded."""
        found = charges_not_over([row.agreement_id for row in self.rows], self._earliest)
        if not self._held:
            return found
        return {
            agreement_id: tuple(replace(c, refunded=c.refunded - self._held.get(c.id, 0)) for c in charges)
            for agreement_id, charges in found.items()
        }

    @cached_property
    def _earliest(self) -> datetime:
        return min(self.at, (self.on_behalf and self.on_behalf.credit_from) or self.at)

    @cached_property
    def _charged_before(self) -> Collection[int]:
        """Agreements of which nothing that was charged runs and something is over. No query where something runs."""
        idle = [
            row.agreement_id
            for row in self.rows
            if not any(charge.period.has_begun(self.at) for charge in self.charges.get(row.agreement_id, ()))
        ]
        return charged_before(idle, self._earliest) if idle else ()

    @cached_property
    def _held(self) -> Mapping[int, int]:
        scheduled = [
            self.cancellations[row.pk].pk
            for row in self.rows
            if (canceled := self._in_force(row)) and canceled.mode is Mode.AT_PERIOD_END
        ]
        return held_by_charge(Refund.objects.filter(cancellations__in=scheduled)) if scheduled else {}

    @cached_property
    def cancellations(self) -> Mapping[int, Cancellation]:
        """The latest cancellation by subscription, also when undone. The one in force is always the latest."""
        found = {}
        for values in _LATEST_CANCELLATIONS.rows(self._ids):
            cancellation: Cancellation = _CANCELLATION.read(values, 0)
            at = len(_CANCELLATION)
            if values[at] is not None:
                cancellation.requested_by_user = _USER.read(values, at)
            if values[at + len(_USER)] is not None:
                cancellation.requested_by_token = _TOKEN.read(values, at + len(_USER))
            at += len(_USER) + len(_TOKEN)
            if values[at] is not None:
                token = _VOUCHING.read(values, at + len(_VOUCHED))
                cancellation.requested_by_vouched = _VOUCHED.read(values, at, token=token)
            found[cancellation.subscription_id] = cancellation
        return found

    def include_cancellations(self, cancellations: Iterable[Cancellation]) -> None:
        """Read the refunds of older cancellations too."""
        self.refunds = refunds_of([*self.cancellations.values(), *cancellations])

    @cached_property
    def refunds(self) -> Mapping[int, Sequence[Refund]]:
        """Refunds by cancellation, oldest first, voided ones left out unless nothing else is there."""
        return refunds_of(self.cancellations.values())

    @cached_property
    def policies(self) -> Mapping[int, PolicyTerms]:
        """The policy in force by tenant: its own, or the default."""
        tenant_ids = {row.tenant_id for row in self.rows}
        in_force: list[CancellationPolicy] = [_POLICY.read(values, 0) for values in _POLICIES.rows(tenant_ids)]
        by_tenant = {policy.tenant_id: policy.terms for policy in in_force}
        return {tenant_id: by_tenant.get(tenant_id) or by_tenant[None] for tenant_id in tenant_ids}

    @cached_property
    def decisions(self) -> Mapping[int, Decision]:
        """The verdict by subscription."""
        return {pk: self._decide(pk, snapshot) for pk, snapshot in self.snapshots.items()}

    def _decide(self, pk: int, snapshot: Snapshot) -> Decision:
        """A page does not fail for one row: what dates cannot be reckoned with is decided as of an unknown period."""
        try:
            return evaluate(snapshot, self.at, self.on_behalf)
        except (ArithmeticError, ValueError):
            logger.exception("subscription %s cannot be decided by its period", pk)
            unknown = replace(snapshot, period=None, anchored_at=None, term_months=None)
            return evaluate(unknown, self.at, self.on_behalf)

    @cached_property
    def snapshots(self) -> Mapping[int, Snapshot]:
        """Everything the policy looks at, by subscription."""
        return {row.pk: self._snapshot(row) for row in self.rows}

    def pretending(self, subscription_id: int, *, removed: int = 0, requested: int = 0) -> Self:
        """Another batch, which decides as if so many users had lost their direct licenses, or were to: for a dry run.

        It shares what is read already, and the policies, which both need.
        """
        now, policies = self.counts[subscription_id], self.policies
        other = type(self)(self.rows, self.at, on_behalf=self.on_behalf)
        pretended = replace(
            now,
            assigned=now.assigned - removed,
            removable=now.removable - removed,
            pending=now.pending + requested,
        )
        other.counts, other.policies = {**self.counts, subscription_id: pretended}, policies
        return other

    def _snapshot(self, row: Subscription) -> Snapshot:
        counts = self.counts[row.pk]
        return Snapshot(
            base_status=Status(row.base_status),
            is_trial=row.is_trial,
            channel=Channel(row.channel),
            partner_name=row.partner_name,
            renews=row.renews,
            has_payment_method=self._has_payment_method(row),
            period=row.period,
            anchored_at=row.anchored_at,
            term_months=row.term_months,
            unit_price=self._price(row),
            zone=row.tenant.zone,
            purchased=row.purchased_licenses,
            assigned=counts.assigned,
            removable=counts.removable,
            by_group=counts.by_group,
            pending=counts.pending,
            group_names=cast(tuple[str, ...], SimpleLazyObject(lambda: self.group_names.get(row.pk, ()))),
            shares_licenses=row.shares_licenses,
            for_quotes=cast(QuoteFacts, SimpleLazyObject(lambda: self._for_quotes(row))),
            cancellation=self._in_force(row),
            policy=self.policies[row.tenant_id],
        )

    def _price(self, row: Subscription) -> Money | None:
        if row.unit_price is None:
            return None
        currency = row.agreement.currency
        return Money(row.unit_price, currency).into(currency_on(currency, self.at.astimezone(row.tenant.zone).date()))

    def _for_quotes(self, row: Subscription) -> QuoteFacts:
        return QuoteFacts(
            charges=self.charges.get(row.agreement_id, ()),
            still_covered=self.still_covered.get(row.pk, 0),
            credit_form=credit_form(provider_of(row.agreement)),
            charged_before=row.agreement_id in self._charged_before,
        )

    @staticmethod
    def _has_payment_method(row: Subscription) -> bool | None:
        """What is said of the subscription itself goes before what its account says."""
        if row.has_payment_method is not None:
            return row.has_payment_method
        if row.has_method:  # type: ignore[attr-defined]
            return True
        return False if row.agreement.account.payment_methods_known else None

    def _in_force(self, row: Subscription) -> InForce | None:
        """No query where nothing is canceled."""
        cancellation = self.cancellations.get(row.pk) if row.canceled_mode else None
        if cancellation is None or cancellation.undone_at:
            return None
        return InForce(Mode(cancellation.mode), cancellation.effective_at, cancellation.undo_until)


def refunds_of(cancellations: Iterable[Cancellation]) -> Mapping[int, Sequence[Refund]]:
    """Refunds by cancellation, oldest first. A voided one is left out when another took its place. One query."""
    ids = [cancellation.pk for cancellation in cancellations]
    links = Cancellation.refunds.through.objects.filter(cancellation__in=ids).select_related("refund__agreement")
    found: dict[int, list[Refund]] = defaultdict(list)
    for link in links.order_by("refund_id"):
        found[link.cancellation_id].append(link.refund)
    return {
        pk: [refund for refund in refunds if refund.status != RefundStatus.VOIDED] or refunds
        for pk, refunds in found.items()
    }
