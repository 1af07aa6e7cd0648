"""Our own scalars: the stock ones take naive datetimes and print 1E+3."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?", re.ASCII)


def _refuse(value: Any, what: str) -> GraphQLError:
    return GraphQLError(f"Expected {what}.")


def _parse_datetime(value: Any) -> datetime:
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        raise _refuse(value, "an ISO 8601 date and time with an offset, for example 2026-11-25T10:00:00+02:00")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refuse(value, "a date and time that exists") from None


def _parse_date(value: Any) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise _refuse(value, "an ISO 8601 date, for example 2026-11-25")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _refuse(value, "a date that exists") from None


def _parse_decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise _refuse(value, 'a decimal as a string, for example "12.34"')
    return Decimal(value)


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="ISO 8601 with offset; UTC on the wire. One without offset is refused.",
        serialize=lambda value: value.astimezone(UTC).isoformat(),
        parse_value=_parse_datetime,
    ),
    date: strawberry.scalar(
        name="Date",
        description="ISO 8601 calendar date in the tenant's time zone.",
        serialize=date.isoformat,
        parse_value=_parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A string, exact and finite; never a float.",
        serialize=lambda value: f"{value:f}",
        parse_value=_parse_decimal,
    ),
}
