"""Staff see what reconciling found, with what to do and a way there; and on the start page what they should look at."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Refund
from outbox.models import Task
from subscriptions.models import Reconciliation
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from tenants.models import AuditEvent, User
from tests.admin.test_admin import agent, client_of
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
LIST = "/admin/subscriptions/reconciliation/"


def ran(*findings: Finding, **given: Any) -> Reconciliation:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.kind.value] = counts.get(finding.kind.value, 0) + 1
    values = {
        "since": NOW - timedelta(days=7), "until": NOW, "started_at": NOW, "finished_at": NOW, "scheduled": True,
        "findings": [finding.as_json() for finding in findings], "counts": counts, **given,
    }  # fmt: skip
    return Reconciliation.objects.create(**values)


@pytest.fixture
def run(world: World) -> Reconciliation:
    """With a refund that failed and an agreement of which nobody was told."""
    cancel(world, world.subscription())
    Refund.objects.update(status="FAILED")
    refund = Refund.objects.get()
    return ran(
        Finding(FindingKind.REFUND_FAILED, str(refund.pk)),
        Finding(FindingKind.NOBODY_TOLD, str(refund.agreement_id)),
        Finding(FindingKind.PROVIDER_SILENT, "stripe", {"reason": "HTTP 500"}),
    )


def page(user: User, address: str, language: str = "en") -> str:
    text: str = client_of(user).get(address, headers={"Accept-Language": language}).text
    return text


def of(run: Reconciliation) -> str:
    return reverse("admin:subscriptions_reconciliation_change", args=[run.pk])


def test_the_newest_run_is_on_top_with_how_it_stands(run: Reconciliation, staff: User) -> None:
    later = ran(
        started_at=after(days=1), until=after(days=1), finished_at=None, cursor={"silent": {"stripe": ["", "no"]}}
    )
    found = client_of(staff).get(LIST)
    assert [row.pk for row in found.context["cl"].result_list] == [later.pk, run.pk]
    assert "under way, waits for stripe: no" in found.text
    assert "finished" in found.text


def test_a_run_shows_each_finding_with_what_to_do_and_a_way_there(run: Reconciliation, staff: User) -> None:
    text, refund = page(staff, of(run)), Refund.objects.get()
    assert f'<a href="{reverse("admin:billing_refund_change", args=[refund.pk])}">refund {refund.pk}: it failed' in text
    assert "Send it again, or note that it was settled by hand." in text
    assert f"agreement {refund.agreement_id}: it was canceled, and nobody could be told" in text
    # There is no page of a provider.
    assert "<li>provider stripe: it does not answer, HTTP 500" in text
    assert "Everything adds up" not in text


def test_it_speaks_bulgarian(run: Reconciliation, staff: User) -> None:
    text = page(staff, of(run), "bg")
    assert "неуспешно е и чака служител" in text
    assert "it failed" not in text
    assert "Равнение сега" in page(staff, LIST, "bg")


def test_codes_are_said_in_words(world: World, staff: User) -> None:
    stop = {"provider": "stripe", "told": "NONE", "wanted": "AT_PERIOD_END", "says": "NOW"}
    run = ran(
        Finding(FindingKind.PROVIDER_NOTICE, "1", {"provider": "stripe", "reference": "ch_1", "reason": "TOO_MUCH"}),
        Finding(FindingKind.STOP_UNCONFIRMED, "1", stop),
        Finding(FindingKind.STOP_UNCERTAIN, "2", stop),
        Finding(FindingKind.STOP_DIFFERS, "3", stop),
    )
    for language in ("en", "bg"):
        lines = "".join(re.findall(r'<li><a href="/admin/billing/.*change/">.*', page(staff, of(run), language)))
        assert lines.count("<li>") == len(run.findings)
        assert not [code for code in ("TOO_MUCH", "NONE", "AT_PERIOD_END", "NOW") if code in lines]
    assert "could not be taken: it is more than was charged" in page(staff, of(run))
    assert "was told that it goes on, it should be that it stops at the end of the period" in page(staff, of(run))


def test_what_adds_up_and_what_is_only_counted_is_said(run: Reconciliation, staff: User) -> None:
    assert "Everything adds up." in page(staff, of(ran()))
    assert "Everything adds up." not in page(staff, of(ran(finished_at=None)))
    assert "40 more are counted, and not kept." in page(staff, of(ran(counts={"TASK_LATE": 40})))
    assert client_of(staff).get(f"{LIST}4711/change/").status_code == 302


def test_a_kind_that_is_gone_breaks_nothing(staff: User) -> None:
    old = ran(counts={"NO_LONGER": 1}, findings=[{"kind": "NO_LONGER", "subject": "1"}])
    assert client_of(staff).get(of(old)).status_code == 200


def test_who_may_only_look_has_links_to_what_they_may_see_and_no_button(world: World, run: Reconciliation) -> None:
    looks = agent(world, "view_reconciliation", "view_agreement")
    text = page(looks, of(run))
    assert "refund 1: it failed" in text or "it failed and waits for staff" in text
    assert "/admin/billing/refund/" not in text
    assert "/admin/billing/agreement/" in text
    assert "Reconcile now" not in page(looks, LIST)
    assert client_of(looks).post(f"{LIST}start/").status_code == 403
    assert client_of(agent(world, "view_refund")).get(LIST).status_code == 403
    assert client_of(agent(world, "view_refund")).get(of(run)).status_code == 403


def test_staff_start_one(world: World, staff: User) -> None:
    assert "Reconcile now" in page(staff, LIST)
    client = client_of(staff)
    assert "It is done by the worker" in client.post(f"{LIST}start/", follow=True).text
    run = Reconciliation.objects.get()
    assert AuditEvent.objects.get(action="reconciliation.started").subject == f"Reconciliation:{run.pk}"
    assert "One is under way." in client.post(f"{LIST}start/", follow=True).text
    assert Reconciliation.objects.count() == AuditEvent.objects.filter(action="reconciliation.started").count() == 1
    work(NOW)
    run.refresh_from_db()
    assert (run.finished_at, run.counts) == (NOW, {})


# The start page


def test_the_start_page_says_what_to_look_at(run: Reconciliation, staff: User) -> None:
    Task.objects.update(status="STUCK")
    Task.objects.filter(pk=Task.objects.earliest("pk").pk).update(status="WAITING", outages=3)
    text = page(staff, "/admin/")
    for label, count, address in (
        ("Tasks that wait for somebody who is down", 1, "/admin/outbox/task/?attention=OUTAGE"),
        ("Tasks that were given up", 0, "/admin/outbox/task/?attention=GIVEN_UP"),
        ("Tasks that end their worker", Task.objects.count() - 1, "/admin/outbox/task/?attention=STUCK"),
        ("Refunds that failed", 1, "/admin/billing/refund/?standing=failed"),
        ("Findings of the reconciliation of 25 November 2026", 3, of(run)),
    ):
        assert f'<a href="{address}">{label}</a>: <strong>{count}</strong>' in text
        assert client_of(staff).get(address).status_code == 200
    assert "За преглед" in page(staff, "/admin/", "bg")
    assert "Разминавания от равнението на 25 ноември 2026" in page(staff, "/admin/", "bg")


def test_it_says_only_what_somebody_may_see(world: World, run: Reconciliation) -> None:
    assert "To look at" not in page(agent(world, "view_tenant"), "/admin/")
    text = page(agent(world, "view_refund"), "/admin/")
    assert "Refunds that failed" in text
    assert "Tasks that" not in text
    assert "Findings of" not in text


def test_it_costs_the_same_whatever_there_is(world: World, run: Reconciliation, staff: User) -> None:
    client = client_of(staff)

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/admin/")
        return len(captured)

    before = statements()
    for number in range(30):
        Task.objects.create(key=f"k{number}", kind="note", status="GIVEN_UP", run_at=NOW, created_at=NOW)
        ran()
    cancel(world, world.subscription())
    assert statements() == before


def test_its_numbers_are_found_without_the_rest(world: World, run: Reconciliation) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite says what it would do also where there are few rows")
    from common.attention import signs_for

    with CaptureQueriesContext(connection) as captured:
        signs_for(world.person(None, is_staff=True, is_superuser=True))
    with connection.cursor() as cursor:
        for query in captured.captured_queries:
            if "outbox_task" in query["sql"] or "billing_refund" in query["sql"]:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans = [row[3] for row in cursor.fetchall()]
                assert not [plan for plan in plans if plan.startswith("SCAN")], (plans, query["sql"])
