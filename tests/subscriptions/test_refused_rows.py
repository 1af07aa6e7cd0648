"""A row of a charges file that is refused is named, leaves nothing, and keeps no other out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import time_machine

from billing.models import Agreement, Charge, Correction
from subscriptions.models import Plan, Subscription
from tenants.callers import Role
from tenants.models import AuditEvent
from tests.builders import NOW, PERIOD
from tests.imports import LEFT_OUT, facts, import_files
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db

HEADER = (
    "charge_id,product,subscription_id,charged,settled,currency,charged_at,period_start,period_end,corrects,"
    "provider,provider_id"
)
# Line 2 of every file.
GOOD = "good,Good,s0,10.00,10.00,EUR,2026-11-01,2026-11-01,2026-12-01,,,"


def row(id: str, **given: str) -> str:
    cells = {
        "charge_id": id, "product": "E3", "subscription_id": "s1", "charged": "100.00", "settled": "100.00",
        "currency": "EUR", "charged_at": "2026-11-01", "period_start": "2026-11-01", "period_end": "2026-12-01",
        "corrects": "", "provider": "", "provider_id": "", **given,
    }  # fmt: skip
    assert ",".join(cells) == HEADER
    return ",".join(cells.values())


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """Imports ``GOOD`` and these rows; what was printed, and the exit code."""
    users, charges = tmp_path / "users.csv", tmp_path / "charges.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,Good\n")

    def run(*rows: str) -> tuple[str, int]:
        charges.write_text("\n".join([HEADER, GOOD, *rows, ""]))
        with time_machine.travel(NOW, tick=False):
            said, code = import_files(tenant="x.example", users=users, charges=charges)
        return " ".join(said.split()), code

    return run


def on_record() -> list[tuple[str, str, str, str]]:
    names = ("external_id", "agreement__subscription__external_id", "agreement__subscription__plan__name", "currency")
    rows = Charge.objects.exclude(external_id="good").order_by("external_id")
    return list(rows.values_list(*names))


def test_one_subscription_id_under_two_products(imported: Any) -> None:
    rows = [row("c1"), row("c2", product="E5"), row("c3", product="E7", subscription_id="s7")]
    text, code = imported(*rows)
    assert code == LEFT_OUT
    assert "charges, line 4: subscription s1 is one of E3" in text
    assert on_record() == [("c1", "s1", "E3", "EUR"), ("c3", "s7", "E7", "EUR")]
    assert not Plan.objects.filter(name="E5").exists()
    before = facts()
    assert "charges, line 3: " in imported(*rows[::-1])[0] or "charges, line 4: " in imported(*rows[::-1])[0]
    assert facts() == before


def test_a_product_that_was_renamed_since(imported: Any) -> None:
    imported(row("c1"))
    text, _ = imported(row("c2", product="E3 (new name)"), row("c3", product="E7", subscription_id="s7"))
    assert "charges, line 3: subscription s1 is one of E3" in text
    assert [id for id, *_ in on_record()] == ["c1", "c3"]
    # Once the plan has the new name, both names are its own.
    Plan.objects.filter(name="E3").update(name="E3 (new name)")
    assert imported(row("c1"), row("c2", product="E3 (new name)"))[1] == 0
    assert Subscription.objects.filter(external_id="s1").count() == 1


def test_an_id_of_another_product_is_not_given_to_one_without_charges(imported: Any, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    Plan.objects.create(part_number="E5", name="E5")
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,Good+E5\n")
    imported(row("c1"))
    text, _ = imported(row("c2", product="E5"))
    assert "subscription s1 is one of E3" in text
    assert Subscription.objects.get(plan__name="E5").external_id == ""


REFUSED = {
    "more paid than charged": row("x", settled="100.01"),
    "negative": row("x", charged="-5.00", settled="0"),
    "a currency that had ended": row("x", currency="BGN"),
    "corrects nothing on record": row("x", charged="-1.00", settled="", corrects="nope"),
    "corrects another subscription's": row("x", charged="-1.00", settled="", corrects="good"),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("provider", ["", "stripe"])
def test_what_is_refused_leaves_nothing(imported: Any, refused: str, provider: str) -> None:
    imported()
    before = facts()
    if provider:
        refused = refused.removesuffix(",,") + ",stripe,sub_1MowQVLkdIwHu7ix"
    text, code = imported(refused)
    assert code == LEFT_OUT
    assert re.search(r"charges[.a-z]*, line 3: ", text)
    assert facts() == before


def test_a_refused_first_row_does_not_choose_the_currency(imported: Any) -> None:
    refused = row("x", currency="USD", settled="100.01")
    imported(refused)
    text, _ = imported(refused, row("c1"))
    assert on_record() == [("c1", "s1", "E3", "EUR")]
    assert re.search(r"charges[.a-z]*, line 3: ", text)
    assert "line 4" not in text


def test_a_subscription_without_charges_stays_as_it_was(imported: Any, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,Good+E3\n")
    imported()
    before = facts()
    imported(row("x", currency="USD", settled="100.01"))
    assert facts() == before
    imported(row("c1", currency="USD"))
    assert on_record() == [("c1", "s1", "E3", "USD")]
    assert Subscription.objects.count() == 2


def test_what_contradicts_the_record_moves_no_currency_and_names_no_provider(imported: Any) -> None:
    leva = row("c1", currency="BGN", charged_at="2025-12-10", period_start="2025-12-10")
    imported(leva)
    before = facts()
    text, _ = imported(row("c1", provider="stripe", provider_id="sub_1MowQVLkdIwHu7ix"))
    assert "c1: it is already on record with other amounts" in text
    assert facts() == before
    assert Agreement.objects.get(subscription__external_id="s1").currency == "BGN"


@pytest.mark.parametrize("field", ["settled", "charged", "period_end", "currency"])
@pytest.mark.parametrize("known", [False, True])
def test_two_rows_of_one_charge_that_differ(imported: Any, field: str, known: bool) -> None:
    other = {"settled": "60.00", "charged": "120.00", "period_end": "2026-12-02", "currency": "USD"}[field]
    rows = [row("c1"), row("c2"), row("c1", **{field: other})]
    imported(row("c2"), *[row("c1", settled="80.00")][: int(known)])
    before = facts()
    for some, lines in ((rows, (3, 5)), (rows[::-1], (3, 5)), (rows, (3, 5))):
        text, code = imported(*some)
        assert code == LEFT_OUT
        for one, another in (lines, lines[::-1]):
            assert f"charges, line {one}: Line {another} says otherwise" in text
        assert facts() == before


def test_two_rows_of_one_correction_that_differ(imported: Any) -> None:
    correction = {"settled": "", "corrects": "c1"}
    rows = [row("c1"), *(row("k1", charged=amount, **correction) for amount in ("-30.00", "-30.00", "-31.00"))]
    text, _ = imported(*rows)
    assert "line 4: Line 6 says otherwise" in text
    assert "line 6: Line 4 says otherwise" in text
    assert not Correction.objects.exists()


def test_the_same_row_twice_is_harmless(imported: Any) -> None:
    rows = [row("c1"), row("c1"), row("k1", charged="-30.00", settled="", corrects="c1")]
    text, code = imported(*rows, rows[-1])
    assert code == 0
    assert "EUR: 3 charges came in, charged 80.00, paid 110.00" in text
    assert "Nothing new." in imported(*rows)[0]


def test_only_a_charge_that_is_new_came_after_the_cancellation(imported: Any) -> None:
    """One that was known, of which more is paid now, did not."""
    imported(row("c1", settled="0"))
    subscription = Subscription.objects.select_related("tenant").get(external_id="s1")
    found = World(subscription.tenant, None)  # type: ignore[arg-type]
    found.admin = found.person(Role.GLOBAL_ADMIN)
    cancel(found, subscription, at=PERIOD.start)
    text, _ = imported(row("c1"), row("c2", period_start="2026-12-01", period_end="2027-01-01"))
    assert "c1: by these charges, 100.00 EUR more of it goes back by 31 December 2026" in text
    assert "c1 came after" not in text
    assert "c2 came after its subscription was canceled: 100.00 EUR of it goes back" in text
    assert AuditEvent.objects.filter(action="charge.paid").count() == 1
