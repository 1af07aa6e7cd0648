"""Billing > Products & services, without JavaScript: the list, a subscription's details, cancel and undo.

Everything goes through the selectors and services that the API uses; the API can do more.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from common.errors import ExpectedError, NotFound
from common.formatting import active_language, format_date
from common.messages import error_message
from desk.selectors import Calls
from portal.accounts.callers import identify
from subscriptions.cancellations.service import cancel_subscription, undo_cancellation
from subscriptions.cancellations.signing import quote_id
from subscriptions.errors import RouteNotAvailable
from subscriptions.messages.quotes import quote_in_words
from subscriptions.messages.routes import headline, option_message, route_name, status_name
from subscriptions.models import Subscription
from subscriptions.policy.decision import Decision, Route
from subscriptions.policy.facts import Mode, Snapshot
from subscriptions.policy.quotes import Quote
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.lists import visible
from tenants.callers import Caller, Scope

PAGE_SIZE = 25


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """The list: every subscription with its state, and the way to cancel in every row."""
    now = timezone.now()
    caller = _caller(request, now)
    ids = visible(Subscription.objects.order_by("-pk"), caller).values_list("pk", flat=True)
    page = Paginator(ids, PAGE_SIZE).get_page(request.GET.get("page"))
    batch = SubscriptionBatch.find_many(list(page.object_list), now, caller)
    calls = Calls(row.pk for row in batch.rows)
    rows = [_row(row, batch, calls) for row in batch.rows]
    return render(request, "portal/home.html", {"page": page, "rows": rows, "caller": caller})


@require_safe
@login_required
def details(request: HttpRequest, pk: int) -> HttpResponse:
    """One subscription, with Settings & Actions > Cancel subscription: always shown, always with its reason."""
    now = timezone.now()
    caller = _caller(request, now)
    batch = SubscriptionBatch.find(caller, pk, now)
    if batch is None:
        raise Http404
    [row] = batch.rows
    snapshot, decision = batch.snapshots[pk], batch.decisions[pk]
    context = {
        **_row(row, batch, Calls([pk])),
        "headline": headline(snapshot, decision),
        "ways": _ways(snapshot, decision),
        "quotes": [_quote(quote, snapshot, row) for quote in decision.quotes],
        "cancellation": batch.cancellations.get(pk),
        "can_undo": decision.option(Route.UNDO_CANCELLATION).available,
        "can_act": caller.may(Scope.CANCEL, row.tenant_id),
        "idempotency_key": uuid.uuid4().hex,
    }
    return render(request, "portal/details.html", context)


@require_POST
@login_required
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel what the form's quote said, then show the receipt; a refusal goes back to the details."""
    now = timezone.now()
    try:
        canceled = cancel_subscription(
            caller=_caller(request, now),
            subscription_id=pk,
            quote_id=request.POST.get("quote", ""),
            idempotency_key=request.POST.get("key", ""),
            language=active_language(),
            now=now,
        )
    except ExpectedError as error:
        return _refused(request, error, pk)
    return redirect("receipt", reference=canceled.cancellation.reference)


@require_POST
@login_required
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo a cancellation and go back to the subscription."""
    now = timezone.now()
    try:
        undone = undo_cancellation(
            caller=_caller(request, now), cancellation_id=pk, language=active_language(), now=now
        )
    except ExpectedError as error:
        return _refused(request, error, error.subscription_id if isinstance(error, RouteNotAvailable) else 0)
    messages.success(request, _("The cancellation was undone. You keep the subscription."))
    return redirect("details", pk=undone.subscription_id)


def _caller(request: HttpRequest, now: datetime) -> Caller:
    caller = identify(request, now)
    if caller is None:
        raise Http404
    return caller


def _refused(request: HttpRequest, error: ExpectedError, subscription_id: int) -> HttpResponse:
    if isinstance(error, NotFound) or not subscription_id:
        raise Http404
    messages.error(request, error_message(error))
    return redirect("details", pk=subscription_id)


def _row(row: Subscription, batch: SubscriptionBatch, calls: Calls) -> dict[str, Any]:
    counts, decision = batch.counts[row.pk], batch.decisions[row.pk]
    return {
        "subscription": row,
        "name": row.plan.display_name,
        "status": status_name(decision.status),
        "assigned": counts.assigned,
        "callback": calls.open(row.pk),
        "ends": format_date(row.ends_at, row.tenant.zone) if row.ends_at else "",
    }


def _ways(snapshot: Snapshot, decision: Decision) -> list[dict[str, Any]]:
    """Every route with its reason; those that are closed for one reason stand together."""
    ways: dict[tuple[bool, str], list[str]] = {}
    for option in decision.options:
        said = option.available, option_message(option, snapshot, decision)
        ways.setdefault(said, []).append(route_name(option.route))
    return [
        {"available": available, "message": message, "names": names} for (available, message), names in ways.items()
    ]


def _quote(quote: Quote, snapshot: Snapshot, row: Subscription) -> dict[str, Any]:
    return {
        **quote_in_words(quote, snapshot),
        "id": quote_id(quote, tenant_id=row.tenant_id, subscription_id=row.pk),
        "now": quote.mode is Mode.IMMEDIATE,
        "users": quote.affected_users,
    }
