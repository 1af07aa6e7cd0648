"""Mail about a call: booked, changed, not reached, number wrong, over; with an invitation that keeps itself right."""

from __future__ import annotations

from datetime import datetime
from email.mime.text import MIMEText
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from common.formatting import format_span
from common.lines import one_line
from common.messages import say
from desk.codes import CallOccasion
from desk.models import CallbackRequest
from outbox.mail import deliver
from outbox.queue import enqueue
from outbox.registry import Lane, handles

CALL_MAIL = "mail.callback"


def queue_call_mail(occasion: CallOccasion, request: CallbackRequest, now: datetime) -> None:
    """Put one mail to the person who asked into the outbox, in the language of the call; none for a token."""
    person = request.requested_by_user or request.requested_by_vouched
    if person is None or not person.email:
        return
    window = (
        [request.window_start.isoformat(), request.window_end.isoformat()]
        if request.window_end and request.window_start
        else None
    )
    enqueue(
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
        at_most_once=True,
    )


@handles(CALL_MAIL, Lane.MAIL)
def send(payload: dict[str, Any], now: datetime) -> None:
    """Send one mail. It names no number: the subject and the text may be read by others."""
    request = CallbackRequest.objects.select_related("subscription__plan").get(pk=payload["callback"])
    occasion = CallOccasion(payload["occasion"])
    window = _window(payload)
    with translation.override(payload["language"]):
        zone = ZoneInfo(request.time_zone)
        when = format_span(*window, zone) if window else _("as soon as we can, between 09:00 and 19:00 your time")
        name = request.subscription.plan.display_name
        title = one_line(say(occasion.headline, {"name": name}))
        next_step = say(occasion.next_step, {"when": when})
        text = "\n\n".join([title, next_step, f"{_('Reference')}: {request.reference}"])
        message = EmailMessage(f"{title} [{request.reference}]", text, to=[payload["to"]])
        if window:
            message.attach(_invitation(request, occasion, window, title, now))
    deliver(message)


def _window(payload: dict[str, Any]) -> tuple[datetime, datetime] | None:
    if not payload["window"]:
        return None
    start, end = payload["window"]
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def _invitation(
    request: CallbackRequest, occasion: CallOccasion, window: tuple[datetime, datetime], title: str, now: datetime
) -> MIMEText:
    """The appointment by its lasting id; a later mail updates or cancels the same one."""
    ended = occasion.is_over
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
