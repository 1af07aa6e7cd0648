"""How providers are asked: no more often a second than WAYOUT_RECONCILE_RATE, and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from billing.providers import provider
from billing.providers.base import Provider, ProviderRefused, ProviderUnavailable, RefundPage

logger = logging.getLogger("wayout.subscriptions")
T = TypeVar("T")


class ProviderFailed(Exception):
    """The provider's own code raised something that it must not raise. Its text may be a secret: it says the kind."""


class Asking:
    """``rate``: calls a second. ``seconds``: how long a piece of work may take; None: as long as it does."""

    def __init__(self, rate: float, seconds: float | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self.calls = 0
        self.sleep = sleep
        self._pause = 1 / rate
        self._begun = self._next = time.monotonic()
        self._seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._begun

    @property
    def is_over(self) -> bool:
        """Whether the piece has taken its time."""
        return self._seconds is not None and self.elapsed >= self._seconds

    def ask(self, name: str, question: Callable[[Provider], T]) -> T:
        """What the provider of that name answers, when it is its turn.

        Raises ProviderUnavailable, ProviderRefused, or ProviderFailed for anything else.
        """
        self._wait()
        return _asked(lambda: question(provider(name)))

    def pages(self, name: str, since: datetime, until: datetime) -> Iterator[RefundPage] | None:
        """The pages of its list, each in its turn; None where it has no list. Raises as ``ask`` does."""
        pages = _asked(lambda: provider(name).refunds_between(since, until))
        return None if pages is None else self._paced(pages, since)

    def _paced(self, pages: Iterator[RefundPage], since: datetime) -> Iterator[RefundPage]:
        reached = None
        while reached is None or reached > since:
            self._wait()
            page = _asked(lambda: next(pages))
            reached = page.since
            yield page

    def _wait(self) -> None:
        """Until it is our turn; then it is taken."""
        now = time.monotonic()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + self._pause
        self.calls += 1


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except (ProviderUnavailable, ProviderRefused):
        raise
    except Exception as error:
        logger.exception("a provider failed")
        raise ProviderFailed(type(error).__name__) from error
