"""What a provider and staff go on saying after cancellations: ``python -m tests.kills.teller``, on DATABASE_URL.

Of each subscription, again and again until it is all there: a charge for time after its end, a dispute of the one
before, its refund bouncing once after it succeeded, and staff who send that again. Killed anywhere, it says it all anew.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import django


def say_all() -> None:
    from subscriptions.models import Subscription

    while True:
        for subscription in Subscription.objects.select_related("agreement__account").order_by("pk"):
            say_it(subscription)
        time.sleep(0.05)


def say_it(subscription: Any) -> None:
    from django.db import transaction
    from django.utils import timezone

    from billing.charges import ChargeInput, record_charge
    from billing.models import Agreement, Charge
    from billing.periods import Period
    from billing.providers.base import ReturnUpdate
    from billing.return_kinds import ReturnKind, ReturnStatus
    from billing.updates import record_update
    from billing.writing import audit_charges

    now = timezone.now()
    end = subscription.period_end
    late = ChargeInput(
        f"late-{subscription.pk}", "E3", 1, Period(end, end + timedelta(days=30)), now, "EUR", 3000, 0, 3000
    )
    if not Charge.objects.filter(external_id=late.external_id).exists():
        with transaction.atomic():
            rows = Agreement.objects.select_related("account").select_for_update(of=("self",), no_key=True)
            recorded = record_charge(agreement=rows.get(pk=subscription.agreement_id), charge=late, now=now)
            audit_charges(recorded.changes, now)
    disputed = ReturnUpdate(
        frozenset({f"first-{subscription.pk}"}), ReturnKind.DISPUTE, f"dp_{subscription.pk}", 500, "EUR",
        ReturnStatus.GONE, subscription.period_start,
    )  # fmt: skip
    record_update(provider="paper", update=disputed, now=now)
    bounce_once(subscription, now)


def bounce_once(subscription: Any, now: datetime) -> None:
    """A refund that succeeded bounces once. That it does is noted before it is said, and said until it was heard."""
    from billing.models import Refund
    from billing.providers.base import RefundOutcome, RefundResult, RefundUpdate
    from billing.refunds.repricing import retry_refund
    from billing.updates import record_update
    from tenants.people import SYSTEM
    from tests.kills.paper import FOLDER, write

    folder = Path(os.environ[FOLDER])
    for refund in Refund.objects.filter(agreement=subscription.agreement_id).select_related("agreement__account"):
        for part in refund.parts.all():
            noted = folder / f"{part.pk}.bounced"
            if refund.status == "SUCCEEDED" and not part.retries and not noted.exists():
                write(str(part.pk), part.amount, RefundOutcome.FAILED)
                noted.touch()
            if noted.exists() and not part.retries:
                result = RefundResult(RefundOutcome.FAILED, part.key, "bounced")
                record_update(provider="paper", update=RefundUpdate(part.key, result), now=now)
        refund.refresh_from_db()
        if refund.status in ("FAILED", "PARTIALLY_SUCCEEDED"):
            retry_refund(refund=refund, caller=SYSTEM, now=now)


if __name__ == "__main__":
    django.setup()
    say_all()
