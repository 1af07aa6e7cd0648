"""Stripe: refunds by charge, subscriptions told to stop. Retries are the outbox's, so the library makes none."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import stripe

from billing.currencies import ENDED, EXPONENTS
from billing.money import Money
from billing.providers.base import (
    CreditForm,
    Declaration,
    Ended,
    KeyRefused,
    ListedRefund,
    NotSigned,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    RefundOutcome,
    RefundPage,
    RefundRequest,
    RefundResult,
    Setting,
    Update,
)
from billing.providers.stripe.amounts import from_stripe, to_stripe
from billing.providers.stripe.events import KEY, key_of, result_of, text, updates_of
from billing.renewal_stop import RenewalStop
from common.codes import N_
from common.outbound import retry_after, session

logger = logging.getLogger("wayout.webhooks")
API_KEY, WEBHOOK_SECRET, URL = "WAYOUT_STRIPE_KEY", "WAYOUT_STRIPE_WEBHOOK_SECRET", "WAYOUT_STRIPE_URL"
# Seconds for the whole answer: its every step alone could take as long.
TIMEOUT = 20.0
# Seconds that a signature is good for.
_TOLERANCE = 300
_PAGE = 100
# Nothing is billed any more in these.
_STOPPED = ("canceled", "incomplete_expired")
# Kept with the part, and translated where staff read it.
_OTHER_CURRENCY = N_("At Stripe the charge is in another currency.")
_TOO_FINE = N_(
    "Stripe takes no amount of this currency with so many digits. Settle the refund by hand, or give back another amount."
)
# The library writes two lines for every call, with the ids of charges in them.
logging.getLogger("stripe").setLevel(logging.WARNING)


class Stripe(Provider):
    """Over HTTP. A subscription that comes back there revives nothing here: nothing but an undo does."""

    declares = Declaration(
        name="stripe",
        credit=CreditForm.PAID_BACK,
        settings=(
            Setting(API_KEY, "the secret key of the account: sk_live_...", is_required=True, is_secret=True),
            Setting(WEBHOOK_SECRET, "what it signs events with: whsec_...", is_secret=True),
            Setting(URL, "somewhere else than Stripe, for tests"),
        ),
        subscription_id="sub_[A-Za-z0-9]{8,90}",
        subscription_id_example="sub_1PqRs…",
    )

    @cached_property
    def _client(self) -> stripe.StripeClient:
        addresses: Any = {"api": self.settings[URL]} if self.settings[URL] else None
        http = stripe.RequestsClient(timeout=TIMEOUT, session=session())
        return stripe.StripeClient(
            self.settings[API_KEY], base_addresses=addresses, max_network_retries=0, http_client=http
        )

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Create the refund; what Stripe refuses for good is FAILED."""
        money = self._amount(refund_request)
        if money is None:
            return RefundResult(RefundOutcome.FAILED, "", _OTHER_CURRENCY)
        amount = to_stripe(money)
        if amount is None:
            return RefundResult(RefundOutcome.FAILED, "", _TOO_FINE)
        params: Any = {
            _paid_by(refund_request): refund_request.charge_id,
            "amount": amount,
            "metadata": {KEY: refund_request.key},
        }
        try:
            made = self._client.v1.refunds.create(params, {"idempotency_key": refund_request.key})
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return RefundResult(RefundOutcome.FAILED, "", str(error.code or error.user_message or "refused"))
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return _required(result_of(made.to_dict()))

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """Look through the refunds of the charge for our key."""
        params: Any = {_paid_by(refund_request): refund_request.charge_id, "limit": _PAGE}
        try:
            for refund in self._client.v1.refunds.list(params).auto_paging_iter():
                if key_of(said := refund.to_dict()) == refund_request.key:
                    return _required(result_of(said))
        except stripe.InvalidRequestError:
            return None
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return None

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[RefundPage]:
        """A hundred a call; Stripe counts in whole seconds."""
        made = {"gte": math.ceil(since.timestamp()), "lt": math.ceil(until.timestamp())}
        params: Any = {"created": made, "limit": _PAGE}
        while True:
            try:
                page = self._client.v1.refunds.list(params)
            except stripe.StripeError as error:
                raise _unavailable(error) from error
            found = [refund.to_dict() for refund in page.data]
            ours = [listed for said in found if (listed := _listed(said))]
            if not (page.has_more and found):
                yield RefundPage(ours, since)
                return
            # Of the last second there may be more on the next page.
            yield RefundPage(ours, _made_at(found[-1]) + timedelta(seconds=1))
            params = {**params, "starting_after": found[-1]["id"]}

    def go_on(self, external_id: str) -> None:
        """Take "at period end" back."""
        self._update(external_id, cancel_at_period_end=False)

    def stop_at_period_end(self, external_id: str) -> None:
        """Let the period run out. What has stopped already agrees."""
        try:
            self._update(external_id, cancel_at_period_end=True)
        except ProviderRefused:
            self._require_stopped(external_id)

    def stop_now(self, external_id: str) -> None:
        """Cancel, without Stripe's own proration: the refund is ours to compute."""
        try:
            self._client.v1.subscriptions.cancel(external_id, {"prorate": False, "invoice_now": False})
        except stripe.InvalidRequestError:
            self._require_stopped(external_id)
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def renewal_stop(self, external_id: str) -> RenewalStop:
        """Whether it was canceled, will be at the end of the period, or goes on."""
        subscription = self._retrieve(external_id)
        if subscription.status in _STOPPED:
            return RenewalStop.NOW
        return RenewalStop.AT_PERIOD_END if subscription.cancel_at_period_end else RenewalStop.NONE

    def ended(self, external_id: str) -> Ended | None:
        """Since when it is canceled, and Stripe's reason: cancellation_requested, payment_failed, payment_disputed."""
        subscription = self._retrieve(external_id)
        if subscription.status not in _STOPPED:
            return None
        at = subscription.ended_at or subscription.canceled_at or subscription.created
        details = subscription.cancellation_details
        return Ended(datetime.fromtimestamp(at, UTC), text(details.reason) if details else "")

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Update]:
        """What is said of refunds, charges, disputes and subscriptions, signed no more than five minutes ago."""
        secret = self.settings[WEBHOOK_SECRET]
        try:
            if not secret:
                raise ValueError("no secret is configured")
            payload = body.decode()
            stripe.WebhookSignature.verify_header(payload, headers.get("Stripe-Signature", ""), secret, _TOLERANCE)
            event = json.loads(payload)
        except (ValueError, RecursionError, stripe.SignatureVerificationError) as error:
            raise NotSigned("stripe") from error
        kind, updates = updates_of(event)
        number = text(event.get("id")) if isinstance(event, dict) else ""
        logger.info("stripe event %s %s: %s", kind, number, "read" if updates else "nothing of ours")
        return updates

    def problems(self) -> Sequence[str]:
        """Without the secret nothing that Stripe says is taken; a key for browsers may do nothing of what we ask."""
        key, found = self.settings[API_KEY], []
        if key and not key.startswith(("sk_", "rk_")):
            found.append(
                f"{API_KEY} is no secret key (sk_live_...) and no restricted one (rk_live_...): Stripe refuses it."
            )
        if key and not self.settings[WEBHOOK_SECRET]:
            found.append(
                f"{WEBHOOK_SECRET} is not set: what becomes of a payment or a refund is not heard, only asked for."
            )
        return found

    def _amount(self, refund_request: RefundRequest) -> Money | None:
        """What to give back, in the currency of the charge as Stripe has it, which a currency that ended may have left."""
        amounts = {money.currency: money for money in (refund_request.promised, refund_request.amount)}
        if len(amounts) == 1 and refund_request.amount.currency not in ENDED:
            return refund_request.amount
        number = refund_request.charge_id
        try:
            if _paid_by(refund_request) == "charge":
                currency = self._client.v1.charges.retrieve(number).currency
            else:
                currency = self._client.v1.payment_intents.retrieve(number).currency
        except stripe.InvalidRequestError:
            return None
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return amounts.get(currency.upper())

    def _retrieve(self, external_id: str) -> stripe.Subscription:
        try:
            return self._client.v1.subscriptions.retrieve(external_id)
        except stripe.InvalidRequestError as error:
            raise _refused(error) from error
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def _update(self, external_id: str, **params: Any) -> None:
        try:
            self._client.v1.subscriptions.update(external_id, params)  # type: ignore[arg-type]
        except stripe.InvalidRequestError as error:
            raise _refused(error) from error
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def _require_stopped(self, external_id: str) -> None:
        """A refusal to stop is fine where it has stopped already."""
        if self.renewal_stop(external_id) is not RenewalStop.NOW:
            raise ProviderRefused(f"stripe: {external_id} does not stop")


def _listed(refund: Mapping[str, Any]) -> ListedRefund | None:
    """A refund of the list; None for one without a key of ours."""
    if not (key := key_of(refund)):
        return None
    amount, currency = refund.get("amount"), text(refund.get("currency")).upper()
    money = None
    if type(amount) is int and currency in EXPONENTS:
        money = Money(from_stripe(amount, currency), currency)
    return ListedRefund(key, _required(result_of(refund)), _made_at(refund), money)


def _made_at(refund: Mapping[str, Any]) -> datetime:
    at = refund.get("created")
    if type(at) is not int:
        raise ProviderUnavailable("stripe: an answer that is no refund")
    return datetime.fromtimestamp(at, UTC)


def _required(result: RefundResult | None) -> RefundResult:
    if result is None:
        raise ProviderUnavailable("stripe: an answer that is no refund")
    return result


def _paid_by(refund_request: RefundRequest) -> str:
    return "payment_intent" if refund_request.charge_id.startswith("pi_") else "charge"


def _unavailable(error: stripe.StripeError) -> ProviderUnavailable:
    reason = f"stripe: {type(error).__name__} {error.code or ''}".strip()
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return KeyRefused(reason)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return ProviderUnavailable(reason, retry_after(str(headers.get("retry-after", ""))))


def _refused(error: stripe.StripeError) -> ProviderRefused:
    return ProviderRefused(f"stripe: {error.code or 'refused'}")
