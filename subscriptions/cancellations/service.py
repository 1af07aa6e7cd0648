"""Cancel exactly what was quoted, undo it in time, and hear why."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.models import RefundStatus, RenewalStopTerms
from billing.refunds.requests import request_refund, void_refund
from billing.renewal import set_renewal_stop
from billing.renewal_stop import RenewalStop
from common.errors import NotFound, NumberOutOfRange
from common.references import new_reference
from subscriptions.cancellations.mail_queue import Occasion, queue_mail
from subscriptions.cancellations.signing import SignedQuote, quote_evidence, read_quote_id
from subscriptions.errors import QuoteChanged, QuoteExpired, QuoteInvalid, RouteNotAvailable, UndoClosed
from subscriptions.events import SubscriptionEvent, publish_cancellation
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import clean_text, locked_subscription
from subscriptions.models import Cancellation, Subscription
from subscriptions.models.cancellations import Feedback
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Mode, OnBehalf, Snapshot
from subscriptions.policy.quotes import QUOTE_LIFETIME, Quote, agreed, boundary_between, effective, prorates, refundable
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.lists import licenses_at, visible
from subscriptions.signals import canceled, canceling
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, CallerKind, Scope

_RENEWAL_STOPS = {Mode.IMMEDIATE: RenewalStop.NOW, Mode.AT_PERIOD_END: RenewalStop.AT_PERIOD_END}
_EVIDENCE_BEFORE = timedelta(days=30)
_LONGEST_COMMENT = 2_000
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class StaffCancellation:
    """Staff cancel for the customer: why, and the amount (minor units) where a supervisor settles on another.

    Credit counts from ``credit_from`` (None: from now). ``customer_id`` is the person who asked for it, in ``language``:
    where nobody else is there to be told, they hear what becomes of it.
    """

    reason: str
    amount: int | None = None
    credit_from: datetime | None = None
    customer_id: int | None = None
    language: str = ""

    @property
    def on_behalf(self) -> OnBehalf:
        return OnBehalf(self.credit_from)


@dataclass(frozen=True, slots=True)
class Canceled:
    """The cancellation, and whether it had been made before this call."""

    cancellation: Cancellation
    replayed: bool


def cancel_subscription(
    *,
    caller: Caller,
    subscription_id: int,
    quote_id: str,
    idempotency_key: str,
    language: str,
    now: datetime,
    staff: StaffCancellation | None = None,
) -> Canceled:
    """Cancel what the quote said, to the cent, or change nothing.

    The facts of now are evaluated as of when the quote was made; any difference is refused. Canceling in a mode that is in
    force already answers the cancellation there is. ``staff``, by staff alone, ignores the license limit. Raises NotFound,
    NotPermitted, QuoteInvalid, QuoteExpired, QuoteChanged (both mean: ask for a new quote), RouteNotAvailable, SyncRunning,
    IdempotencyKeyReused, InputInvalid, and what a receiver of ``canceling`` refuses with.
    """
    with one_transaction():
        subscription = locked_subscription(caller, subscription_id, Scope.CANCEL, "subscriptionId")
        call = IdempotentCall.of(
            subscription.tenant_id,
            "cancelSubscription",
            idempotency_key,
            now,
            subscription=subscription_id,
            quote=quote_id,
            **({"amount": staff.amount} if staff else {}),
        )
        if known := call.answered():
            return Canceled(Cancellation.objects.get(pk=known["cancellation"]), replayed=True)
        if staff:
            clean_text(staff.reason, "reason", limit=_LONGEST_REASON, required=True)
        canceling.send(Cancellation, subscription=subscription, caller=caller, staff=staff, now=now)
        signed = _signed_quote(caller, subscription, quote_id, now, staff)
        in_force = Cancellation.objects.filter(subscription=subscription, undone_at=None).first()
        if in_force and in_force.mode == signed.mode:
            cancellation, replayed = in_force, True
        else:
            quote, snapshot = _promised_quote(caller, subscription, signed, now, staff)
            cancellation = _write(caller, subscription, in_force, quote, snapshot, staff, language, now)
            replayed = False
        call.remember({"cancellation": cancellation.pk})
        return Canceled(cancellation, replayed)


def undo_cancellation(*, caller: Caller, cancellation_id: int, language: str, now: datetime) -> Cancellation:
    """Reverse a cancellation while that is open; repeating it is a no-op.

    Held refunds are voided, access and renewal are back. Raises NotFound, NotPermitted, UndoClosed.
    """
    with one_transaction():
        cancellation = _locked(caller, cancellation_id)
        if cancellation.undone_at:
            return cancellation
        if now >= cancellation.undo_until or not _void_held(cancellation, caller, now):
            raise UndoClosed("cancellationId", subscription_id=cancellation.subscription_id)
        cancellation.undone_at = now
        _end_billing(cancellation, RenewalStop.NONE, now)
        cancellation.save(update_fields=["undone_at"])
        Subscription.objects.filter(pk=cancellation.subscription_id).update(canceled_mode=None, ends_at=None)
        _audit(Action.CANCELLATION_UNDONE, caller, cancellation, language, now, {})
        queue_mail(Occasion.UNDONE, cancellation, now)
        publish_cancellation(SubscriptionEvent.CANCELLATION_UNDONE, cancellation, now)
        return cancellation


def submit_cancellation_feedback(
    *, caller: Caller, cancellation_id: int, feedback: Feedback, comment: str, language: str, now: datetime
) -> Cancellation:
    """Keep why they left; the last word counts. Raises NotFound, NotPermitted, InputInvalid."""
    with one_transaction():
        cancellation = _locked(caller, cancellation_id)
        cancellation.comment = clean_text(comment, "comment", limit=_LONGEST_COMMENT)
        cancellation.feedback = feedback.value
        cancellation.save(update_fields=["feedback", "comment"])
        _audit(Action.CANCELLATION_FEEDBACK, caller, cancellation, language, now, {"feedback": feedback.value})
        return cancellation


def _locked(caller: Caller, cancellation_id: int) -> Cancellation:
    """The cancellation with its subscription locked first, as every writer does."""
    found = visible(Cancellation.objects.all(), caller).filter(pk=cancellation_id).first()
    if found is None:
        raise NotFound("cancellationId")
    locked_subscription(caller, found.subscription_id, Scope.CANCEL, "cancellationId")
    return Cancellation.objects.get(pk=cancellation_id)


def _signed_quote(
    caller: Caller, subscription: Subscription, quote_id: str, now: datetime, staff: StaffCancellation | None
) -> SignedQuote:
    """Read the quote id. Where canceling online is closed anyway, that is the better answer than a bad quote."""
    try:
        return read_quote_id(quote_id, tenant_id=subscription.tenant_id, subscription_id=subscription.pk)
    except QuoteInvalid:
        batch = SubscriptionBatch.get(caller, subscription.pk, now, on_behalf=staff.on_behalf if staff else None)
        option = batch.decisions[subscription.pk].option(Route.CANCEL_ONLINE)
        if not option.available:
            raise RouteNotAvailable("subscriptionId", reason=option.reason) from None
        raise


def _promised_quote(
    caller: Caller, subscription: Subscription, signed: SignedQuote, now: datetime, staff: StaffCancellation | None
) -> tuple[Quote, Snapshot]:
    """The quote of now at the signed instant, as executed now; QuoteExpired or QuoteChanged if it is another.

    ``now`` may lie before that instant, by a clock that is behind the one it was made by.
    """
    on_behalf = staff.on_behalf if staff else None
    batch = SubscriptionBatch.get(caller, subscription.pk, signed.made_at, on_behalf=on_behalf)
    batch.require_whole(subscription.pk)
    snapshot, decision = batch.snapshots[subscription.pk], batch.decisions[subscription.pk]
    quote = decision.quote(signed.mode)
    if now >= signed.made_at + QUOTE_LIFETIME:
        raise QuoteExpired("quoteId", mode=signed.mode)
    first = snapshot
    if now < signed.made_at:
        first = SubscriptionBatch.get(caller, subscription.pk, now, on_behalf=on_behalf).snapshots[subscription.pk]
    if quote is None or not signed.promises(quote) or boundary_between(first, signed.made_at, now):
        raise QuoteChanged("quoteId", mode=signed.mode)
    if staff and staff.amount is not None:
        quote = _agreed(quote, staff.amount, snapshot)
    return effective(quote, now, decision.period), snapshot


def _agreed(quote: Quote, amount: int, snapshot: Snapshot) -> Quote:
    limit = refundable(quote, snapshot)
    if not 0 <= amount <= limit:
        raise NumberOutOfRange("amount", least=0, limit=limit)
    return agreed(quote, amount, snapshot)


def _write(
    caller: Caller,
    subscription: Subscription,
    in_force: Cancellation | None,
    quote: Quote,
    snapshot: Snapshot,
    staff: StaffCancellation | None,
    language: str,
    now: datetime,
) -> Cancellation:
    """Write the cancellation (or turn the scheduled one in force into an immediate one), its refund and evidence."""
    cancellation = in_force or Cancellation(
        reference=new_reference("C"),
        tenant_id=subscription.tenant_id,
        subscription=subscription,
    )
    if in_force and not _void_held(in_force, caller, now):
        raise RouteNotAvailable("subscriptionId", reason=Reason.ALREADY_CANCELED)
    _promise(cancellation, quote)
    cancellation.requested_at = now
    cancellation.requested_by_user_id = caller.user_id
    cancellation.requested_by_token_id = caller.token_id
    cancellation.requested_by_vouched_id = caller.vouched_id
    cancellation.by_staff = caller.kind is CallerKind.STAFF
    cancellation.staff_reason = staff.reason.strip() if staff else ""
    cancellation.customer_id = staff.customer_id if staff else None
    cancellation.customer_language = staff.language if staff else ""
    cancellation.facts = _facts(snapshot)
    cancellation.licenses_30_days_before = licenses_at(subscription.pk, now - _EVIDENCE_BEFORE)
    cancellation.language = language
    cancellation.save()
    _request_refund(cancellation, subscription, quote, now)
    Subscription.objects.filter(pk=subscription.pk).update(canceled_mode=quote.mode, ends_at=quote.effective_at)
    _end_billing(cancellation, _RENEWAL_STOPS[quote.mode], now, _terms(quote, snapshot, now))
    _audit(Action.CANCELLATION_REQUESTED, caller, cancellation, language, now, _decided(cancellation))
    queue_mail(Occasion.CANCELED, cancellation, now)
    publish_cancellation(SubscriptionEvent.CANCELLATION_REQUESTED, cancellation, now)
    canceled.send(Cancellation, cancellation=cancellation, caller=caller, language=language, now=now)
    return cancellation


def _promise(cancellation: Cancellation, quote: Quote) -> None:
    """What was quoted is what is promised, to the cent and the second."""
    cancellation.mode = quote.mode.value
    cancellation.effective_at = quote.effective_at
    cancellation.undo_until = quote.undo_until
    cancellation.access_ends_at = quote.access_ends_at
    cancellation.data_available_until = quote.data_available_until
    cancellation.data_erased_by = quote.data_erased_by
    cancellation.priced_at = quote.priced_at
    cancellation.no_refund_reason = quote.no_refund_reason.value if quote.no_refund_reason else ""
    cancellation.policy_id = quote.policy_id
    cancellation.quote = quote_evidence(quote)


def _request_refund(cancellation: Cancellation, subscription: Subscription, quote: Quote, now: datetime) -> None:
    if quote.refund is None or quote.refund_due_by is None:
        return
    refund = request_refund(
        agreement=subscription.agreement,
        lines=quote.lines,
        priced_at=quote.priced_at,
        requested_at=now,
        held_until=quote.undo_until,
        due_by=quote.refund_due_by,
    )
    cancellation.refunds.add(refund)


def _void_held(cancellation: Cancellation, caller: Caller, now: datetime) -> bool:
    """Take back every refund of the cancellation; False when one is past that."""
    refunds = cancellation.refunds.exclude(status=RefundStatus.VOIDED).select_related("agreement__account")
    return all(void_refund(refund=refund, caller=caller, now=now) for refund in refunds)


def _end_billing(
    cancellation: Cancellation, renewal_stop: RenewalStop, now: datetime, terms: RenewalStopTerms | None = None
) -> None:
    agreement = cancellation.subscription.agreement
    set_renewal_stop(
        agreement=agreement, renewal_stop=renewal_stop, final_at=cancellation.undo_until, terms=terms, now=now
    )


def _terms(quote: Quote, snapshot: Snapshot, now: datetime) -> RenewalStopTerms:
    """What prices the facts that arrive later as the quote priced those of now."""
    anchor = snapshot.anchored_at or (snapshot.period.start if snapshot.period else quote.priced_at)
    return RenewalStopTerms(
        decided_at=now,
        priced_at=quote.priced_at,
        effective_at=quote.effective_at,
        held_until=quote.undo_until,
        anchored_at=anchor,
        time_zone=snapshot.zone.key,
        prorates=prorates(quote, snapshot),
        convention=quote.convention.value,
        full_hours=snapshot.policy.full_refund_hours,
        prorated_hours=snapshot.policy.prorated_refund_hours,
        agreed=quote.agreed,
        agreed_amounts={str(line.charge_id): line.own.refund.minor_units for line in quote.lines if quote.agreed},
    )


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    """What the policy looked at, without the charges (they are in the quote's lines)."""
    return {
        "status": snapshot.base_status.value,
        "is_trial": snapshot.is_trial,
        "channel": snapshot.channel.value,
        "renews": snapshot.renews,
        "has_payment_method": snapshot.has_payment_method,
        "purchased_licenses": snapshot.purchased,
        "assigned_licenses": snapshot.assigned,
        "group_assigned_licenses": snapshot.by_group,
        "shares_licenses": snapshot.shares_licenses,
        "pending_removals": snapshot.pending,
        "policy": dataclasses.asdict(snapshot.policy),
    }


def _decided(cancellation: Cancellation) -> dict[str, Any]:
    """The evidence that the chain covers: all that was shown and decided, no personal data."""
    return {
        "reference": cancellation.reference,
        "mode": cancellation.mode,
        "quote": cancellation.quote,
        "facts": cancellation.facts,
        "licenses_30_days_before": cancellation.licenses_30_days_before,
        "policy_version": cancellation.quote["policy_version"],
        "by_staff": cancellation.by_staff,
        "staff_reason": cancellation.staff_reason,
        "customer": cancellation.customer_id,
    }


def _audit(
    action: Action, caller: Caller, cancellation: Cancellation, language: str, now: datetime, data: dict[str, Any]
) -> None:
    personal = {"name": caller.name, "email": caller.email}
    if action == Action.CANCELLATION_FEEDBACK:
        personal["comment"] = cancellation.comment
    record(
        tenant_id=cancellation.tenant_id,
        at=now,
        action=action,
        subject=f"Cancellation:{cancellation.pk}",
        caller=caller,
        language=language,
        data={"subscription": cancellation.subscription_id, **data},
        personal=personal,
    )
