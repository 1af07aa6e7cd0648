"""Cancel over the API: what was quoted, once, or nothing at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from billing.models import Agreement, Charge, Refund, RefundPart
from desk.models import CallbackRequest
from subscriptions.models import Cancellation, CancellationPolicy, License, Subscription
from subscriptions.publishing import publish_policy
from tenants.models import AuditEvent
from tests.builders import NOW, PERIOD
from tests.graphql.documents import CANCEL, FEEDBACK, ONE, OPTIONS, REQUEST, UNDO
from tests.world import Api, World, later

pytestmark = pytest.mark.django_db


def sub_id(subscription: Subscription) -> str:
    return f"sub_{subscription.pk}"


def quote(api: Api, subscription: Subscription, mode: str = "IMMEDIATE") -> dict[str, Any]:
    options = api(OPTIONS, id=sub_id(subscription))["cancellationOptions"]["options"]
    found: dict[str, Any] = next(q for o in options for q in o["quotes"] or [] if q["mode"] == mode)
    return found


def cancel(api: Api, subscription: Subscription, quote_id: str, key: str = "k1") -> dict[str, Any]:
    given = {"subscriptionId": sub_id(subscription), "quoteId": quote_id, "idempotencyKey": key}
    done: dict[str, Any] = api(CANCEL, input=given)["cancelSubscription"]
    return done


def nothing_changed() -> None:
    assert not Cancellation.objects.exists()
    assert not Refund.objects.exists()
    assert not Charge.objects.exclude(refunded=0).exists()
    assert not AuditEvent.objects.filter(action__startswith="cancellation").exists()
    assert not Subscription.objects.exclude(canceled_mode=None).exists()


@time_machine.travel(NOW, tick=False)
def test_cancel_now_gives_back_what_was_quoted(world: World) -> None:
    subscription = world.subscription(24)
    api = Api(world.admin)
    quoted = quote(api, subscription)
    assert quoted["refund"] == {"amount": "4.00", "currency": "EUR", "formatted": "€4.00"}
    assert quoted["explanation"] == "6 of 30 days unused, whole 24-hour days."
    done = cancel(api, subscription, quoted["id"])
    assert done["__typename"] == "CancelSubscriptionSuccess"
    assert done["replayed"] is False
    cancellation = done["cancellation"]
    assert cancellation["status"] == "EFFECTIVE"
    assert cancellation["requestedBy"] == world.admin.display_name
    assert cancellation["subscription"]["status"] == "DISABLED"
    for date in ("effectiveAt", "accessEndsAt", "dataAvailableUntil", "dataErasedBy", "undoUntil"):
        assert cancellation[date] == quoted[date]
    [refund] = cancellation["refunds"]
    assert refund["amount"] == {"amount": "4.00", "formatted": "€4.00"}
    assert (refund["status"], refund["dueBy"], refund["overdue"]) == ("HELD", "2026-12-31", False)
    [part] = RefundPart.objects.all()
    assert (part.amount, part.charge.refunded) == (400, 400)


@time_machine.travel(NOW, tick=False)
def test_cancel_at_the_end_of_the_period(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    quoted = quote(api, subscription, "AT_PERIOD_END")
    assert (quoted["refund"], quoted["noRefundReason"]) == (None, "PERIOD_END")
    cancellation = cancel(api, subscription, quoted["id"])["cancellation"]
    assert (cancellation["status"], cancellation["noRefundReason"]) == ("SCHEDULED", "PERIOD_END")
    assert cancellation["refunds"] == []
    node = api(ONE, id=sub_id(subscription))["subscription"]
    assert (node["status"], node["recurringBilling"]) == ("CANCELING", False)
    assert node["cancellationOptions"]["route"] == "UNDO_CANCELLATION"
    with time_machine.travel(PERIOD.end + timedelta(hours=1), tick=False):
        node = Api(world.admin)(ONE, id=sub_id(subscription))["subscription"]
        assert (node["status"], node["cancellation"]["status"]) == ("EXPIRED", "EFFECTIVE")
        assert node["cancellationOptions"]["route"] == "NOTHING_TO_CANCEL"


@time_machine.travel(NOW, tick=False)
def test_the_evidence_says_what_was_shown_and_decided(world: World) -> None:
    subscription = world.subscription(3)
    License.objects.filter(subscription=subscription).update(assigned_at=NOW - timedelta(days=10))
    api = Api(world.admin, language="bg")
    quoted = quote(api, subscription)
    cancel(api, subscription, quoted["id"])
    [cancellation] = Cancellation.objects.all()
    assert cancellation.quote["refund"] == {"minor_units": 400, "currency": "EUR"}
    assert cancellation.facts["assigned_licenses"] == 3
    assert cancellation.licenses_30_days_before == 0
    assert (cancellation.language, cancellation.policy.version) == ("bg", 1)
    [event] = AuditEvent.objects.filter(action="cancellation.requested")
    assert event.data["quote"] == cancellation.quote
    assert event.personal.data == {
        "name": world.admin.display_name,
        "email": world.admin.email,
        "address": "127.0.0.1",
    }
    assert len(event.correlation_id) == 32
    assert world.admin.display_name not in str(event.data)


@time_machine.travel(NOW, tick=False)
def test_the_same_key_answers_the_same_and_another_input_is_refused(world: World) -> None:
    subscription, other = world.subscription(), world.subscription()
    api = Api(world.admin)
    first = quote(api, subscription)["id"]
    one = cancel(api, subscription, first)
    two = cancel(api, subscription, first)
    assert (one["replayed"], two["replayed"]) == (False, True)
    assert one["cancellation"] == two["cancellation"]
    problem = cancel(api, other, quote(api, other)["id"])
    assert (problem["code"], problem["path"]) == ("IDEMPOTENCY_KEY_REUSED", ["input", "idempotencyKey"])
    assert Refund.objects.count() == Cancellation.objects.count() == 1


@time_machine.travel(NOW, tick=False)
def test_another_key_for_what_is_in_force_answers_it(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    quoted = quote(api, subscription)["id"]
    one, two = cancel(api, subscription, quoted, "a"), cancel(api, subscription, quoted, "b")
    assert two["replayed"] is True
    assert one["cancellation"]["reference"] == two["cancellation"]["reference"]
    assert Refund.objects.count() == 1


@time_machine.travel(NOW, tick=False)
def test_a_key_after_undo_answers_the_object_as_it_is_now(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    quoted = quote(api, subscription)["id"]
    cancellation = cancel(api, subscription, quoted)["cancellation"]
    api(UNDO, input={"cancellationId": cancellation["id"]})
    again = cancel(api, subscription, quoted)
    assert (again["replayed"], again["cancellation"]["status"]) == (True, "UNDONE")
    assert Subscription.objects.get(pk=subscription.pk).canceled_mode is None


def test_a_key_is_kept_for_30_days(world: World) -> None:
    subscription, other = world.subscription(), world.subscription()
    api = Api(world.admin)
    with time_machine.travel(NOW, tick=False):
        cancel(api, subscription, quote(api, subscription)["id"])
    with time_machine.travel(later(days=31), tick=False):
        api.client.force_login(world.admin)
        assert "cancellation" in cancel(api, other, quote(api, other)["id"])


@time_machine.travel(NOW, tick=False)
def test_a_failure_is_not_remembered(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    assert cancel(api, subscription, "nonsense", "k")["code"] == "QUOTE_INVALID"
    assert "cancellation" in cancel(api, subscription, quote(api, subscription)["id"], "k")


def moves(world: World, subscription: Subscription) -> dict[str, Any]:
    charge = Charge.objects.get(agreement=subscription.agreement)

    def save(**values: Any) -> None:
        Charge.objects.filter(pk=charge.pk).update(**values)

    return {
        "a payment settled": lambda: save(paid=1900),
        "money was returned by hand": lambda: save(refunded=1700),
        "a correction came in": lambda: save(corrected=500),
        "seats were added": lambda: world.charge(subscription, charged=500),
        "a license was assigned": lambda: world.assign(subscription, 1),
        "the policy changed": lambda: publish_policy_for(world),
        "the period became shorter": lambda: Subscription.objects.filter(pk=subscription.pk).update(
            period_end=later(hours=5)
        ),
        "somebody else pays": lambda: pays(subscription, "stripe"),
    }


def pays(subscription: Subscription, provider: str) -> None:
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider=provider)


def publish_policy_for(world: World) -> None:
    policy = CancellationPolicy(name="Own", tenant=world.tenant)
    publish_policy(caller=world.caller(), policy=policy, instead_of=None, language="en", now=NOW)


MOVES = [
    "a payment settled",
    "money was returned by hand",
    "a correction came in",
    "seats were added",
    "a license was assigned",
    "the policy changed",
    "the period became shorter",
    "somebody else pays",
]


@pytest.mark.parametrize("move", MOVES)
@time_machine.travel(NOW, tick=False)
def test_when_facts_move_nothing_is_canceled_and_the_new_quote_comes_back(world: World, move: str) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    quoted = quote(api, subscription)
    moves(world, subscription)[move]()
    refunded_before = list(Charge.objects.values_list("pk", "refunded"))
    problem = cancel(api, subscription, quoted["id"])
    assert (problem["__typename"], problem["code"]) == ("QuoteChangedProblem", "QUOTE_CHANGED")
    assert problem["path"] == ["input", "quoteId"]
    assert problem["quote"]["id"] != quoted["id"]
    assert not Cancellation.objects.exists()
    assert list(Charge.objects.values_list("pk", "refunded")) == refunded_before
    assert "cancellation" in cancel(api, subscription, problem["quote"]["id"])


@pytest.mark.parametrize(
    ("named", "form"),
    [("", "ACCOUNT_CREDIT"), ("stripe", "PAID_BACK"), ("ledger", "ACCOUNT_CREDIT"), ("gone", "PAID_BACK")],
)
@time_machine.travel(NOW, tick=False)
def test_who_pays_says_what_becomes_of_a_refund(world: World, settings: Any, named: str, form: str) -> None:
    settings.WAYOUT_PROVIDER = "ledger"
    subscription = world.subscription()
    pays(subscription, named)
    api = Api(world.admin)
    quoted = quote(api, subscription)
    assert quoted["creditForm"] == form
    canceled = cancel(api, subscription, quoted["id"])["cancellation"]
    assert [refund["creditForm"] for refund in canceled["refunds"]] == [form]
    assert Cancellation.objects.get().quote["credit_form"] == form
    node = api("query($id: ID!) { node(id: $id) { ... on Refund { creditForm } } }", id=canceled["refunds"][0]["id"])
    assert node["node"] == {"creditForm": form}


@time_machine.travel(NOW, tick=False)
def test_the_route_closed_meanwhile(world: World) -> None:
    subscription = world.subscription(24)
    api = Api(world.admin)
    quoted = quote(api, subscription)["id"]
    world.assign(subscription, 1)
    problem = cancel(api, subscription, quoted)
    assert (problem["code"], problem["quote"]) == ("QUOTE_CHANGED", None)
    assert "25 licenses are assigned" in problem["message"]
    nothing_changed()


def test_an_expired_quote_brings_a_fresh_one(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    with time_machine.travel(NOW, tick=False):
        quoted = quote(api, subscription)["id"]
    with time_machine.travel(later(minutes=29, seconds=59), tick=False):
        pass
    with time_machine.travel(later(minutes=30), tick=False):
        problem = cancel(api, subscription, quoted)
        assert (problem["__typename"], problem["code"]) == ("QuoteChangedProblem", "QUOTE_EXPIRED")
        nothing_changed()
        assert "cancellation" in cancel(api, subscription, problem["quote"]["id"])


def test_executed_later_within_its_life_gives_the_quoted_amount_and_takes_effect_then(world: World) -> None:
    # A day boundary between quote and execution does not change what was promised.
    subscription = world.subscription()
    api = Api(world.admin)
    quoted_at = NOW.replace(hour=21, minute=45)
    with time_machine.travel(quoted_at, tick=False):
        quoted = quote(api, subscription)
    with time_machine.travel(quoted_at + timedelta(minutes=29), tick=False):
        cancellation = cancel(api, subscription, quoted["id"])["cancellation"]
    assert cancellation["refunds"][0]["amount"]["amount"] == quoted["refund"]["amount"]
    assert cancellation["effectiveAt"] == (quoted_at + timedelta(minutes=29)).isoformat()


def test_a_period_that_ended_meanwhile_changes_the_quote(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    with time_machine.travel(PERIOD.end - timedelta(minutes=5), tick=False):
        quoted = quote(api, subscription)["id"]
    with time_machine.travel(PERIOD.end + timedelta(minutes=5), tick=False):
        assert cancel(api, subscription, quoted)["code"] == "QUOTE_CHANGED"
        nothing_changed()


@time_machine.travel(NOW, tick=False)
def test_a_quote_with_any_byte_changed_is_invalid(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    quoted = quote(api, subscription)["id"]
    for position in range(0, len(quoted), 7):
        other = "A" if quoted[position] != "A" else "B"
        changed = quoted[:position] + other + quoted[position + 1 :]
        problem = cancel(api, subscription, changed)
        assert (problem["code"], problem["path"]) == ("QUOTE_INVALID", ["input", "quoteId"])
    nothing_changed()


@pytest.mark.parametrize("quote_id", ["", "x", "a:b:c", "\x00", "💶" * 50, "A" * 5000, "W10:1uXyZ:abc"])
@time_machine.travel(NOW, tick=False)
def test_a_malformed_quote_is_invalid(world: World, quote_id: str) -> None:
    assert cancel(Api(world.admin), world.subscription(), quote_id)["code"] == "QUOTE_INVALID"
    nothing_changed()


@time_machine.travel(NOW, tick=False)
def test_a_quote_of_another_subscription_is_invalid(world: World) -> None:
    one, other = world.subscription(), world.subscription()
    api = Api(world.admin)
    assert cancel(api, one, quote(api, other)["id"])["code"] == "QUOTE_INVALID"
    nothing_changed()


@pytest.mark.parametrize("key", ["", "  ", "k" * 256, "a\x00b"])
@time_machine.travel(NOW, tick=False)
def test_a_bad_idempotency_key(world: World, key: str) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    problem = cancel(api, subscription, quote(api, subscription)["id"], key)
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "idempotencyKey"])
    nothing_changed()


@time_machine.travel(NOW, tick=False)
def test_case_3_sold_by_a_partner(world: World) -> None:
    subscription = world.subscription(channel="PARTNER", partner_name="Fabrikam")
    api = Api(world.admin)
    options = api(OPTIONS, id=sub_id(subscription))["cancellationOptions"]
    assert options["route"] == "CONTACT_PARTNER"
    assert "Fabrikam" in options["headline"]
    refused = cancel(api, subscription, "anything")
    assert (refused["__typename"], refused["code"]) == ("NotAvailableProblem", "ROUTE_NOT_AVAILABLE")
    assert refused["cancellationOptions"] == {"route": "CONTACT_PARTNER"}
    assert "Fabrikam" in refused["message"]
    nothing_changed()


@time_machine.travel(NOW, tick=False)
def test_case_13_a_trial_that_converts(world: World) -> None:
    subscription = world.subscription(
        2, charged=None, is_trial=True, purchased_licenses=2, unit_price=9900, term_months=12
    )
    api = Api(world.admin)
    node = api(ONE, id=sub_id(subscription))["subscription"]
    assert node["trialConversion"] == {"at": PERIOD.end.isoformat(), "amount": {"amount": "198.00"}}
    assert "becomes paid on 1 December 2026 (€198.00)" in node["cancellationOptions"]["headline"]
    cancellation = cancel(api, subscription, quote(api, subscription, "AT_PERIOD_END")["id"])["cancellation"]
    assert (cancellation["noRefundReason"], cancellation["refunds"]) == ("TRIAL", [])


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("other_is", "covered"),
    [
        ({}, 4),
        ({"base_status": "SUSPENDED"}, 4),
        ({"base_status": "EXPIRED"}, 0),
        # It ended by time, whatever was last written about it.
        ({"renews": False, "period_end": NOW}, 0),
        ({"renews": False, "period_end": NOW + timedelta(seconds=1)}, 4),
        ({"renews": True, "period_end": NOW}, 4),
        ({"is_trial": True, "renews": False, "period_end": NOW}, 0),
        # It goes as well.
        ({"canceled_mode": "AT_PERIOD_END", "ends_at": PERIOD.end}, 0),
        ({"canceled_mode": "IMMEDIATE", "ends_at": NOW}, 0),
    ],
)
def test_case_14_one_product_bought_twice(world: World, other_is: dict[str, Any], covered: int) -> None:
    one = world.subscription(0, plan="E3")
    other = world.subscription(0, plan="E3", charged=None, **other_is)
    both = world.users(4)
    License.objects.bulk_create(
        [License(subscription=s, user=user, is_direct=True) for s in (one, other) for user in both]
    )
    world.assign(one, 3)
    quoted = quote(Api(world.admin), one)
    assert (quoted["affectedUsers"], quoted["usersStillCovered"]) == (7, covered)


@time_machine.travel(NOW, tick=False)
def test_case_20_at_the_end_then_now_is_one_cancellation(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    first = cancel(api, subscription, quote(api, subscription, "AT_PERIOD_END")["id"], "a")["cancellation"]
    second = cancel(api, subscription, quote(api, subscription)["id"], "b")
    assert second["replayed"] is False
    assert second["cancellation"]["reference"] == first["reference"]
    assert (second["cancellation"]["mode"], second["cancellation"]["refunds"][0]["amount"]["amount"]) == (
        "IMMEDIATE",
        "4.00",
    )
    # Case 21: the same cancel sent again is not an undo.
    assert cancel(api, subscription, "anything", "c")["code"] == "ROUTE_NOT_AVAILABLE"
    assert Cancellation.objects.count() == 1
    assert AuditEvent.objects.filter(action="cancellation.requested").count() == 2


@time_machine.travel(NOW, tick=False)
def test_going_from_the_end_to_now_replaces_what_was_held(world: World) -> None:
    subscription = world.subscription()
    world.charge(subscription, period_start=PERIOD.end, period_end=PERIOD.end + timedelta(days=31))
    api = Api(world.admin)
    scheduled = cancel(api, subscription, quote(api, subscription, "AT_PERIOD_END")["id"], "a")["cancellation"]
    assert [r["amount"]["amount"] for r in scheduled["refunds"]] == ["20.00"]
    quoted = quote(api, subscription)
    assert quoted["refund"]["amount"] == "24.00"
    now = cancel(api, subscription, quoted["id"], "b")["cancellation"]
    assert [r["amount"]["amount"] for r in now["refunds"]] == ["24.00"]
    assert sorted(Refund.objects.values_list("status", "amount")) == [("HELD", 2400), ("VOIDED", 2000)]
    assert sum(Charge.objects.values_list("refunded", flat=True)) == 2400


@time_machine.travel(NOW, tick=False)
def test_undo_brings_everything_back_and_twice_is_a_no_op(world: World) -> None:
    subscription = world.subscription(base_status="SUSPENDED")
    api = Api(world.admin)
    cancellation = cancel(api, subscription, quote(api, subscription)["id"])["cancellation"]
    one = api(UNDO, input={"cancellationId": cancellation["id"]})["undoCancellation"]
    two = api(UNDO, input={"cancellationId": cancellation["id"]})["undoCancellation"]
    assert one == two
    assert one["cancellation"]["status"] == "UNDONE"
    assert one["cancellation"]["refunds"][0]["status"] == "VOIDED"
    assert one["cancellation"]["subscription"]["status"] == "SUSPENDED"
    assert Charge.objects.get().refunded == 0
    assert AuditEvent.objects.filter(action="cancellation.undone").count() == 1
    # And it can be canceled again.
    again = cancel(api, subscription, quote(api, subscription)["id"], "k2")["cancellation"]
    assert again["reference"] != cancellation["reference"]


@pytest.mark.parametrize(("mode", "closed"), [("IMMEDIATE", NOW + timedelta(hours=72)), ("AT_PERIOD_END", PERIOD.end)])
def test_undo_closes(world: World, mode: str, closed: Any) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    with time_machine.travel(NOW, tick=False):
        cancellation = cancel(api, subscription, quote(api, subscription, mode)["id"])["cancellation"]
    with time_machine.travel(closed, tick=False):
        problem = api(UNDO, input={"cancellationId": cancellation["id"]})["undoCancellation"]
        assert (problem["__typename"], problem["code"]) == ("NotAvailableProblem", "UNDO_CLOSED")
        assert problem["cancellationOptions"] == {"route": "NOTHING_TO_CANCEL"}
        assert problem["path"] == ["input", "cancellationId"]
    assert Cancellation.objects.get().undone_at is None
    with time_machine.travel(closed - timedelta(seconds=1), tick=False):
        undone = api(UNDO, input={"cancellationId": cancellation["id"]})["undoCancellation"]
        assert undone["cancellation"]["status"] == "UNDONE"


@time_machine.travel(NOW, tick=False)
def test_canceling_closes_the_open_callback(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    wish = {"subscriptionId": sub_id(subscription), "phone": "0888 123 456", "contactName": "Ada"}
    api(REQUEST, input={**wish, "timeZone": "Europe/Sofia"})
    License.objects.filter(pk=License.objects.filter(subscription=subscription).first().pk).update(is_direct=False)  # type: ignore[union-attr]
    cancel(api, subscription, quote(api, subscription)["id"])
    request = CallbackRequest.objects.get()
    assert (request.status, request.close_reason) == ("WITHDRAWN", "RESOLVED_ONLINE")


@time_machine.travel(NOW, tick=False)
def test_feedback_can_be_given_and_given_again(world: World) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    cancellation = cancel(api, subscription, quote(api, subscription)["id"])["cancellation"]
    given = {"cancellationId": cancellation["id"], "feedback": "UNUSED", "comment": "Не ни трябва"}
    answer = api(FEEDBACK, input=given)["submitCancellationFeedback"]["cancellation"]
    assert (answer["feedback"], answer["comment"]) == ("UNUSED", "Не ни трябва")
    again = api(FEEDBACK, input={**given, "feedback": "OTHER", "comment": None})["submitCancellationFeedback"]
    assert (again["cancellation"]["feedback"], again["cancellation"]["comment"]) == ("OTHER", None)


@pytest.mark.parametrize("comment", ["x" * 10_000, "a\x00b", "a\x1bb"])
@time_machine.travel(NOW, tick=False)
def test_a_bad_comment_changes_nothing(world: World, comment: str) -> None:
    subscription = world.subscription()
    api = Api(world.admin)
    cancellation = cancel(api, subscription, quote(api, subscription)["id"])["cancellation"]
    events = AuditEvent.objects.count()
    given = {"cancellationId": cancellation["id"], "feedback": "OTHER", "comment": comment}
    problem = api(FEEDBACK, input=given)["submitCancellationFeedback"]
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "comment"])
    assert Cancellation.objects.get().feedback == ""
    assert AuditEvent.objects.count() == events


@time_machine.travel(NOW, tick=False)
def test_a_session_needs_the_csrf_token(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    answer = client.post("/graphql/", {"query": "{ viewer { id } }"}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
