"""Whoever starts Wayout hears of subscriptions that a provider bills and cannot be told of."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from billing.models import Agreement
from common import starting
from common.starting import log_warnings
from subscriptions import checks
from subscriptions.models import Subscription
from subscriptions.policy.facts import Mode
from tests.builders import PERIOD
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def now(time_machine: Any) -> None:
    time_machine.move_to(PERIOD.start, tick=False)


@pytest.fixture
def stripe(settings: Any) -> None:
    settings.WAYOUT_PROVIDER, settings.WAYOUT_STRIPE_KEY = "stripe", "sk_test_1"


def numbers() -> tuple[str, ...] | None:
    """How many go on, and how many were canceled, as it says; None where it says nothing."""
    found = list(checks.missing_ids())
    if not found:
        return None
    [text] = found
    assert "columns provider and provider_id" in text
    return tuple(word for word in text.split() if word.isdecimal())


def test_it_counts_what_goes_on_and_what_was_canceled(world: World, stripe: None) -> None:
    assert numbers() is None
    told, untold, ending, now_gone = (world.subscription() for _ in range(4))
    Agreement.objects.filter(pk=told.agreement_id).update(provider="stripe", external_id="sub_11111111")
    assert numbers() == ("3", "0")
    cancel(world, ending, Mode.AT_PERIOD_END)
    cancel(world, now_gone)
    assert numbers() == ("1", "2")
    Agreement.objects.filter(pk=untold.agreement_id).update(provider="ledger")
    for ended in (ending, now_gone):
        Agreement.objects.filter(pk=ended.agreement_id).update(external_id=f"sub_{ended.pk}")
    assert numbers() is None


def test_what_a_partner_sold_ended_or_another_bills_is_nothing_of_it(world: World, stripe: None) -> None:
    world.subscription(channel="PARTNER")
    world.subscription(channel="PREPAID")
    world.subscription(base_status="DELETED")
    ledger = world.subscription()
    Agreement.objects.filter(pk=ledger.agreement_id).update(provider="ledger")
    assert numbers() is None


def test_where_nobody_bills_nothing_is_missing(world: World) -> None:
    cancel(world, world.subscription())
    world.subscription()
    assert numbers() is None
    # But of an agreement that stayed with somebody who does.
    Agreement.objects.update(provider="stripe")
    assert numbers() == ("1", "1")


def test_check_says_it_where_it_is_to_look_at_the_database(
    world: World, stripe: None, capsys: pytest.CaptureFixture[str]
) -> None:
    world.subscription()
    call_command("check")
    assert "W001" not in capsys.readouterr().err.replace("billing.W001", "")
    call_command("check", "--database", "default")
    said = capsys.readouterr().err
    assert "(subscriptions.W001) Nobody at a provider can be told" in said
    assert ": 1 that go on, 0 that were canceled" in said


def test_a_start_says_it_once_in_the_log(world: World, stripe: None, caplog: pytest.LogCaptureFixture) -> None:
    world.subscription()
    with caplog.at_level(logging.INFO, "wayout.start"):
        log_warnings()
    # The names of settings that only tests have are said as well.
    [line] = [record for record in caplog.records if "WAYOUT_" not in record.getMessage()]
    assert (line.levelname, "1 that go on" in line.getMessage()) == ("WARNING", True)


@pytest.mark.parametrize("error", [DatabaseError("away"), RuntimeError("anything")])
def test_nothing_keeps_it_from_starting(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> Any:
        raise error

    monkeypatch.setattr(starting, "_looks", [fails])
    with caplog.at_level(logging.INFO, "wayout.start"):
        log_warnings()
    assert caplog.records == []


def test_without_tables_nothing_is_asked(stripe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Subscription._meta, "db_table", "not_yet_there")
    with CaptureQueriesContext(connection) as captured:
        assert list(checks.missing_ids()) == []
    assert not [query for query in captured.captured_queries if "agreement" in query["sql"]]


def test_a_check_of_a_database_that_fails_says_nothing(stripe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise DatabaseError("of another version")

    monkeypatch.setattr(checks, "missing_ids", fails)
    assert checks.check_ids(databases=["default"]) == []


def test_a_server_says_it_beside_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    said = threading.Event()
    monkeypatch.setattr(starting, "_looks", [lambda: said.set() or []])
    starting.log_warnings_beside()
    assert said.wait(10)


def test_the_worker_says_it_as_it_starts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[bool] = []
    monkeypatch.setattr("outbox.management.commands.work.log_warnings", lambda: said.append(True))
    monkeypatch.setattr("outbox.management.commands.work.Lanes.work", lambda *_: None)
    call_command("work", "--while-parent")
    assert said == [True]
