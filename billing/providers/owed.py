"""No provider at all: whoever runs this pays by other means, and marks it as paid (billing/refunds/owed.py)."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db.models import QuerySet

from billing.models import PartStatus, RefundPart
from billing.providers.base import CreditForm, Declaration, Provider, RefundOutcome, RefundRequest, RefundResult

_OUTCOMES = {PartStatus.SUCCEEDED: RefundOutcome.SUCCEEDED, PartStatus.FAILED: RefundOutcome.FAILED}


class Owed(Provider):
    """What is owed stands in the refunds themselves, so taking one is all there is to do. Bills nothing."""

    # Nothing changes by itself: that it is looked at once a day is for what was restored from a backup.
    declares = Declaration(name="owed", credit=CreditForm.OWED, ask_again=timedelta(days=1))

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Take it as owed; nobody is asked."""
        _parts(refund_request).filter(status=PartStatus.WAITING).update(status=PartStatus.SENT)
        return self.find(refund_request) or RefundResult(RefundOutcome.PENDING, refund_request.key)

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """What is on record of the part: owed, or paid under the reference that it was marked with."""
        part = _parts(refund_request).exclude(status=PartStatus.WAITING).first()
        if part is None:
            return None
        outcome = _OUTCOMES.get(PartStatus(part.status), RefundOutcome.PENDING)
        return RefundResult(outcome, part.reference or refund_request.key, part.failure)


def _parts(refund_request: RefundRequest) -> QuerySet[RefundPart]:
    """The one whose id the key begins with, however often it was tried; none for what is no key of ours."""
    try:
        return RefundPart.objects.filter(pk=uuid.UUID(refund_request.key.partition(".")[0]))
    except ValueError:
        return RefundPart.objects.none()
