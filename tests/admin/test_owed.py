"""Staff and what is owed: the list, taken away as CSV, and marked as paid."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.charges import record_correction
from billing.models import Charge, Refund
from outbox.worker import work_off
from subscriptions.models import Cancellation
from tenants.models import AuditEvent, User
from tests.admin.test_admin import agent, client_of
from tests.builders import NOW
from tests.graphql.test_access import everything
from tests.owed import OWED_AT, frozen, owed
from tests.subscriptions.test_lifecycle import cancel, told
from tests.world import World

__all__ = ["frozen", "owed", "told"]
pytestmark = pytest.mark.django_db
LIST = "admin:billing_refund_changelist"


@pytest.fixture(autouse=True)
def _known_to_accounting(told: World) -> None:
    told.tenant.name, told.tenant.billing_contact_name = "Рила Софтуер ООД", "Даниела Петрова"
    told.tenant.save()


def page_of(refund: Refund, name: str = "paid") -> str:
    return reverse(f"admin:billing_refund_{name}", args=[refund.pk])


def exported(client: Any, query: str = "standing=owed") -> list[dict[str, str]]:
    text = client.get(f"{reverse('admin:billing_refund_export')}?{query}").content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", ["Owed: 1", "€4.00", "31 December 2026", "31 Dec"]), ("bg", ["Дължими: 1", "4,00", "31 декември 2026"])],
)
def test_the_list_says_how_much_to_whom_by_when_and_for_what(
    owed: Refund, staff: User, language: str, said: list[str]
) -> None:
    staff.language = language
    staff.save()
    cancellation = Cancellation.objects.get()
    page = client_of(staff).get(reverse(LIST), {"standing": "owed"}).text.replace("\xa0", " ")
    for text in ("Рила Софтуер ООД", "Даниела Петрова", "books@contoso.example", cancellation.reference, *said[:2]):
        assert text in page
    assert reverse("admin:subscriptions_cancellation_change", args=[cancellation.pk]) in page
    assert any(day in page for day in said[2:])


def test_what_is_due_first_comes_first_and_what_was_paid_is_gone(owed: Refund, told: World, staff: User) -> None:
    cancel(told, told.subscription())
    sooner = Refund.objects.latest("pk")
    work_off(lambda: OWED_AT + timedelta(days=4))
    Refund.objects.filter(pk=sooner.pk).update(due_by=OWED_AT.date())
    client = client_of(staff)
    listed = client.get(reverse(LIST), {"standing": "owed"}).context["cl"].result_list
    assert [refund.pk for refund in listed] == [sooner.pk, owed.pk]
    given = {"paid_on": "2026-11-28", "reference": "SEPA-1"}
    assert "Marked as paid." in client.post(page_of(owed), given, follow=True).text
    assert [refund.pk for refund in client.get(reverse(LIST), {"standing": "owed"}).context["cl"].result_list] == [
        sooner.pk
    ]


def test_it_is_found_by_the_reference_that_the_customer_has(owed: Refund, staff: User) -> None:
    for query, found in ((Cancellation.objects.get().reference, 1), ("rila", 1), ("C-0000-0000", 0)):
        page = client_of(staff).get(reverse(LIST), {"q": query})
        assert len(page.context["cl"].result_list) == found, query


def test_the_csv_is_what_accounting_needs_and_no_formula(owed: Refund, told: World, staff: User) -> None:
    told.tenant.billing_contact_name = "=HYPERLINK(1)"
    told.tenant.save()
    [row] = exported(client_of(staff))
    cancellation = Cancellation.objects.get()
    assert row == {
        "refund": f"ref_{owed.pk}", "tenant": "Рила Софтуер ООД", "domain": told.tenant.domain,
        "billing_contact": "'=HYPERLINK(1)", "billing_contact_email": "books@contoso.example",
        "amount": "4.00", "currency": "EUR", "status": "SUBMITTED", "due_by": "2026-12-31",
        "requested_at": "2026-11-25T12:00:00+02:00", "returned_at": "", "reason": "",
        "cancellation": cancellation.reference, "subscription": f"sub_{cancellation.subscription_id}",
        "product": cancellation.subscription.plan.display_name,
    }  # fmt: skip
    cancel(told, told.subscription())
    assert (len(exported(client_of(staff))), len(exported(client_of(staff), ""))) == (1, 2)


def test_the_csv_costs_the_same_for_many(told: World, staff: User) -> None:
    counted = []
    for more in (2, 8):
        for _ in range(more):
            cancel(told, told.subscription())
        work_off(lambda: OWED_AT)
        with CaptureQueriesContext(connection) as captured:
            exported(client_of(staff))
        counted.append(len(captured))
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    ("day", "instant"),
    [
        ("2026-11-25", NOW),  # canceled at noon in Sofia: not before that
        ("2026-11-26", datetime(2026, 11, 26, 10, tzinfo=UTC)),
        ("2026-11-28", datetime(2026, 11, 28, 10, tzinfo=UTC)),
    ],
)
def test_marked_with_a_day_it_was_paid_on_that_day(owed: Refund, staff: User, day: str, instant: datetime) -> None:
    page = client_of(staff).post(page_of(owed), {"paid_on": day, "reference": " SEPA-1 "}, follow=True)
    assert "Marked as paid." in page.text
    assert "paid" in page.text
    assert "€4.00 was paid to you" in page.text
    owed.refresh_from_db()
    assert (owed.status, owed.returned_at, owed.parts.get().reference) == ("SUCCEEDED", instant, "SEPA-1")
    event = AuditEvent.objects.get(action="refund.succeeded")
    assert (event.actor_kind, event.actor_id, event.data["reference"]) == ("STAFF", staff.pk, "SEPA-1")


def test_today_is_now_in_the_morning_too(owed: Refund, staff: User, frozen: Any) -> None:
    frozen.move_to(datetime(2026, 11, 29, 6, tzinfo=UTC))
    client_of(staff).post(page_of(owed), {"paid_on": "2026-11-29", "reference": "SEPA-1"})
    owed.refresh_from_db()
    assert owed.returned_at == datetime(2026, 11, 29, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"paid_on": "2026-11-29", "reference": "SEPA-1"}, "This is in the future"),
        ({"paid_on": "2026-11-24", "reference": "SEPA-1"}, "This is before the refund was promised"),
        ({"paid_on": "2026-11-27", "reference": " "}, "This field is required."),
        ({"paid_on": "", "reference": "SEPA-1"}, "This field is required."),
        ({"paid_on": "soon", "reference": "SEPA-1"}, "Enter a valid date."),
    ],
)
def test_what_is_refused_says_why_beside_its_field_and_loses_nothing(
    owed: Refund, staff: User, typed: dict[str, str], said: str
) -> None:
    before = everything()
    page = client_of(staff).post(page_of(owed), typed)
    assert page.status_code == 200
    assert re.search(rf"errorlist[^>]*>\s*<li>{said}", page.text)
    for value in filter(str.strip, typed.values()):
        assert f'value="{value}"' in page.text
    assert everything() == before


def test_marked_twice_it_is_said(owed: Refund, staff: User) -> None:
    client = client_of(staff)
    assert "Mark as paid" in client.get(page_of(owed, "change")).text
    given = {"paid_on": "2026-11-28", "reference": "SEPA-1"}
    client.post(page_of(owed), given)
    assert "was marked as paid before" in client.post(page_of(owed), given, follow=True).text
    another = client.post(page_of(owed), {**given, "reference": "SEPA-2"})
    assert "under the reference “SEPA-1”. Was it paid twice?" in another.text
    assert 'value="SEPA-2"' in another.text
    assert "Mark as paid" not in client.get(page_of(owed, "change")).text
    assert AuditEvent.objects.filter(action="refund.succeeded").count() == 1


def test_what_can_still_be_undone_is_not_marked(told: World, staff: User) -> None:
    cancel(told, told.subscription())
    held = Refund.objects.get()
    client = client_of(staff)
    assert "Mark as paid" not in client.get(page_of(held, "change")).text
    refused = client.post(page_of(held), {"paid_on": "2026-11-28", "reference": "SEPA-1"})
    assert "Nothing is owed yet" in refused.text


def test_marking_takes_its_permission(owed: Refund, world: World) -> None:
    clerk = client_of(agent(world, "view_refund"))
    before = everything()
    assert clerk.get(page_of(owed)).status_code == 403
    assert clerk.post(page_of(owed), {"paid_on": "2026-11-28", "reference": "x"}).status_code == 403
    assert "Mark as paid" not in clerk.get(page_of(owed, "change")).text
    assert everything() == before


@pytest.mark.parametrize(
    ("provider", "promise", "kept"),
    [
        ("owed", "We will pay you €4.00 by 31 December 2026", "€4.00 was paid to you"),
        ("ledger", "€4.00 is credited to your account by 31 December 2026", "€4.00 was credited to your account"),
        ("stripe", "You get back €4.00 by 31 December 2026", "€4.00 was paid back to you"),
    ],
)
def test_the_page_says_what_the_customer_reads(
    owed: Refund, staff: User, provider: str, promise: str, kept: str
) -> None:
    Refund.objects.update(provider=provider)
    assert promise in client_of(staff).get(page_of(owed, "change")).text
    Refund.objects.update(status="SUCCEEDED")
    assert kept in client_of(staff).get(page_of(owed, "change")).text


def test_staff_who_cancel_for_a_customer_read_the_same_words(told: World, staff: User) -> None:
    address = reverse("admin:subscriptions_subscription_cancel", args=[told.subscription().pk])
    assert "We will pay you €2." in client_of(staff).get(address).text


@pytest.mark.parametrize("language", ["en", "bg"])
def test_whoever_pays_sees_that_less_is_due_by_now(owed: Refund, staff: User, settings: Any, language: str) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    staff.language = language
    staff.save()
    client, charge = client_of(staff), Charge.objects.get()
    for name in ("change", "paid"):
        assert 'class="warning"' not in client.get(page_of(owed, name)).text
    corrected = {"tax": 0, "corrected_at": OWED_AT, "now": OWED_AT}
    with transaction.atomic():
        record_correction(charge=charge, external_id="k", amount=charge.money(1_700), **corrected)  # type: ignore[arg-type]
    work_off(lambda: OWED_AT)
    for name in ("change", "paid"):
        text = client.get(page_of(owed, name)).text.replace("\xa0", " ")
        assert {"en": "€0.60 of it is due", "bg": "дължат 0,60 € от него"}[language] in text
    # It is named as everybody names it, and nobody reads that it is sent.
    [subject] = [message.subject for message in mail.outbox if "of that is due" in message.subject]
    assert charge.external_id in subject
