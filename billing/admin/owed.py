"""Mark as paid: when, and under which reference, as somebody reads it on a bank statement."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import Refund
from billing.refunds.owed import mark_paid
from common.errors import ExpectedError
from common.messages import error_message
from tenants.callers import Caller


class PaidForm(forms.Form):
    """A day and a reference. What the service refuses is said beside its field, and what was typed stays."""

    FIELDS: ClassVar = {"paidAt": "paid_on", "reference": "reference"}

    paid_on = forms.DateField(label=_("Paid on"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    reference = forms.CharField(
        label=_("Reference"),
        max_length=100,
        help_text=_("What it is found by where it was paid: the transfer's number."),
    )

    def __init__(self, data: Any, *, refund: Refund, now: datetime) -> None:
        self.refund, self.now = refund, now
        self.zone = refund.agreement.account.tenant.zone
        super().__init__(data, initial={"paid_on": now.astimezone(self.zone).date()})

    def save(self, caller: Caller) -> bool | None:
        """Mark it; False where it was marked before, None where it is refused: the form says why then."""
        reference, paid_at = self.cleaned_data["reference"], self._instant(self.cleaned_data["paid_on"])
        try:
            return mark_paid(refund=self.refund, paid_at=paid_at, reference=reference, caller=caller, now=self.now)
        except ExpectedError as error:
            self.add_error(self.FIELDS.get(error.path[0]), error_message(error))
            return None

    def _instant(self, day: date) -> datetime:
        """Noon of that day where the customer is, or as near to it as it can have been."""
        noon = datetime.combine(day, time(12), self.zone)
        if day == self.now.astimezone(self.zone).date():
            noon = min(noon, self.now)
        if day == self.refund.requested_at.astimezone(self.zone).date():
            noon = max(noon, self.refund.requested_at)
        return noon
