"""The hosted page of people whom a host vouches for: a one-time address, a cookie of its own, the element.

Under /portal/ that cookie counts and no other (portal/accounts/callers.py); elsewhere it is not sent.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from common.formatting import active_language
from common.public_ids import Kind, public_id
from portal.accounts.callers import identify, page_cookie
from portal.accounts.vouching import enter_portal
from portal.web.language import supported
from subscriptions.models import Subscription
from subscriptions.selectors.lists import visible
from tenants.callers import Caller
from tenants.models import PortalSession
from tenants.vouching import session_of_page

_GONE, _NOT_IN = 410, 403


@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest, code: str) -> HttpResponse:
    """The one-time address. Looking at it, as scanners of links do, uses nothing up: the page it shows sends a form."""
    if request.method != "POST":
        return render(request, "portal/enter.html")
    now = timezone.now()
    entered = enter_portal(text=code, request=request, now=now)
    if entered is None:
        return render(request, "portal/ended.html", status=_GONE)
    session, cookie = entered
    response = redirect("hosted")
    response.set_cookie(
        page_cookie(),
        cookie,
        expires=session.expires_at,
        path=reverse("hosted"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


@require_safe
@ensure_csrf_cookie
def hosted(request: HttpRequest) -> HttpResponse:
    """The element for whoever came in, in their language; for nobody else a page that says so, and where to go."""
    now = timezone.now()
    caller, session = identify(request, now), session_of_page(request.COOKIES.get(page_cookie(), ""))
    return_url = session.return_url if session else ""
    if caller is None or session is None:
        return render(request, "portal/ended.html", {"return_url": return_url}, status=_NOT_IN)
    with translation.override(supported(caller.language) or active_language()):
        context = {
            "caller": caller,
            "return_url": return_url,
            "subscription": _first_shown(session, caller),
        }
        return render(request, "portal/hosted.html", context)


def _first_shown(session: PortalSession, caller: Caller) -> str:
    """The public id of what the host named; empty for the list."""
    if not session.subscription_external_id:
        return ""
    rows = visible(Subscription.objects.all(), caller).filter(external_id=session.subscription_external_id)
    found = rows.order_by("pk").values_list("pk", flat=True).first()
    return public_id(Kind.SUBSCRIPTION, found) if found else ""
