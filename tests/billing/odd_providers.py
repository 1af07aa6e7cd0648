"""Providers as somebody may write them by mistake: each is at its dotted path here."""

from __future__ import annotations

from typing import Any

from billing.providers.base import CreditForm, Declaration, Provider, RefundRequest, RefundResult
from billing.renewal_stop import RenewalStop


class Whole(Provider):
    """Declares itself, and fails at everything else."""

    declares = Declaration(
        name="odd", credit=CreditForm.PAID_BACK, subscription_id="odd_.*", subscription_id_example="odd_1"
    )

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        raise ValueError("a secret key")

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        raise ValueError("a secret key")

    def renewal_stop(self, subscription_id: str) -> RenewalStop:
        raise ValueError("a secret key")

    def problems(self) -> Any:
        raise ValueError("a secret key")


class SaysNothing(Whole):
    declares = Declaration(name="silent", credit=CreditForm.PAID_BACK)

    def problems(self) -> Any:
        return None


class Undeclared(Provider):
    def refund(self, refund_request: RefundRequest) -> RefundResult:
        raise NotImplementedError

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        raise NotImplementedError


class DeclaredByText(Whole):
    declares = "odd"  # type: ignore[assignment]


class Nameless(Whole):
    declares = Declaration(name=None, credit=CreditForm.PAID_BACK)  # type: ignore[arg-type]


class BrokenPattern(Whole):
    declares = Declaration(name="pattern", credit=CreditForm.PAID_BACK, subscription_id="(((")


class Formless(Whole):
    """Still says what became of a refund as it did before."""

    declares = Declaration(name="formless", credit="PAID_OUT")  # type: ignore[arg-type]


class Half(Provider):
    declares = Declaration(name="half", credit=CreditForm.PAID_BACK)

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        raise NotImplementedError
