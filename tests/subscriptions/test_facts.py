"""Facts as they come in: an ended subscription holds nobody, unread is not absent, and nothing breaks on one wild row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError
from django.db import IntegrityError, transaction

from billing.models import Charge, Refund
from desk.models import CallbackRequest
from desk.services import contacts
from outbox.worker import work_off
from subscriptions import renewal
from subscriptions.cancellations import refunds
from subscriptions.models import License, Subscription
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Mode
from subscriptions.selectors import batches
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Role
from tenants.people import SYSTEM
from tests.builders import NOW, PERIOD
from tests.desk.test_desk import ask
from tests.imports import import_files
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import after, cancel
from tests.world import Api, World

pytestmark = pytest.mark.django_db
CHARGES = "charge_id,product,subscription_id,seats,charged,settled,currency,period_start,period_end,term_months\n"


class Imports:
    """Writes small files, imports them, and keeps what was printed and how it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        self.code = 0

    def __call__(
        self, users: str, *, charges: str = "", products: str = "", at: datetime = NOW, **options: Any
    ) -> Imports:
        files = {"users": "User principal name,Display name,Licenses\n" + users}
        if charges:
            files["charges"] = charges if charges.startswith("charge_id") else CHARGES + charges
        if products:
            files["products"] = products
        for name, text in files.items():
            (self.folder / f"{name}.csv").write_text(text)
        given = {name: self.folder / f"{name}.csv" for name in files}
        with time_machine.travel(at, tick=False):
            try:
                said, self.code = import_files(tenant="x.example", exported_at=at.isoformat(), **given, **options)
            except CommandError as error:
                said, self.code = str(error), error.returncode
        self.said = " ".join(said.split())
        return self

    def world(self) -> World:
        tenant = Subscription.objects.select_related("tenant").latest("pk").tenant
        world = World(tenant, None)  # type: ignore[arg-type]
        world.admin = world.person(Role.GLOBAL_ADMIN)
        return world


@pytest.fixture
def imports(tmp_path: Path) -> Imports:
    return Imports(tmp_path)


def people(count: int, product: str = "E3") -> str:
    return "".join(f"u{number}@x.example,User {number},{product}\n" for number in range(count))


def holders(external_id: str) -> int:
    row = Subscription.objects.get(external_id=external_id)
    return SubscriptionBatch.find_many([row.pk], NOW, SYSTEM).counts[row.pk].assigned


def test_what_was_bought_again_is_held_by_those_who_held_what_ended(imports: Imports) -> None:
    imports(people(30), charges="c1,E3,s1,40,100.00,100.00,EUR,2026-10-01,2026-11-01,1\n", at=after(days=-40))
    world, first = imports.world(), Subscription.objects.get()
    # It ended by itself, and nobody took the licenses away.
    Subscription.objects.filter(pk=first.pk).update(renews=False)
    assert License.objects.held().filter(subscription=first).count() == 30
    again = "c2,E3,s2,40,100.00,100.00,EUR,2026-11-10,2026-12-10,1\n"
    imports(people(30), charges=again)
    assert (imports.code, holders("s2")) == (0, 30)
    second = Subscription.objects.get(external_id="s2")
    decision = SubscriptionBatch.get(world.caller(), second.pk, NOW).decisions[second.pk]
    assert decision.reason is Reason.LICENSES_AT_OR_OVER_LIMIT
    assert decision.option(Route.REMOVE_USERS).users_to_remove == 6
    # And once they hold it, they are not given it again.
    assert "Nothing new." in imports(people(30), charges=again).said


def test_what_still_runs_until_its_end_holds_those_who_hold_it(imports: Imports) -> None:
    imports(people(3), charges="c1,E3,s1,40,100.00,100.00,EUR,2026-11-01,2026-12-01,1\n")
    cancel(imports.world(), Subscription.objects.get(), Mode.AT_PERIOD_END)
    imports(people(3), charges="c2,E3,s2,40,100.00,100.00,EUR,2026-11-10,2026-12-10,1\n")
    # Nobody says who holds which of the two: each counts for each.
    assert (holders("s1"), holders("s2")) == (3, 3)
    imports(people(4), at=PERIOD.end + timedelta(days=1))
    assert (holders("s1"), holders("s2")) == (3, 4)


def test_who_is_new_holds_what_still_runs_rather_than_what_ended(imports: Imports) -> None:
    imports(people(1), charges="c1,E3,s1,40,100.00,100.00,EUR,2026-11-01,2026-12-01,1\n")
    cancel(imports.world(), Subscription.objects.get(), Mode.AT_PERIOD_END)
    imports(people(1), charges="c2,E3,s2,40,100.00,100.00,EUR,2026-11-02,2026-12-02,1\n")
    Subscription.objects.filter(external_id="s2").update(base_status="EXPIRED")
    imports(people(3), at=after(hours=1))
    assert (holders("s1"), holders("s2")) == (3, 1)


@pytest.mark.parametrize(
    "unread",
    [
        ",Nobody,E3\n",
        "u5@x.example,E3\n",
        'u5@x.example,"User 5,E3\n' + people(40),
        'u5@x.example,User 5,"E3\n' + people(40),
        "x" * 400 + "@x.example,Long,E3\n",
        'u5@x.example,"User 5\n' + people(3) + 'u9@x.example,"User 9",E3\n',
    ],
    ids=[
        "no name",
        "a column short",
        "an open quote",
        "an open quote in the last column",
        "a long name",
        "a quote that another closes",
    ],
)
def test_with_a_row_that_was_not_read_nobody_is_absent(imports: Imports, unread: str) -> None:
    charges = "c1,E3,s1,60,100.00,100.00,EUR,2026-11-01,2026-12-01,1\n"
    imports(people(40), charges=charges)
    imports(people(5) + unread, charges=charges, at=after(hours=1), complete=True)
    assert holders("s1") == 40
    assert "1 of the rows could not be taken, so nobody was taken away" in imports.said
    assert imports.code == 2
    imports(people(5), charges=charges, at=after(hours=2), complete=True)
    assert (imports.code, holders("s1")) == (0, 5)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c1,E3,s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,202612", "charges.csv: term_months, line 2: “202612” is not between 1 and 120."),
        ("c1,E3,s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,0", "charges.csv: term_months, line 2: “0” is not between 1 and 120."),
        ("c1,E3,s1,5,10.00,10.00,EUR,2026-11-01,9999-12-31,1", "“9999-12-31” is not between 2000 and 2099"),
        ("c1,E3,s1,5,10.00,10.00,EUR,0001-01-01,2026-12-01,1", "“0001-01-01” is not between 2000 and 2099"),
        ("c1,E3,s1,5,10.00,10.00,EUR,0001-01-01T00:00:00+14:00,2026-12-01,1", "is not between 2000 and 2099"),
        ("c1,E3,s1,5,10.00,10.00,EUR,2001-11-01,2026-12-01,1", "its period is longer than 10 years"),
        ("c1,E3,s1,5,999999999999999.9999,0,CLF,2026-11-01,2026-12-01,1", "charges.csv: charged, line 2: “999999999999999.9999” is not an amount of CLF"),
        ("c1,E3,s1,5,10000000000000.01,0,EUR,2026-11-01,2026-12-01,1", "“10000000000000.01” is not an amount of EUR"),
        ("c1,E3,s1,5,99999999999999999999999999,0,EUR,2026-11-01,2026-12-01,1", "is not an amount"),
        ("c1,E3,s1,999999999,10.00,10.00,EUR,2026-11-01,2026-12-01,1", "charges.csv: seats, line 2: “999999999” is not between 0 and 10000000"),
        (f"{'c' * 101},E3,s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,1", "charges.csv: charge_id, line 2: This is longer than 100 characters"),
        (f"c1,{'E' * 201},s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,1", "charges.csv: product, line 2: This is longer than 200 characters"),
        (f"c1,E3,{'s' * 101},5,10.00,10.00,EUR,2026-11-01,2026-12-01,1", "charges.csv: subscription_id, line 2: This is longer than 100"),
        ("c\x001,E3,s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,1", "charges.csv: charge_id, line 2: This has a line break or a character that is not text"),
        ('"c\n1",E3,s1,5,10.00,10.00,EUR,2026-11-01,2026-12-01,1', "charges.csv: charge_id, line 2: This has a line break or a character that is not text"),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_reported_by_its_row(imports: Imports, row: str, reason: str) -> None:
    imports(people(1), charges=row + "\nc9,E5,s9,5,10.00,10.00,EUR,2026-11-01,2026-12-01,1\n")
    assert reason in imports.said
    assert list(Charge.objects.values_list("external_id", flat=True)) == ["c9"]
    assert imports.code == 2


def test_a_quote_left_open_in_the_last_column_takes_nobody_away(imports: Imports) -> None:
    users = imports.folder / "names_last.csv"
    rows = [f"u{number}@x.example,E3,User {number}" for number in range(12)]
    charges = "c1,E3,s1,60,100.00,100.00,EUR,2026-11-01,2026-12-01,1\n"
    imports(people(12), charges=charges)
    rows[8] = 'u8@x.example,E3,"User 8'
    users.write_text("User principal name,Licenses,Display name\n" + "\n".join(rows) + "\n")
    with time_machine.travel(after(hours=1), tick=False):
        said, code = import_files(
            tenant="x.example", users=users, exported_at=after(hours=1).isoformat(), complete=True
        )
    assert (code, holders("s1")) == (2, 12)
    assert "line 10: a quote is not closed: it took in the rows below" in said


def test_a_correction_may_stand_above_its_charge_and_contradicts_nothing(imports: Imports) -> None:
    header = "charge_id,product,subscription_id,charged,tax,settled,currency,period_start,period_end,corrects\n"
    span = "2026-11-01,2026-12-01"
    imports(people(1), charges=header + f"k1,E3,s1,-30,0,0,EUR,{span},c1\nc1,E3,s1,100,0,100,EUR,{span},\n")
    assert (imports.code, Charge.objects.get().corrected) == (0, 3000)
    for row, reason in (
        (f"k1,E3,s1,-40,0,0,EUR,{span},c1", "k1: it is already on record with another amount"),
        (f"k2,E3,s1,-9.000,0,0,KWD,{span},c1", "k2: it is in KWD, the charge it names in EUR"),
        (f"k3,E3,s1,-10,2,0,EUR,{span},c1", "k3: a correction takes something off"),
        (f"k4,E3,s1,5,-10,0,EUR,{span},c1", "k4: a correction takes something off"),
    ):
        imports(people(1), charges=header + row + "\n")
        assert (reason in imports.said, imports.code) == (True, 2), imports.said
    assert Charge.objects.get().corrected == 3000


def test_a_row_that_stands_twice_is_counted_once(imports: Imports) -> None:
    row = "c1,E3,s1,5,100.00,100.00,EUR,2026-11-01,2026-12-01,1\n"
    imports(people(1), charges=row + row)
    assert "EUR: 1 charge came in, charged 100.00, paid 100.00" in imports.said


def test_seats_that_no_column_holds_are_said(imports: Imports) -> None:
    rows = [f"c{n},E3,s1,10000000,1.00,1.00,EUR,2026-11-01,2026-12-01,1\n" for n in range(3)]
    imports(people(1), charges="".join(rows))
    assert "30,000,000 seats in all are more than 10,000,000: they are not taken" in imports.said
    assert (imports.code, Charge.objects.count()) == (2, 3)


def test_a_product_name_that_no_product_has_room_for_is_reported(imports: Imports) -> None:
    imports(people(1) + f"long@x.example,Long,{'E' * 201}\n")
    assert "users.csv: Licenses, line 3: This is longer than 200 characters" in imports.said
    imports(people(1), products=f"Product title,Total licenses\n{'E' * 201},5\nE3,7\n")
    assert "products.csv: Product title, line 2: This is longer than 200 characters" in imports.said
    assert Subscription.objects.get().purchased_licenses == 7


@pytest.mark.parametrize(
    "values",
    [
        {"term_months": 121},
        {"period_end": datetime(2100, 1, 2, tzinfo=UTC)},
        {"period_start": datetime(1999, 12, 31, tzinfo=UTC)},
    ],
)
def test_the_database_takes_nothing_out_of_bounds_either(world: World, values: dict[str, Any]) -> None:
    subscription = world.subscription()
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.filter(pk=subscription.pk).update(**values)
    values.pop("term_months", None)
    if values:
        with pytest.raises(IntegrityError), transaction.atomic():
            Charge.objects.update(**values)


def test_one_row_that_cannot_be_rolled_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    wild, tame = world.subscription(term_months=119), World.build().subscription()
    true = renewal.rolled

    def rolled(anchor: Any, months: int, *rest: Any) -> Any:
        if months == 119:
            raise OverflowError("date value out of range")
        return true(anchor, months, *rest)

    monkeypatch.setattr(renewal, "rolled", rolled)
    at = PERIOD.end + timedelta(hours=1)
    assert renewal.roll_periods(at) == 1
    tame.refresh_from_db()
    wild.refresh_from_db()
    assert (tame.period_end > at, wild.period_end) == (True, PERIOD.end)
    for minute in range(3):
        renewal.roll_periods(at + timedelta(minutes=minute))
    work_off(lambda: at + timedelta(minutes=5))
    assert [message.subject for message in mail.outbox if "roll_periods" in message.subject] == [
        f"roll_periods: subscription {wild.pk} failed with OverflowError, everything else went on."
    ]


def test_one_refund_that_cannot_be_told_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = World.build()
    with used(TestProvider()) as provider:
        for of in (world, other):
            cancel(of, of.subscription())
        provider.troubles = ["decline", "decline"]
        work_off(lambda: after(hours=73))
    Refund.objects.update(found_late_at=None)
    first = Refund.objects.earliest("pk")
    true = refunds.queue_refund_mail

    def queue_mail(occasion: Any, refund: Refund, now: datetime) -> None:
        if refund.pk == first.pk:
            raise ValueError("a name that no mail can hold")
        true(occasion, refund, now)

    monkeypatch.setattr(refunds, "queue_refund_mail", queue_mail)
    assert refunds.report_late_refunds(after(hours=80)) == 1
    assert list(Refund.objects.filter(found_late_at=None)) == [first]


def test_one_contact_that_cannot_be_forgotten_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [ask(world), ask(world, "0888 123 999")]
    CallbackRequest.objects.update(closed_at=NOW, status="DONE", close_reason="OTHER")
    true = contacts.erase_contact

    def erase(*, callback_id: int, **given: Any) -> bool:
        if callback_id == requests[0].pk:
            raise ValueError("a note that no trail can hold")
        return true(callback_id=callback_id, **given)

    monkeypatch.setattr(contacts, "erase_contact", erase)
    assert contacts.erase_old_contacts(after(days=40)) == 1


def test_a_list_shows_the_others_and_a_way_out_of_the_one_that_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild, _tame = world.subscription(term_months=119), world.subscription()
    true = batches.evaluate

    def evaluate(snapshot: Any, *rest: Any, **more: Any) -> Any:
        if snapshot.term_months == 119:
            raise OverflowError("date value out of range")
        return true(snapshot, *rest, **more)

    monkeypatch.setattr(batches, "evaluate", evaluate)
    query = "{ subscriptions(first: 10) { edges { node { id cancellationOptions { route options { route available } } } } } }"
    data = Api(world.admin)(query)
    nodes = [edge["node"] for edge in data["subscriptions"]["edges"]]
    assert [node["cancellationOptions"]["route"] for node in nodes] == ["CANCEL_ONLINE", "CANCEL_ONLINE"]
    assert wild.pk


def test_an_import_says_what_money_came_in_and_what_did_not(imports: Imports) -> None:
    imports(
        people(1),
        charges="c1,E3,s1,5,100.00,60.00,EUR,2026-11-01,2026-12-01,1\n"
        "c2,E3,s1,5,50.00,50.00,EUR,2026-11-01,2026-12-01,1\n"
        "c3,E3,s1,5,40.00,41.00,EUR,2026-11-01,2026-12-01,1\n"
        "c4,E3,s1,5,forty,0,EUR,2026-11-01,2026-12-01,1\n"
        "c5,E9,s5,5,500,500,JPY,2026-11-01,2026-12-01,1\n",
    )
    assert "EUR: 2 charges came in, charged 150.00, paid 110.00" in imports.said
    assert "EUR: 1 charge was left out, charged 40.00" in imports.said
    assert "JPY: 1 charge came in, charged 500, paid 500" in imports.said
    assert "2 rows were left out" in imports.said
    assert imports.code == 2
    imports(people(1), charges="c3,E3,s1,5,40.00,41.00,EUR,2026-11-01,2026-12-01,1\n")
    assert imports.code == 2
    assert "Imported." not in imports.said


def test_charges_that_do_not_say_what_was_paid_are_not_taken(imports: Imports) -> None:
    header = "charge_id,product,subscription_id,charged,currency,period_start,period_end\n"
    imports(people(1), charges=header + "c1,E3,s1,10.00,EUR,2026-11-01,2026-12-01\n")
    assert imports.code == 1
    assert "no column “settled”" in imports.said
    assert not Subscription.objects.exists()


def test_the_products_file_and_the_users_are_compared(imports: Imports) -> None:
    header = "Product title,Total licenses,Assigned licenses\n"
    imports(people(3), products=header + "E3,40,5\n")
    assert "E3: 5 licenses are assigned by the products file, 3 users hold it by the users file" in imports.said
    assert "assigned by the products file" not in imports(people(3), products=header + "E3,40,3\n").said
