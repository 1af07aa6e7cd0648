"""A small provider, whole: a refund is a file in a folder, and accounting makes the transfer. See docs/providers.md."""

from __future__ import annotations

import json
import os
from pathlib import Path

from billing.providers.base import (
    CreditForm,
    Declaration,
    Provider,
    ProviderUnavailable,
    RefundOutcome,
    RefundRequest,
    RefundResult,
)

# Accounting makes the transfer that a file here asks for, and then puts an empty <key>.paid beside <key>.json.
FOLDER = Path("/var/lib/transfers")


class Transfers(Provider):
    """Asks nobody who could be down but the disk. Bills nothing, and says nothing by itself."""

    declares = Declaration(name="transfers", credit=CreditForm.PAID_BACK)

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Write the file; written again it says the same."""
        amount = {"minor_units": refund_request.amount.minor_units, "currency": refund_request.amount.currency}
        file = FOLDER / f"{refund_request.key}.json"
        draft = FOLDER / f"{refund_request.key}.draft"
        try:
            draft.write_text(json.dumps({"charge": refund_request.charge_id, "text": refund_request.text, **amount}))
            draft.replace(file)
        except OSError as error:
            raise ProviderUnavailable(f"transfers: {type(error).__name__}") from error
        return self.find(refund_request) or RefundResult(RefundOutcome.PENDING, refund_request.key)

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """By the names in the folder. One that cannot be listed tells nothing: it may only not be mounted."""
        try:
            names = os.listdir(FOLDER)
        except OSError as error:
            raise ProviderUnavailable(f"transfers: {type(error).__name__}") from error
        if f"{refund_request.key}.paid" in names:
            return RefundResult(RefundOutcome.SUCCEEDED, refund_request.key)
        return (
            RefundResult(RefundOutcome.PENDING, refund_request.key) if f"{refund_request.key}.json" in names else None
        )
