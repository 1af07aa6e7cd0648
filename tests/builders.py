"""Small worlds to test in: a snapshot for the pure rules, rows for the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.credit_form import CreditForm
from billing.money import Money
from billing.periods import Period
from billing.proration import ChargeFacts
from subscriptions.policy.facts import Channel, InForce, Mode, PolicyTerms, QuoteFacts, Snapshot, Status

SOFIA = ZoneInfo("Europe/Sofia")
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
PERIOD = Period(datetime(2026, 10, 31, 22, tzinfo=UTC), datetime(2026, 11, 30, 22, tzinfo=UTC))


def at(text: str) -> datetime:
    """An aware instant from ISO 8601."""
    return datetime.fromisoformat(text)


def charge(**given: Any) -> ChargeFacts:
    """20.00 EUR, paid, for November in Sofia."""
    values: dict[str, Any] = {
        "id": 1,
        "description": "Business Standard",
        "period": PERIOD,
        "currency": "EUR",
        "charged": 2000,
        "tax": 0,
        "paid": 2000,
    }
    values.update(given)
    if "charged" in given and "paid" not in given:
        values["paid"] = given["charged"]
    return ChargeFacts(**values)


def snapshot(**given: Any) -> Snapshot:
    """An active, renewing monthly subscription with 10 of 20 licenses assigned and November paid."""
    values: dict[str, Any] = {
        "base_status": Status.ACTIVE,
        "is_trial": False,
        "channel": Channel.DIRECT,
        "partner_name": "",
        "renews": True,
        "has_payment_method": True,
        "period": PERIOD,
        "anchored_at": None,
        "term_months": 1,
        "unit_price": Money(200, "EUR"),
        "zone": SOFIA,
        "purchased": 20,
        "assigned": 10,
        "removable": 10,
        "by_group": 0,
        "pending": 0,
        "group_names": (),
        "shares_licenses": False,
        "cancellation": None,
        "policy": PolicyTerms("Default", 1),
    }
    for_quotes = QuoteFacts(
        given.pop("charges", (charge(),)),
        given.pop("still_covered", 0),
        given.pop("credit_form", CreditForm.PAID_BACK),
        given.pop("charged_before", False),
    )
    values.update(given)
    if "assigned" in given and "removable" not in given:
        values["removable"] = given["assigned"]
    return Snapshot(for_quotes=for_quotes, **values)


def in_force(mode: Mode, effective_at: datetime, undo_until: datetime | None = None) -> InForce:
    """A cancellation in force, with the dates the rules give it."""
    undo = undo_until or effective_at + (timedelta(hours=72) if mode is Mode.IMMEDIATE else timedelta(0))
    return InForce(mode, effective_at, undo)
