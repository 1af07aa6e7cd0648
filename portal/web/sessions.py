"""Where somebody is signed in: the list of their sessions, and its end by themselves."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from common.formatting import format_length, format_local, zone_name
from common.whole_numbers import whole_number
from desk.selectors import desk
from portal.accounts.sessions import limits_of
from tenants.models import User
from tenants.security import SecurityEvent, say
from tenants.sessions import end_sessions, sessions_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def sessions(request: HttpRequest) -> HttpResponse:
    """The list; and by its buttons the end of one session, or of all but this one."""
    user, current = request.user, request.session.session_key
    assert isinstance(user, User)
    if request.method == "POST":
        only = whole_number(request.POST["session"]) or 0 if "session" in request.POST else None
        ended = end_sessions(user.pk, only=only, but=current)
        if ended:
            say(SecurityEvent.SESSION_ENDED, request, sessions=str(ended))
            text = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", ended)
            messages.success(request, text % {"count": ended})
        else:
            messages.info(request, _("There is no such session any more."))
        return redirect("sessions")
    zone = _zone(user)
    rows = [
        {
            "pk": row.pk,
            "browser": row.browser,
            "began": format_local(row.began_at, zone),
            "seen": format_local(row.seen_at, zone),
            "is_current": row.session_key == current,
        }
        for row in sessions_of(user.pk, timezone.now())
    ]
    idle, longest = limits_of(staff=user.is_staff)
    shown = {
        "rows": rows,
        "others": any(not row["is_current"] for row in rows),
        "zone": zone_name(zone),
        "idle": format_length(idle),
        "longest": format_length(longest),
    }
    return render(request, "portal/sessions.html", shown)


def _zone(user: User) -> ZoneInfo:
    """Of the account that the person has a role in; of the desk for staff, who have none."""
    membership = user.memberships.filter(is_active=True).select_related("tenant").order_by("pk").first()
    return membership.tenant.zone if membership else ZoneInfo(desk().time_zone)
