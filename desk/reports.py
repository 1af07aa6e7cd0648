"""How well the desk keeps its promises, in numbers. Each is defined where it is shown."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q

from desk.attempts import MAX_COUNTED, CallOutcome
from desk.codes import CallbackStatus, CloseReason
from desk.models import CallbackAttempt, CallbackRequest
from desk.selectors import desk, desk_hours
from desk.windows import Hours, business_time_between, call_by

# A request is old when nobody has closed it for this many days: up to 1, up to 2, up to 7, longer.
AGES = (1, 2, 7)
# Given back without a call.
_NO_CALL = [outcome.value for outcome in CallOutcome if not outcome.follows.dialed]


@dataclass(frozen=True, slots=True)
class Span:
    """Median and 90th percentile; None where there is nothing to measure."""

    median: timedelta | None
    ninetieth: timedelta | None


@dataclass(frozen=True, slots=True)
class Share:
    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        """0 to 100, one digit; None of nothing."""
        return round(100 * self.part / self.whole, 1) if self.whole else None


@dataclass(frozen=True, slots=True)
class DeskReport:
    """What became of the requests of a span of time, and what is open at ``now``."""

    requests: int
    first_attempt: Span
    first_attempt_open: Span
    within_promise: Share
    reached: Sequence[Share]
    abandoned: Share
    abandoned_online: int
    unreachable: Share
    by_hour: Mapping[int, int]
    backlog_by_age: Sequence[int]
    backlog_by_language: Mapping[str, int]


def report(since: datetime, now: datetime) -> DeskReport:
    """The requests that came in from ``since`` until ``now`` (UTC). Five queries."""
    settings = desk()
    hours, promise = desk_hours(settings), timedelta(hours=settings.answer_within_hours)
    calls = Q(log__isnull=False) & ~Q(log__outcome__in=_NO_CALL)
    rows = list(
        CallbackRequest.objects.filter(requested_at__gte=since, requested_at__lt=now)
        .annotate(first=Min("log__started_at", filter=calls))
        .values_list("requested_at", "time_zone", "window_end", "first", "status", "close_reason", "attempts")
    )
    called = [(requested, first) for requested, _zone, _end, first, *_rest in rows if first]
    left = [reason for *_start, first, status, reason, _n in rows if not first and status == CallbackStatus.WITHDRAWN]
    return DeskReport(
        requests=len(rows),
        first_attempt=_span([first - requested for requested, first in called]),
        first_attempt_open=_span([business_time_between(hours, requested, first) for requested, first in called]),
        within_promise=_within(rows, hours, promise, now),
        reached=_reached(since, now),
        abandoned=Share(len(left), len(rows)),
        abandoned_online=left.count(CloseReason.RESOLVED_ONLINE.value),
        unreachable=Share(sum(attempts >= MAX_COUNTED for *_all, attempts in rows), len(rows)),
        by_hour=Counter(requested.astimezone(hours.zone).hour for requested, *_rest in rows),
        backlog_by_age=_ages(now),
        backlog_by_language=dict(
            CallbackRequest.objects.open().values_list("language").annotate(Count("pk")).order_by("language")
        ),
    )


def _within(
    rows: Collection[tuple[datetime, str, datetime | None, datetime | None, str, str, int]],
    hours: Hours,
    promise: timedelta,
    now: datetime,
) -> Share:
    """Of those that were called, or should have been by now: how many in time."""
    in_time = owed = 0
    for requested, zone, window_end, first, _status, _reason, _attempts in rows:
        due = window_end or call_by(hours, ZoneInfo(zone), requested, promise)
        if first or due < now:
            owed += 1
            in_time += bool(first and first <= due)
    return Share(in_time, owed)


def _reached(since: datetime, now: datetime) -> list[Share]:
    """By number of the call, how many of the calls were answered by the customer."""
    calls = CallbackAttempt.objects.filter(request__requested_at__gte=since, request__requested_at__lt=now)
    numbered: dict[int, Counter[str]] = {}
    nth: Counter[int] = Counter()
    for request, outcome in calls.exclude(outcome__in=_NO_CALL).order_by("number").values_list("request", "outcome"):
        nth[request] += 1
        numbered.setdefault(nth[request], Counter())[outcome] += 1
    silent = {outcome.value for outcome in CallOutcome if not outcome.follows.reached}
    return [
        Share(sum(n for outcome, n in numbered.get(number, Counter()).items() if outcome not in silent),
              numbered.get(number, Counter()).total())
        for number in range(1, MAX_COUNTED + 1)
    ]  # fmt: skip


def _ages(now: datetime) -> list[int]:
    """Open requests by age, youngest first; one more number than AGES."""
    edges = [now - timedelta(days=days) for days in AGES]
    younger = CallbackRequest.objects.open().aggregate(
        **{f"until_{n}": Count("pk", filter=Q(requested_at__gt=edge)) for n, edge in enumerate(edges)}, all=Count("pk")
    )
    counts = [*(younger[f"until_{n}"] for n in range(len(edges))), younger["all"]]
    return [counts[0], *(after - before for before, after in itertools.pairwise(counts))]


def _span(spans: Collection[timedelta]) -> Span:
    return Span(_percentile(spans, 0.5), _percentile(spans, 0.9))


def _percentile(spans: Collection[timedelta], share: float) -> timedelta | None:
    """The nearest rank: the smallest span that ``share`` of them do not exceed."""
    ordered = sorted(spans)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
