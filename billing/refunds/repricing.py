"""Price what an ending gives back once more, when facts arrive after the decision.

Source: docs/rules.md, "When facts arrive after the decision". What has not been sent is made right, what is missing is
added, and what was sent already is left: the difference is for staff.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from billing.credit_form import CreditForm
from billing.models import (
    PROMISED_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    UNSETTLED_REFUND_STATUSES,
    Agreement,
    Charge,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
    RenewalStopTerms,
)
from billing.money import Money
from billing.periods import refund_due_by
from billing.proration import (
    ChargeFacts,
    Line,
    NoRefundReason,
    after_end,
    overall_reason,
    promised_currency,
    prorate,
    unbegun,
)
from billing.providers import credit_form
from billing.refunds.moves import REPRICE, audit_refund, reprice_key
from billing.refunds.requests import request_refund, resize_refund
from billing.refunds.sending import send_soon
from billing.renewal_stop import RenewalStop
from billing.selectors import charges_not_over, charges_with_excess, lock_agreement
from billing.signals import refunds_repriced
from outbox.mail import queue_staff_mail
from outbox.queue import enqueue_anew
from outbox.registry import Lane, handles
from tenants.actions import Action
from tenants.callers import Caller
from tenants.people import SYSTEM

# Of what is given back by hand: what has not left, or came back.
_NOT_GONE = (PartStatus.WAITING, PartStatus.FAILED)


@dataclass(slots=True)
class Repricing:
    """What became of one agreement's money: refunds ``changed`` from an amount, ``added``, and parts sent too high.

    ``capped``: refunds made by hand that facts lowered, with the amount before. ``excess``: charges of which more is gone
    than may be, and not by a refund of the rule, which says so itself. ``reason``: why nothing comes back, if nothing does.
    """

    agreement: Agreement
    changed: list[tuple[Refund, int]] = field(default_factory=list)
    added: Refund | None = None
    overdrawn: list[RefundPart] = field(default_factory=list)
    capped: list[tuple[Refund, int]] = field(default_factory=list)
    reason: NoRefundReason | None = None
    excess: list[Charge] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is different from before."""
        return bool(self.changed or self.added or self.overdrawn or self.capped or self.excess)


def reprice_soon(agreement: Agreement, now: datetime) -> None:
    """Ask, in the transaction that changes a charge of an agreement that ends or refunds, for pricing it again."""
    enqueue_anew(kind=REPRICE, payloads={reprice_key(agreement.pk): {"agreement": agreement.pk}}, now=now)


@handles(REPRICE, Lane.MONEY)
def reprice_one(payload: dict[str, int], now: datetime) -> None:
    with transaction.atomic(durable=True):
        reprice([payload["agreement"]], now)


def reprice(agreement_ids: Iterable[int], now: datetime) -> list[Repricing]:
    """Bring the refunds of these endings to what the facts of now give, inside the caller's transaction.

    Amounts first and the trail last, for all of them: everybody locks agreements, refunds and charges before the
    trail's head, so that nobody waits in a ring. Repeating it changes nothing. Returns those by which something is different.
    """
    done = [_reprice(pk, now) for pk in agreement_ids]
    for repricing in done:
        _say(repricing, now)
    return [repricing for repricing in done if repricing]


def retry_refund(*, refund: Refund, caller: Caller, now: datetime) -> bool:
    """Send the failed parts once more, each under a new key; False when nothing of it has failed.

    What is due by now goes out, not what was due when it failed; where nothing is any more, it is voided.
    """
    with transaction.atomic(durable=True):
        lock_agreement(refund.agreement_id)
        failed = Refund.objects.filter(pk=refund.pk, status__in=STUCK_REFUND_STATUSES)
        if not failed.update(status=RefundStatus.PENDING, found_late_at=None, changed_at=now):
            return False
        parts = refund.parts.filter(status=PartStatus.FAILED)
        parts.update(status=PartStatus.WAITING, retries=F("retries") + 1, failure="", amount_by_rule=None)
        repricing = _reprice(refund.agreement_id, now)
        refund.refresh_from_db(fields=["status", "amount"])
        if refund.status == RefundStatus.PENDING:
            audit_refund(refund, Action.REFUND_PENDING, caller, now)
            send_soon(refund, now)
        if repricing:
            _say(repricing, now)
        elif refund.status == RefundStatus.VOIDED:
            audit_refund(refund, Action.REFUND_VOIDED, caller, now)
        return True


def _cap(repricing: Repricing, more_by_rule: Mapping[int, int], now: datetime) -> None:
    """Money given back by hand is priced by nobody, but what was not sent is never above what the rule leaves.

    ``more_by_rule``: by charge, what refunds of the rule are about to return more, or less, than they did.
    """
    by_hand = Refund.objects.filter(agreement=repricing.agreement, by_hand=True, status__in=UNSETTLED_REFUND_STATUSES)
    for refund in by_hand.select_for_update(no_key=True).order_by("pk"):
        amounts = {}
        for part in refund.parts.filter(status__in=_NOT_GONE).select_related("charge"):
            others = part.charge.gone - part.amount + more_by_rule.get(part.charge_id, 0)
            amounts[part] = max(0, min(part.amount, part.charge.returnable - others))
        if any(part.amount != amount for part, amount in amounts.items()):
            repricing.capped.append((refund, refund.amount))
            resize_refund(refund=refund, amounts=amounts, now=now)


def _reprice(agreement_id: int, now: datetime) -> Repricing:
    agreement = lock_agreement(agreement_id)
    repricing = Repricing(agreement)
    terms = RenewalStopTerms.objects.filter(agreement=agreement).first()
    if terms is not None:
        _reprice_by(terms, repricing, now)
    else:
        _cap(repricing, {}, now)
    repricing.excess = list(charges_with_excess().filter(agreement=agreement).order_by("pk"))
    return repricing


def _reprice_by(terms: RenewalStopTerms, repricing: Repricing, now: datetime) -> None:
    """What the rule gives by the terms of the decision."""
    agreement = repricing.agreement
    of_rule = Refund.objects.filter(agreement=agreement, by_hand=False).exclude(status=RefundStatus.VOIDED)
    refunds = {refund.pk: refund for refund in of_rule.select_for_update(no_key=True).order_by("pk")}
    parts: dict[int, list[RefundPart]] = defaultdict(list)
    for part in RefundPart.objects.filter(refund__in=refunds).select_related("charge").order_by("-refund_id"):
        part.refund = refunds[part.refund_id]
        parts[part.charge_id].append(part)
    amounts: dict[RefundPart, int] = {}
    missing, lines = [], []
    for charge, due in _due_by_charge(agreement, terms, parts):
        lines.append(due)
        waiting = [part for part in parts[charge.id] if _is_waiting(part)]
        failed = [part for part in parts[charge.id] if part.status == PartStatus.FAILED and _is_open(part.refund)]
        sent = [part for part in parts[charge.id] if part not in waiting and part not in failed]
        repricing.overdrawn += _mark(sent, due.refund.minor_units)
        left = max(0, due.refund.minor_units - sum(part.amount for part in sent))
        # Nothing of what failed has left: it may become less. What there is more goes where it is sent by itself.
        for part in [*waiting, *failed]:
            amounts[part] = min(part.amount, left)
            left -= amounts[part]
        if waiting:
            amounts[waiting[-1]] += left
            left = 0
        if left:
            money, tax = Money(left, charge.currency), Money(charge.tax_in(left), charge.currency)
            missing.append(replace(due, refund=money, refund_tax=tax))
    _cap(repricing, _more_by_rule(amounts, missing), now)
    for refund in refunds.values():
        of_refund = {part: amount for part, amount in amounts.items() if part.refund_id == refund.pk}
        if any(part.amount != amount for part, amount in of_refund.items()):
            repricing.changed.append((refund, refund.amount))
            resize_refund(refund=refund, amounts=of_refund, now=now)
            _conclude_soon(refund, now)
    if missing:
        repricing.added = _add(agreement, terms, missing, now)
    if not repricing.added and all(refund.status == RefundStatus.VOIDED for refund in refunds.values()):
        repricing.reason = overall_reason(lines)


def _more_by_rule(amounts: Mapping[RefundPart, int], missing: Sequence[Line]) -> Mapping[int, int]:
    """By charge, how much more than now its parts return by these amounts and by what is missing."""
    more: dict[int, int] = defaultdict(int)
    for part, amount in amounts.items():
        more[part.charge_id] += amount - part.amount
    for line in missing:
        more[line.charge_id] += line.refund.minor_units
    return more


def _conclude_soon(refund: Refund, now: datetime) -> None:
    """Nothing is wrong any more with one whose failed parts are due no more: what is left of it says how it stands."""
    if refund.status in STUCK_REFUND_STATUSES and not refund.parts.filter(status=PartStatus.FAILED).exists():
        Refund.objects.filter(pk=refund.pk).update(status=RefundStatus.PENDING)
        send_soon(refund, now)


def _is_waiting(part: RefundPart) -> bool:
    return part.status == PartStatus.WAITING and part.refund.status in PROMISED_REFUND_STATUSES


def _is_open(refund: Refund) -> bool:
    return refund.status in UNSETTLED_REFUND_STATUSES


def _due_by_charge(
    agreement: Agreement, terms: RenewalStopTerms, parts: Mapping[int, Sequence[RefundPart]]
) -> Iterator[tuple[ChargeFacts, Line]]:
    """Every charge the ending is about, without what its own refunds return, and what is due of it.

    Of one that came after a decision to end with the period, and runs on after that, what is after it: nobody was quoted
    that it can be used.
    Without what waits by hand as well: that is what can be lowered.
    """
    by_hand = dict(
        RefundPart.objects.filter(
            charge__agreement=agreement, status__in=_NOT_GONE,
            refund__by_hand=True, refund__status__in=UNSETTLED_REFUND_STATUSES,
        ).values_list("charge").annotate(Sum("amount"))
    )  # fmt: skip
    at_end = agreement.renewal_stop == RenewalStop.AT_PERIOD_END
    late = set(agreement.charges.filter(recorded_at__gt=terms.decided_at).values_list("pk", flat=True))
    for found in charges_not_over([agreement.pk], terms.priced_at).get(agreement.pk, ()):
        mine = sum(part.amount for part in parts.get(found.id, ()))
        charge = replace(found, refunded=found.refunded - mine - by_hand.get(found.id, 0))
        if terms.agreed and charge.id not in late:
            # The amount that was settled on is the whole word, as far as it was paid.
            agreed = terms.agreed_amounts.get(str(charge.id), mine)
            due = Money(min(agreed, charge.refundable), charge.currency)
            yield charge, replace(unbegun(charge, terms.refund_terms), refund=due)
        elif terms.prorates or charge.period.begins_after(terms.effective_at):
            yield charge, prorate(charge, terms.priced_at, terms.refund_terms)
        elif charge.id in late and at_end and charge.period.end > terms.effective_at:
            yield charge, after_end(charge, terms.effective_at, terms.refund_terms)


def _mark(sent: Sequence[RefundPart], due: int) -> list[RefundPart]:
    """Write on what was sent how much of it is due by the facts of now; those of which it is news that it is less."""
    over, news = max(0, sum(part.amount for part in sent) - due), []
    for part in sent:
        by_rule = part.amount - min(over, part.amount) if over else None
        over -= min(over, part.amount)
        if part.amount_by_rule != by_rule:
            part.amount_by_rule = by_rule
            part.save(update_fields=["amount_by_rule"])
            news += [part] if by_rule is not None else []
    return news


def _add(agreement: Agreement, terms: RenewalStopTerms, missing: Sequence[Line], now: datetime) -> Refund | None:
    """A second refund; None where what is missing is less than the smallest coin of what it is promised in."""
    currency = promised_currency(
        (line.refund.currency for line in missing), now.astimezone(terms.refund_terms.zone).date()
    )
    lines = [line.into(currency) for line in missing]
    if not any(line.refund.minor_units for line in lines):
        return None
    return request_refund(
        agreement=agreement,
        lines=lines,
        priced_at=terms.priced_at,
        requested_at=now,
        held_until=terms.held_until,
        due_by=refund_due_by(terms.anchored_at, now, terms.refund_terms.zone),
    )


def _say(repricing: Repricing, now: datetime) -> None:
    """Write the trail, and let those above know what to tell the customer."""
    for refund, before in [*repricing.changed, *repricing.capped]:
        refund.agreement = repricing.agreement
        voided = refund.status == RefundStatus.VOIDED
        audit_refund(
            refund, Action.REFUND_VOIDED if voided else Action.REFUND_REPRICED, SYSTEM, now, before=str(before)
        )
    if repricing.added:
        audit_refund(repricing.added, Action.REFUND_ADDED, SYSTEM, now)
    for part in repricing.overdrawn:
        values = {
            "sent": part.charge.money(part.amount),
            "due": part.charge.money(part.amount_by_rule or 0),
            "refund": part.refund_id,
            "charge": part.charge,
        }
        unpaid = part.status == PartStatus.SENT and credit_form(part.refund.provider) is CreditForm.OWED
        sentence = _OVERDRAWN_OWED if unpaid else _OVERDRAWN
        queue_staff_mail(key=f"overdrawn:{part.pk}:{part.amount_by_rule}", sentence=sentence, values=values, now=now)
    for refund, before in repricing.capped:
        left = 0 if refund.status == RefundStatus.VOIDED else refund.amount
        values = {"refund": refund.pk, "before": Money(before, refund.currency), "left": Money(left, refund.currency)}
        queue_staff_mail(key=f"capped:{refund.pk}:{left}", sentence=_CAPPED, values=values, now=now)
    for charge in repricing.excess:
        values = {
            "charge": charge,
            "gone": charge.money(charge.gone),
            "returnable": charge.money(charge.returnable),
        }
        key = f"charge:{charge.pk}:{charge.gone}:{charge.returnable}"
        queue_staff_mail(key=key, sentence=_EXCESS, values=values, now=now)
    if repricing.changed or repricing.added or repricing.reason:
        refunds_repriced.send(sender=Agreement, repricing=repricing, now=now)


_EXCESS = _("%(gone)s of charge %(charge)s is gone or goes back, where %(returnable)s may. Look at it.")
_CAPPED = _("Refund %(refund)s, made by hand, was %(before)s and is %(left)s now: no more is left of what was paid.")
_OVERDRAWN_OWED = _(
    "Refund %(refund)s is to be paid, %(sent)s of it for charge %(charge)s; by what is known since, %(due)s of that is due."
    " Pay what is due, and settle the refund by hand."
)
_OVERDRAWN = _(
    "Refund %(refund)s returns %(sent)s of charge %(charge)s; by what is known since, %(due)s is due. What was sent is not"
    " taken back: look at it."
)
