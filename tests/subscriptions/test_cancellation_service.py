"""The service that cancels: what it keeps, what it promises to billing, whom it refuses and how, to the instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Agreement, Refund, RenewalStopTerms
from billing.refunds.requests import settle_by_hand
from common.errors import (
    ExpectedError,
    NotFound,
    NumberOutOfRange,
    RoleMissing,
    ScopeMissing,
    TextTooLong,
    ValueMissing,
)
from outbox.models import Task
from subscriptions.cancellations.service import (
    Canceled,
    StaffCancellation,
    cancel_subscription,
    submit_cancellation_feedback,
    undo_cancellation,
)
from subscriptions.cancellations.signing import quote_evidence
from subscriptions.errors import (
    IdempotencyKeyReused,
    QuoteChanged,
    QuoteExpired,
    QuoteInvalid,
    RouteNotAvailable,
    UndoClosed,
)
from subscriptions.models import Cancellation, CancellationPolicy, IdempotencyRecord, Subscription
from subscriptions.models.cancellations import Feedback
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Mode
from subscriptions.policy.quotes import Quote
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Caller, Role, Scope
from tenants.models import AuditEvent, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.tokens import caller_of_token
from tests.builders import NOW, PERIOD
from tests.partners import Partner
from tests.subscriptions.test_lifecycle import after, quote_of
from tests.world import World
from webhooks.models import Event

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def cancel(world: World, subscription: Subscription, mode: Mode = Mode.IMMEDIATE, **given: Any) -> Canceled:
    values = {
        "caller": world.caller(), "subscription_id": subscription.pk, "idempotency_key": None, "language": "en",
        "now": NOW,
    }  # fmt: skip
    if "quote_id" not in given:
        values["quote_id"] = quote_of(world, subscription, mode, NOW)
    return cancel_subscription(**{**values, **given})


def canceled(world: World, subscription: Subscription, mode: Mode = Mode.IMMEDIATE, **given: Any) -> Cancellation:
    return Cancellation.objects.get(pk=cancel(world, subscription, mode, **given).cancellation.pk)


def undo(world: World, cancellation: Cancellation, **given: Any) -> Cancellation:
    values = {"caller": world.caller(), "cancellation_id": cancellation.pk, "language": "en", "now": NOW}
    return undo_cancellation(**{**values, **given})


def quoted(world: World, subscription: Subscription, mode: Mode) -> Quote:
    made = SubscriptionBatch.get(world.caller(), subscription.pk, NOW).decisions[subscription.pk].quote(mode)
    assert made
    return made


def partner_with(world: World, *scopes: Scope) -> Caller:
    caller = caller_of_token(world.token(*scopes), NOW)
    assert caller
    return caller


@pytest.mark.parametrize("mode", Mode)
def test_what_was_quoted_is_kept_to_the_second(world: World, mode: Mode) -> None:
    subscription = world.subscription()
    quote = quoted(world, subscription, mode)
    kept = canceled(world, subscription, mode)
    assert kept.reference.startswith("C-")
    assert (kept.tenant, kept.subscription, kept.mode, kept.requested_at) == (world.tenant, subscription, mode, NOW)
    assert (kept.effective_at, kept.undo_until) == (quote.effective_at, quote.undo_until)
    assert (kept.access_ends_at, kept.priced_at) == (quote.access_ends_at, quote.priced_at)
    assert (kept.data_available_until, kept.data_erased_by) == (quote.data_available_until, quote.data_erased_by)
    assert (kept.quote, kept.policy) == (quote_evidence(quote), CancellationPolicy.objects.get(pk=quote.policy_id))
    assert kept.no_refund_reason == (quote.no_refund_reason or "")
    assert (kept.staff_reason, kept.customer, kept.customer_language) == ("", None, "")
    subscription.refresh_from_db()
    assert (subscription.canceled_mode, subscription.ends_at) == (mode, quote.effective_at)
    if quote.refund:
        [refund] = kept.refunds.all()
        assert (refund.amount, refund.due_by, refund.requested_at) == (400, quote.refund_due_by, NOW)
        assert (refund.priced_at, refund.held_until) == (quote.priced_at, quote.undo_until)


def test_the_facts_that_decided_are_kept(world: World) -> None:
    subscription = world.subscription(3, by_group=2, renews=False, purchased_licenses=12, base_status="SUSPENDED")
    kept = canceled(world, subscription).facts
    policy = kept.pop("policy")
    assert kept == {
        "status": "SUSPENDED", "is_trial": False, "channel": "DIRECT", "renews": False, "has_payment_method": True,
        "purchased_licenses": 12, "assigned_licenses": 5, "group_assigned_licenses": 2,
        "shares_licenses": False, "pending_removals": 0,
    }  # fmt: skip
    assert (policy["version"], policy["online_license_limit"]) == (1, 25)


def test_the_trail_says_all_that_was_decided_and_who_did_it(world: World) -> None:
    subscription = world.subscription()
    kept = canceled(world, subscription, language="bg")
    submit_cancellation_feedback(
        caller=world.caller(), cancellation_id=kept.pk, feedback=Feedback.UNUSED, comment=" Не ни трябва ",
        language="en", now=after(hours=1),
    )  # fmt: skip
    undo(world, kept, now=after(hours=2))
    events = AuditEvent.objects.filter(subject=f"Cancellation:{kept.pk}").order_by("position")
    assert [(event.action, event.at, event.language) for event in events] == [
        ("cancellation.requested", NOW, "bg"),
        ("cancellation.feedback", after(hours=1), "en"),
        ("cancellation.undone", after(hours=2), "en"),
    ]
    assert {(event.actor_kind, event.actor_id, event.tenant) for event in events} == {
        ("PERSON", world.admin.pk, world.tenant)
    }
    requested, feedback, undone = events
    about, who = {"subscription": subscription.pk}, {"name": world.admin.display_name, "email": world.admin.email}
    assert requested.data == {
        **about, "reference": kept.reference, "mode": "IMMEDIATE", "quote": kept.quote, "facts": kept.facts,
        "licenses_30_days_before": 10, "policy_version": 1, "by_staff": False, "staff_reason": "", "customer": None,
    }  # fmt: skip
    assert (feedback.data, undone.data) == ({**about, "feedback": "UNUSED"}, about)
    assert [event.personal.data for event in events] == [who, {**who, "comment": "Не ни трябва"}, who]


@pytest.mark.parametrize("mode", Mode)
def test_billing_keeps_what_prices_facts_that_arrive_later(world: World, mode: Mode) -> None:
    world.tenant.time_zone = "America/New_York"
    world.tenant.save()
    CancellationPolicy.objects.update(
        full_refund_hours=9, prorated_refund_hours=9_000, proration_convention="CALENDAR_DAY"
    )
    anchor = PERIOD.start - timedelta(days=31)
    subscription = world.subscription(anchored_at=anchor)
    kept = canceled(world, subscription, mode)
    terms = RenewalStopTerms.objects.get(agreement=subscription.agreement)
    assert (terms.decided_at, terms.priced_at, terms.effective_at) == (NOW, NOW, kept.effective_at)
    assert (terms.held_until, terms.anchored_at, terms.time_zone) == (kept.undo_until, anchor, "America/New_York")
    assert (terms.prorates, terms.agreed, terms.convention) == (mode is Mode.IMMEDIATE, False, "CALENDAR_DAY")
    assert (terms.full_hours, terms.prorated_hours) == (9, 9_000)


@pytest.mark.parametrize(("known", "anchor"), [(True, PERIOD.start), (False, NOW)])
def test_without_an_anchor_billing_counts_from_the_period_else_from_now(world: World, known: bool, anchor: Any) -> None:
    period = {} if known else {"period_start": None, "period_end": None}
    subscription = world.subscription(anchored_at=None, **period)
    canceled(world, subscription)
    assert RenewalStopTerms.objects.get().anchored_at == anchor


@pytest.mark.parametrize(("mode", "renewal_stop"), [(Mode.IMMEDIATE, "NOW"), (Mode.AT_PERIOD_END, "AT_PERIOD_END")])
def test_the_agreement_ends_with_it_and_goes_on_when_it_is_undone(world: World, mode: Mode, renewal_stop: str) -> None:
    subscription = world.subscription()
    kept = canceled(world, subscription, mode)
    agreement = Agreement.objects.get(pk=subscription.agreement_id)
    assert (agreement.renewal_stop, agreement.ends_for_good_at) == (renewal_stop, kept.undo_until)
    undone = undo(world, kept, now=after(hours=1))
    agreement.refresh_from_db()
    subscription.refresh_from_db()
    assert agreement.renewal_stop == "NONE"
    assert (subscription.canceled_mode, subscription.ends_at) == (None, None)
    assert Cancellation.objects.get().undone_at == undone.undone_at == after(hours=1)


def test_partners_hear_of_it_and_of_its_undoing(partner: Partner) -> None:
    world = partner.world
    undo(world, canceled(world, world.subscription()))
    assert list(Event.objects.order_by("pk").values_list("type", flat=True)) == [
        "cancellation.requested",
        "cancellation.undone",
    ]


def test_a_key_answers_what_it_answered_and_so_does_another_for_the_same_end(world: World) -> None:
    subscription = world.subscription()
    quote = quote_of(world, subscription, Mode.IMMEDIATE, NOW)
    first = cancel(world, subscription, quote_id=quote, idempotency_key="a")
    assert not first.replayed
    for key in ("a", "b", None):
        again = cancel(world, subscription, quote_id=quote, idempotency_key=key, now=NOW + SECOND)
        assert (again.replayed, again.cancellation) == (True, first.cancellation)
    assert AuditEvent.objects.filter(action="cancellation.requested").count() == 1


def refused(error: type[ExpectedError], path: list[str], **data: Any) -> Any:
    """Expects this very error about the field at ``path``, with these attributes."""
    return pytest.raises(
        error, check=lambda found: type(found) is error and vars(found).items() >= {"path": path, **data}.items()
    )


@pytest.mark.parametrize("scopes", [[], [Scope.READ], [Scope.QUOTE, Scope.CALLBACK]])
def test_who_may_not_cancel_may_not_undo_or_say_why_either(world: World, scopes: list[Scope]) -> None:
    subscription, other = world.subscription(), world.subscription()
    cancellation = canceled(world, other)
    caller = partner_with(world, *scopes) if scopes else world.caller(world.person(Role.VIEWER))
    error, data = (ScopeMissing, {"scope": Scope.CANCEL}) if scopes else (RoleMissing, {})
    with refused(error, [], **data):
        cancel(world, subscription, caller=caller)
    with refused(error, [], **data):
        undo(world, cancellation, caller=caller)
    with refused(error, [], **data):
        submit_cancellation_feedback(
            caller=caller, cancellation_id=cancellation.pk, feedback=Feedback.OTHER, comment="", language="en", now=NOW
        )
    assert Cancellation.objects.get().undone_at is None


def test_a_partner_that_may_cancel_may_undo(world: World) -> None:
    assert undo(world, canceled(world, world.subscription()), caller=partner_with(world, Scope.CANCEL)).undone_at == NOW


def test_what_is_of_another_tenant_is_not_there(world: World) -> None:
    stranger = World.build()
    subscription = world.subscription()
    cancellation = canceled(world, world.subscription())
    with refused(NotFound, ["subscriptionId"]):
        cancel(world, subscription, caller=stranger.caller())
    with refused(NotFound, ["cancellationId"]):
        undo(world, cancellation, caller=stranger.caller())
    with refused(NotFound, ["cancellationId"]):
        undo(world, Cancellation(pk=10**6))


@pytest.mark.parametrize("mode", Mode)
def test_undo_closes_at_its_instant(world: World, mode: Mode) -> None:
    kept = canceled(world, world.subscription(), mode)
    with refused(UndoClosed, ["cancellationId"], subscription_id=kept.subscription_id):
        undo(world, kept, now=kept.undo_until)
    assert undo(world, kept, now=kept.undo_until - SECOND).undone_at


def test_money_that_went_back_closes_undo_and_a_second_cancellation(world: World) -> None:
    subscription = world.subscription()
    world.charge(subscription, period_start=PERIOD.end, period_end=PERIOD.end + timedelta(days=31))
    kept = canceled(world, subscription, Mode.AT_PERIOD_END)
    quote = quote_of(world, subscription, Mode.IMMEDIATE, NOW)
    assert settle_by_hand(refund=Refund.objects.get(), reason="by bank", caller=SYSTEM, now=NOW)
    with refused(UndoClosed, ["cancellationId"]):
        undo(world, kept)
    decision = SubscriptionBatch.get(world.caller(), subscription.pk, NOW).decisions[subscription.pk]
    [option] = [option for option in decision.options if option.available]
    assert (option.route, option.reason) == (Route.NOTHING_TO_CANCEL, Reason.ALREADY_CANCELED)
    # The quote was made while it was open.
    with refused(QuoteChanged, ["quoteId"], mode=Mode.IMMEDIATE):
        cancel(world, subscription, quote_id=quote)


def test_what_was_to_end_later_and_ended_now_can_still_be_undone(world: World) -> None:
    subscription = world.subscription()
    world.charge(subscription, period_start=PERIOD.end, period_end=PERIOD.end + timedelta(days=31))
    scheduled = canceled(world, subscription, Mode.AT_PERIOD_END)
    now = canceled(world, subscription, Mode.IMMEDIATE, now=NOW + SECOND)
    assert (now.pk, now.reference, now.mode) == (scheduled.pk, scheduled.reference, "IMMEDIATE")
    assert sorted(refund.status for refund in now.refunds.all()) == ["HELD", "VOIDED"]
    undo(world, now, now=NOW + SECOND)
    assert {refund.status for refund in now.refunds.all()} == {"VOIDED"}


def test_a_quote_expires_at_its_instant(world: World) -> None:
    subscription = world.subscription()
    quote = quote_of(world, subscription, Mode.IMMEDIATE, NOW)
    with refused(QuoteExpired, ["quoteId"], mode=Mode.IMMEDIATE):
        cancel(world, subscription, quote_id=quote, now=after(minutes=30))
    last = after(minutes=30) - SECOND
    assert cancel(world, subscription, quote_id=quote, now=last).cancellation.effective_at == last


def test_a_bad_quote_is_bad_and_where_canceling_is_closed_anyway_that_is_said_instead(world: World) -> None:
    with refused(QuoteInvalid, ["quoteId"]):
        cancel(world, world.subscription(), quote_id="x")
    with refused(RouteNotAvailable, ["subscriptionId"], reason=Reason.LICENSES_AT_OR_OVER_LIMIT):
        cancel(world, world.subscription(25), quote_id="x")


def staff_cancel(world: World, agent: User, **given: Any) -> Cancellation:
    staff = StaffCancellation(**{"reason": "asked for it", **given})
    return canceled(world, world.subscription(), caller=caller_of_staff(agent), staff=staff)


def test_staff_say_why_and_for_whom(world: World, agent: User) -> None:
    kept = staff_cancel(world, agent, reason="  asked for it ", customer_id=world.admin.pk, language="bg")
    assert (kept.by_staff, kept.requested_by_user, kept.staff_reason) == (True, agent, "asked for it")
    assert (kept.customer, kept.customer_language) == (world.admin, "bg")
    data = AuditEvent.objects.get(action="cancellation.requested").data
    assert (data["by_staff"], data["staff_reason"], data["customer"]) == (True, "asked for it", world.admin.pk)


def test_a_reason_is_needed_and_has_room_for_five_hundred_characters(world: World, agent: User) -> None:
    assert staff_cancel(world, agent, reason="x" * 500).staff_reason == "x" * 500
    with refused(TextTooLong, ["reason"], limit=500):
        staff_cancel(world, agent, reason="x" * 501)
    with refused(ValueMissing, ["reason"]):
        staff_cancel(world, agent, reason=" ")


@pytest.mark.parametrize("amount", [0, 2_000])
def test_anything_up_to_what_was_paid_can_be_agreed_on(world: World, agent: User, amount: int) -> None:
    kept = staff_cancel(world, agent, amount=amount)
    assert [refund.amount for refund in kept.refunds.all()] == ([amount] if amount else [])
    assert RenewalStopTerms.objects.get().agreed


@pytest.mark.parametrize("amount", [-1, 2_001])
def test_more_than_was_paid_cannot_be_agreed_on(world: World, agent: User, amount: int) -> None:
    with refused(NumberOutOfRange, ["amount"], least=0, limit=2_000):
        staff_cancel(world, agent, amount=amount)


def test_another_amount_under_the_same_key_is_refused(world: World, agent: User) -> None:
    subscription, staff = world.subscription(), StaffCancellation("asked for it", amount=5)
    given: dict[str, Any] = {
        "caller": caller_of_staff(agent), "idempotency_key": "k",
        "quote_id": quote_of(world, subscription, Mode.IMMEDIATE, NOW),
    }  # fmt: skip
    assert not cancel(world, subscription, staff=staff, **given).replayed
    assert cancel(world, subscription, staff=staff, **given).replayed
    for other in (replace(staff, amount=6), None):
        with refused(IdempotencyKeyReused, ["idempotencyKey"]):
            cancel(world, subscription, staff=other, **given)


def test_a_comment_has_room_for_two_thousand_characters(world: World) -> None:
    kept = canceled(world, world.subscription())
    given: dict[str, Any] = {
        "caller": world.caller(), "cancellation_id": kept.pk, "feedback": Feedback.OTHER, "language": "en", "now": NOW,
    }  # fmt: skip
    assert submit_cancellation_feedback(**given, comment="x" * 2_000).comment == "x" * 2_000
    with refused(TextTooLong, ["comment"], limit=2_000):
        submit_cancellation_feedback(**given, comment="x" * 2_001)
    kept.refresh_from_db()
    assert (kept.feedback, kept.comment) == ("OTHER", "x" * 2_000)


def test_a_key_is_for_one_input(world: World) -> None:
    subscription, other = world.subscription(), world.subscription()
    mine = {mode: quote_of(world, subscription, mode, NOW) for mode in Mode}
    assert cancel(world, subscription, quote_id=mine[Mode.AT_PERIOD_END], idempotency_key="k").replayed is False
    assert IdempotencyRecord.objects.get().operation == "cancelSubscription"
    with refused(IdempotencyKeyReused, ["idempotencyKey"]):
        cancel(world, subscription, quote_id=mine[Mode.IMMEDIATE], idempotency_key="k")
    with refused(IdempotencyKeyReused, ["idempotencyKey"]):
        cancel(world, other, quote_id=mine[Mode.AT_PERIOD_END], idempotency_key="k")


def test_each_subscription_has_a_cancellation_of_its_own_and_a_new_one_after_undo(world: World) -> None:
    subscription, other = world.subscription(), world.subscription()
    first = canceled(world, subscription)
    assert canceled(world, other).subscription == other
    undo(world, first)
    again = cancel(world, subscription, now=NOW + SECOND)
    assert again.replayed is False
    assert again.cancellation != first
    assert Cancellation.objects.count() == 3


def test_facts_that_moved_are_said_about_the_quote(world: World) -> None:
    subscription = world.subscription()
    quote = quote_of(world, subscription, Mode.AT_PERIOD_END, NOW)
    world.assign(subscription, 1)
    with refused(QuoteChanged, ["quoteId"], mode=Mode.AT_PERIOD_END):
        cancel(world, subscription, quote_id=quote)


def test_executed_later_it_can_still_be_undone_only_until_the_period_ends(world: World) -> None:
    subscription = world.subscription(period_end=after(hours=5))
    assert canceled(world, subscription, now=after(minutes=20)).undo_until == after(hours=5)


def test_staff_with_a_bad_quote_hear_that_and_not_of_the_limit_which_is_not_theirs(world: World, agent: User) -> None:
    with refused(QuoteInvalid, ["quoteId"]):
        cancel(
            world,
            world.subscription(25),
            quote_id="x",
            caller=caller_of_staff(agent),
            staff=StaffCancellation("said so"),
        )


def test_the_provider_and_the_customer_are_told_at_once(world: World) -> None:
    subscription = world.subscription()
    Agreement.objects.update(provider="stripe", external_id="sub_11111111")
    at = NOW + SECOND
    canceled(world, subscription, now=at)
    tasks = Task.objects.exclude(kind="refund.submit")
    assert {task.kind for task in tasks} >= {"agreement.confirm_stop", "mail.cancellation"}
    assert {(task.created_at, task.run_at) for task in tasks} == {(at, at)}
