"""A provider that fails on demand."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest

import billing.providers as providers
from billing.models import Charge
from billing.provider_facts import record_payment
from billing.providers.base import (
    CreditForm,
    Declaration,
    KeyRefused,
    ListedRefund,
    PaymentUpdate,
    ProviderRefused,
    ProviderUnavailable,
    RefundOutcome,
    RefundPage,
    RefundRequest,
    RefundResult,
)
from billing.renewal_stop import RenewalStop


def pay(charge: Charge, paid: int, at: datetime, provider: str = "ledger") -> bool:
    """The provider says that so much of a charge has arrived in all."""
    return record_payment(provider=provider, update=PaymentUpdate(frozenset({charge.external_id}), paid), now=at)


class TestProvider(providers.Provider):
    """Keeps its books in memory. ``troubles``: what goes wrong with the next calls, one each."""

    __test__ = False

    declares = Declaration(
        name="test", credit=CreditForm.PAID_BACK, subscription_id="sub_[a-z]+", subscription_id_example="sub_abc"
    )

    def __init__(self, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(settings)
        self.paid: dict[str, RefundRequest] = {}
        self.asked: dict[str, RefundRequest] = {}
        self.lists = True
        self.results: dict[str, RefundResult] = {}
        self.calls: list[str] = []
        self.stopped: list[tuple[str, str]] = []
        self.troubles: list[str] = []
        self.unknown: set[str] = set()

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        self.calls.append(f"refund {refund_request.key}")
        trouble = self._trouble()
        self.asked.setdefault(refund_request.key, refund_request)
        if trouble == "decline":
            return self.results.setdefault(
                refund_request.key, RefundResult(RefundOutcome.FAILED, f"T-{refund_request.key}", "declined")
            )
        if refund_request.key not in self.results:
            self.paid[refund_request.key] = refund_request
            outcome = RefundOutcome.PENDING if trouble == "pending" else RefundOutcome.SUCCEEDED
            self.results[refund_request.key] = RefundResult(outcome, f"T-{refund_request.key}")
        if trouble == "timeout after":
            raise ProviderUnavailable("timeout")
        return self.results[refund_request.key]

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        self.calls.append(f"find {refund_request.key}")
        self._trouble()
        return self.results.get(refund_request.key)

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[RefundPage] | None:
        if not self.lists:
            return None
        return self._pages(since, until)

    def _pages(self, since: datetime, until: datetime) -> Iterator[RefundPage]:
        """Two a page."""
        made = [self._listed(key) for key, asked in self.asked.items() if since <= asked.at < until]
        made.sort(key=lambda listed: listed.at, reverse=True)
        for start in range(0, max(len(made), 1), 2):
            self.calls.append("list")
            self._trouble()
            page, is_last = made[start : start + 2], start + 2 >= len(made)
            yield RefundPage(page, since if is_last else page[-1].at + timedelta(microseconds=1))

    def _listed(self, key: str) -> ListedRefund:
        return ListedRefund(key, self.results[key], self.asked[key].at, self.asked[key].amount)

    def go_on(self, external_id: str) -> None:
        self._say("go on", external_id)

    def stop_at_period_end(self, external_id: str) -> None:
        self._say("stop at period end", external_id)

    def stop_now(self, external_id: str) -> None:
        self._say("stop now", external_id)

    def renewal_stop(self, external_id: str) -> RenewalStop:
        self._trouble()
        self._require_known(external_id)
        said = [what for what, known in self.stopped if known == external_id]
        ends = {"stop now": RenewalStop.NOW, "stop at period end": RenewalStop.AT_PERIOD_END}
        return (
            RenewalStop.NOW
            if "stop now" in said
            else ends.get(said[-1], RenewalStop.NONE)
            if said
            else RenewalStop.NONE
        )

    def settle(self, key: str, outcome: RefundOutcome = RefundOutcome.SUCCEEDED) -> None:
        """What was pending has an end."""
        self.results[key] = RefundResult(outcome, f"T-{key}", "" if outcome is RefundOutcome.SUCCEEDED else "bounced")

    def _say(self, what: str, external_id: str) -> None:
        self._trouble()
        self._require_known(external_id)
        if what == "go on" and ("stop now", external_id) in self.stopped:
            raise ProviderRefused("it has stopped")
        self.stopped.append((what, external_id))

    def _require_known(self, external_id: str) -> None:
        if external_id in self.unknown:
            raise ProviderRefused("no such subscription")

    def _trouble(self) -> str:
        trouble = self.troubles.pop(0) if self.troubles else ""
        match trouble:
            case "timeout before" | "5xx" | "silent":
                raise ProviderUnavailable(trouble)
            case "key":
                raise KeyRefused("key")
            case "unknown":
                raise ProviderRefused("no such subscription")
            case "429":
                raise ProviderUnavailable(trouble, timedelta(minutes=7))
            case "slow":
                time.sleep(0.2)
        return trouble


@contextmanager
def used(provider: TestProvider, *, only: str = "") -> Iterator[TestProvider]:
    """Let everything go through it, whatever it is stored with; or be the ``only`` provider there is."""
    known = providers.known

    def instead(found: type[providers.Provider]) -> type[providers.Provider]:
        made: type[providers.Provider] = type(found.__name__, (found,), {"__new__": lambda _cls, _settings: provider})
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            providers, "known", lambda: {name: instead(found) for name, found in known().items() if only in ("", name)}
        )
        yield provider
