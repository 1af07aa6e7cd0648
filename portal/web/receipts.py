"""The receipt page: for whoever may see the cancellation, as HTML or plain text."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.web.callers import identify
from subscriptions.models import Cancellation
from subscriptions.receipts import make_receipt
from subscriptions.selectors.batches import refunds_of
from subscriptions.selectors.lists import visible
from tenants.callers import Scope
from tenants.models import User
from tenants.people import caller_of_staff


@require_safe
def receipt(request: HttpRequest, reference: str) -> HttpResponse:
    """404 for a reference that does not exist and for one that the caller may not see."""
    now = timezone.now()
    caller = identify(request, now)
    user = request.user
    if isinstance(user, User) and user.has_perm("subscriptions.view_cancellation"):
        caller = caller_of_staff(user)
    found = None
    if caller is not None:
        rows = visible(Cancellation.objects.all(), caller).filter(reference=reference)
        found = rows.select_related("tenant", "subscription__plan", "requested_by_user", "requested_by_token").first()
    if found is None or caller is None or not caller.may(Scope.READ, found.tenant_id):
        raise Http404
    made = make_receipt(found, refunds_of([found]).get(found.pk, ()), now)
    match request.GET.get("format"):
        case "txt":
            return _file(found.reference, "txt", made.text, "text/plain")
        case "html":
            page = render_to_string("subscriptions/mail.html", {"receipt": made})
            return _file(found.reference, "html", page, "text/html")
    return render(request, "portal/receipt.html", {"receipt": made, "cancellation": found})


def _file(name: str, kind: str, text: str, media_type: str) -> HttpResponse:
    """A file to keep, which needs nothing besides itself."""
    response = HttpResponse(text, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response
