"""The receipt page: for whoever may see the cancellation, as HTML or plain text."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.accounts.callers import identify, is_hosted
from portal.accounts.tokens import bears_token
from subscriptions.cancellations.receipt import make_receipt
from subscriptions.models import Cancellation
from subscriptions.selectors.batches import refunds_of
from subscriptions.selectors.lists import visible
from tenants.callers import Caller, Scope
from tenants.staff import staff_caller


@require_safe
def receipt(request: HttpRequest, reference: str) -> HttpResponse:
    """404 for a reference that does not exist and for one that the caller may not see.

    Staff with the permission see every tenant's, as all of the admin: once they have shown their second factor.
    """
    now = timezone.now()
    found = _found(reference, identify(request, now))
    if found is None and _is_staffs(request):
        if not admin.site.has_permission(request):
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        found = _found(reference, staff_caller(request))
    if found is None:
        raise Http404
    made = make_receipt(found, refunds_of([found]).get(found.pk, ()), now)
    match request.GET.get("format"):
        case "txt":
            return _file(found.reference, "txt", made.text, "text/plain")
        case "html":
            page = render_to_string("subscriptions/mail.html", {"receipt": made})
            return _file(found.reference, "html", page, "text/html")
    context = {"receipt": made, "cancellation": found, "hosted": is_hosted(request)}
    return render(request, "portal/receipt.html", context)


def _found(reference: str, caller: Caller | None) -> Cancellation | None:
    if caller is None:
        return None
    rows = visible(Cancellation.objects.all(), caller).filter(reference=reference)
    found = rows.select_related(
        "tenant", "subscription__plan", "requested_by_user", "requested_by_token", "requested_by_vouched__token"
    ).first()
    return found if found and caller.may(Scope.READ, found.tenant_id) else None


def _is_staffs(request: HttpRequest) -> bool:
    """Whether a staff member asks by session (a token never rides with a cookie), who may see receipts."""
    user = request.user
    return not bears_token(request) and user.is_staff and user.has_perm("subscriptions.view_cancellation")


def _file(name: str, kind: str, text: str, media_type: str) -> HttpResponse:
    """A file to keep, which needs nothing besides itself."""
    response = HttpResponse(text, content_type=f"{media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response
