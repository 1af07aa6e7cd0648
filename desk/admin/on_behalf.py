"""The form of one quote on the page on which staff cancel for a customer."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.errors import MoneyInvalid
from billing.formatting import format_money, read_money
from billing.money import Money
from subscriptions.cancellations.signing import quote_id
from subscriptions.messages.quotes import quote_in_words
from subscriptions.policy.quotes import Quote, refundable
from subscriptions.selectors.batches import SubscriptionBatch


class OnBehalfForm(forms.Form):
    """Why, and for supervisors another amount. Bound only when its own mode was posted."""

    reason = forms.CharField(label=_("Why"), max_length=500, help_text=_("Kept as evidence. No names or numbers."))
    amount = forms.CharField(label=_("Another amount"), max_length=20, required=False)

    def __init__(self, data: Any, *, quote: Quote, batch: SubscriptionBatch, may_override: bool) -> None:
        self.is_posted = data is not None and data.get("mode") == quote.mode.value
        super().__init__(data if self.is_posted else None, auto_id=f"id_{quote.mode.value.lower()}_%s")
        [row] = batch.rows
        snapshot = batch.snapshots[row.pk]
        self.mode = quote.mode.value
        self.quote_id = quote_id(quote, tenant_id=row.tenant_id, subscription_id=row.pk)
        self.key = f"staff-{uuid.uuid4().hex}"
        self.users = quote.affected_users
        self.messages = quote_in_words(quote, snapshot)
        self.limit = Money(
            refundable(quote, snapshot), quote.lines[0].refund.currency if quote.lines else row.agreement.currency
        )
        if may_override and self.limit.minor_units:
            self.fields["amount"].help_text = _("Instead of the credit above; at most %(most)s, all in all.") % {
                "most": format_money(self.limit)
            }
        else:
            del self.fields["amount"]

    def clean_amount(self) -> int | None:
        """The amount in minor units, or None where the quote stands."""
        typed = self.cleaned_data["amount"].strip()
        if not typed:
            return None
        try:
            amount = read_money(typed, self.limit.currency)
        except MoneyInvalid:
            amount = Money(-1, self.limit.currency)
        if not 0 <= amount.minor_units <= self.limit.minor_units:
            raise forms.ValidationError(
                _("An amount from 0 to %(most)s, for example 12.50."), params={"most": format_money(self.limit)}
            )
        return amount.minor_units
