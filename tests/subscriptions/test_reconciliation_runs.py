"""A run goes on from where it was, asks in its turn, costs what moved and not what there ever was, and is told to staff."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Agreement, Charge, Refund, RefundPart
from billing.money import Money
from billing.providers.base import RefundOutcome, RefundRequest, RefundResult
from outbox.models import Task
from outbox.registry import RetryLater
from subscriptions.models import MAX_FINDINGS, Reconciliation, Subscription
from subscriptions.reconciliation import provider as by_provider
from subscriptions.reconciliation import runs
from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.progress import Overtaken, Progress
from subscriptions.reconciliation.runs import reconcile, reconcile_daily
from tests.billing.conftest import server
from tests.billing.fake_stripe import FakeStripe
from tests.builders import NOW
from tests.providers import TestProvider, used
from tests.reconciling import found
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

__all__ = ["server"]
pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


@pytest.fixture
def provider(settings: Any) -> Iterator[TestProvider]:
    settings.WAYOUT_PROVIDER = "stripe"
    settings.WAYOUT_STRIPE_KEY, settings.WAYOUT_LEDGER_INVOICED_BY = "sk_test_1", ""
    with used(TestProvider()) as made:
        yield made


def paid_back(world: World, count: int, at: datetime = NOW, status: str = "SUCCEEDED") -> list[RefundPart]:
    """Refunds of one part each, sent one a second and paid back."""
    agreement = world.subscription(charged=None).agreement
    Agreement.objects.filter(pk=agreement.pk).update(provider="stripe")
    charges = Charge.objects.bulk_create(
        Charge(
            agreement=agreement, external_id=f"ch-{agreement.pk}-{n}", description="x", period_start=at,
            period_end=at + timedelta(days=30), charged_at=at, recorded_at=at, charged=500, paid=500, refunded=500,
            currency="EUR",
        )
        for n in range(count)
    )  # fmt: skip
    refunds = Refund.objects.bulk_create(
        Refund(
            agreement=agreement, amount=500, currency="EUR", status=status, priced_at=at, requested_at=at, held_until=at, due_by=at.date(),
            provider="stripe", changed_at=at + n * SECOND, returned_at=at, found_late_at=at,
        )
        for n in range(count)
    )  # fmt: skip
    return RefundPart.objects.bulk_create(
        RefundPart(
            refund=refund,
            charge=charge,
            amount=500,
            promised=500,
            status="SUCCEEDED",
            sent_at=at + n * SECOND,
            reference=f"re_{n}",
        )
        for n, (refund, charge) in enumerate(zip(refunds, charges, strict=True))
    )


def at_provider(provider: TestProvider, parts: list[RefundPart], late: timedelta = timedelta(0)) -> None:
    """It has them, made when they were sent or later."""
    for part in parts:
        assert part.sent_at
        amount = Money(part.amount, "EUR")
        asked = RefundRequest(part.key, part.charge_id, "x", amount, amount, "x", part.sent_at + late)
        provider.asked[part.key] = asked
        provider.results[part.key] = RefundResult(RefundOutcome.SUCCEEDED, part.reference)


def at_stripe(server: FakeStripe, parts: list[RefundPart]) -> None:
    for part in parts:
        assert part.sent_at
        server.refunds.append({
            "object": "refund", "id": part.reference, "charge": "ch_1", "amount": part.amount, "currency": "eur",
            "created": int(part.sent_at.timestamp()), "metadata": {"wayout_part": part.key}, "status": "succeeded",
        })  # fmt: skip


# What it costs


def test_250_parts_are_three_calls_of_stripes(server: FakeStripe, world: World) -> None:
    at_stripe(server, paid_back(world, 250))
    assert found(NOW + timedelta(hours=1)) == []
    assert server.requests == ["GET /v1/refunds"] * 3


def test_who_lists_nothing_is_asked_for_each_part_of_the_window(world: World, provider: TestProvider) -> None:
    at_provider(provider, [*paid_back(world, 5), *paid_back(world, 7, NOW - timedelta(days=60))])
    provider.lists = False
    assert found(NOW + timedelta(hours=1)) == []
    assert [call.split()[0] for call in provider.calls] == ["find"] * 5


def test_what_the_list_has_not_is_asked_for_before_it_is_said(world: World, provider: TestProvider) -> None:
    parts = paid_back(world, 6)
    # Two are there by their own clock after the window, and one is not.
    at_provider(provider, parts[:3])
    at_provider(provider, parts[3:5], late=timedelta(days=2))
    [finding] = found(NOW + timedelta(hours=1))
    assert (finding.kind, finding.subject) == (FindingKind.PART_MISSING, str(parts[5].pk))
    assert sorted(call.split()[0] for call in provider.calls) == ["find"] * 3 + ["list"] * 2


def test_pieces_of_a_list_cost_no_further_calls(
    world: World, provider: TestProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_provider, "_BATCH", 4)
    # Made half a second later there: what is on one page for us may be on the one before for them.
    at_provider(provider, paid_back(world, 20), late=SECOND / 2)
    assert found(NOW + timedelta(hours=1)) == []
    assert provider.calls == ["list"] * 10


def settled(world: World, provider: TestProvider, count: int) -> None:
    """Cancellations of long ago, with everything that belongs to them."""
    for _ in range(count):
        subscription = world.subscription()
        Agreement.objects.filter(pk=subscription.agreement_id).update(
            provider="stripe", external_id=f"sub_{'abcdefghij'[subscription.pk % 10]}{'x' * (subscription.pk % 60)}"
        )
        cancel(world, subscription)
        work(after(hours=74))


def statements(now: datetime) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        found(now, since=now - timedelta(days=7))
    return [query["sql"] for query in captured.captured_queries]


def test_it_costs_as_many_statements_and_calls_whatever_history_there_is(world: World, provider: TestProvider) -> None:
    now = after(days=200)
    before, calls = statements(now), list(provider.calls)
    settled(world, provider, 12)
    assert Refund.objects.filter(status="SUCCEEDED").count() == 12
    del provider.calls[:]
    assert len(statements(now)) == len(before)
    assert provider.calls == calls


def test_no_statement_reads_a_whole_table(world: World, provider: TestProvider) -> None:
    """Tables that grow with history are searched, or an index is read that holds only what stands open."""
    if connection.vendor != "sqlite":
        pytest.skip("SQLite says what it would do also where there are few rows")
    settled(world, provider, 2)
    Task.objects.create(key="k1", kind="note", status="STUCK", run_at=NOW, created_at=NOW)
    explained = set()
    with CaptureQueriesContext(connection) as captured:
        found(after(hours=75))
    selects = {re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "T", q["sql"]): q["sql"] for q in captured.captured_queries}
    with connection.cursor() as cursor:
        for sql in selects.values():
            if sql.startswith("SELECT"):
                cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
                explained |= {(row[3], sql) for row in cursor.fetchall()}
    assert len(selects) > 20
    partial = (
        "agreement_stops_untold", "agreement_stop_unconfirmed", "charge_exceeded", "part_sent_too_high", "notice_unseen",
        "removal_still_open",
    )  # fmt: skip
    scans = {
        (plan, sql)
        for plan, sql in explained
        if plan.startswith("SCAN ") and not plan.endswith(partial) and "subquery" not in plan.lower()
    }
    # A list of runs, of which there are ninety.
    scans = {(plan, sql) for plan, sql in scans if "subscriptions_reconciliation" not in plan}
    assert scans == set(), "\n".join(f"{plan}: {sql}" for plan, sql in scans)


# Its turn


def test_calls_are_spread_over_time() -> None:
    slept: list[float] = []
    asking = Asking(10, sleep=slept.append)
    with time_machine.travel(NOW, tick=False):
        for _ in range(25):
            asking._wait()
    assert asking.calls == 25
    # Nothing waited for real: the last of 25 is due 2.4 seconds after the first.
    assert max(slept) == pytest.approx(2.4, abs=0.1)


def test_a_piece_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking(10, 20)
    assert not asking.is_over
    later = time.monotonic() + 20
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert asking.is_over
    assert not Asking(10).is_over


# Piece by piece


def row() -> Reconciliation:
    return Reconciliation.objects.latest("pk")


def start_run(at: datetime) -> Reconciliation:
    made = runs.start_run(at)
    assert made
    return made


def run_pieces(run: Reconciliation, at: datetime) -> int:
    """One after the other until the run is done; how many."""
    for piece in range(1, 1_000):
        next_at = reconcile({"run": run.pk}, at)
        if next_at is None:
            return piece
        assert at <= next_at <= at + timedelta(minutes=1)
    raise AssertionError("it does not end")


def test_pieces_come_to_what_the_whole_comes_to(
    world: World, provider: TestProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_provider, "_BATCH", 2)
    parts = paid_back(world, 20)
    at_provider(provider, parts[:-1])
    provider.settle(parts[3].key, RefundOutcome.FAILED)
    Charge.objects.filter(pk=parts[5].charge_id).update(refunded=1)
    at = NOW + timedelta(hours=1)
    whole = sorted(map(str, found(at)))
    assert len(whole) == 3
    monkeypatch.setattr(runs, "_PIECE", 0)
    assert run_pieces(start_run(at), at) > 30
    done = row()
    assert sorted(str(Finding.of_json(said)) for said in done.findings) == whole
    assert done.counts == {"PART_MISSING": 1, "PART_DIFFERS": 1, "RESERVED_OTHERWISE": 1}
    assert (done.finished_at, done.new, done.cursor["at"]) == (at, 3, {})


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(world: World, provider: TestProvider) -> None:
    Refund.objects.filter(pk__in=[part.refund_id for part in paid_back(world, 3)]).update(status="FAILED")
    at = NOW + timedelta(hours=1)
    start_run(at)
    dead = Progress(row(), Asking(1e6))
    for check in dead._left()[:5]:
        dead._look(check)
    dead.write()
    begun = row()
    assert len(begun.cursor["done"]) == 5
    assert run_pieces(begun, at) == 1
    assert row().counts["REFUND_FAILED"] == 3
    # The dead one was only slow: it writes nothing any more.
    with pytest.raises(Overtaken):
        dead.write()
    assert row().finished_at == at


def test_of_two_that_go_on_with_one_run_one_stops(world: World, provider: TestProvider) -> None:
    start_run(NOW)
    first, second = (Progress(row(), Asking(1e6)) for _ in range(2))
    first.go_on(NOW)
    with pytest.raises(Overtaken):
        second.go_on(NOW)


def test_an_outage_ends_the_piece_and_the_next_goes_on_from_there(world: World, provider: TestProvider) -> None:
    at_provider(provider, paid_back(world, 10))
    at = NOW + timedelta(hours=1)
    run = start_run(at)
    provider.troubles = ["", "", "429"]
    with pytest.raises(RetryLater) as raised:
        reconcile({"run": run.pk}, at)
    assert (raised.value.outage, raised.value.after) == (True, timedelta(minutes=7))
    assert provider.calls == ["list"] * 3
    assert row().finished_at is None
    # Not before it said.
    with pytest.raises(RetryLater) as raised:
        reconcile({"run": run.pk}, at + timedelta(minutes=5))
    assert raised.value.after == timedelta(minutes=2)
    assert len(provider.calls) == 3
    # Four of ten were read, and of the last second there could have been more.
    assert run_pieces(run, at + timedelta(minutes=7)) == 1
    assert len(provider.calls) == 3 + 4
    assert (row().count, row().calls) == (0, 7)


def test_a_provider_that_is_down_holds_up_nothing_else(world: World, provider: TestProvider, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    Refund.objects.filter(pk=paid_back(world, 1)[0].refund_id).update(status="FAILED")
    at = NOW + timedelta(hours=1)
    run = start_run(at)
    provider.troubles = ["key"] * 99
    with pytest.raises(RetryLater):
        reconcile({"run": run.pk}, at)
    assert row().counts == {"REFUND_FAILED": 1}
    with pytest.raises(RetryLater):
        reconcile({"run": run.pk}, at + timedelta(hours=19))
    # By the next day it is done without.
    assert reconcile({"run": run.pk}, at + timedelta(hours=21)) is None
    done = row()
    assert done.counts == {"REFUND_FAILED": 1, "PROVIDER_SILENT": 1}
    assert done.finished_at == at + timedelta(hours=21)
    work(at + timedelta(hours=21))
    subjects = [message.subject for message in mail.outbox]
    # On each of two days.
    assert sum("stripe refuses our key" in subject for subject in subjects) == 2
    assert sum("new findings: 2 of 2" in subject for subject in subjects) == 1


def test_a_worker_takes_the_pieces_and_waits_in_an_outage(world: World, provider: TestProvider) -> None:
    at_provider(provider, paid_back(world, 3))
    at = NOW + timedelta(hours=1)
    assert reconcile_daily(at) == 1
    assert reconcile_daily(at + timedelta(hours=1)) == 0
    provider.troubles = ["5xx"] * 3
    for _ in range(4):
        work(at)
        at = max(at, Task.objects.get(kind="reconcile").run_at)
    assert Task.objects.get(kind="reconcile").status == "DONE"
    assert row().finished_at


def test_a_run_that_another_has_followed_is_left(world: World, provider: TestProvider) -> None:
    old = start_run(NOW)
    new = start_run(NOW + timedelta(days=1))
    assert reconcile({"run": old.pk}, NOW + timedelta(days=1)) is None
    assert reconcile({"run": new.pk}, NOW + timedelta(days=1)) is None
    assert list(Reconciliation.objects.order_by("pk").values_list("finished_at", flat=True)) == [
        None, NOW + timedelta(days=1),
    ]  # fmt: skip
    assert reconcile({"run": 4711}, NOW) is None


# Day by day


def test_a_run_looks_back_a_week_and_to_the_one_before(world: World, provider: TestProvider) -> None:
    reconcile_daily(NOW)
    assert (row().since, row().until, row().scheduled) == (NOW - timedelta(days=7), NOW, True)
    run_pieces(row(), NOW)
    # The worker was away for longer than a week.
    reconcile_daily(NOW + timedelta(days=10))
    assert row().since == NOW


def test_runs_of_three_months_ago_are_forgotten(world: World, provider: TestProvider) -> None:
    for days in (0, 1, 91):
        reconcile_daily(NOW + timedelta(days=days))
    assert list(Reconciliation.objects.order_by("pk").values_list("started_at", flat=True)) == [
        NOW + timedelta(days=1), NOW + timedelta(days=91),
    ]  # fmt: skip


def test_staff_hear_once_of_what_is_new(world: World, provider: TestProvider, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    parts = paid_back(world, 3)
    at_provider(provider, parts)

    def day(number: int) -> list[str]:
        mail.outbox.clear()
        at = NOW + timedelta(days=number)
        reconcile_daily(at)
        work(at)
        work(at + SECOND)
        return [message.subject for message in mail.outbox]

    assert day(1) == []
    Refund.objects.filter(pk=parts[0].refund_id).update(status="FAILED")
    [said] = day(2)
    assert said.startswith("Reconciliation, new findings: 1 of 1. The first: refund ")
    assert day(3) == []
    Refund.objects.filter(pk=parts[1].refund_id).update(status="FAILED")
    [said] = day(4)
    assert "new findings: 1 of 2" in said
    assert (row().new, row().count) == (1, 2)


def test_a_thousand_are_kept_and_all_are_counted(world: World, provider: TestProvider, settings: Any) -> None:
    Task.objects.bulk_create(
        Task(key=f"k{n}", kind="note", status="GIVEN_UP", run_at=NOW, created_at=NOW) for n in range(MAX_FINDINGS + 30)
    )
    run_pieces(start_run(NOW), NOW)
    assert (len(row().findings), row().count, row().new) == (MAX_FINDINGS, MAX_FINDINGS + 30, MAX_FINDINGS + 30)
    Task.objects.bulk_create([Task(key="last", kind="note", status="GIVEN_UP", run_at=NOW, created_at=NOW)])
    run_pieces(start_run(NOW + SECOND), NOW + SECOND)
    assert (row().count, row().new) == (MAX_FINDINGS + 31, 1)


# By hand


def command(*given: str, at: datetime = NOW) -> int:
    with time_machine.travel(at, tick=False):
        try:
            call_command("reconcile", *given)
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def test_the_command_looks_at_the_time_that_it_is_given(world: World, provider: TestProvider) -> None:
    first = NOW - timedelta(days=20)
    part, *_ = paid_back(world, 1, first)
    at_provider(provider, [part])
    provider.settle(part.key, RefundOutcome.FAILED)
    assert command() == 0
    assert command("--since", "2026-11-04") == 1
    assert command("--since", "2026-11-05T10:00:00Z", "--until", "2026-11-06") == 1
    assert command("--since", "2026-11-04", "--until", "2026-11-05") == 0
    assert command("--since", "2026-11-04", "--offline") == 0
    assert Reconciliation.objects.count() == 4
    Reconciliation.objects.all().delete()
    assert command("--all") == 1
    assert row().since == first
    # It was found: it is looked at again from now on, until it is mended.
    assert command() == 1
    provider.settle(part.key)
    assert command() == 0


def test_the_command_looks_at_the_month_before_an_end(world: World, provider: TestProvider) -> None:
    part, *_ = paid_back(world, 1, NOW - timedelta(days=20))
    at_provider(provider, [part])
    assert command("--all") == 0
    assert command("--until", "2026-11-10") == 0
    assert row().since == row().until - timedelta(days=30)
    assert command("--until", "2000-01-01") == 0
    assert command("--all", "--until", "2000-01-01") == 0


def test_the_command_walks_no_days_without_rows(world: World, provider: TestProvider) -> None:
    first = NOW - timedelta(days=20)
    at_provider(provider, paid_back(world, 1, first))
    assert command("--since", "2000-01-01") == 0
    assert row().since == first
    assert command("--since", "2000-01-01T00:00:00+14:00", "--until", "2000-02-01") == 0
    assert row().since == row().until


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--since", "yesterday"], "neither a day"),
        (["--since", "2026-03-01T10:00"], "neither a day"),
        (["--since", "0001-01-01T00:00:00+14:00"], "not between 2000-01-01 and 2100-01-01"),
        (["--since", "1999-12-31"], "not between 2000-01-01"),
        (["--until", "9999-12-31T23:59:59-14:00"], "not between 2000-01-01"),
        (["--since", "2026-12-01"], "begins before it ends"),
        (["--until", "2027-01-01"], "ends before now"),
        (["--all", "--since", "2026-01-01"], "leave --since out"),
        (["--resume"], "come to its end"),
    ],
)
def test_the_command_says_what_it_does_not_understand(world: World, given: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        command(*given)


def test_the_command_waits_for_a_provider_and_then_does_without(
    world: World, provider: TestProvider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(
        "subscriptions.management.commands.reconcile.Asking", lambda rate: Asking(rate, sleep=slept.append)
    )
    provider.troubles = ["429"]
    assert command() == 0
    assert slept == [420]
    provider.troubles = ["5xx"] * 9
    del slept[:]
    assert command() == 1
    assert slept == [5, 15, 60]
    said = capsys.readouterr()
    assert "stripe does not answer: asked again in 15 seconds." in said.err
    assert "provider stripe: it does not answer, 5xx" in said.out


def test_the_command_goes_on_with_a_run_that_died(
    world: World, provider: TestProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    Refund.objects.filter(pk=paid_back(world, 1)[0].refund_id).update(status="FAILED")
    died = Reconciliation.objects.create(since=NOW - timedelta(days=7), until=NOW, started_at=NOW)
    progress = Progress(died, Asking(1e6))
    progress.add(Finding(FindingKind.NOBODY_TOLD, "4711"))
    progress.write()
    assert command("--resume", at=NOW + SECOND) == 1
    assert "agreement 4711: it was canceled" in capsys.readouterr().out
    died.refresh_from_db()
    assert (died.finished_at, died.counts) == (NOW + SECOND, {"NOBODY_TOLD": 1, "REFUND_FAILED": 1})


def test_offline_keeps_and_asks_nothing(world: World, provider: TestProvider) -> None:
    at_provider(provider, paid_back(world, 2))
    assert command("--offline", at=NOW + timedelta(hours=1)) == 0
    assert (Reconciliation.objects.count(), provider.calls) == (0, [])


def test_subscriptions_are_counted_a_thousand_at_once(
    world: World, provider: TestProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.reconciliation.tallies._PIECE", 2)
    rows = [world.subscription(3) for _ in range(5)]
    rows[4].tally.delete()
    assert [finding.subject for finding in found(NOW)] == [str(rows[4].pk)]
    Subscription.objects.filter(pk=rows[4].pk).update(canceled_mode="IMMEDIATE", ends_at=NOW - timedelta(days=121))
    assert [finding.kind for finding in found(NOW)] == []
