"""Write facts of a charge: the one place that does, so that each of them has the same consequences.

Whatever changed: what its agreement's ending gives back is priced again (which makes the second refund where one is due,
and issues receipt and mail anew, and tells staff where more is gone than may be), and it is on the tenant's trail.
Source: docs/rules.md, "When facts arrive after the decision".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.models import Agreement, Charge, RenewalStopTerms
from billing.refunds.repricing import reprice_soon
from billing.renewal import confirm_stop_again
from billing.renewal_stop import RenewalStop
from billing.selectors import late_charges
from common.languages import DEFAULT_LANGUAGE
from tenants.actions import Action
from tenants.audit import record
from tenants.people import SYSTEM


@dataclass(frozen=True, slots=True)
class ChargeChange:
    """What was written of a charge, who said it, and the columns as they were before and are now."""

    charge: Charge
    action: Action
    source: str
    before: Mapping[str, int]
    after: Mapping[str, int]


def add_charge(agreement: Agreement, *, source: str, now: datetime, **values: Any) -> ChargeChange:
    """Write a new charge, within a transaction that has locked its agreement.

    One for time after the agreement's end has whoever bills told once more to stop.
    """
    terms = RenewalStopTerms.objects.filter(agreement=agreement).first()
    # Under the lock of an agreement that ends: after its decision, whenever this began.
    recorded_at = max(now, terms.decided_at + timedelta(microseconds=1)) if terms else now
    charge = Charge.objects.create(agreement=agreement, recorded_at=recorded_at, **values)
    _follow(agreement, charge, now)
    if agreement.renewal_stop != RenewalStop.NONE and late_charges().filter(pk=charge.pk).exists():
        confirm_stop_again(agreement=agreement, now=now)
    return ChargeChange(charge, Action.CHARGE_RECORDED, source, {}, {"charged": charge.charged, "paid": charge.paid})


def change_charge(
    agreement: Agreement, charge: Charge, action: Action, *, source: str, now: datetime, **values: int
) -> ChargeChange | None:
    """Write new amounts of a charge that was read under its agreement's lock; None where nothing is new."""
    before = {name: getattr(charge, name) for name, value in values.items() if getattr(charge, name) != value}
    if not before:
        return None
    after = {name: values[name] for name in before}
    for name, value in after.items():
        setattr(charge, name, value)
    charge.save(update_fields=list(after))
    _follow(agreement, charge, now)
    return ChargeChange(charge, action, source, before, after)


def audit_charges(changes: Iterable[ChargeChange], now: datetime) -> None:
    """Write changes on the trail: last in a transaction, as everybody locks money before the trail's head.

    A charge that came in as expected is in the report of its import; one for what ends is written by itself.
    """
    for change in changes:
        agreement = change.charge.agreement
        if change.action is Action.CHARGE_RECORDED and agreement.renewal_stop == RenewalStop.NONE:
            continue
        record(
            tenant_id=agreement.account.tenant_id,
            at=now,
            action=change.action,
            subject=f"Charge:{change.charge.pk}",
            caller=SYSTEM,
            language=DEFAULT_LANGUAGE,
            data={
                "charge": change.charge.external_id,
                "currency": change.charge.currency,
                "source": change.source,
                "before": dict(change.before),
                "after": dict(change.after),
            },
        )


def _follow(agreement: Agreement, charge: Charge, now: datetime) -> None:
    """Consequences. Without an ending, and with nothing given back, there are none."""
    if agreement.renewal_stop != RenewalStop.NONE or charge.gone:
        reprice_soon(agreement, now)
