"""Reads of money, as frozen facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from django.db.models import DateField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Least, TruncWeek

from billing.credit_form import CreditForm
from billing.models import (
    IS_EXCEEDED,
    SENDABLE_REFUND_STATUSES,
    Agreement,
    Charge,
    Correction,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.money import Money
from billing.periods import Billed, Period
from billing.proration import ChargeFacts
from billing.providers import billing_providers, credit_form, default_provider, known
from billing.renewal_stop import RenewalStop
from common.prepared import PreparedQuery

Charges = Mapping[int, tuple[ChargeFacts, ...]]

_NOT_OVER = PreparedQuery(
    "charges not over",
    lambda ids, at: (
        Charge.objects.filter(agreement__in=ids, period_end__gt=at)
        .order_by("period_start", "pk")
        .values_list(
            "agreement_id",
            "pk",
            "description",
            "period_start",
            "period_end",
            "currency",
            "charged",
            "tax",
            "paid",
            "refunded",
            "in_flight",
            "corrected",
            "corrected_tax",
            "returned_elsewhere",
            "disputed",
        )
    ),
)


def charges_not_over(agreement_ids: Collection[int], at: datetime) -> Charges:
    """The charges by agreement whose period ends after ``at``, corrections applied. One query."""
    found: dict[int, list[ChargeFacts]] = defaultdict(list)
    for agreement_id, *values in _NOT_OVER.rows(agreement_ids, at):
        found[agreement_id].append(_facts(*values))
    return {agreement_id: tuple(facts) for agreement_id, facts in found.items()}


def charged_before(agreement_ids: Collection[int], at: datetime) -> Collection[int]:
    """Those of the agreements that have a charge whose period is over at ``at``. One query."""
    over = Charge.objects.filter(agreement=OuterRef("pk"), period_end__lte=at)
    return set(Agreement.objects.filter(Exists(over), pk__in=agreement_ids).values_list("pk", flat=True))


def billed_periods(charges: QuerySet[Charge]) -> Mapping[int, list[Billed]]:
    """For which periods and seats these charges are, by agreement. One query."""
    found: dict[int, list[Billed]] = defaultdict(list)
    for agreement_id, start, end, seats in charges.values_list("agreement_id", "period_start", "period_end", "seats"):
        found[agreement_id].append(Billed(Period(start, end), seats))
    return found


def charges_at(provider: str) -> QuerySet[Charge]:
    """The charges that this provider made: of its agreements, and of those that name none where it is the default."""
    is_default = provider == default_provider()
    return Charge.objects.filter(agreement__provider__in=[provider, *([""] if is_default else [])])


def day_of(agreement: Agreement, now: datetime) -> date:
    """The day that it is where the tenant is. Reads the agreement's account and tenant."""
    day: date = now.astimezone(agreement.account.tenant.zone).date()
    return day


def lock_agreement(pk: int) -> Agreement:
    """Lock it, in the caller's transaction, before any refund or charge of it; with its account, which is not locked."""
    rows = Agreement.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    return rows.get(pk=pk)


def provider_of(agreement: Agreement) -> str:
    """Who bills and refunds an agreement: the one it names, and only where it names none the default."""
    return agreement.provider or default_provider()


def owed_refunds() -> QuerySet[Refund]:
    """What whoever runs this has to pay by other means: the undo is closed, and nobody has marked it as paid."""
    owing = [name for name in known() if credit_form(name) is CreditForm.OWED]
    return Refund.objects.filter(provider__in=owing, status__in=SENDABLE_REFUND_STATUSES)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What of a refund its provider said is done, what staff paid by hand, and what is still to come."""

    by_provider: Money
    by_hand: Money
    rest: Money

    @property
    def in_all(self) -> Money:
        return self.by_provider + self.by_hand


def arrived_of(refund: Refund) -> Arrived:
    """How much of a refund is there, and how it came. One query."""
    done = sum(refund.parts.filter(status=PartStatus.SUCCEEDED).values_list("promised", flat=True))
    if refund.status == RefundStatus.SUCCEEDED:
        done = refund.amount
    left = refund.amount - done
    by_hand = left if refund.status == RefundStatus.SETTLED_MANUALLY else 0
    return Arrived(*(Money(amount, refund.currency) for amount in (done, by_hand, left - by_hand)))


def stops_without_id() -> QuerySet[Agreement]:
    """Agreements that end where somebody bills, and that nobody there can be told of: no id is on record."""
    return Agreement.objects.exclude(renewal_stop=RenewalStop.NONE).filter(
        external_id="", provider__in=billing_providers()
    )


def late_charges() -> QuerySet[Charge]:
    """Charges that came after their agreement's end was decided, for time after it."""
    ends = F("agreement__stop_terms__effective_at")
    return Charge.objects.filter(recorded_at__gt=F("agreement__stop_terms__decided_at"), period_start__gte=ends)


def charges_with_excess() -> QuerySet[Charge]:
    """Charges of which more is gone, or promised, than may be; not those whose refunds by rule say so of themselves."""
    parts = RefundPart.objects.filter(charge=OuterRef("pk"), refund__by_hand=False)
    by_rule = parts.exclude(refund__status=RefundStatus.VOIDED).order_by().values("charge").annotate(sum=Sum("amount"))
    gone = F("refunded") + F("returned_elsewhere") + F("disputed")
    over = Charge.objects.filter(IS_EXCEEDED).annotate(excess=gone - Least("paid", F("charged") - F("corrected")))
    return over.filter(excess__gt=Coalesce(Subquery(by_rule.values("sum")), 0))


def due_now(refund: Refund) -> Money:
    """What of a refund is due by the facts of now: less than its amount where that was sent before they came. One query."""
    over = 0
    for part in refund.parts.select_related("charge").filter(amount_by_rule__isnull=False):
        over += part.charge.money(part.amount - (part.amount_by_rule or 0)).into(refund.currency).minor_units
    return Money(refund.amount - over, refund.currency)


def held_by_charge(refunds: QuerySet[Refund]) -> dict[int, int]:
    """Minor units by charge that are held in these refunds, to be voided when the refund is. One query."""
    parts = RefundPart.objects.filter(refund__in=refunds.filter(status=RefundStatus.HELD).values("pk"))
    return dict(parts.values_list("charge_id").annotate(Sum("amount")))


class LineKind(StrEnum):
    """What a line of a statement is."""

    CHARGE = "CHARGE"
    CORRECTION = "CORRECTION"
    PAYMENT = "PAYMENT"
    CREDIT = "CREDIT"
    PAYOUT = "PAYOUT"
    DISPUTE = "DISPUTE"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One event. ``amount`` is what it adds to what the customer owes; ``balance`` is what is owed after it."""

    at: datetime
    kind: LineKind
    text: str
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Book:
    """The statement of an account in one currency. The totals of its kinds add up to the last balance."""

    currency: str
    lines: Sequence[StatementLine]
    totals: Mapping[LineKind, Money]


def statement(account_id: int) -> list[Book]:
    """What an account was charged, what was corrected, paid and returned, oldest first. Three queries.

    A refund is a credit once the provider (or staff) said that it is settled. Where that credits the account, it
    stays there; any other way it was also paid out. So was what was returned elsewhere. What a dispute took is owed again.
    """
    events: dict[str, list[tuple[datetime, LineKind, str, int]]] = defaultdict(list)
    for charge in Charge.objects.filter(agreement__account=account_id).select_related("agreement"):
        of_currency = events[charge.currency]
        of_currency.append((charge.charged_at, LineKind.CHARGE, str(charge), charge.charged))
        if charge.paid:
            of_currency.append((charge.charged_at, LineKind.PAYMENT, str(charge), -charge.paid))
        known_at = charge.known_at or charge.charged_at
        if charge.returned_elsewhere:
            of_currency.append((known_at, LineKind.CREDIT, str(charge), -charge.returned_elsewhere))
            of_currency.append((known_at, LineKind.PAYOUT, str(charge), charge.returned_elsewhere))
        if charge.disputed:
            of_currency.append((known_at, LineKind.DISPUTE, str(charge), charge.disputed))
    corrections = Correction.objects.filter(charge__agreement__account=account_id)
    for correction in corrections.select_related("charge__agreement"):
        line = (correction.corrected_at, LineKind.CORRECTION, str(correction), -correction.amount)
        events[correction.charge.currency].append(line)
    returned = Q(status=PartStatus.SUCCEEDED) | Q(refund__status=RefundStatus.SETTLED_MANUALLY)
    parts = RefundPart.objects.filter(returned, refund__agreement__account=account_id)
    for part in parts.select_related("refund__agreement", "charge"):
        at = part.refund.returned_at or part.refund.requested_at
        of_currency = events[part.refund.currency]
        of_currency.append((at, LineKind.CREDIT, str(part.charge), -part.promised))
        if part.status != PartStatus.SUCCEEDED or credit_form(part.refund.provider) is not CreditForm.ACCOUNT_CREDIT:
            of_currency.append((at, LineKind.PAYOUT, str(part.charge), part.promised))
    return [_book(currency, found) for currency, found in sorted(events.items())]


def _book(currency: str, events: list[tuple[datetime, LineKind, str, int]]) -> Book:
    balance, lines, totals = 0, [], dict.fromkeys(LineKind, 0)
    for at, kind, text, amount in sorted(events):
        balance += amount
        totals[kind] += amount
        lines.append(StatementLine(at, kind, text, Money(amount, currency), Money(balance, currency)))
    return Book(currency, lines, {kind: Money(total, currency) for kind, total in totals.items()})


@dataclass(frozen=True, slots=True)
class Week:
    """Credits of one week, in minor units: promised by its start of cancellation, returned by its arrival."""

    starts: date
    promised: int
    returned: int


def credits_by_week(now: datetime, weeks: int = 12) -> Mapping[str, Sequence[Week]]:
    """By currency, what was promised and what came back in each of the last weeks (Monday, UTC). Two queries."""
    monday = now.date() - timedelta(days=now.weekday())
    starts = [monday - timedelta(weeks=back) for back in range(weeks - 1, -1, -1)]
    since = datetime.combine(starts[0], time(), UTC)
    refunds = Refund.objects.exclude(status=RefundStatus.VOIDED)
    promised = _by_week(refunds.filter(requested_at__gte=since), "requested_at")
    returned = _by_week(refunds.filter(returned_at__gte=since), "returned_at")
    return {
        currency: [
            Week(start, promised.get((currency, start), 0), returned.get((currency, start), 0)) for start in starts
        ]
        for currency in sorted({currency for currency, _ in {**promised, **returned}})
    }


def _by_week(refunds: QuerySet[Refund], field: str) -> dict[tuple[str, date], int]:
    week = TruncWeek(field, output_field=DateField(), tzinfo=UTC)
    summed = refunds.values_list("currency", week).annotate(Sum("amount"))
    return {(currency, start): amount for currency, start, amount in summed}


def _facts(
    pk: int, description: str, start: datetime, end: datetime, currency: str, charged: int, tax: int, paid: int,
    refunded: int, in_flight: int, corrected: int, corrected_tax: int, returned_elsewhere: int, disputed: int,
) -> ChargeFacts:  # fmt: skip
    charged -= corrected
    return ChargeFacts(
        id=pk,
        description=description,
        period=Period(start, end),
        currency=currency,
        charged=charged,
        tax=tax - corrected_tax,
        # What was paid above a corrected charge came back with the correction.
        paid=min(paid, charged),
        refunded=refunded + returned_elsewhere,
        in_flight=in_flight,
        disputed=disputed,
    )
