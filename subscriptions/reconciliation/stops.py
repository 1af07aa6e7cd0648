"""How agreements end: what was decided, what providers were told, and what they say themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import methodcaller

from django.db.models import QuerySet

from billing.models import IS_UNCONFIRMED, Agreement
from billing.providers.base import ProviderRefused
from billing.renewal import CONFIRM_STOP, wanted_of
from billing.renewal_stop import RenewalStop
from billing.selectors import stops_without_id
from common.chunks import chunks
from outbox.models import Task, TaskStatus
from subscriptions.reconciliation.asking import Asking, ProviderFailed
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Check, Reached, Scope, Yields, stands_open
from subscriptions.reconciliation.tasks import GRACE

_ASKED = (FindingKind.STOP_DIFFERS, FindingKind.STOP_UNKNOWN, FindingKind.STOP_FAILS)


@stands_open
def nobody_told(_scope: Scope) -> Iterator[Finding]:
    for pk in stops_without_id().order_by("pk").values_list("pk", flat=True).iterator():
        yield Finding(FindingKind.NOBODY_TOLD, str(pk))


@stands_open
def unconfirmed(scope: Scope) -> Iterator[Finding]:
    """But for what is about to be told."""
    open_stops = Agreement.objects.filter(IS_UNCONFIRMED).exclude(external_id="")
    for agreements in chunks(open_stops.filter(ends_for_good_at__isnull=False).order_by("pk").iterator()):
        soon = _told_soon(agreements, scope)
        for agreement in agreements:
            wanted = wanted_of(agreement, scope.now).now
            if agreement.confirmed_stop != wanted and f"{CONFIRM_STOP}:{agreement.pk}" not in soon:
                heard = agreement.confirmed_stop
                kind = FindingKind.STOP_UNCONFIRMED if heard else FindingKind.STOP_UNCERTAIN
                values = {"provider": agreement.provider, "told": heard, "wanted": wanted.value}
                yield Finding(kind, str(agreement.pk), values)


def _told_soon(agreements: list[Agreement], scope: Scope) -> set[str]:
    """The keys of tasks that are about to tell. Not while the provider is down: what waits for hours is worth a line."""
    keys = [f"{CONFIRM_STOP}:{agreement.pk}" for agreement in agreements]
    soon = Task.objects.filter(key__in=keys, status=TaskStatus.WAITING, run_at__gt=scope.now - GRACE)
    return set(soon.filter(failures=0, outages=0).values_list("key", flat=True))


def stop_checks(scope: Scope) -> Iterator[Check]:
    """One for each provider that confirmed something in the window, or at which something ended for good in it."""
    names = {name for rows in _moved(scope) for name in rows.values_list("provider", flat=True).distinct()}
    again = [key for kind in _ASKED for key in scope.again.get(kind, ())]
    names |= set(Agreement.objects.filter(pk__in=again).values_list("provider", flat=True)) if again else set()
    for name in sorted(names):
        yield Check(f"stops at {name}", partial(_compare, name), asks=name)


def _compare(name: str, scope: Scope, position: str) -> Yields:
    """Agreement by agreement, since no provider lists those that end."""
    assert scope.asking
    keys = {pk for rows in _moved(scope) for pk in rows.filter(provider=name).values_list("pk", flat=True)}
    keys |= {int(key) for kind in _ASKED for key in scope.again.get(kind, ())}
    for some in chunks(sorted(pk for pk in keys if pk > int(position or 0))):
        rows = Agreement.objects.filter(pk__in=some, provider=name, ends_for_good_at__isnull=False)
        for agreement in rows.exclude(external_id="").order_by("pk"):
            if agreement.confirmed_stop == wanted_of(agreement, scope.now).now:
                yield from _ask(agreement, scope.asking)
                yield Reached(str(agreement.pk))


def _ask(agreement: Agreement, asking: Asking) -> Iterator[Finding]:
    confirmed, pk = agreement.confirmed_stop, str(agreement.pk)
    try:
        says = asking.ask(agreement.provider, methodcaller("renewal_stop", agreement.external_id))
    except ProviderRefused as error:
        yield Finding(FindingKind.STOP_UNKNOWN, pk, {"reason": str(error)})
    except ProviderFailed as error:
        yield Finding(FindingKind.STOP_FAILS, pk, {"error": str(error)})
    else:
        # A period that ran out has stopped.
        if says != confirmed and (confirmed, says) != (RenewalStop.AT_PERIOD_END, RenewalStop.NOW):
            values = {"provider": agreement.provider, "told": confirmed, "says": says.value}
            yield Finding(FindingKind.STOP_DIFFERS, pk, values)


def _moved(scope: Scope) -> tuple[QuerySet[Agreement], QuerySet[Agreement]]:
    ends = Agreement.objects.exclude(external_id="").filter(ends_for_good_at__isnull=False)
    return ends.filter(**scope.window.of("confirmed_at")), ends.filter(**scope.window.of("ends_for_good_at"))
