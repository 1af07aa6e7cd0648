"""A partner that pays for the installation says that a refund was paid: once, in time, and of its tenants alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.models import Refund
from subscriptions.models import IdempotencyRecord
from tenants.callers import Scope
from tenants.models import AuditEvent
from tests.graphql.documents import MARK_PAID
from tests.owed import OWED_AT, frozen, owed
from tests.world import Api, World

__all__ = ["frozen", "owed"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def accounting(world: World) -> Api:
    return Api(token=world.token(Scope.SETTLE))


def mark(api: Api, refund: Refund, key: str = "k", **given: Any) -> dict[str, Any]:
    values = {"paidAt": OWED_AT.isoformat(), "reference": "SEPA-1", **given}
    answer: dict[str, Any] = api(MARK_PAID, input={"refundId": f"ref_{refund.pk}", "idempotencyKey": key, **values})
    found: dict[str, Any] = answer["markRefundPaid"]
    return found


def test_paid_it_is_answered_as_it_is_then(owed: Refund, accounting: Api) -> None:
    found = mark(accounting, owed, paidAt="2026-11-28T13:00:00+02:00")
    assert found["refund"] == {
        "id": f"ref_{owed.pk}", "amount": {"formatted": "€4.00"}, "status": "SUCCEEDED", "creditForm": "OWED",
        "dueBy": "2026-12-31", "settledAt": "2026-11-28T11:00:00+00:00", "overdue": False,
    }  # fmt: skip
    event = AuditEvent.objects.get(action="refund.succeeded")
    assert (event.actor_kind, event.data["reference"]) == ("PARTNER", "SEPA-1")


def test_the_same_again_changes_nothing_whatever_the_key(owed: Refund, accounting: Api, frozen: Any) -> None:
    first = mark(accounting, owed)
    frozen.shift(timedelta(days=2))
    assert mark(accounting, owed) == first
    assert mark(accounting, owed, "another") == first
    # Another key and another time, of what has that reference already: it stays as it was noted.
    assert mark(accounting, owed, "a third", paidAt="2026-11-29T10:00:00Z") == first
    assert AuditEvent.objects.filter(action="refund.succeeded").count() == 1


@pytest.mark.parametrize(
    ("given", "key", "code", "path"),
    [
        ({"reference": "SEPA-2"}, "another", "REFUND_PAID_BEFORE", "reference"),
        ({"reference": "SEPA-2"}, "k", "IDEMPOTENCY_KEY_REUSED", "idempotencyKey"),
        ({"paidAt": "2026-11-28T10:59:59Z"}, "k", "IDEMPOTENCY_KEY_REUSED", "idempotencyKey"),
    ],
)
def test_what_was_paid_before_is_asked_about(
    owed: Refund, accounting: Api, given: dict[str, str], key: str, code: str, path: str
) -> None:
    mark(accounting, owed)
    found = mark(accounting, owed, key, **given)
    assert (found["__typename"], found["code"], found["path"]) == ("InputProblem", code, ["input", path])
    if code == "REFUND_PAID_BEFORE":
        assert "SEPA-1" in found["message"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"paidAt": "2026-11-28T11:00:01Z"}, "paidAt"),
        ({"paidAt": "2026-11-25T09:59:59Z"}, "paidAt"),
        ({"reference": " "}, "reference"),
        ({"reference": "x" * 101}, "reference"),
        ({"reference": "a\x00b"}, "reference"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
    ],
)
def test_what_cannot_be_names_the_field_and_changes_nothing(
    owed: Refund, accounting: Api, given: dict[str, str], path: str
) -> None:
    key = given.pop("idempotencyKey", "k")
    found = mark(accounting, owed, key, **given)
    assert (found["code"], found["path"]) == ("INPUT_INVALID", ["input", path])
    owed.refresh_from_db()
    assert owed.status == "SUBMITTED"
    assert not IdempotencyRecord.objects.filter(operation="markRefundPaid").exists()
    assert mark(accounting, owed)["refund"]["status"] == "SUCCEEDED"


def test_a_time_without_an_offset_is_refused(owed: Refund, accounting: Api) -> None:
    given = {"refundId": f"ref_{owed.pk}", "paidAt": "2026-11-28T10:00:00", "reference": "x", "idempotencyKey": "k"}
    assert accounting.raw(MARK_PAID, input=given)["errors"]


@pytest.mark.parametrize(("status", "provider"), [("HELD", "owed"), ("VOIDED", "owed"), ("SUBMITTED", "ledger")])
def test_what_does_not_wait_to_be_paid_is_not_marked(owed: Refund, accounting: Api, status: str, provider: str) -> None:
    Refund.objects.update(status=status, provider=provider)
    found = mark(accounting, owed)
    assert (found["code"], found["path"]) == ("REFUND_NOT_OWED", ["input", "refundId"])
    assert Refund.objects.get().status == status


def test_no_admin_of_the_customer_marks_what_the_customer_gets(owed: Refund, world: World) -> None:
    assert mark(Api(world.admin), owed)["code"] == "NOT_PERMITTED"
    for scope in set(Scope) - {Scope.SETTLE}:
        assert mark(Api(token=world.token(scope)), owed)["code"] == "NOT_PERMITTED"
    assert Refund.objects.get().status == "SUBMITTED"
