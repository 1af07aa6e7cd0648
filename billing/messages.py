"""What is said of money that goes back, in the active language. Only what has left is said to be paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext

from billing.credit_form import CreditForm
from billing.formatting import format_money
from billing.models import Refund, RefundStatus
from billing.money import Money
from billing.providers import credit_form
from billing.selectors import arrived_and_rest
from common.formatting import format_day


def credit_promise(form: CreditForm, amount: Money, due_by: date) -> str:
    """What the customer is promised, by when."""
    return gettext(form.promise) % {"amount": format_money(amount), "date": format_day(due_by)}


def credit_kept(refund: Refund, amount: Money) -> str:
    """What became of ``amount`` of a refund that it succeeded for. What staff settled by hand was paid."""
    by_hand = refund.status == RefundStatus.SETTLED_MANUALLY
    form = CreditForm.PAID_BACK if by_hand else credit_form(refund.provider)
    return gettext(form.kept) % {"amount": format_money(amount)}


def refund_sentences(refund: Refund) -> Sequence[str]:
    """What the customer is told: of what arrived, and of what is still to come. Nothing of one that was voided."""
    if refund.status == RefundStatus.VOIDED:
        return ()
    arrived, rest = arrived_and_rest(refund)
    sentences = [credit_kept(refund, arrived)] if arrived.minor_units else []
    if rest.minor_units:
        sentences.append(credit_promise(credit_form(refund.provider), rest, refund.due_by))
    return sentences


def refund_standing(refund: Refund) -> str:
    """How far it is, for staff: what a provider has, and what it was done with, by what becomes of it."""
    form = credit_form(refund.provider)
    match refund.status:
        case RefundStatus.SUBMITTED:
            return gettext(form.waiting)
        case RefundStatus.SUCCEEDED:
            return gettext(form.over)
    return str(refund.get_status_display())
