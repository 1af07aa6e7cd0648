"""What every provider promises, as tests: derive from ProviderContract in your own, and say how yours is made.

    class TestMine(ProviderContract):
        @pytest.fixture
        def provider(self) -> Provider:
            return Mine({"WAYOUT_MINE_KEY": "secret"})

Takes pytest (the extra ``contract``) beside what Wayout runs on; nothing of Wayout imports it. docs/providers.md says the
rest.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from billing.money import Money
from billing.providers.base import (
    ListedRefund,
    NotSigned,
    NoWebhook,
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    RefundOutcome,
    RefundRequest,
    RefundResult,
    RefundUpdate,
)
from billing.renewal_stop import RenewalStop

# What ``trouble`` is asked for. Before: nothing arrived. After: it arrived, the answer did not. Throttled: come again in
# seven minutes. Silent: nobody ever answers, and the provider has to end by itself.
OUTAGES = ("timeout before", "timeout after", "5xx", "throttled", "silent")
Signed = Callable[[RefundRequest, RefundResult], tuple[bytes, dict[str, str]]]
_LONG_AGO, _FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class ProviderContract:
    """``patience``: seconds that a call to somebody silent may take in your tests."""

    patience: ClassVar[float] = 30

    @pytest.fixture
    def provider(self) -> Provider:
        """Yours, with settings that work, and nothing done yet."""
        raise NotImplementedError

    @pytest.fixture
    def refund_request(self) -> RefundRequest:
        """A refund of a charge that the provider knows and that holds as much."""
        amount = Money(500, "EUR")
        return RefundRequest("part-1", 1, "charge-1", amount, amount, "Product", datetime(2026, 3, 1, tzinfo=UTC))

    @pytest.fixture
    def trouble(self, provider: Provider) -> Callable[[str], None]:
        """Let the next call meet one of OUTAGES, or be answered with "decline" or "pending"."""
        if provider.declares.settings:
            pytest.fail("a provider that asks somebody has a fixture `trouble`")
        pytest.skip("it asks nobody, so nobody is in trouble")

    @pytest.fixture
    def subscription(self, provider: Provider) -> str:
        """The id of something that the provider bills and that goes on."""
        if provider.declares.subscription_id:
            pytest.fail("a provider that bills has a fixture `subscription`")
        pytest.skip("it bills nothing")

    @pytest.fixture
    def signed(self, provider: Provider) -> Signed:
        """The body and headers that its webhook gets when it says this of a refund."""
        if type(provider).read_webhook is not Provider.read_webhook:
            pytest.fail("a provider with a webhook has a fixture `signed`")
        pytest.skip("it has no webhook")

    def test_it_says_what_it_is(self, provider: Provider) -> None:
        """Its name fits, its settings cannot be taken for another's, and people are told what goes there."""
        said = provider.declares
        assert re.fullmatch("[a-z][a-z0-9-]{1,19}", said.name)
        for setting in said.settings:
            assert re.fullmatch("WAYOUT_[A-Z0-9_]+", setting.name)
            assert setting.help
        assert bool(said.subscription_id) == bool(said.subscription_id_example)
        assert all(isinstance(problem, str) for problem in provider.problems())

    def test_it_is_made_without_settings(self, provider: Provider) -> None:
        """A setting that is missing is found when it is needed, or said; it stops nothing else."""
        bare = type(provider)({setting.name: "" for setting in provider.declares.settings})
        assert all(isinstance(problem, str) for problem in bare.problems())

    def test_a_refund_is_found_by_its_key(self, provider: Provider, refund_request: RefundRequest) -> None:
        """What was never sent is not there, and what was is under its own key alone."""
        assert provider.find(refund_request) is None
        paid = provider.refund(refund_request)
        assert paid.outcome is not RefundOutcome.FAILED
        assert paid.reference
        assert provider.find(refund_request) == paid
        assert provider.find(replace(refund_request, key="part-2")) is None

    def test_one_key_pays_once(self, provider: Provider, refund_request: RefundRequest) -> None:
        """The same key again changes nothing; another key is another refund."""
        first = provider.refund(refund_request)
        assert provider.refund(refund_request) == first
        assert provider.refund(replace(refund_request, key="part-2")).reference != first.reference

    def test_what_it_lists_is_what_it_made_then(self, provider: Provider, refund_request: RefundRequest) -> None:
        """From an instant on, and before another; under our keys, the newest first, and each as it would be found."""
        if type(provider).refunds_between is Provider.refunds_between:
            pytest.skip("it lists nothing")
        less = Money(200, refund_request.amount.currency)
        first = replace(refund_request, amount=less, promised=less)
        second = replace(first, key="part-2", at=first.at + timedelta(seconds=2))
        assert _listed(provider, _LONG_AGO, _FAR_AHEAD) == []
        for asked in (first, second):
            provider.refund(asked)
        listed = _listed(provider, _LONG_AGO, _FAR_AHEAD)
        assert {refund.key for refund in listed} == {first.key, second.key}
        assert [refund.at for refund in listed] == sorted((refund.at for refund in listed), reverse=True)
        for refund in listed:
            assert refund.result == provider.find(first if refund.key == first.key else second)
            assert refund.amount in (None, first.amount)
            second_after = refund.at + timedelta(seconds=1)
            assert refund in _listed(provider, refund.at, second_after)
            assert refund not in _listed(provider, second_after, _FAR_AHEAD)
            assert refund not in _listed(provider, _LONG_AGO, refund.at)

    @pytest.mark.parametrize("outage", ["timeout before", "5xx", "silent"])
    def test_a_list_in_an_outage_is_not_a_short_one(
        self, provider: Provider, refund_request: RefundRequest, trouble: Callable[[str], None], outage: str
    ) -> None:
        """Nobody concludes that nothing was made because nobody answered."""
        if type(provider).refunds_between is Provider.refunds_between:
            pytest.skip("it lists nothing")
        provider.refund(refund_request)
        trouble(outage)
        with pytest.raises(ProviderUnavailable):
            _listed(provider, _LONG_AGO, _FAR_AHEAD)
        assert [refund.key for refund in _listed(provider, _LONG_AGO, _FAR_AHEAD)] == [refund_request.key]

    @pytest.mark.parametrize("outage", OUTAGES)
    def test_an_outage_leaves_the_truth_to_find(
        self, provider: Provider, refund_request: RefundRequest, trouble: Callable[[str], None], outage: str
    ) -> None:
        """No answer is no verdict: it is asked for afterwards, and nothing is paid twice."""
        trouble(outage)
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable) as caught:
            provider.refund(refund_request)
        assert time.monotonic() - began < self.patience
        assert caught.value.after == (timedelta(minutes=7) if outage == "throttled" else timedelta(0))
        found = provider.find(refund_request)
        if outage == "timeout after":
            assert found is not None
        elif outage != "silent":
            assert found is None
        paid = provider.refund(refund_request)
        assert paid.outcome is not RefundOutcome.FAILED
        assert provider.find(refund_request) == paid

    @pytest.mark.parametrize("outage", ["timeout before", "5xx", "silent"])
    def test_asking_in_an_outage_is_no_answer(
        self, provider: Provider, refund_request: RefundRequest, trouble: Callable[[str], None], outage: str
    ) -> None:
        """Nobody concludes that a refund never arrived because nobody answered."""
        provider.refund(refund_request)
        trouble(outage)
        with pytest.raises(ProviderUnavailable):
            provider.find(refund_request)

    @pytest.mark.parametrize(
        ("answer", "outcome"), [("decline", RefundOutcome.FAILED), ("pending", RefundOutcome.PENDING)]
    )
    def test_an_answer_is_taken_at_its_word(
        self,
        provider: Provider,
        refund_request: RefundRequest,
        trouble: Callable[[str], None],
        answer: str,
        outcome: RefundOutcome,
    ) -> None:
        """A definite no says why. What is on its way is neither paid nor failed."""
        trouble(answer)
        result = provider.refund(refund_request)
        assert result.outcome is outcome
        assert bool(result.failure) == (outcome is RefundOutcome.FAILED)

    def test_stopping_is_taken_back_until_it_is_final(self, provider: Provider, subscription: str) -> None:
        """Each may be said twice. What has stopped for good agrees to stop, and does not come back."""
        assert re.fullmatch(provider.declares.subscription_id, subscription)
        for say, then in (
            (provider.stop_at_period_end, RenewalStop.AT_PERIOD_END),
            (provider.go_on, RenewalStop.NONE),
            (provider.stop_now, RenewalStop.NOW),
        ):
            say(subscription)
            say(subscription)
            assert provider.renewal_stop(subscription) is then
        provider.stop_at_period_end(subscription)
        with pytest.raises(ProviderRefused):
            provider.go_on(subscription)

    def test_what_it_does_not_know_is_refused(self, provider: Provider, subscription: str) -> None:
        """Nobody is told that something stopped which the provider has never heard of."""
        for ask in (provider.renewal_stop, provider.go_on, provider.stop_at_period_end, provider.stop_now):
            with pytest.raises(ProviderRefused):
                ask(f"{subscription}x")

    def test_stopping_in_an_outage_is_no_answer(
        self, provider: Provider, subscription: str, trouble: Callable[[str], None]
    ) -> None:
        """Whoever asked asks again."""
        for ask in (provider.stop_at_period_end, provider.go_on, provider.stop_now, provider.renewal_stop):
            trouble("5xx")
            with pytest.raises(ProviderUnavailable):
                ask(subscription)

    def test_without_a_webhook_it_listens_to_nobody(self, provider: Provider) -> None:
        """Nobody's word is taken without a signature."""
        with pytest.raises((NotSigned, NoWebhook)):
            provider.read_webhook(b"{}", {})

    def test_what_it_signed_is_read(self, provider: Provider, refund_request: RefundRequest, signed: Signed) -> None:
        """With our key, the outcome and its own reference."""
        result = RefundResult(RefundOutcome.SUCCEEDED, "ref-1")
        body, headers = signed(refund_request, result)
        assert list(provider.read_webhook(body, headers)) == [RefundUpdate(refund_request.key, result)]

    def test_what_it_did_not_sign_is_refused(
        self, provider: Provider, refund_request: RefundRequest, signed: Signed
    ) -> None:
        """Neither another body under the same signature, nor none, nor with no secret to check it by."""
        body, headers = signed(refund_request, RefundResult(RefundOutcome.SUCCEEDED, "ref-1"))
        bare = type(provider)({setting.name: "" for setting in provider.declares.settings})
        unsigned: Mapping[str, str] = dict.fromkeys(headers, "")
        for reader, said, with_headers in (
            (provider, body + b" ", headers),
            (provider, b"\xff", headers),
            (provider, body, unsigned),
            (provider, body, {}),
            (bare, body, headers),
        ):
            with pytest.raises(NotSigned):
                reader.read_webhook(said, with_headers)


def _listed(provider: Provider, since: datetime, until: datetime) -> list[ListedRefund]:
    """All pages together, which say how far they have come and end where they were asked to."""
    pages = list(provider.refunds_between(since, until) or ())
    assert pages
    reached = [page.since for page in pages]
    assert reached == sorted(reached, reverse=True)
    assert reached[-1] == since
    return [refund for page in pages for refund in page.refunds]
