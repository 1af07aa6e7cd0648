"""What files say of a charge that is on record: paid later, failed, or gone again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from billing.models import Charge, Refund
from subscriptions.models import Subscription
from tenants.callers import Role
from tenants.models import AuditEvent
from tests.builders import PERIOD
from tests.providers import pay
from tests.subscriptions.test_lifecycle import cancel, told, work
from tests.subscriptions.test_money_after import amounts, imported
from tests.world import World

__all__ = ["imported", "told"]

pytestmark = pytest.mark.django_db
START = PERIOD.start


def row(settled: str, in_flight: str = "0") -> str:
    return f"c1,E3,s1,5,100.00,{settled},EUR,2026-11-01,2026-12-01,,{in_flight}"


@pytest.fixture
def files(imported: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports the one charge, as it was exported at an instant."""
    monkeypatch.setattr(
        "tests.subscriptions.test_money_after.HEADER",
        "charge_id,product,subscription_id,seats,charged,settled,currency,period_start,period_end,corrects,in_flight\n",
    )

    def run(settled: str, in_flight: str = "0", *, at: datetime = START, exported_at: datetime | None = None) -> str:
        said: str = imported(row(settled, in_flight), at=at, exported_at=(exported_at or at).isoformat())
        return said

    return run


def world() -> tuple[World, Subscription]:
    subscription = Subscription.objects.select_related("tenant").get()
    found = World(subscription.tenant, None)  # type: ignore[arg-type]
    found.admin = found.person(Role.GLOBAL_ADMIN)
    return found, subscription


def facts() -> tuple[int, int, int]:
    return Charge.objects.values_list("paid", "in_flight", "returned_elsewhere").get()


def hours(count: int) -> datetime:
    return START + timedelta(hours=count)


def test_less_settled_than_before_went_back_elsewhere(files: Any) -> None:
    files("100.00")
    cancel(*world(), at=START)
    text = files("60.00", at=hours(1))
    assert "c1: 40.00 EUR less is settled than before; it is taken as returned elsewhere" in text
    assert facts() == (10000, 0, 4000)
    assert amounts() == [(6000, "HELD")]
    assert AuditEvent.objects.get(action="charge.returned_elsewhere").data["source"] == "import"
    # The same again is no news; all of it settled after all is.
    assert "taken as returned" not in files("60.00", at=hours(2))
    files("100.00", at=hours(3))
    work(hours(3))
    assert facts() == (10000, 0, 0)
    assert amounts() == [(10000, "HELD")]


def test_an_older_file_takes_nothing_back(files: Any) -> None:
    files("100.00", at=hours(5))
    files("0", in_flight="100.00", at=hours(6), exported_at=hours(1))
    files("20.00", at=hours(6), exported_at=hours(1))
    assert facts() == (10000, 0, 0)


def test_a_payment_that_failed_is_no_longer_on_its_way(files: Any) -> None:
    files("0", in_flight="100.00")
    assert facts() == (0, 10000, 0)
    files("0", at=hours(1))
    assert facts() == (0, 0, 0)
    files("30.00", in_flight="70.00", at=hours(2))
    files("30.00", in_flight="70.00", at=hours(3))
    assert facts() == (3000, 7000, 0)
    # What was taken back is not there, and is on its way anew until it arrives.
    files("0", in_flight="100.00", at=hours(4))
    assert facts() == (3000, 10000, 3000)
    files("100.00", at=hours(5))
    assert facts() == (10000, 0, 0)


def test_what_we_returned_is_none_of_others(files: Any) -> None:
    files("100.00")
    cancel(*world(), at=START)
    work(hours(80))
    assert amounts() == [(10000, "SUCCEEDED")]
    assert "taken as returned" not in files("0", at=hours(90))
    assert facts() == (10000, 0, 0)


def test_the_word_of_a_provider_stands_against_a_file(files: Any) -> None:
    files("0", in_flight="100.00")
    pay(Charge.objects.get(), 10000, hours(1))
    text = files("40.00", at=hours(2))
    assert "40.00 EUR is settled by the file, ledger said more; its word is kept" in text
    assert facts() == (10000, 0, 0)


def test_a_refund_is_due_as_before(files: Any) -> None:
    """What is noted of a charge changes nothing of when the rest is due."""
    files("100.00")
    cancel(*world(), at=START)
    due = Refund.objects.get().due_by
    files("60.00", at=hours(1))
    assert Refund.objects.get().due_by == due == date(2026, 12, 31)
