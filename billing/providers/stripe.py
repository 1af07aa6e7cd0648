"""Stripe: refunds by charge, subscriptions told to stop. Retries are the outbox's, so the library makes none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import stripe
from django.conf import settings

from billing.providers.base import (
    Ending,
    KeyRefused,
    Order,
    Outcome,
    ProviderRefused,
    ProviderUnavailable,
    Result,
)
from common.outbound import retry_after, session

# Where we write our key, because Stripe forgets idempotency keys after a day.
KEY = "wayout_part"
_OUTCOMES = {"succeeded": Outcome.SUCCEEDED, "failed": Outcome.FAILED, "canceled": Outcome.FAILED}
_PAGE = 100
# Nothing is billed any more in these.
_STOPPED = ("canceled", "incomplete_expired")


class Stripe:
    """Over HTTP, with the secret key of WAYOUT_STRIPE_KEY."""

    def __init__(self) -> None:
        addresses: Any = {"api": settings.WAYOUT_STRIPE_URL} if settings.WAYOUT_STRIPE_URL else None
        # For the whole answer: its every step alone could take as long.
        http = stripe.RequestsClient(timeout=20, session=session())
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
            made = self._client.v1.refunds.create(params, {"idempotency_key": order.key})
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            return Result(Outcome.FAILED, "", str(error.code or error.user_message or "refused"))
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return _required(result_of(made.to_dict()))

    def find(self, order: Order) -> Result | None:
        """Look through the refunds of the charge for our key."""
        params: Any = {_paid_by(order): order.charge_id, "limit": _PAGE}
        try:
            for refund in self._client.v1.refunds.list(params).auto_paging_iter():
                if key_of(said := refund.to_dict()) == order.key:
                    return _required(result_of(said))
        except stripe.InvalidRequestError:
            return None
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        return None

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

    def ending(self, external_id: str) -> Ending:
        """Whether it was canceled, will be at the end of the period, or goes on."""
        try:
            subscription = self._client.v1.subscriptions.retrieve(external_id)
        except stripe.InvalidRequestError as error:
            raise _refused(error) from error
        except stripe.StripeError as error:
            raise _unavailable(error) from error
        if subscription.status in _STOPPED:
            return Ending.NOW
        return Ending.AT_PERIOD_END if subscription.cancel_at_period_end else Ending.NONE

    def _update(self, external_id: str, **params: Any) -> None:
        try:
            self._client.v1.subscriptions.update(external_id, params)  # type: ignore[arg-type]
        except stripe.InvalidRequestError as error:
            raise _refused(error) from error
        except stripe.StripeError as error:
            raise _unavailable(error) from error

    def _require_stopped(self, external_id: str) -> None:
        """A refusal to stop is fine where it has stopped already."""
        if self.ending(external_id) is not Ending.NOW:
            raise ProviderRefused(f"stripe: {external_id} does not stop")


def text_of(value: Any) -> str:
    """A text of an event or answer; empty for anything else, and for what no column holds."""
    return value if isinstance(value, str) and "\x00" not in value else ""


def result_of(refund: Mapping[str, Any]) -> Result | None:
    """What a refund of Stripe says. Everything that is not an end is pending; None for what is no refund."""
    number = text_of(refund.get("id"))
    if not number:
        return None
    outcome = _OUTCOMES.get(text_of(refund.get("status")), Outcome.PENDING)
    return Result(outcome, number, text_of(refund.get("failure_reason")) if outcome is Outcome.FAILED else "")


def key_of(refund: Mapping[str, Any]) -> str:
    """The key that we wrote on a refund; empty on one that is not ours."""
    metadata = refund.get("metadata")
    return text_of(metadata.get(KEY)) if isinstance(metadata, dict) else ""


def _required(result: Result | None) -> Result:
    if result is None:
        raise ProviderUnavailable("stripe: an answer that is no refund")
    return result


def _paid_by(order: Order) -> str:
    return "payment_intent" if order.charge_id.startswith("pi_") else "charge"


def _unavailable(error: stripe.StripeError) -> ProviderUnavailable:
    reason = f"stripe: {type(error).__name__} {error.code or ''}".strip()
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return KeyRefused(reason)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return ProviderUnavailable(reason, retry_after(str(headers.get("retry-after", ""))))


def _refused(error: stripe.StripeError) -> ProviderRefused:
    return ProviderRefused(f"stripe: {error.code or 'refused'}")
