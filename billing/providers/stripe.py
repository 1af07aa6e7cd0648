"""Stripe: refunds by charge, subscriptions told to stop. Retries are the outbox's, so the library makes none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import stripe
from django.conf import settings

from billing.providers.base import Order, Outcome, ProviderUnavailable, Result

# Where we write our key, because Stripe forgets idempotency keys after a day.
KEY = "wayout_part"
_OUTCOMES = {"succeeded": Outcome.SUCCEEDED, "failed": Outcome.FAILED, "canceled": Outcome.FAILED}
_PAGE = 100


class Stripe:
    """Over HTTP, with the secret key of WAYOUT_STRIPE_KEY."""

    def __init__(self) -> None:
        addresses: Any = {"api": settings.WAYOUT_STRIPE_URL} if settings.WAYOUT_STRIPE_URL else None
        http = stripe.RequestsClient(timeout=20)
        self._client = stripe.StripeClient(
            settings.WAYOUT_STRIPE_KEY, base_addresses=addresses, max_network_retries=0, http_client=http
        )

    def refund(self, order: Order) -> Result:
        """Create the refund; what Stripe refuses for good is FAILED."""
        params: Any = {
            _paid_by(order): order.charge_id,
            "amount": order.amount.minor_units,
            "metadata": {KEY: order.key},
        }
        try:
            return result_of(self._client.v1.refunds.create(params, {"idempotency_key": order.key}))
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return Result(Outcome.FAILED, "", str(error.code or error.user_message or "refused"))
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def find(self, order: Order) -> Result | None:
        """Look through the refunds of the charge for our key."""
        params: Any = {_paid_by(order): order.charge_id, "limit": _PAGE}
        try:
            for refund in self._client.v1.refunds.list(params).auto_paging_iter():
                if key_of(refund) == order.key:
                    return result_of(refund)
        except stripe.InvalidRequestError:
            return None
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return None

    def go_on(self, external_id: str) -> None:
        """Take "at period end" back."""
        self._update(external_id, cancel_at_period_end=False)

    def stop_at_period_end(self, external_id: str) -> None:
        """Let the period run out."""
        self._update(external_id, cancel_at_period_end=True)

    def stop_now(self, external_id: str) -> None:
        """Cancel, without Stripe's own proration: the refund is ours to compute."""
        try:
            self._client.v1.subscriptions.cancel(external_id, {"prorate": False, "invoice_now": False})
        except stripe.InvalidRequestError as error:
            self._require_canceled(external_id, error)
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def _update(self, external_id: str, **params: Any) -> None:
        try:
            self._client.v1.subscriptions.update(external_id, params)  # type: ignore[arg-type]
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def _require_canceled(self, external_id: str, error: stripe.StripeError) -> None:
        """A refusal is fine when it is canceled already. Raises ProviderUnavailable when it is not."""
        try:
            status = self._client.v1.subscriptions.retrieve(external_id).status
        except stripe.StripeError:
            raise _unavailable(error) from error
        if status != "canceled":
            raise _unavailable(error)


def result_of(refund: stripe.Refund) -> Result:
    """What a refund of Stripe says. Everything that is not an end is pending."""
    outcome = _OUTCOMES.get(refund.status or "", Outcome.PENDING)
    return Result(
        outcome, refund.id, getattr(refund, "failure_reason", None) or "" if outcome is Outcome.FAILED else ""
    )


def key_of(refund: stripe.Refund) -> str:
    """The key that we wrote on a refund; empty on one that is not ours."""
    key: str = refund.to_dict().get("metadata", {}).get(KEY, "")
    return key


def _paid_by(order: Order) -> str:
    return "payment_intent" if order.charge_id.startswith("pi_") else "charge"


def _unavailable(error: stripe.StripeError) -> ProviderUnavailable:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    seconds = str(headers.get("retry-after", "0"))
    after = timedelta(seconds=int(seconds) if seconds.isdigit() else 0)
    return ProviderUnavailable(f"stripe: {type(error).__name__} {error.code or ''}".strip(), after)
