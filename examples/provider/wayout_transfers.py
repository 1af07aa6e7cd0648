"""A small provider, whole: a refund is a file in a folder, and accounting makes the transfer. See docs/providers.md."""

from __future__ import annotations

import json
import os
from pathlib import Path

from billing.providers.base import CreditForm, Declaration, Order, Provider, ProviderUnavailable, RefundOutcome, Result

# Accounting makes the transfer that a file here asks for, and then puts an empty <key>.paid beside <key>.json.
FOLDER = Path("/var/lib/transfers")


class Transfers(Provider):
    """Asks nobody who could be down but the disk. Bills nothing, and says nothing by itself."""

    declares = Declaration(name="transfers", credit=CreditForm.PAID_OUT)

    def refund(self, order: Order) -> Result:
        """Write the file; written again it says the same."""
        amount = {"minor_units": order.amount.minor_units, "currency": order.amount.currency}
        file = FOLDER / f"{order.key}.json"
        draft = FOLDER / f"{order.key}.draft"
        try:
            draft.write_text(json.dumps({"charge": order.charge_id, "text": order.text, **amount}))
            draft.replace(file)
        except OSError as error:
            raise ProviderUnavailable(f"transfers: {type(error).__name__}") from error
        return self.find(order) or Result(RefundOutcome.PENDING, order.key)

    def find(self, order: Order) -> Result | None:
        """By the names in the folder. One that cannot be listed tells nothing: it may only not be mounted."""
        try:
            names = os.listdir(FOLDER)
        except OSError as error:
            raise ProviderUnavailable(f"transfers: {type(error).__name__}") from error
        if f"{order.key}.paid" in names:
            return Result(RefundOutcome.SUCCEEDED, order.key)
        return Result(RefundOutcome.PENDING, order.key) if f"{order.key}.json" in names else None
