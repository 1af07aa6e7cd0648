"""Dates and times for people, in the active language and always in a named zone. Babel does the wording."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date as babel_date
from babel.dates import format_time, get_timezone_location
from babel.units import format_unit
from django.utils.translation import get_language

from common.languages import DEFAULT_LANGUAGE, Language


def active_language() -> str:
    """The language that is spoken now: of the request, or the default."""
    return get_language() or DEFAULT_LANGUAGE


def locale() -> Locale:
    """The Babel locale of the active language."""
    return Locale.parse(Language(active_language()).locale)


def format_day(day: date) -> str:
    """25 November 2026, 25 ноември 2026 г."""
    return babel_date(day, "long", locale=locale())


def format_date(instant: datetime, zone: ZoneInfo) -> str:
    """The date of an instant in ``zone``: 22:30 UTC on 30 November is 1 December in Sofia."""
    return format_day(instant.astimezone(zone).date())


def format_datetime(instant: datetime, zone: ZoneInfo) -> str:
    """25 November 2026, 10:00 (Sofia)."""
    return f"{format_local(instant, zone)} ({zone_name(zone)})"


def format_local(instant: datetime, zone: ZoneInfo) -> str:
    """25 November 2026, 10:00: where the zone is said once for many."""
    local = instant.astimezone(zone)
    return f"{format_day(local.date())}, {format_time(local, 'HH:mm', locale=locale())}"


def format_length(seconds: float) -> str:
    """30 days, 12 hours, 90 minutes: in the largest unit of which it is a whole number."""
    for unit, size in (("day", 86_400), ("hour", 3_600)):
        if seconds >= size and seconds % size == 0:
            return format_unit(int(seconds // size), f"duration-{unit}", locale=locale())
    return format_unit(round(seconds / 60), "duration-minute", locale=locale())


def format_span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Thursday, 26 November 2026, 10:00–12:00 (Sofia, UTC+02:00): with the offset on that very date."""
    local, local_end = start.astimezone(zone), end.astimezone(zone)
    day = babel_date(local.date(), "full", locale=locale())
    offset = local.strftime("%z")
    where = zone_name(zone)
    utc = f"UTC{offset[:3]}:{offset[3:]}"
    label = where if where == "UTC" else f"{where}, {utc}"
    return f"{day}, {local:%H:%M}–{local_end:%H:%M} ({label})"


def zone_name(zone: ZoneInfo) -> str:
    """The city that names the zone: Sofia, София."""
    if "/" not in zone.key or zone.key.startswith("Etc/"):
        return zone.key.removeprefix("Etc/")
    return get_timezone_location(zone, locale=locale(), return_city=True)
