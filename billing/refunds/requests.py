"""Promise money back, send it, and take a promise back that was not kept yet.

Every move is a conditional UPDATE whose row count decides, and an event on the tenant's trail.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.errors import RefundExceedsSettled, RefundNotPossible
from billing.models import (
    PROMISED_REFUND_STATUSES,
    SENDABLE_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    UNSETTLED_REFUND_STATUSES,
    Agreement,
    Charge,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.money import Money
from billing.outages import again
from billing.proration import Line
from billing.providers import provider
from billing.providers.base import Order, Outcome, ProviderUnavailable, Result
from outbox.each import each_by_itself
from outbox.mail import tell_staff
from outbox.queue import put, put_again, wake
from outbox.registry import handles
from tenants.audit import record
from tenants.callers import Caller
from tenants.people import SYSTEM

SUBMIT = "refund.submit"
CHECK = "refund.check"
# Done in a room above: whoever knows whom the money belongs to tells them.
SETTLED = "refund.settled"
FAILED = "refund.failed"
# Nowhere is it later than this after UTC.
_EASTMOST = timedelta(hours=14)
# A provider that has the order but no verdict yet is asked again after this.
_ASK_AGAIN = timedelta(minutes=10)


def request_refund(
    *,
    agreement: Agreement,
    lines: Sequence[Line],
    priced_at: datetime,
    requested_at: datetime,
    held_until: datetime,
    due_by: date,
) -> Refund:
    """Write a refund with one part per line that returns something, inside the caller's transaction.

    HELD while ``held_until`` lies ahead, else PENDING; sent from then on. Reserves the amount on each charge, so
    that all refunds of a charge together never exceed what was settled: raises RefundExceedsSettled, and the
    database agrees.
    """
    returning = [(line.charge_id, line.refund.minor_units, line.refund_tax.minor_units) for line in lines]
    refund = Refund.objects.create(
        agreement=agreement,
        amount=sum(amount for _, amount, _ in returning),
        status=RefundStatus.HELD if held_until > requested_at else RefundStatus.PENDING,
        priced_at=priced_at,
        requested_at=requested_at,
        held_until=held_until,
        due_by=due_by,
        provider=agreement.provider or settings.WAYOUT_PROVIDER,
    )
    for charge_id, amount, tax in returning:
        if amount:
            _reserve(refund, charge_id, amount, tax)
    _ask_to_send(refund, max(held_until, requested_at), requested_at)
    return refund


def void_refund(*, refund: Refund, caller: Caller, now: datetime) -> bool:
    """Take back a refund that is still HELD and free its amounts; False when it is past that."""
    if not _move(refund, (RefundStatus.HELD,), RefundStatus.VOIDED, caller, now):
        return False
    for part in refund.parts.all():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") - part.amount)
    return True


def settle_by_hand(*, refund: Refund, reason: str, caller: Caller, now: datetime) -> bool:
    """Note that the money went back another way; False when the refund is over already.

    Raises RefundNotPossible without a reason, and while a provider may still be paying it.
    """
    if not reason.strip():
        raise RefundNotPossible("reason")
    with transaction.atomic(durable=True):
        _lock(refund)
        if refund.parts.filter(status=PartStatus.SENT).exists():
            raise RefundNotPossible("sent")
        why = reason.strip()
        values = {"settled_at": now, "reason": why[:300]}
        return _move(refund, UNSETTLED_REFUND_STATUSES, RefundStatus.SETTLED_MANUALLY, caller, now, values, reason=why)


def refund_by_hand(*, charge: Charge, amount: int, reason: str, due_by: date, caller: Caller, now: datetime) -> Refund:
    """Give back ``amount`` minor units of one charge besides what rules say, for a reason.

    ``charge`` is as whoever decides has seen it. Raises RefundNotPossible without a reason or amount, and where a part
    of it was promised since (pressed twice, or by somebody else); RefundExceedsSettled above what is left of it.
    """
    if not reason.strip() or amount <= 0:
        raise RefundNotPossible("reason" if amount > 0 else "amount")
    with transaction.atomic(durable=True):
        Agreement.objects.select_for_update(no_key=True).get(pk=charge.agreement_id)
        if not Charge.objects.filter(pk=charge.pk, refunded=charge.refunded).exists():
            raise RefundNotPossible("changed")
        refund = Refund.objects.create(
            agreement=charge.agreement,
            amount=amount,
            status=RefundStatus.PENDING,
            priced_at=now,
            requested_at=now,
            held_until=now,
            due_by=due_by,
            provider=charge.agreement.provider or settings.WAYOUT_PROVIDER,
            by_hand=True,
            reason=reason.strip()[:300],
        )
        _reserve(refund, charge.pk, amount, 0)
        _ask_to_send(refund, now, now)
        audit_refund(refund, "refund.by_hand", caller, now, reason=reason.strip())
        return refund


def resize_refund(*, refund: Refund, amounts: Mapping[RefundPart, int], now: datetime) -> None:
    """Give unsent parts of a locked refund other amounts (minor units), within what was settled of their charges.

    Where nothing is left of the whole it is voided, its parts as they were.
    """
    total = refund.amount + sum(amount - part.amount for part, amount in amounts.items())
    for part, amount in amounts.items():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") + amount - part.amount)
        if total and amount:
            tax = Charge.objects.get(pk=part.charge_id).tax_in(amount)
            RefundPart.objects.filter(pk=part.pk).update(amount=amount, tax=tax)
        elif total:
            part.delete()
    refund.amount, refund.repriced_at = total or refund.amount, now
    if not total:
        refund.status = RefundStatus.VOIDED.value
    refund.save(update_fields=["amount", "repriced_at", *(["status"] if not total else [])])


@handles(SUBMIT)
def submit(payload: dict[str, int], now: datetime) -> datetime | None:
    """Send a refund that is due, part by part, and move it by what the provider says.

    A part is marked SENT before the provider is asked. One that is found SENT may have arrived: the provider is
    asked what became of it before anything is sent again.
    """
    refund = Refund.objects.select_related("agreement__account").get(pk=payload["refund"])
    if refund.status == RefundStatus.HELD:
        if now < refund.held_until:
            return refund.held_until
        with transaction.atomic(durable=True):
            _move(refund, (RefundStatus.HELD,), RefundStatus.PENDING, SYSTEM, now)
    refund.refresh_from_db(fields=["status"])
    if refund.status not in SENDABLE_REFUND_STATUSES:
        return None
    waiting = refund.parts.filter(status__in=[PartStatus.WAITING, PartStatus.SENT])
    for part_id in waiting.order_by("pk").values_list("pk", flat=True):
        _send(refund, part_id, now)
    return _conclude(refund, now)


def record_provider_event(*, key: str, result: Result, now: datetime) -> bool:
    """Take what a provider says by itself about the part with this key; False when there is none.

    Nothing that a provider says is final, and what it says may come late: a word against what is on record is not
    taken as it stands, the provider is asked what is true now.
    """
    try:
        parts = RefundPart.objects.filter(pk=uuid.UUID(key.partition(".")[0]))
    except ValueError:
        return False
    part = parts.select_related("refund__agreement__account").first()
    if part is None:
        return False
    if part.key != key:
        return _is_older_key(part, key) and _ask_what_became(part, key, now)
    # Heard before our own sender wrote that it sends: the provider would not know the key otherwise.
    RefundPart.objects.filter(pk=part.pk, status=PartStatus.WAITING).update(status=PartStatus.SENT)
    _record_result(part, result, PartStatus.SENT)
    part.refresh_from_db(fields=["status"])
    if result.outcome is not Outcome.PENDING and part.status != result.outcome.value:
        _ask_what_became(part, key, now)
    _conclude(part.refund, now)
    return True


@handles(CHECK)
def check(payload: dict[str, str], now: datetime) -> None:
    """Ask the provider what has become of a part that it contradicted itself about, and take its word.

    Also under a key that failed and was replaced: what arrives under it after all need not be sent again, or was twice.
    """
    rows = RefundPart.objects.select_related("charge", "refund__agreement__account")
    part = rows.filter(pk=payload["part"]).first()
    if part is None:
        return
    try:
        result = provider(part.refund.provider).find(replace(order_of(part, now), key=payload["key"]))
    except ProviderUnavailable as error:
        raise again(error, part.refund.provider, now) from error
    if result is None or result.outcome is Outcome.PENDING:
        return
    if result.outcome is Outcome.SUCCEEDED and _is_paid_otherwise(part, payload["key"]):
        RefundPart.objects.filter(pk=part.pk).update(amount_by_rule=0)
        tell_staff(key=f"twice:{part.pk}", sentence=_PAID_TWICE, values={"refund": part.refund_id}, now=now)
    if part.key == payload["key"]:
        _record_result(part, result, PartStatus.SUCCEEDED, PartStatus.FAILED)
    elif result.outcome is Outcome.SUCCEEDED:
        _record_result(part, result, PartStatus.WAITING, PartStatus.FAILED)
    _conclude(part.refund, now)


_PAID_TWICE = _(
    "The provider says that it paid refund %(refund)s, which was sent again or settled by hand. Look at both."
)


def _is_older_key(part: RefundPart, key: str) -> bool:
    number = key.partition(".")[2] or "0"
    return number.isdecimal() and len(number) < 6 and int(number) < part.retries


def _is_paid_otherwise(part: RefundPart, key: str) -> bool:
    """Whether the money of a part has left, or may have, in another way than under this key."""
    if part.refund.status == RefundStatus.SETTLED_MANUALLY:
        return part.status == PartStatus.FAILED
    return part.key != key and part.status in (PartStatus.SENT, PartStatus.SUCCEEDED)


def _ask_what_became(part: RefundPart, key: str, now: datetime) -> bool:
    with transaction.atomic():
        put_again(kind=CHECK, payloads={f"{CHECK}:{key}": {"part": str(part.pk), "key": key}}, now=now)
    return True


def _record_result(part: RefundPart, result: Result, *expected: PartStatus) -> None:
    """Write down the provider's word for a part that stands where it is ``expected``."""
    rows = RefundPart.objects.filter(pk=part.pk, status__in=expected)
    if result.outcome is Outcome.PENDING:
        rows.update(reference=result.reference[:100])
    else:
        outcome = PartStatus(result.outcome.value)
        rows.update(status=outcome, reference=result.reference[:100], failure=result.failure[:200])


def late_refunds(now: datetime) -> list[Refund]:
    """The refunds that are overdue or failed and were not found before, at most 500."""
    late = Refund.objects.filter(found_late_at=None).filter(
        Q(status__in=STUCK_REFUND_STATUSES)
        | Q(status__in=PROMISED_REFUND_STATUSES, due_by__lt=(now + _EASTMOST).date())
    )
    return [refund for refund in late.select_related("agreement__account__tenant")[:500] if _is_late(refund, now)]


def _is_late(refund: Refund, now: datetime) -> bool:
    local_day = now.astimezone(refund.agreement.account.tenant.zone).date()
    return refund.status in STUCK_REFUND_STATUSES or refund.due_by < local_day


def note_late(*, refund: Refund, now: datetime) -> bool:
    """Note, in the caller's transaction, that it was found late; False when somebody else has."""
    return bool(Refund.objects.filter(pk=refund.pk, found_late_at=None).update(found_late_at=now))


def wake_stranded(now: datetime) -> int:
    """Ask again for the sending of refunds that are due and that nothing will send. Returns how many."""
    due = Refund.objects.filter(
        Q(status__in=SENDABLE_REFUND_STATUSES) | Q(status=RefundStatus.HELD, held_until__lte=now), requested_at__lte=now
    )
    return each_by_itself(due, lambda refund: _wake(refund, now), work="send_stranded_refunds", now=now)


def _wake(refund: Refund, now: datetime) -> bool:
    _ask_to_send(refund, now, now)
    return wake(key=_key(refund), now=now, only_done=True)


def order_of(part: RefundPart, at: datetime) -> Order:
    """What the provider is asked for a part. Reads the charge, refund and agreement: select_related them."""
    return Order(
        key=part.key,
        charge=part.charge_id,
        charge_id=part.charge.external_id,
        amount=Money(part.amount, part.refund.agreement.currency),
        text=part.charge.description,
        at=at,
    )


def _reserve(refund: Refund, charge_id: int, amount: int, tax: int) -> None:
    charge = Charge.objects.filter(
        pk=charge_id,
        agreement=refund.agreement,
        settled__gte=F("refunded") + amount,
        charged__gte=F("refunded") + F("corrected") + amount,
    )
    if not charge.update(refunded=F("refunded") + amount):
        raise RefundExceedsSettled
    RefundPart.objects.create(refund=refund, charge_id=charge_id, amount=amount, tax=tax)


def _lock(refund: Refund) -> None:
    """Lock the refund and read its status: a part is never sent while staff settle the refund by hand."""
    refund.status = Refund.objects.select_for_update(no_key=True).values_list("status", flat=True).get(pk=refund.pk)


def _key(refund: Refund) -> str:
    return f"{SUBMIT}:{refund.pk}"


def send_soon(refund: Refund, now: datetime) -> None:
    """Have a refund sent once more, in the caller's transaction."""
    _ask_to_send(refund, now, now)
    wake(key=_key(refund), now=now)


def _ask_to_send(refund: Refund, run_at: datetime, now: datetime) -> None:
    put(kind=SUBMIT, key=_key(refund), payload={"refund": refund.pk}, run_at=run_at, now=now)


def _send(refund: Refund, part_id: uuid.UUID, now: datetime) -> None:
    with transaction.atomic(durable=True):
        _lock(refund)
        # Read when locked: facts may have given it another amount, or taken it away, since the refund was.
        rows = RefundPart.objects.select_related("charge", "refund__agreement").filter(pk=part_id)
        part = rows.filter(status__in=[PartStatus.WAITING, PartStatus.SENT]).first()
        if part is None or refund.status not in SENDABLE_REFUND_STATUSES:
            return
        first = RefundPart.objects.filter(pk=part.pk, status=PartStatus.WAITING).update(status=PartStatus.SENT)
        _move(refund, (RefundStatus.PENDING,), RefundStatus.SUBMITTED, SYSTEM, now)
    via, order = provider(refund.provider), order_of(part, now)
    try:
        result = via.refund(order) if first else via.find(order) or via.refund(order)
    except ProviderUnavailable as error:
        raise again(error, refund.provider, now) from error
    _record_result(part, result, PartStatus.SENT)


# What the provider's word can move a refund from: all that went out. Held, voided and settled by hand is ours to say.
_CONCLUDED_FROM = (*SENDABLE_REFUND_STATUSES, *STUCK_REFUND_STATUSES, RefundStatus.SUCCEEDED)


def _conclude(refund: Refund, now: datetime) -> datetime | None:
    """Say of the refund what all its parts together say; when to ask again while one is still on its way."""
    statuses = set(refund.parts.values_list("status", flat=True))
    if statuses & {PartStatus.WAITING, PartStatus.SENT}:
        return now + _ASK_AGAIN
    if PartStatus.FAILED not in statuses:
        status = RefundStatus.SUCCEEDED
    elif PartStatus.SUCCEEDED in statuses:
        status = RefundStatus.PARTIALLY_SUCCEEDED
    else:
        status = RefundStatus.FAILED
    with transaction.atomic(durable=True):
        refund.refresh_from_db(fields=["status"])
        before = RefundStatus(refund.status)
        went_out = before in _CONCLUDED_FROM and before is not status
        if went_out:
            settled_at = now if status is RefundStatus.SUCCEEDED else None
            # Whoever was told that it came back hears once more when that is no longer so.
            values = {"settled_at": settled_at, "found_late_at": None}
            _move(refund, (before,), status, SYSTEM, now, values, before=before.value)
    return None


def _move(
    refund: Refund,
    expected: Sequence[RefundStatus],
    to: RefundStatus,
    caller: Caller,
    now: datetime,
    values: Mapping[str, Any] = MappingProxyType({}),
    **evidence: str,
) -> bool:
    """One move of the state machine, with other ``values`` of its row; False when it stands elsewhere.

    Inside a transaction. The row is written once: written twice, PostgreSQL checks its foreign keys, which takes locks.
    """
    if not Refund.objects.filter(pk=refund.pk, status__in=expected).update(status=to, **values):
        return False
    audit_refund(refund, f"refund.{to.value.lower()}", caller, now, **evidence)
    _tell(refund, to, now)
    return True


def audit_refund(refund: Refund, action: str, caller: Caller, now: datetime, **evidence: str) -> None:
    """Write down on the tenant's trail what became of a refund. Reads its agreement and account."""
    record(
        tenant_id=refund.agreement.account.tenant_id,
        at=now,
        action=action,
        subject=f"Refund:{refund.pk}",
        caller=caller,
        language=caller.language or "en",
        data={"amount": refund.amount, "currency": refund.agreement.currency, **evidence},
    )


def _tell(refund: Refund, status: RefundStatus, now: datetime) -> None:
    """Ask whoever lives above billing to tell people what has become of the money."""
    if status in (RefundStatus.SUCCEEDED, RefundStatus.SETTLED_MANUALLY):
        payload = {"refund": refund.pk, "at": now.isoformat()}
        put(kind=SETTLED, key=f"{SETTLED}:{refund.pk}:{now.isoformat()}", payload=payload, run_at=now, now=now)
    elif status in STUCK_REFUND_STATUSES:
        payload = {"refund": refund.pk, "at": now.isoformat()}
        put(kind=FAILED, key=f"{FAILED}:{refund.pk}:{now.isoformat()}", payload=payload, run_at=now, now=now)
