"""Staff and money: what is late comes first, every move has a permission and a reason, and the books add up."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from billing.models import BillingAccount, Charge, Correction, ProviderNotice, Refund, RefundPart, ReturnElsewhere
from billing.selectors import LineKind, statement
from outbox.models import Task
from outbox.worker import work_off
from tenants.models import AuditEvent, User
from tests.admin.test_admin import agent, client_of
from tests.builders import NOW
from tests.graphql.test_access import everything
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db
LIST = "admin:billing_refund_changelist"
AFTER = NOW + timedelta(hours=73)


@pytest.fixture(autouse=True)
def frozen() -> Iterator[None]:
    with time_machine.travel(AFTER, tick=False):
        yield


@pytest.fixture
def staff(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True)


@pytest.fixture
def failed(world: World) -> Iterator[Refund]:
    cancel(world, world.subscription())
    with used(TestProvider()) as provider:
        provider.troubles = ["decline"]
        work_off(lambda: AFTER)
        yield Refund.objects.get()


def press(client: Client, name: str, pk: int, **given: str) -> Any:
    return client.post(reverse(f"admin:billing_{name}", args=[pk]), given, follow=True)


def test_a_failed_refund_is_first_and_is_sent_again(world: World, failed: Refund, staff: User) -> None:
    cancel(world, world.subscription())
    client = client_of(staff)
    page = client.get(reverse(LIST))
    assert page.context["cl"].result_list[0].pk == failed.pk
    assert "<svg" in page.text
    assert "promised" in page.text
    assert "style=" not in page.text.partition("<svg")[2].partition("</svg>")[0]
    assert "Send again" in client.get(reverse("admin:billing_refund_change", args=[failed.pk])).text
    assert "It is sent again." in press(client, "refund_retry", failed.pk).text
    work_off(lambda: AFTER + timedelta(minutes=1))
    failed.refresh_from_db()
    assert failed.status == "SUCCEEDED"
    assert "Nothing of it has failed" in press(client, "refund_retry", failed.pk).text


def test_a_part_is_shown_by_the_key_that_findings_and_the_provider_name_it_by(failed: Refund, staff: User) -> None:
    text = client_of(staff).get(reverse("admin:billing_refund_change", args=[failed.pk])).text
    assert re.search(rf"<p>\s*{RefundPart.objects.get().key}", text)
    assert "RefundPart object" not in text


@pytest.mark.parametrize(
    ("language", "whole", "part"), [("en", "€60.00", "€10.00"), ("bg", "60,00\xa0€", "10,00\xa0€")]
)
def test_a_charge_and_a_part_show_amounts_as_money(
    world: World, staff: User, language: str, whole: str, part: str
) -> None:
    charge = world.charge(world.subscription(charged=None), charged=6000, tax=1000)
    Correction.objects.create(charge=charge, external_id="k1", amount=1000, corrected_at=NOW)
    ReturnElsewhere.objects.create(
        charge=charge, source="stripe", kind="REFUND", external_id="re_1", amount=1000, status="GONE", known_at=NOW
    )
    staff.language = language
    staff.save()
    client = client_of(staff)
    press(client, "charge_refund", charge.pk, amount="10.00", reason="goodwill")
    texts = [
        client.get(reverse("admin:billing_charge_change", args=[charge.pk])).text,
        client.get(reverse("admin:billing_refund_change", args=[Refund.objects.get().pk])).text,
    ]
    assert whole in texts[0]
    # Tax, what was refunded, the correction, and what left elsewhere; the part, and what was promised of it.
    assert [text.count(part) for text in texts] == [4, 4]
    assert not [number for text in texts for number in ("6000", "1000") if f">{number}<" in text]


def test_notices_are_filtered_in_words(world: World, failed: Refund, staff: User) -> None:
    for number, seen_at in enumerate((None, AFTER)):
        ProviderNotice.objects.create(
            provider="stripe", reference=f"re_{number}", reason="TOO_MUCH", agreement=failed.agreement, charge_id="c1",
            amount=5, said_at=NOW, seen_at=seen_at,
        )  # fmt: skip
    address = reverse("admin:billing_providernotice_changelist")
    page = client_of(staff).get(f"{address}?seen_at__isempty=1")
    assert [row.reference for row in page.context["cl"].result_list] == ["re_0"]
    assert "not yet" in page.text
    assert "Empty" not in page.text


def test_settling_by_hand_takes_a_reason(failed: Refund, staff: User) -> None:
    client = client_of(staff)
    assert "Say why" in press(client, "refund_settle", failed.pk, reason=" ").text
    assert "Noted as settled by hand." in press(client, "refund_settle", failed.pk, reason="bank transfer").text
    assert "over already" in press(client, "refund_settle", failed.pk, reason="bank transfer").text
    failed.refresh_from_db()
    assert (failed.status, failed.reason) == ("SETTLED_MANUALLY", "bank transfer")
    event = AuditEvent.objects.get(action="refund.settled_manually")
    assert (event.actor_id, event.data["reason"]) == (staff.pk, "bank transfer")


@pytest.mark.parametrize("amount", ["20.01", "0", "-1", "1.005", "abc", "", "1e3"])
def test_a_refund_by_hand_is_checked(world: World, staff: User, amount: str) -> None:
    world.subscription()
    charge = Charge.objects.get()
    before = everything()
    page = press(client_of(staff), "charge_refund", charge.pk, amount=amount, reason="goodwill")
    assert "errorlist" in page.text or 'class="error"' in page.text
    # Nothing that was typed is lost.
    assert f'name="amount" value="{amount}"' in page.text
    assert 'name="reason" value="goodwill"' in page.text
    assert everything() == before


@pytest.mark.parametrize("typed", ["12.50", "12,50", " 12,5 ", "12,50\u00a0"])
@pytest.mark.parametrize("language", ["en", "bg"])
def test_a_refund_by_hand_takes_amounts_as_pages_write_them(
    world: World, staff: User, typed: str, language: str
) -> None:
    subscription = world.subscription(charged=None)
    charge = world.charge(subscription, charged=6000, tax=1000)
    staff.language = language
    staff.save()
    press(client_of(staff), "charge_refund", charge.pk, amount=typed, reason="goodwill")
    assert RefundPart.objects.values_list("amount", "tax").get() == (1250, 208)


def test_a_refund_by_hand_goes_out(world: World, staff: User) -> None:
    world.subscription()
    charge = Charge.objects.get()
    assert (
        "Left of what was paid" in client_of(staff).get(reverse("admin:billing_charge_refund", args=[charge.pk])).text
    )
    page = press(client_of(staff), "charge_refund", charge.pk, amount="12.50", reason="goodwill")
    assert "goes back." in page.text
    work_off(lambda: AFTER)
    refund = Refund.objects.get()
    assert (refund.amount, refund.status, refund.reason) == (1250, "SUCCEEDED", "goodwill")


def test_a_refund_by_hand_that_is_pressed_twice_is_made_once(world: World, staff: User) -> None:
    world.subscription()
    charge = Charge.objects.get()
    client = client_of(staff)
    page = client.get(reverse("admin:billing_charge_refund", args=[charge.pk])).text
    assert 'name="refunded" value="0"' in page
    typed = {"amount": "1.00", "reason": "goodwill", "refunded": "0"}
    assert "goes back." in press(client, "charge_refund", charge.pk, **typed).text
    assert "given back meanwhile" in press(client, "charge_refund", charge.pk, **typed).text
    assert list(Refund.objects.values_list("amount", flat=True)) == [100]
    assert "goes back." in press(client, "charge_refund", charge.pk, **{**typed, "refunded": "100"}).text


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("refund_retry", {}),
        ("refund_settle", {"reason": "x"}),
        ("refund_paid", {"paid_on": "2026-11-27", "reference": "x"}),
        ("charge_refund", {"amount": "1", "reason": "x"}),
    ],
)
def test_without_the_permission_nothing_moves(world: World, failed: Refund, name: str, given: dict[str, str]) -> None:
    client = client_of(agent(world, "view_refund", "view_charge"))
    pk = failed.pk if name.startswith("refund") else Charge.objects.get().pk
    before = everything()
    assert press(client, name, pk, **given).status_code == 403
    assert everything() == before
    assert "Send again" not in client.get(reverse("admin:billing_refund_change", args=[failed.pk])).text


def test_a_get_changes_nothing(failed: Refund, staff: User) -> None:
    before = everything()
    for name in ("refund_retry", "refund_settle", "refund_paid"):
        client_of(staff).get(reverse(f"admin:billing_{name}", args=[failed.pk]))
    assert everything() == before


def test_the_csv_shows_what_the_list_shows_and_no_formula(world: World, failed: Refund, staff: User) -> None:
    Refund.objects.update(reason='=HYPERLINK("x")')
    client = client_of(staff)
    for query, rows in (
        ("standing=failed", 1),
        ("standing=over", 0),
        ("standing=open", 1),
        ("standing=overdue", 0),
        ("", 1),
    ):
        text = client.get(f"{reverse('admin:billing_refund_export')}?{query}").content.decode("utf-8-sig")
        found = list(csv.DictReader(io.StringIO(text)))
        assert len(found) == rows, query
    assert found[0]["reason"] == '\'=HYPERLINK("x")'
    assert (found[0]["amount"], found[0]["currency"], found[0]["status"]) == ("4.00", "EUR", "FAILED")
    assert client_of(agent(world, "view_charge")).get(reverse("admin:billing_refund_export")).status_code == 403


def test_the_statement_adds_up(world: World, staff: User) -> None:
    cancel(world, world.subscription())
    world.subscription(charged=5000)
    work_off(lambda: AFTER)
    account = BillingAccount.objects.get(tenant=world.tenant)
    [book] = statement(account.pk)
    assert sum(total.minor_units for total in book.totals.values()) == book.lines[-1].balance.minor_units == -400
    assert book.totals[LineKind.CREDIT].minor_units == -RefundPart.objects.get().amount
    Refund.objects.update(provider="stripe")
    [paid_out] = statement(account.pk)
    assert (paid_out.totals[LineKind.PAYOUT].minor_units, paid_out.lines[-1].balance.minor_units) == (400, 0)
    page = client_of(staff).get(reverse("admin:billing_billingaccount_statement", args=[account.pk]))
    assert "€70.00" in page.text
    assert client_of(agent(world, "view_refund")).get(page.request["PATH_INFO"]).status_code == 403


def test_staff_do_again_what_was_given_up(world: World, staff: User) -> None:
    cancel(world, world.subscription())
    Task.objects.update(status="GIVEN_UP")
    pks = list(Task.objects.values_list("pk", flat=True))
    form = {"action": "requeue", "_selected_action": pks}
    path = reverse("admin:outbox_task_changelist")
    client_of(agent(world, "view_task")).post(path, form)
    assert not Task.objects.filter(status="WAITING").exists()
    page = client_of(staff).post(path, form, follow=True)
    assert "4 changed." in page.text
    assert Task.objects.filter(status="WAITING").count() == 4


def test_staff_see_how_often_an_outage_was_run_into(world: World, staff: User) -> None:
    cancel(world, world.subscription())
    Task.objects.update(outages=4711, last_failure="nobody answers there", failing_since=NOW)
    page = client_of(staff).get(reverse("admin:outbox_task_changelist"))
    assert "4711" in page.text
    assert "nobody answers there" in page.text
