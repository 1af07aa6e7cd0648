"""What is said of money that goes back, in the active language. Only what has left is said to be paid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from functools import reduce
from operator import add

from django.utils.translation import gettext

from billing.credit_form import CreditForm
from billing.formatting import format_money
from billing.models import Refund, RefundStatus
from billing.money import Money
from billing.providers import credit_form
from billing.selectors import arrived_of
from common.formatting import format_day
from common.messages import say


def credit_promise(form: CreditForm, amount: Money, due_by: date) -> str:
    """What the customer is promised, by when."""
    return say(form.promise, {"amount": format_money(amount), "date": format_day(due_by)})


def credits_kept(refund: Refund) -> Sequence[str]:
    """What has arrived of a refund, and how. What staff settled by hand was paid, whatever became of the parts before."""
    arrived = arrived_of(refund)
    amounts = defaultdict(list)
    amounts[credit_form(refund.provider)].append(arrived.by_provider)
    amounts[CreditForm.PAID_BACK].append(arrived.by_hand)
    sums = {form: reduce(add, found) for form, found in amounts.items()}
    return [say(form.kept, {"amount": format_money(sum)}) for form, sum in sums.items() if sum.minor_units]


def refund_sentences(refund: Refund) -> Sequence[str]:
    """What the customer is told: of what arrived, and of what is still to come. Nothing of one that was voided."""
    if refund.status == RefundStatus.VOIDED:
        return ()
    rest = arrived_of(refund).rest
    sentences = [*credits_kept(refund)]
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
