"""Mail about cancellations and their money: the receipt, said again when something about it changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from billing.formatting import format_money
from billing.messages import credits_kept
from billing.models import Refund, RefundStatus
from billing.proration import promised_currency
from billing.selectors import arrived_of
from outbox.mail import deliver
from outbox.registry import Lane, handles
from subscriptions.cancellations.mail_queue import MAIL, Occasion
from subscriptions.cancellations.receipt import Receipt, make_receipt
from subscriptions.models import Cancellation
from subscriptions.selectors.batches import refunds_of


@handles(MAIL, Lane.MAIL)
def send(payload: dict[str, Any], now: datetime) -> None:
    with translation.override(payload["language"]):
        message = _compose(payload, now)
    deliver(message)


def _compose(payload: dict[str, Any], now: datetime) -> EmailMultiAlternatives:
    rows = Cancellation.objects.select_related(
        "tenant", "subscription__plan", "requested_by_user", "requested_by_token", "requested_by_vouched__token"
    )
    cancellation = rows.get(pk=payload["cancellation"])
    refunds = refunds_of([cancellation]).get(cancellation.pk, ())
    receipt = make_receipt(cancellation, refunds, now)
    refund = Refund.objects.select_related("agreement").filter(pk=payload["refund"]).first()
    title = _title(Occasion(payload["occasion"]), receipt, refund, refunds, now, cancellation.tenant.zone)
    updated = Receipt(title, receipt.rows)
    message = EmailMultiAlternatives(f"{title} [{cancellation.reference}]", updated.text, to=[payload["to"]])
    message.attach_alternative(render_to_string("subscriptions/mail.html", {"receipt": updated}), "text/html")
    return message


def _title(
    occasion: Occasion,
    receipt: Receipt,
    refund: Refund | None,
    refunds: Sequence[Refund],
    now: datetime,
    zone: ZoneInfo,
) -> str:
    if occasion is Occasion.REPRICED:
        amounts = [refund.money for refund in refunds if refund.status != RefundStatus.VOIDED]
        if not amounts:
            return _("Your credit has changed: nothing is left of it")
        # One promised before a currency ended may stand beside one of after.
        currency = promised_currency((amount.currency for amount in amounts), now.astimezone(zone).date())
        total = reduce(add, (amount.into(currency) for amount in amounts))
        return _("Your credit has changed: it is %(amount)s now") % {"amount": format_money(total)}
    if refund is None:
        return receipt.title
    if occasion is Occasion.REFUNDED:
        return ". ".join(credits_kept(refund))
    arrived = arrived_of(refund)
    if arrived.in_all.minor_units:
        values = {"arrived": format_money(arrived.in_all), "rest": format_money(arrived.rest)}
        return _("%(arrived)s of your credit has arrived, %(rest)s is late. We are looking into it") % values
    return _("Your credit of %(amount)s is late. We are looking into it") % {"amount": format_money(refund.money)}
