"""What a provider made between two instants is read page by page, in as few calls as there are pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as library

from billing.models import LedgerEntry
from billing.money import Money
from billing.providers import ledger
from billing.providers import provider as provider_called
from billing.providers.base import ProviderUnavailable, RefundOutcome
from tests.billing.fake_stripe import FakeStripe
from tests.builders import NOW
from tests.world import World

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def made(server: FakeStripe, count: int, at: datetime = NOW, **given: Any) -> None:
    """Refunds at Stripe, one a second."""
    for number in range(count):
        server.refunds.append({
            "object": "refund", "id": f"re_{len(server.refunds)}", "charge": "ch_1", "amount": 500, "currency": "eur",
            "created": int(at.timestamp()) + number, "metadata": {"wayout_part": f"part-{len(server.refunds)}"},
            "status": "succeeded", "failure_reason": None, **given,
        })  # fmt: skip


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_stripe_lists_a_hundred_a_call(server: FakeStripe, count: int, calls: int) -> None:
    made(server, count)
    pages = list(provider_called("stripe").refunds_between(NOW, NOW + 1_000 * SECOND) or ())
    assert [refund.key for page in pages for refund in page.refunds] == [
        f"part-{number}" for number in reversed(range(count))
    ]
    assert server.requests == ["GET /v1/refunds"] * calls
    assert len(pages) == calls


def test_a_page_is_a_call_when_it_is_asked_for_and_says_how_far_it_came(server: FakeStripe) -> None:
    made(server, 150)
    pages = iter(provider_called("stripe").refunds_between(NOW, NOW + 1_000 * SECOND) or ())
    assert server.requests == []
    first = next(pages)
    assert len(server.requests) == 1
    # Of the second that the page ends with there could be more.
    assert (first.since, first.refunds[-1].at) == (NOW + 51 * SECOND, NOW + 50 * SECOND)
    assert next(pages).since == NOW


def test_what_has_no_key_of_ours_is_not_listed_and_costs_no_place(server: FakeStripe) -> None:
    made(server, 120, metadata={})
    made(server, 1, status="failed", failure_reason="lost_or_stolen_card", currency="xxx")
    made(server, 1, metadata=None)
    made(server, 1, status="pending", amount=700)
    pages = list(provider_called("stripe").refunds_between(NOW, NOW + 1_000 * SECOND) or ())
    pending, failed = sorted(
        (refund for page in pages for refund in page.refunds), key=lambda one: one.result.outcome.value
    )[::-1]
    assert (pending.result.outcome, pending.amount) == (RefundOutcome.PENDING, Money(700, "EUR"))
    # A currency that nobody here knows is no amount to compare.
    assert (failed.result.outcome, failed.result.failure, failed.amount) == (
        RefundOutcome.FAILED, "lost_or_stolen_card", None,
    )  # fmt: skip
    assert pages[-1].since == NOW


def test_parts_of_a_second_are_not_asked_for(server: FakeStripe) -> None:
    made(server, 3)
    half = timedelta(milliseconds=500)
    [page] = provider_called("stripe").refunds_between(NOW + half, NOW + SECOND + half) or ()
    assert [refund.at for refund in page.refunds] == [NOW + SECOND]


@pytest.mark.parametrize("field", ["created", "id"])
def test_an_answer_without_what_stripe_documents_tells_nothing(server: FakeStripe, field: str) -> None:
    made(server, 1)
    server.refunds[0][field] = {"id": 5, "created": NOW.timestamp()}[field]
    with pytest.raises(ProviderUnavailable):
        list(provider_called("stripe").refunds_between(NOW, NOW + SECOND) or ())


def test_the_fake_refuses_what_stripe_does_not_know(server: FakeStripe) -> None:
    client = library.StripeClient("sk_test_1", base_addresses={"api": server.url}, max_network_retries=0)
    for wrong in ({"status": "failed"}, {"limit": 101}, {"starting_after": "re_nobody"}):
        with pytest.raises(library.InvalidRequestError):
            client.v1.refunds.list(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("together", [True, False])
def test_the_ledger_lists_its_entries(world: World, monkeypatch: pytest.MonkeyPatch, together: bool) -> None:
    monkeypatch.setattr(ledger, "_PAGE", 2)
    charge = world.charge(world.subscription(charged=None))
    for number in range(5):
        LedgerEntry.objects.create(
            key=f"part-{number}", agreement=charge.agreement, charge=charge, amount=100 + number, currency="EUR", text="x",
            booked_at=NOW if together else NOW + number * SECOND,
        )  # fmt: skip
    pages = list(provider_called("ledger").refunds_between(NOW, NOW + 10 * SECOND) or ())
    assert [refund.key for page in pages for refund in page.refunds] == [f"part-{n}" for n in (4, 3, 2, 1, 0)]
    assert pages[0].refunds[0].amount == Money(104, "EUR")
    assert [len(page.refunds) for page in pages] == [2, 2, 1]
    [nothing] = provider_called("ledger").refunds_between(datetime(2000, 1, 1, tzinfo=UTC), NOW) or ()
    assert nothing.refunds == []
