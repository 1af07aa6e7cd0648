"""What was used and what comes back, to the cent: figures of other billing systems, and properties."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.periods import Period
from billing.proration import (
    ChargeFacts,
    Convention,
    LineReason,
    NoRefundReason,
    RefundTerms,
    after_end,
    overall_reason,
    prorate,
    unbegun,
)
from tests.builders import PERIOD, SOFIA, at, charge

VECTORS = list(csv.DictReader((Path(__file__).parents[1] / "data" / "proration.csv").read_text().splitlines()))
DAYS = RefundTerms(Convention.CALENDAR_DAY, ZoneInfo("UTC"))
SHORT = {"prorated_hours": 24}
HALF = at("2026-11-15T22:00Z")  # 15 of the 30 days of November in Sofia


def terms(convention: Convention = Convention.ELAPSED_24H, **windows: int) -> RefundTerms:
    return RefundTerms(convention, SOFIA, **windows)


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['convention']}-{row['paid']}-{row['cancel_at'][:10]}")
def test_vectors(row: dict[str, str]) -> None:
    paid = Money.parse(row["paid"], row["currency"])
    facts = charge(
        period=Period(at(row["period_start"]), at(row["period_end"])),
        currency=row["currency"],
        charged=paid.minor_units,
    )
    line = prorate(facts, at(row["cancel_at"]), RefundTerms(Convention(row["convention"]), ZoneInfo(row["time_zone"])))
    assert line.used == Money.parse(row["used"], row["currency"])
    assert line.refund == Money.parse(row["refund"], row["currency"])


def test_all_vectors_were_read() -> None:
    assert len(VECTORS) == 60


@pytest.mark.parametrize(
    ("given", "refund"),
    [
        ({"charged": 10000, "paid": 5000}, 0),  # case 46
        ({"charged": 10000, "paid": 8000}, 3000),
        ({"charged": 10000, "paid": 0}, 0),
        ({"charged": 10000, "refunded": 10000}, 0),  # case 29
        ({"charged": 10000, "refunded": 2000}, 5000),
        ({"charged": 10000, "refunded": 7000}, 3000),
        ({"charged": 7000}, 3500),  # case 32: 100 with a correction of -30
        ({"charged": 3100}, 1550),  # case 28: what was charged, whatever the list says now
    ],
)
def test_half_of_a_period_left(given: dict[str, int], refund: int) -> None:
    assert prorate(charge(**given), HALF, terms()).refund.minor_units == refund


def test_partial_manual_refunds_count() -> None:
    # Case 27: 239.90 for a year, canceled after 30 days; with 100.00 given back by hand before.
    year = Period(at("2013-08-18T00:00Z"), at("2014-08-18T00:00Z"))
    cancel_at = at("2013-09-17T00:00Z")
    assert prorate(charge(period=year, charged=23990), cancel_at, DAYS).used.minor_units == 1972
    assert prorate(charge(period=year, charged=23990), cancel_at, DAYS).refund.minor_units == 22018
    assert prorate(charge(period=year, charged=23990, refunded=10000), cancel_at, DAYS).refund.minor_units == 13990
    after = prorate(charge(period=year, charged=23990, refunded=23990), cancel_at, DAYS)
    assert (after.refund.minor_units, after.reason) == (0, NoRefundReason.ALREADY_REFUNDED)


def test_tax_comes_back_in_the_proportion_of_the_net() -> None:
    # Case 30: 31.00 with a 10.00 coupon and 20 % tax; 16 of 31 days unused: 10.84 + 2.17.
    october = Period(at("2022-10-01T00:00Z"), at("2022-11-01T00:00Z"))
    line = prorate(charge(period=october, charged=2520, tax=420), at("2022-10-16T00:00Z"), DAYS)
    assert line.refund == Money(1301, "EUR")
    assert line.refund_tax == Money(217, "EUR")


@pytest.mark.parametrize(
    ("given", "windows", "refund", "reason", "line_reason"),
    [
        ({}, {}, 1000, None, None),
        ({}, {"full_hours": 1000}, 2000, None, None),
        ({"paid": 0}, {}, 0, NoRefundReason.NOTHING_SETTLED, None),
        ({"paid": 0}, SHORT, 0, NoRefundReason.NOTHING_SETTLED, None),
        ({"charged": 0, "paid": 0, "tax": 0}, {}, 0, NoRefundReason.NOTHING_CHARGED, None),
        ({"charged": 0, "paid": 0, "tax": 0, "refunded": 5}, SHORT, 0, NoRefundReason.NOTHING_CHARGED, None),
        ({"paid": 500}, {}, 0, NoRefundReason.FULLY_USED, None),
        ({}, SHORT, 0, NoRefundReason.WINDOW_CLOSED, LineReason.WINDOW_CLOSED),
        # Taken before: all of it, more than is used, less than is used.
        ({"refunded": 2000}, {}, 0, NoRefundReason.ALREADY_REFUNDED, LineReason.ALREADY_REFUNDED),
        ({"refunded": 2000}, SHORT, 0, NoRefundReason.ALREADY_REFUNDED, LineReason.ALREADY_REFUNDED),
        ({"refunded": 1500}, {}, 500, None, LineReason.ALREADY_REFUNDED),
        ({"refunded": 1000}, {}, 1000, None, None),
        ({"disputed": 2000}, {}, 0, NoRefundReason.DISPUTED, LineReason.DISPUTED),
        ({"disputed": 1500}, {}, 500, None, LineReason.DISPUTED),
        ({"disputed": 1000}, {}, 1000, None, None),
        ({"disputed": 2000}, SHORT, 0, NoRefundReason.DISPUTED, LineReason.DISPUTED),
        ({"paid": 500, "disputed": 100}, {}, 0, NoRefundReason.FULLY_USED, None),
        # Both: the one that is still open, while it holds anything.
        ({"refunded": 500, "disputed": 1500}, {}, 0, NoRefundReason.DISPUTED, LineReason.DISPUTED),
        ({"refunded": 500, "disputed": 1000}, {}, 500, None, LineReason.DISPUTED),
        ({"refunded": 2000, "disputed": 2000}, {}, 0, NoRefundReason.ALREADY_REFUNDED, LineReason.ALREADY_REFUNDED),
        # Lost to a dispute after it went back: more than was paid is gone, and nothing is made of it.
        ({"refunded": 1500, "disputed": 2000}, {}, 0, NoRefundReason.DISPUTED, LineReason.DISPUTED),
    ],
)
def test_reason_of_a_line(
    given: dict[str, int],
    windows: dict[str, int],
    refund: int,
    reason: NoRefundReason | None,
    line_reason: LineReason | None,
) -> None:
    line = prorate(charge(**given), HALF, terms(**windows))
    assert (line.refund.minor_units, line.reason, line.line_reason) == (refund, reason, line_reason)


@pytest.mark.parametrize(
    ("given", "refund", "reason", "line_reason"),
    [
        ({}, 2000, None, LineReason.NOT_BEGUN),
        ({"paid": 500}, 500, None, LineReason.NOT_BEGUN),
        ({"paid": 0}, 0, NoRefundReason.NOTHING_SETTLED, LineReason.NOT_BEGUN),
        ({"refunded": 1}, 1999, None, LineReason.ALREADY_REFUNDED),
        ({"disputed": 1}, 1999, None, LineReason.DISPUTED),
        ({"disputed": 2000}, 0, NoRefundReason.DISPUTED, LineReason.DISPUTED),
    ],
)
def test_reason_of_a_line_that_has_not_begun(
    given: dict[str, int], refund: int, reason: NoRefundReason | None, line_reason: LineReason
) -> None:
    line = prorate(charge(**given), PERIOD.start - timedelta(seconds=1), terms(**SHORT))
    assert (line.refund.minor_units, line.reason, line.line_reason) == (refund, reason, line_reason)


@pytest.mark.parametrize(
    ("hours", "refund"),
    [(71, 2000), (72, 1800), (143, 1667), (144, 0)],
)
def test_windows_count_from_the_start_of_the_charge(hours: int, refund: int) -> None:
    canceled = PERIOD.start + timedelta(hours=hours)
    assert prorate(charge(), canceled, terms(full_hours=72, prorated_hours=144)).refund.minor_units == refund


@pytest.mark.parametrize(
    ("convention", "windows", "hours", "refund"),
    [
        (Convention.ELAPSED_24H, {"prorated_hours": 12}, 12, 0),
        (Convention.ELAPSED_24H, {"prorated_hours": 12}, 13, 0),
        (Convention.ELAPSED_24H, {"prorated_hours": 12}, 11.99, 2000),
        (Convention.ELAPSED_24H, {"full_hours": 12, "prorated_hours": 12}, 11.99, 2000),
        (Convention.ELAPSED_24H, {"full_hours": 12, "prorated_hours": 12}, 13, 0),
        (Convention.CALENDAR_DAY, {"prorated_hours": 5}, 6, 0),
        (Convention.CALENDAR_DAY_INCLUSIVE, {"prorated_hours": 5}, 6, 0),
        *((convention, {"prorated_hours": 0}, 0, 0) for convention in Convention),
    ],
)
def test_a_window_closes_by_the_clock_not_by_units_used(
    convention: Convention, windows: dict[str, int], hours: float, refund: int
) -> None:
    line = prorate(charge(), PERIOD.start + timedelta(hours=hours), terms(convention, **windows))
    assert line.refund.minor_units == refund
    assert line.reason is (None if refund else NoRefundReason.WINDOW_CLOSED)


@pytest.mark.parametrize("convention", Convention)
@pytest.mark.parametrize("windows", [{}, {"prorated_hours": 0}, {"full_hours": 0, "prorated_hours": 24}])
def test_a_charge_that_has_not_begun_comes_back_whole(convention: Convention, windows: dict[str, int]) -> None:
    line = prorate(charge(), PERIOD.start - timedelta(days=3), terms(convention, **windows))
    assert (line.used_units, line.refund.minor_units, line.reason) == (0, 2000, None)
    # At the end of the period before, what begins there has not begun.
    assert unbegun(charge(), terms(convention, **windows)) == line


def test_a_charge_that_has_not_begun_says_why_nothing_of_it_comes_back() -> None:
    closed = terms(prorated_hours=0)
    assert unbegun(charge(paid=0), closed).reason is NoRefundReason.NOTHING_SETTLED
    assert unbegun(charge(refunded=2000), closed).reason is NoRefundReason.ALREADY_REFUNDED


def test_where_charges_disagree_the_reason_that_a_person_can_do_most_with_is_said() -> None:
    lines = [
        prorate(charge(paid=0), HALF, terms()),
        prorate(charge(paid=500), HALF, terms()),
        prorate(charge(), HALF, terms(**SHORT)),
        prorate(charge(refunded=2000), HALF, terms()),
        prorate(charge(disputed=2000), HALF, terms()),
    ]
    said = [
        NoRefundReason.NOTHING_SETTLED,
        NoRefundReason.FULLY_USED,
        NoRefundReason.WINDOW_CLOSED,
        NoRefundReason.ALREADY_REFUNDED,
        NoRefundReason.DISPUTED,
    ]
    for most in range(1, 6):
        assert overall_reason(lines[:most]) is said[most - 1]
        assert overall_reason(reversed(lines[:most])) is said[most - 1]
    assert overall_reason([]) is NoRefundReason.NO_CHARGE_ON_RECORD


def test_days_are_those_of_the_zone() -> None:
    # From half past midnight on 1 November in Sofia, where it is still October in UTC, to the evening of 1 December.
    long = Period(at("2026-10-31T22:30Z"), at("2026-12-01T21:30Z"))
    for zone, days in ((SOFIA, 30), (ZoneInfo("UTC"), 31)):
        line = prorate(charge(period=long), long.end, RefundTerms(Convention.CALENDAR_DAY, zone))
        assert (line.used_units, line.period_units) == (days, days)


def test_a_line_names_its_charge() -> None:
    line = prorate(charge(id=7, description="Project Plan 3", charged=3000, paid=2000), HALF, terms())
    assert (line.charge_id, line.description, line.period) == (7, "Project Plan 3", PERIOD)
    assert (line.charged, line.used) == (Money(3000, "EUR"), Money(1500, "EUR"))


START = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(["Europe/Sofia", "America/New_York", "Asia/Kuwait", "UTC"]).map(ZoneInfo)


@st.composite
def paid_charges(draw: st.DrawFn) -> ChargeFacts:
    start = draw(START)
    length = timedelta(seconds=draw(st.integers(1, 400 * 86400)))
    charged = draw(st.integers(0, 10**9))
    paid = draw(st.integers(0, charged))
    return charge(
        period=Period(start, start + length),
        charged=charged,
        tax=draw(st.integers(0, charged)),
        paid=paid,
        refunded=draw(st.integers(0, paid)),
        disputed=draw(st.integers(0, paid)),
    )


ANY_TERMS = st.builds(
    RefundTerms,
    st.sampled_from(Convention),
    ZONES,
    st.none() | st.integers(0, 2000),
    st.none() | st.integers(0, 2000),
)


@given(paid_charges(), st.floats(-0.5, 1.5), ANY_TERMS)
def test_a_refund_is_between_nothing_and_what_was_paid(facts: ChargeFacts, when: float, any_terms: RefundTerms) -> None:
    line = prorate(facts, facts.period.start + (facts.period.end - facts.period.start) * when, any_terms)
    assert 0 <= line.refund.minor_units <= max(0, facts.paid - facts.refunded - facts.disputed)
    assert 0 <= line.refund_tax.minor_units <= line.refund.minor_units
    assert 0 <= line.used_units <= line.period_units
    assert (line.reason is None) == (line.refund.minor_units > 0)


@given(paid_charges(), st.floats(0, 1), st.sampled_from(Convention), ZONES)
def test_refund_and_used_are_what_was_paid(
    facts: ChargeFacts, when: float, convention: Convention, zone: ZoneInfo
) -> None:
    paid = charge(period=facts.period, charged=facts.charged, tax=facts.tax)
    line = prorate(
        paid, facts.period.start + (facts.period.end - facts.period.start) * when, RefundTerms(convention, zone)
    )
    assert line.refund + line.used == line.charged


@given(paid_charges(), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2), ANY_TERMS)
def test_a_later_cancel_never_refunds_more(
    facts: ChargeFacts, one: float, other: float, any_terms: RefundTerms
) -> None:
    length = facts.period.end - facts.period.start
    sooner, later = sorted((one, other))
    first = prorate(facts, facts.period.start + length * sooner, any_terms).refund.minor_units
    assert prorate(facts, facts.period.start + length * later, any_terms).refund.minor_units <= first


@pytest.mark.parametrize("convention", Convention)
@pytest.mark.parametrize("windows", [{}, SHORT, {"full_hours": 1000}])
def test_what_is_for_time_after_the_end_knows_no_window(convention: Convention, windows: dict[str, int]) -> None:
    """Thirty days from 15 November, of which the second half is after the end."""
    period = Period(at("2026-11-14T22:00Z"), at("2026-12-14T22:00Z"))
    line = after_end(charge(period=period, charged=3000), at("2026-11-29T22:00Z"), terms(convention, **windows))
    assert (line.used, line.refund) == (Money(1500, "EUR"), Money(1500, "EUR"))


def test_a_day_begun_before_the_end_is_used_where_the_day_of_canceling_is() -> None:
    period = Period(at("2026-11-14T22:00Z"), at("2026-12-14T22:00Z"))
    noon = at("2026-11-30T10:00Z")
    for convention, used in ((Convention.CALENDAR_DAY, 15), (Convention.CALENDAR_DAY_INCLUSIVE, 16)):
        assert after_end(charge(period=period), noon, terms(convention)).used_units == used
