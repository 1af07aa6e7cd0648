"""Mail about a call: booked, changed, not reached, number wrong, over; with an invitation that keeps itself right."""

from __future__ import annotations

from datetime import datetime
from email.mime.text import MIMEText
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from common.formatting import format_span
from desk.models import CallbackRequest
from outbox.mail import deliver
from outbox.queue import put
from outbox.registry import handles

CALL_MAIL = "mail.callback"


class CallOccasion(StrEnum):
    """What there is to tell about a call."""

    BOOKED = "BOOKED"
    CHANGED = "CHANGED"
    UNREACHABLE = "UNREACHABLE"
    WRONG_NUMBER = "WRONG_NUMBER"
    NOT_CALLED = "NOT_CALLED"
    DONE = "DONE"
    CANCELED = "CANCELED"
    CLOSED = "CLOSED"
    REOPENED = "REOPENED"
    WITHDRAWN = "WITHDRAWN"


def announce_call(occasion: CallOccasion, request: CallbackRequest, now: datetime) -> None:
    """Put one mail to the person who asked into the outbox, in the language of the call; none for a token."""
    person = request.requested_by_user
    if person is None or not person.email:
        return
    window = (
        [request.window_start.isoformat(), request.window_end.isoformat()]
        if request.window_end and request.window_start
        else None
    )
    put(
        kind=CALL_MAIL,
        key=f"{CALL_MAIL}:{occasion}:{request.pk}:{now.isoformat()}",
        payload={
            "occasion": occasion.value,
            "callback": request.pk,
            "to": person.email,
            "language": request.language,
            "window": window,
        },
        run_at=now,
        now=now,
        once=True,
    )


_ENDED = (CallOccasion.DONE, CallOccasion.CANCELED, CallOccasion.CLOSED, CallOccasion.WITHDRAWN)


@handles(CALL_MAIL)
def send(payload: dict[str, Any], now: datetime) -> None:
    """Send one mail. It names no number: the subject and the text may be read by others."""
    request = CallbackRequest.objects.select_related("subscription__plan").get(pk=payload["callback"])
    occasion = CallOccasion(payload["occasion"])
    window = _window(payload)
    with translation.override(payload["language"]):
        zone = ZoneInfo(request.time_zone)
        when = format_span(*window, zone) if window else _("as soon as we can, between 09:00 and 19:00 your time")
        name = request.subscription.plan.display_name
        title = _title(occasion, name)
        text = "\n\n".join([title, _what_next(occasion, when), f"{_('Reference')}: {request.reference}"])
        message = EmailMessage(f"{title} [{request.reference}]", text, to=[payload["to"]])
        if window:
            message.attach(_invitation(request, occasion, window, title, now))
    deliver(message)


def _window(payload: dict[str, Any]) -> tuple[datetime, datetime] | None:
    if not payload["window"]:
        return None
    start, end = payload["window"]
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def _title(occasion: CallOccasion, name: str) -> str:
    values = {"name": name}
    return {
        CallOccasion.BOOKED: _("We will call you about “%(name)s”") % values,
        CallOccasion.CHANGED: _("Our call about “%(name)s” was moved") % values,
        CallOccasion.UNREACHABLE: _("We could not reach you about “%(name)s”") % values,
        CallOccasion.WRONG_NUMBER: _("Please correct your number: our call about “%(name)s”") % values,
        CallOccasion.NOT_CALLED: _("We will not call you about “%(name)s”") % values,
        CallOccasion.DONE: _("Our call about “%(name)s” is done") % values,
        CallOccasion.CANCELED: _("“%(name)s” was canceled for you") % values,
        CallOccasion.CLOSED: _("We will not call you about “%(name)s” any more") % values,
        CallOccasion.REOPENED: _("We will call you about “%(name)s” after all") % values,
        CallOccasion.WITHDRAWN: _("Our call about “%(name)s” is not needed any more") % values,
    }[occasion]


def _what_next(occasion: CallOccasion, when: str) -> str:
    values = {"when": when}
    return {
        CallOccasion.BOOKED: _("When: %(when)s. You can move or withdraw it in the portal.") % values,
        CallOccasion.CHANGED: _("When: %(when)s. You can move or withdraw it in the portal.") % values,
        CallOccasion.UNREACHABLE: _(
            "Your request stays open, and waiting for us costs you nothing. Choose another time or number in the portal."
        ),
        CallOccasion.WRONG_NUMBER: _(
            "Nobody answers to the number we have. Give another one in the portal; your place in the queue is kept."
        ),
        CallOccasion.NOT_CALLED: _(
            "You asked us not to call. Remove users in the portal until canceling online opens, whenever you like."
        ),
        CallOccasion.DONE: _("Nothing was canceled. You can ask for a call again in the portal, whenever you like."),
        CallOccasion.CANCELED: _(
            "What was agreed stands in the portal, with its receipt and until when it can be undone."
        ),
        CallOccasion.CLOSED: _(
            "Your request for a call is closed, and nothing was canceled. You can ask for a call again in the portal,"
            " whenever you like."
        ),
        CallOccasion.REOPENED: _(
            "Your request for a call is open again, and waiting for us costs you nothing. When: %(when)s. You can move"
            " or withdraw it in the portal."
        )
        % values,
        CallOccasion.WITHDRAWN: _("You need not do anything."),
    }[occasion]


def _invitation(
    request: CallbackRequest, occasion: CallOccasion, window: tuple[datetime, datetime], title: str, now: datetime
) -> MIMEText:
    """The appointment by its lasting id; a later mail updates or cancels the same one."""
    ended = occasion in _ENDED
    event = Event()
    event.add("uid", f"{request.reference}@wayout")
    event.add("sequence", max(0, int((now - request.requested_at).total_seconds())))
    event.add("dtstamp", now)
    event.add("dtstart", window[0])
    event.add("dtend", window[1])
    event.add("summary", title)
    event.add("status", "CANCELLED" if ended else "CONFIRMED")
    calendar = Calendar()
    method = "CANCEL" if ended else "REQUEST"
    for name, value in (("prodid", "-//Wayout//EN"), ("version", "2.0"), ("method", method)):
        calendar.add(name, value)
    calendar.add_component(event)
    part = MIMEText(calendar.to_ical().decode(), "calendar", "utf-8")
    part.set_param("method", method)
    part.add_header("Content-Disposition", "attachment", filename="call.ics")
    return part
