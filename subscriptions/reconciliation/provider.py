"""Parts of refunds: what we say of them against what their provider says, by its list where it has one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import pairwise
from operator import methodcaller

from django.db.models import QuerySet

from billing.credit_form import CreditForm
from billing.models import SENDABLE_REFUND_STATUSES, PartStatus, RefundPart, RefundStatus
from billing.money import Money
from billing.providers import credit_form, used_providers
from billing.providers.base import ListedRefund, ProviderUnavailable, RefundOutcome, RefundPage
from billing.refunds.results import order_of
from common.chunks import chunks
from subscriptions.reconciliation.asking import Asking, ProviderFailed
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Check, Reached, Scope, Window, Yields

_OF_PARTS = (
    FindingKind.PART_DIFFERS,
    FindingKind.PART_MISSING,
    FindingKind.PART_AMOUNT,
    FindingKind.PART_UNDER_ANOTHER_KEY,
    FindingKind.PART_FAILS,
)
# So many refunds of a list are compared together.
_BATCH = 2_000


def part_checks(scope: Scope) -> Iterator[Check]:
    """One for each provider that is used here, or was sent something in the window."""
    sent = RefundPart.objects.filter(**scope.window.of("sent_at")).values_list("refund__provider", flat=True)
    names = {*used_providers(), *sent.distinct()}
    # What is only owed stands in our rows alone.
    for name in sorted(name for name in names if credit_form(name) is not CreditForm.OWED):
        yield Check(f"refunds at {name}", partial(_look, name), asks=name)


def _look(name: str, scope: Scope, position: str) -> Yields:
    """What was found before, then the window: by the list, or part by part."""
    assert scope.asking
    if not position:
        again = {key for kind in _OF_PARTS for key in scope.again.get(kind, ())}
        yield from _find_each(_parts(name).filter(pk__in=again), scope.asking)
    window = replace(scope.window, until=datetime.fromisoformat(position)) if position else scope.window
    try:
        pages = scope.asking.pages(name, window.since, window.until)
        if pages is not None:
            yield from _by_list(name, pages, window, scope.asking)
            return
    except ProviderFailed as error:
        yield Finding(FindingKind.PROVIDER_FAILS, name, {"error": str(error)})
        return
    if not position:
        unsent = _parts(name).filter(status=PartStatus.WAITING, refund__status__in=SENDABLE_REFUND_STATUSES)
        yield from _find_each(unsent, scope.asking)
    for day in window.days():
        yield from _find_each(_sent(name, day), scope.asking)
        yield Reached(day.since.isoformat())


def _by_list(name: str, pages: Iterator[RefundPage], window: Window, asking: Asking) -> Yields:
    """Compare page after page. An outage ends it with what was read so far."""
    left: list[ListedRefund] = []
    before: set[str] = set()
    until = since = window.until
    outage = None
    while since > window.since and outage is None:
        try:
            page = next(pages)
        except ProviderUnavailable as error:
            outage = error
        else:
            left, since = [*left, *page.refunds], page.since
        if len(left) < _BATCH and since > window.since and not asking.is_over and outage is None:
            continue
        listed = [refund for refund in left if refund.at >= since]
        left = [refund for refund in left if refund.at < since]
        known = {word for refund in listed for word in (refund.key, refund.result.reference)}
        yield from _compare(name, listed)
        yield from _missing(name, Window(since, until), known | before, asking)
        if since < until:
            yield Reached(since.isoformat())
        until, before = since, known
    if outage:
        raise outage


def _compare(name: str, listed: Sequence[ListedRefund]) -> Iterator[Finding]:
    """What is listed against the parts with those keys, whenever they were sent."""
    for some in chunks(listed):
        ids = {refund.key: _part_id(refund.key) for refund in some}
        parts = _parts(name).in_bulk([pk for pk in ids.values() if pk])
        for refund in some:
            pk = ids[refund.key]
            if pk in parts:
                yield from _differences(parts[pk], refund)
            else:
                values = {"reference": refund.result.reference, "key": refund.key}
                yield Finding(FindingKind.REFUND_UNKNOWN_HERE, refund.key, values, name=name)


def _missing(name: str, window: Window, listed: set[str], asking: Asking) -> Yields:
    """What we have sent by our clock, and the list has not: asked for one by one, since theirs may say otherwise."""
    paid = _sent(name, window).filter(status=PartStatus.SUCCEEDED)
    yield from _find_each((part for part in paid if not {part.key, part.reference} & listed), asking)


def _find_each(parts: Iterable[RefundPart], asking: Asking) -> Yields:
    """One call a part, the last sent first. Parts of one refund are sent at one instant, and not torn apart."""
    for part, following in pairwise([*parts, None]):
        assert part
        yield from _find(part, asking)
        if part.sent_at and following and following.sent_at != part.sent_at:
            yield Reached(part.sent_at.isoformat())


def _find(part: RefundPart, asking: Asking) -> Iterator[Finding]:
    name, subject = part.refund.provider, str(part.pk)
    try:
        for key in reversed(part.keys):
            refund_request = replace(order_of(part, part.refund.requested_at), key=key)
            if found := asking.ask(name, methodcaller("find", refund_request)):
                yield from _differences(part, ListedRefund(key, found, part.refund.requested_at))
                return
    except ProviderFailed as error:
        yield Finding(FindingKind.PART_FAILS, subject, {"error": str(error)}, page=str(part.refund_id))
        return
    if part.status == PartStatus.SUCCEEDED:
        yield Finding(FindingKind.PART_MISSING, subject, page=str(part.refund_id))


def _differences(part: RefundPart, theirs: ListedRefund) -> Iterator[Finding]:
    """Nothing is said of a part on its way, which its task asks for, nor of one that staff settled before it was sent."""
    if part.refund.status == RefundStatus.SETTLED_MANUALLY and part.status == PartStatus.WAITING:
        return
    is_paid, we_say_paid = theirs.result.outcome is RefundOutcome.SUCCEEDED, part.status == PartStatus.SUCCEEDED
    # A currency that ended in between makes two of one amount: each provider says the one that it knows.
    ours = [part.charge.money(part.amount), Money(part.promised, part.refund.currency)]
    said: tuple[FindingKind, str, str] | None = None
    # What arrived under a key that was replaced is either on record by its reference, or staff heard of it.
    is_known = (we_say_paid and part.reference == theirs.result.reference) or part.amount_by_rule is not None
    if theirs.key != part.key and not (is_paid and is_known):
        if is_paid:
            said = FindingKind.PART_UNDER_ANOTHER_KEY, part.key, theirs.key
    elif is_paid != we_say_paid and part.status != PartStatus.SENT:
        if is_paid or part.status != PartStatus.FAILED:
            said = FindingKind.PART_DIFFERS, part.status, theirs.result.outcome.value
    elif (
        is_paid
        and theirs.amount
        and theirs.amount not in ours
        and theirs.amount.currency in {money.currency for money in ours}
    ):
        said = FindingKind.PART_AMOUNT, str(ours[0]), str(theirs.amount)
    if said:
        kind, mine, other = said
        yield Finding(kind, str(part.pk), {"ours": mine, "theirs": other}, page=str(part.refund_id))


def _parts(name: str) -> QuerySet[RefundPart]:
    parts = RefundPart.objects.filter(refund__provider=name).select_related("refund__agreement", "charge")
    return parts.order_by("-sent_at", "-pk")


def _sent(name: str, window: Window) -> QuerySet[RefundPart]:
    return _parts(name).filter(**window.of("sent_at"))


def _part_id(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key.partition(".")[0])
    except ValueError:
        return None
