"""What does not get on is seen: in the list of tasks, on the pages that wait for one, and on the start page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse

from billing.models import Agreement, Refund, RefundPart
from outbox.models import Task
from outbox.worker import LEASE, MAX_CRASHES, claim, work_off
from tenants.models import AuditEvent, User
from tests.admin.test_admin import agent, client_of
from tests.builders import NOW
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
TASKS = "/admin/outbox/task/"


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with used(TestProvider()) as found:
        yield found


@pytest.fixture
def canceled(world: World, provider: TestProvider) -> Refund:
    """At a provider that does not answer from now on."""
    subscription = world.subscription()
    Agreement.objects.update(provider="stripe", external_id="sub_11111111")
    cancel(world, subscription)
    provider.troubles = ["5xx"] * 1_000
    return Refund.objects.get()


def listed(user: User, **query: str) -> list[str]:
    page = client_of(user).get(TASKS, query)
    return sorted(task.kind for task in page.context["cl"].result_list)


def pages(refund: Refund, user: User, language: str = "en") -> tuple[str, str]:
    """Of the agreement and of the refund."""
    client = client_of(user)
    addresses = (
        reverse("admin:billing_agreement_change", args=[refund.agreement_id]),
        reverse("admin:billing_refund_change", args=[refund.pk]),
    )
    found = [client.get(address, headers={"Accept-Language": language}).text for address in addresses]
    return found[0], found[1]


def test_an_outage_is_said_where_somebody_looks_for_it(canceled: Refund, staff: User) -> None:
    work(after(hours=73))
    work(after(hours=75))
    with time_machine.travel(after(hours=75), tick=False):
        agreement, refund = pages(canceled, staff)
        assert "Telling the provider waits since 28 November 2026" in agreement
        assert "Sending it waits since 28 November 2026" in refund
        assert "5xx. Tried in vain: 2, next at 28 November 2026" in refund
        assert "Изпращане: изчаква от 28 ноември 2026" in pages(canceled, staff, "bg")[1]
        assert listed(staff, attention="OUTAGE") == listed(staff, attention="any")
        assert listed(staff, attention="OUTAGE") == ["agreement.confirm_stop", "refund.submit"]
        assert listed(staff, attention="GIVEN_UP") == listed(staff, attention="STUCK") == []
        assert len(listed(staff, attention="nonsense")) == Task.objects.count()
        page = client_of(staff).get(TASKS, {"attention": "any"}).text
        assert "somebody who is down" in page
        assert reverse("admin:outbox_task_change", args=[Task.objects.get(kind="refund.submit").pk]) in refund
        assert "Sending it" not in " ".join(pages(canceled, agent_without_tasks(canceled))[0])


def agent_without_tasks(refund: Refund) -> User:
    world = World(refund.agreement.account.tenant, None)  # type: ignore[arg-type]
    return agent(world, "view_refund", "view_agreement")


def test_who_may_not_see_tasks_reads_the_line_and_has_no_link(canceled: Refund) -> None:
    work(after(hours=73))
    agreement, refund = pages(canceled, agent_without_tasks(canceled))
    assert "Sending it waits since" in refund
    assert TASKS not in agreement + refund


def test_nothing_is_said_once_the_provider_answers(canceled: Refund, provider: TestProvider, staff: User) -> None:
    work(after(hours=73))
    provider.troubles = []
    for hours in (80, 81):
        work(after(hours=hours))
    assert "waits since" not in " ".join(pages(canceled, staff))
    assert listed(staff, attention="any") == []
    canceled.refresh_from_db()
    assert canceled.status == "SUCCEEDED"


def test_what_was_given_up_is_said_with_its_reason(canceled: Refund, provider: TestProvider, staff: User) -> None:
    provider.troubles = ["unknown"]
    work(after(minutes=1))
    agreement, refund = pages(canceled, staff)
    assert "Telling the provider was given up" in agreement
    assert "no such subscription. Mend that" in agreement
    assert "given up" not in refund
    assert listed(staff, attention="GIVEN_UP") == ["agreement.confirm_stop"]


def test_a_check_of_a_part_is_one_of_its_refunds_tasks(canceled: Refund, staff: User) -> None:
    part = RefundPart.objects.get()
    RefundPart.objects.update(retries=2)
    for key in (f"{part.pk}", f"{part.pk}.1", f"{part.pk}.2"):
        Task.objects.create(key=f"refund.check:{key}", status="STUCK", run_at=NOW, created_at=NOW, last_failure="x")
    assert pages(canceled, staff)[1].count("Asking the provider ended its worker each time") == 3


def test_what_kills_its_worker_is_seen_and_started_again_from_the_admin(
    canceled: Refund, provider: TestProvider, staff: User
) -> None:
    at = after(hours=73)
    provider.troubles = []
    Task.objects.exclude(kind="refund.submit").delete()
    for _ in range(MAX_CRASHES):
        assert claim(at)
        at += LEASE + timedelta(seconds=1)
    assert claim(at) is None or Task.objects.get(kind="refund.submit").status == "STUCK"
    with time_machine.travel(at, tick=False):
        assert listed(staff, attention="STUCK") == ["refund.submit"]
        assert "Sending it ended its worker each time" in pages(canceled, staff)[1]
        task = Task.objects.get(kind="refund.submit")
        form = {"action": "requeue", "_selected_action": [task.pk]}
        looks = agent_without_tasks(canceled)
        client_of(looks).post(TASKS, form)
        task.refresh_from_db()
        assert task.status == "STUCK"
        page = client_of(staff).post(TASKS, form, follow=True)
        assert "1 changed." in page.text
        task.refresh_from_db()
        assert (task.status, task.crashes, task.failing_since) == ("WAITING", 0, None)
        assert AuditEvent.objects.filter(tenant=None, action="task.requeued", actor_id=staff.pk).exists()
    work_off(lambda: at + timedelta(seconds=1))
    canceled.refresh_from_db()
    assert canceled.status == "SUCCEEDED"


def test_a_wrong_key_alarms_staff_within_minutes_once_a_day_and_is_seen(
    canceled: Refund, provider: TestProvider, staff: User, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    provider.troubles = ["key"] * 1_000
    at = after(hours=73)
    begun = at
    while at < begun + timedelta(days=2):
        work_off(lambda now=at: now)  # type: ignore[misc]
        at += timedelta(minutes=5)
    alarms = [message for message in mailoutbox if "stripe refuses our key" in message.subject]
    # Once for each of the days that it lasted, in UTC: 28, 29 and 30 November.
    assert [message.to for message in alarms] == [["desk@wayout.example"]] * 3
    first = Task.objects.filter(key__startswith="mail.staff:key:stripe:2026-11-28").get()
    assert first.finished_at
    assert first.finished_at - begun <= timedelta(minutes=5)
    assert "key. Tried in vain" in pages(canceled, staff)[1]
    assert "refund.submit" in listed(staff, attention="OUTAGE")
