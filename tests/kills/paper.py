"""A provider on paper: one file for each refund, in a folder. Whole or not at all, however whoever writes it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

from billing.providers.base import CreditForm, Declaration, Provider, RefundOutcome, RefundRequest, RefundResult

FOLDER = "WAYOUT_TEST_PAPER"


def write(key: str, amount: int, outcome: RefundOutcome) -> None:
    folder = Path(os.environ[FOLDER])
    draft = folder / f"{key}.{os.getpid()}.draft"
    draft.write_text(json.dumps({"key": key, "amount": amount, "outcome": outcome.value}))
    draft.replace(folder / f"{key}.json")


class Paper(Provider):
    """Pays at once. Whoever tells of it in a test may take that back."""

    declares = Declaration(name="paper", credit=CreditForm.PAID_BACK)

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        known = self.find(refund_request)
        if known is None:
            write(refund_request.key, refund_request.amount.minor_units, RefundOutcome.SUCCEEDED)
        return known or RefundResult(RefundOutcome.SUCCEEDED, refund_request.key)

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        try:
            said = json.loads((Path(os.environ[FOLDER]) / f"{refund_request.key}.json").read_text())
        except FileNotFoundError:
            return None
        outcome = RefundOutcome(said["outcome"])
        return RefundResult(outcome, refund_request.key, "" if outcome is RefundOutcome.SUCCEEDED else "bounced")
