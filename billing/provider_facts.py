"""Take what a provider says of charges: what was paid, failed, refunded elsewhere, disputed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import Agreement, Charge, NoticeReason, ProviderNotice
from billing.money import MAX_MINOR_UNITS
from billing.providers.base import PaymentUpdate, ReturnUpdate
from billing.return_kinds import ReturnKind
from billing.returns import write_net, write_return
from billing.selectors import charges_at, lock_agreement
from billing.writing import ChargeChange, audit_charges, change_charge
from outbox.mail import queue_staff_mail
from tenants.actions import Action

logger = logging.getLogger("wayout.billing")
Fact = PaymentUpdate | ReturnUpdate


def record_payment(*, provider: str, update: PaymentUpdate, now: datetime) -> bool:
    """A payment at ``provider`` has arrived, or will not; False when nothing is new.

    What was paid never shrinks; more than was charged is not believed, and staff are asked.
    """

    def write(agreement: Agreement, charge: Charge) -> list[ChargeChange | None]:
        if update.failed:
            action, paid, in_flight = Action.CHARGE_PAYMENT_CHANGED, charge.paid, 0
        else:
            action, paid = Action.CHARGE_PAID, max(charge.paid, update.paid)
            in_flight = max(0, charge.in_flight - (paid - charge.paid))
        if paid > charge.paid:
            charge.paid_by, charge.known_at = provider, max(charge.known_at or now, update.at or now)
            charge.save(update_fields=["paid_by", "known_at"])
        return [change_charge(agreement, charge, action, source=provider, now=now, paid=paid, in_flight=in_flight)]

    return _record(provider, update, update.paid, write, now)


def record_return(*, provider: str, update: ReturnUpdate, now: datetime) -> bool:
    """Money of a charge left without us, or came back after all; False when nothing is new.

    Also where it breaks what may be promised: it is a fact. More than was charged is none, and staff are asked.
    """
    known_at = min(update.at or now, now)

    def write(agreement: Agreement, charge: Charge) -> list[ChargeChange | None]:
        if update.kind is ReturnKind.NET:
            return [write_net(agreement, charge, source=provider, gone=update.amount, known_at=known_at, now=now)]
        change = write_return(
            agreement, charge, source=provider, kind=update.kind, external_id=update.reference,
            amount=update.amount, status=update.status, known_at=known_at, now=now,
        )  # fmt: skip
        return [change]

    return _record(provider, update, update.amount, write, now)


def _record(
    provider: str,
    update: Fact,
    amount: int,
    write: Callable[[Agreement, Charge], list[ChargeChange | None]],
    now: datetime,
) -> bool:
    """Find the charge, lock its agreement, and write; nothing for what is not about one charge of ours."""
    with transaction.atomic(durable=True):
        found = list(charges_at(provider).filter(external_id__in=update.external_ids)[:2])
        if not found:
            logger.info("%s speaks of %s, which is no charge here", provider, sorted(update.external_ids))
            return False
        agreement = lock_agreement(found[0].agreement_id)
        charge = Charge.objects.get(pk=found[0].pk)
        charge.agreement = agreement
        if reason := _why_not(found, charge, update, amount):
            return _notice(provider, update, charge, reason, amount, now)
        changes = [change for change in write(agreement, charge) if change]
        audit_charges(changes, now)
        return bool(changes)


def _why_not(found: Collection[Charge], charge: Charge, update: Fact, amount: int) -> NoticeReason | None:
    if len(found) > 1:
        return NoticeReason.TWO_CHARGES
    if update.currency and update.currency != charge.currency:
        return NoticeReason.OTHER_CURRENCY
    if amount < 0:
        return NoticeReason.NEGATIVE
    if amount > charge.charged:
        return NoticeReason.TOO_MUCH
    return None


def _notice(provider: str, update: Fact, charge: Charge, reason: NoticeReason, amount: int, now: datetime) -> bool:
    """Keep what cannot be taken, and ask staff; once for each fact, however often it is said."""
    kind, reference = ProviderNotice.PAYMENT, ""
    if isinstance(update, ReturnUpdate):
        kind, reference = update.kind, update.reference
    reference = reference or min(update.external_ids)
    notice, is_new = ProviderNotice.objects.get_or_create(
        provider=provider,
        reference=reference[:100],
        reason=reason,
        kind=kind,
        charge_id=charge.external_id,
        amount=max(-MAX_MINOR_UNITS, min(amount, MAX_MINOR_UNITS)),
        currency=update.currency[:3],
        defaults={"agreement": charge.agreement, "said_at": now},
    )
    logger.warning("%s speaks of %s: %s, nothing was changed", provider, reference, reason)
    if is_new:
        values = {"provider": provider, "reference": reference, "reason": notice.get_reason_display()}
        queue_staff_mail(key=f"notice:{notice.pk}", sentence=_CANNOT_TAKE, values=values, now=now)
    return False


_CANNOT_TAKE = _(
    "%(provider)s says something of %(reference)s that cannot be true here: %(reason)s. Nothing was changed. Look at both"
    " sides, then at Admin > Provider notices."
)
