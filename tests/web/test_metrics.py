"""What a scrape says of the rows: the last reconciliation, by kind, and how old it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError
from django.test import Client

from subscriptions.models import Reconciliation
from subscriptions.models.reconciliations import ReconciliationQuerySet
from subscriptions.reconciliation.kinds import FindingKind
from tests.builders import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def token(settings: Any) -> None:
    settings.WAYOUT_METRICS_TOKEN = "a token"


def scraped() -> str:
    with time_machine.travel(NOW, tick=False):
        answer = Client().get("/metrics", headers={"Authorization": "Bearer a token"})
    assert answer.status_code == 200
    return answer.text


def ran(hours_ago: int, **given: Any) -> None:
    at = NOW - timedelta(hours=hours_ago)
    Reconciliation.objects.create(**{"since": at, "until": at, "started_at": at, "finished_at": at, **given})


def test_the_last_run_that_tells_of_now_is_said_by_kind() -> None:
    ran(30, counts={"TASK_LATE": 9})
    ran(2, counts={"REFUND_FAILED": 3})
    ran(1, counts={"TASK_LATE": 9}, finished_at=None)
    ran(1, counts={"TASK_LATE": 9}, since=NOW - timedelta(days=9), until=NOW - timedelta(days=8))
    said = scraped()
    assert "wayout_reconciliation_age_seconds 7200.0" in said
    assert 'wayout_reconciliation_findings{kind="REFUND_FAILED"} 3.0' in said
    # The others are there too: an alarm needs the zero before.
    assert said.count("wayout_reconciliation_findings{") == len(FindingKind)
    assert "django_http_requests" in said


def test_before_the_first_run_nothing_is_said() -> None:
    assert "wayout_reconciliation_" not in scraped()


def test_a_database_that_is_away_costs_these_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_rows: ReconciliationQuerySet) -> Any:
        raise DatabaseError

    monkeypatch.setattr(ReconciliationQuerySet, "telling_of_now", away)
    said = scraped()
    assert "wayout_reconciliation_" not in said
    assert "django_http_requests" in said
