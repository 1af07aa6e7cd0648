"""Take in what was charged: record it, and find periods and seats by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from billing.charges import ChargeInput, Elsewhere, record_charge, record_correction
from billing.errors import ChargeInvalid, ProviderIdInvalid
from billing.models import Charge, RefundStatus
from billing.money import Money
from billing.providers import billing_providers, is_subscription_id
from billing.refunds.repricing import Repricing, reprice
from billing.renewal import set_provider_id
from billing.selectors import billed_periods, late_charges, provider_of
from billing.writing import ChargeChange, audit_charges
from common.languages import DEFAULT_LANGUAGE
from common.messages import error_message
from subscriptions.directory.catalog import Catalog, Context
from subscriptions.directory.document import ChargeRow, Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.periods import anchor_of, period_by_charges, term_of
from subscriptions.directory.values import MAX_SEATS
from subscriptions.models import Subscription
from tenants.actions import Action
from tenants.people import SYSTEM


class Charges:
    """Applies rows of charges, within a transaction that has locked the tenant's subscriptions and agreements."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report
        self._changes: list[ChargeChange] = []

    def apply(self, rows: Sequence[ChargeRow]) -> None:
        """Record what was charged, and take periods and seats from it. A row that is refused leaves nothing."""
        by_subscription: dict[tuple[str, str], list[ChargeRow]] = defaultdict(list)
        for row in rows:
            by_subscription[row.product, row.subscription].append(row)
        ended: dict[int, Subscription] = {}
        billed: list[tuple[Subscription, list[ChargeRow]]] = []
        for of_one in by_subscription.values():
            # What corrects a charge comes after it.
            of_one.sort(key=lambda row: bool(row.corrects))
            recorded = [(found, row) for row in of_one if (found := self._bring_in(row))]
            if not recorded:
                continue
            subscription, came_in = recorded[0][0], [row for _, row in recorded]
            self._take_period(subscription, [row for row in came_in if not row.corrects])
            billed.append((subscription, came_in))
            if subscription.canceled_mode:
                ended[subscription.agreement_id] = subscription
        self._follow(ended)
        for subscription, came_in in billed:
            self._take_provider(subscription, came_in)

    def _follow(self, ended: Mapping[int, Subscription]) -> None:
        """What facts that came after decisions change of the money; and the trail, which comes last, as everywhere."""
        now = self._context.now
        new = {change.charge.pk for change in self._changes if change.action is Action.CHARGE_RECORDED}
        for repricing in reprice(ended, now):
            _note_repricing(self._context, repricing, new)
        audit_charges(self._changes, now)
        for charge in late_charges().filter(agreement__in=ended, recorded_at=now, paid=0):
            self._report.note(Fault.LATE_AND_UNPAID, charge=charge)

    def _bring_in(self, row: ChargeRow) -> Subscription | None:
        """Record one row and sum it up; its subscription where it is on record now."""
        subscription = None
        changed = False
        try:
            subscription, changed = self._record(row)
        except ChargeInvalid as error:
            said = {name: value for name, value in vars(error).items() if name != "path"}
            refused = Refused(Fault.CHARGE_REFUSED, charge=row.external_id, sentence=error.sentence, **said)
            self._report.refuse(Section.CHARGES, row.line, refused)
        except Refused as error:
            self._report.refuse(Section.CHARGES, row.line, error)
        self._report.count_charge(row.currency, row.charged, row.paid, came_in=subscription is not None)
        if subscription:
            self._report.counts["charges_recorded"] += changed
            self._report.changed += changed
            self._report.unchanged += not changed
        return subscription

    def _record(self, row: ChargeRow) -> tuple[Subscription, bool]:
        """Raises ChargeInvalid or Refused where it contradicts what is there."""
        subscription = self._place(row)
        if self._context.is_of_another(subscription.source_id):
            raise Refused(Fault.OTHER_SOURCE, source=subscription.source)
        before = subscription.agreement.currency
        changes = self._correct(subscription, row) if row.corrects else self._charge(subscription, row)
        self._catalog.follow_currency(subscription, before)
        self._changes += changes
        return subscription, bool(changes)

    def _place(self, row: ChargeRow) -> Subscription:
        """Which subscription a row is about: one on record, or one that is made for a charge that can come in."""
        if not row.product:
            return self._catalog.one(row.subscription)
        named = self._catalog.by_id.get(row.subscription)
        known = self._catalog.known(row.product)
        if named and named not in known:
            product = named.plan.display_name
            raise Refused(Fault.OTHER_PRODUCT, value=named.external_id, product=product, said=row.product)
        if not named and not any(one.external_id == row.subscription for one in known):
            if row.corrects:
                raise Refused(Fault.CHARGE_UNKNOWN, "corrects", value=row.corrects)
            _charge_input(row, "").check(self._catalog.tenant.zone)
        found, _ = self._catalog.subscription(row.product, row.subscription, row.currency)
        return found

    def _charge(self, subscription: Subscription, row: ChargeRow) -> Sequence[ChargeChange]:
        recorded = record_charge(
            agreement=subscription.agreement,
            charge=_charge_input(row, subscription.plan.display_name),
            now=self._context.now,
            known_at=self._context.as_of,
        )
        name = {"charge": row.external_id}
        if recorded.gone:
            self._report.note(Fault.LESS_PAID, **name, amount=Money(recorded.gone, row.currency))
        if recorded.contradicts:
            said, provider = Money(row.paid, row.currency), recorded.contradicts
            self._report.note(Fault.PAID_MORE, **name, amount=said, provider=provider)
        return recorded.changes

    def _correct(self, subscription: Subscription, row: ChargeRow) -> Sequence[ChargeChange]:
        charge = Charge.objects.filter(agreement=subscription.agreement, external_id=row.corrects).first()
        if charge is None:
            raise Refused(Fault.CHARGE_UNKNOWN, "corrects", value=row.corrects)
        change = record_correction(
            charge=charge,
            external_id=row.external_id,
            amount=Money(-row.charged, row.currency),
            tax=-row.tax,
            corrected_at=row.charged_at,
            now=self._context.now,
        )
        return [change] if change else []

    def _take_provider(self, subscription: Subscription, rows: Sequence[ChargeRow]) -> None:
        """Who bills the subscription, by a file that has nothing but charges."""
        named = [row for row in rows if row.provider_id or row.provider in billing_providers()]
        if not named:
            _note_unused_id(self._context, subscription)
            return
        first, *others = named
        for row in others:
            if (row.provider, row.provider_id) != (first.provider, first.provider_id):
                ids = {"other": first.line, "first": first.provider_id, "value": row.provider_id}
                self._report.tell(Section.CHARGES, row.line, Fault.PROVIDER_IDS_DIFFER, "providerId", **ids)
        take_provider(self._context, Section.CHARGES, first.line, subscription, first.provider, first.provider_id)

    def _take_period(self, subscription: Subscription, rows: Sequence[ChargeRow]) -> None:
        """The period that contains now, and its seats, by all charges on record and not by the document alone."""
        if not rows or subscription.canceled_mode or subscription.ended_source:
            # What ends is not moved on by what was billed although it does.
            return
        billed = billed_periods(Charge.objects.filter(agreement=subscription.agreement_id))
        found = period_by_charges(billed[subscription.agreement_id], subscription.period, self._context.now)
        if found is None:
            return
        if not _end_stands(subscription, self._context):
            zone, period = self._catalog.tenant.zone, found.period
            said = next((row.term_months for row in rows if row.term_months and row.period.end == period.end), None)
            anchor = anchor_of(subscription.anchored_at, said or subscription.term_months, period, zone)
            subscription.period_start, subscription.period_end = period.start, period.end
            subscription.anchored_at = anchor
            subscription.term_months = said or term_of(subscription.term_months, anchor, period, zone)
        if found.seats > MAX_SEATS:
            line, count = rows[0].line, f"{found.seats:,}"
            limit = f"{MAX_SEATS:,}"
            self._report.tell(Section.CHARGES, line, Fault.TOO_MANY_SEATS, "seats", value=count, limit=limit)
        elif subscription.seats_said_at is None or subscription.seats_said_at < self._context.as_of:
            subscription.purchased_licenses = found.seats or subscription.purchased_licenses
        subscription.save()


def _end_stands(subscription: Subscription, context: Context) -> bool:
    """Whether somebody said when it ends, and that is still to come: then charges of parts of it do not say otherwise."""
    said, end = subscription.end_said_at, subscription.period_end
    return said is not None and end is not None and end > context.now


def take_provider(
    context: Context, section: Section, line: int, subscription: Subscription, said_provider: str, external_id: str
) -> bool:
    """Write down who bills it, under which id: without that nobody there hears that it was canceled. Whether it is new."""
    agreement = subscription.agreement
    provider, known = said_provider or provider_of(agreement), agreement.external_id
    if known and (agreement.provider, known) != (provider, external_id):
        # Staff may have corrected it: what is sent again does not take that back.
        context.report.tell(section, line, Fault.PROVIDER_ID_STANDS, "providerId", value=known)
        return False
    try:
        changed = set_provider_id(
            agreement=agreement, provider=provider, external_id=external_id, caller=SYSTEM, language=DEFAULT_LANGUAGE,
            now=context.now,
        )  # fmt: skip
    except ProviderIdInvalid as error:
        detail = error_message(error)
        context.report.tell(section, line, Fault.PROVIDER_ID_REFUSED, "providerId", detail=detail)
        return False
    context.report.counts["provider_ids"] += changed
    return changed


def _note_unused_id(context: Context, subscription: Subscription) -> None:
    """An id that looks like a provider's own is named, not used: a column that means another thing is no promise."""
    like = next((name for name in billing_providers() if is_subscription_id(name, subscription.external_id)), None)
    if like and not subscription.agreement.external_id:
        context.report.note(Fault.UNUSED_ID, value=subscription.external_id, provider=like)


def _note_repricing(context: Context, repricing: Repricing, new: Collection[int]) -> None:
    """``new``: charges that were not known before."""
    report = context.report
    for refund, before in repricing.changed:
        values = {"refund": refund.pk, "before": Money(before, refund.currency)}
        if refund.status == RefundStatus.VOIDED:
            report.note(Fault.REFUND_VOIDED, **values)
        else:
            report.note(Fault.REFUND_REPRICED, **values, amount=refund.money)
    if repricing.added:
        for part in repricing.added.parts.select_related("charge"):
            back = {"amount": Money(part.promised, repricing.added.currency), "date": repricing.added.due_by}
            kind = Fault.LATE_CHARGE_RETURNED if part.charge_id in new else Fault.MORE_RETURNED
            report.note(kind, charge=part.charge, **back)
    for part in repricing.overdrawn:
        sent, due = part.charge.money(part.amount), part.charge.money(part.amount_by_rule or 0)
        report.note(Fault.RETURNED_TOO_MUCH, refund=part.refund_id, amount=sent, due=due)


def _charge_input(row: ChargeRow, product: str) -> ChargeInput:
    return ChargeInput(
        external_id=row.external_id,
        description=row.product or product,
        seats=row.seats,
        period=row.period,
        charged_at=row.charged_at,
        currency=row.currency,
        charged=row.charged,
        tax=row.tax,
        paid=row.paid,
        in_flight=row.in_flight,
        elsewhere=Elsewhere(row.refunded_elsewhere, row.disputed),
    )
