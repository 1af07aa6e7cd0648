"""What was charged and paid, in this project's own columns."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from billing.errors import ChargePeriodBackwards, ChargePeriodTooLong
from billing.periods import MAX_PERIOD, Period
from subscriptions.directory import values
from subscriptions.directory.document import MAX_ID, MAX_NAME, ChargeRow, Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.readers.dialect import Dialect
from subscriptions.directory.readers.rows import FileRows, Found, currency, needed, said, whole
from subscriptions.directory.tables import Cells, Headers, Source

_AMOUNTS = ("charged", "tax", "settled", "in_flight", "refunded_elsewhere", "disputed")
_DAYS = ("charged_at", "period_start", "period_end")
COLUMNS: Headers = {
    "charge_id": ("charge_id", "ид на таксуване"),
    "tenant": ("tenant", "клиент"),
    "product": ("product", "продукт"),
    "subscription_id": ("subscription_id", "ид на абонамент"),
    "seats": ("seats", "лицензи"),
    "charged": ("charged", "таксувано"),
    "tax": ("tax", "данък"),
    "settled": ("settled", "платено"),
    "in_flight": ("in_flight", "плащане в ход"),
    "refunded_elsewhere": ("refunded_elsewhere", "върнато другаде"),
    "disputed": ("disputed", "оспорено"),
    "currency": ("currency", "валута"),
    "charged_at": ("charged_at", "таксувано на"),
    "period_start": ("period_start", "начало на периода"),
    "period_end": ("period_end", "край на периода"),
    "term_months": ("term_months", "срок в месеци"),
    "corrects": ("corrects", "коригира"),
    "provider": ("provider", "доставчик на плащания"),
    "provider_id": ("provider_id", "ид при доставчика"),
}
_REQUIRED = ("charge_id", "product", "charged", "settled", "currency", "period_start", "period_end")
_id, _name = values.text(MAX_ID), values.text(MAX_NAME)


def read_charges(source: Source, file: str, zone: ZoneInfo, domain: str) -> FileRows[Found]:
    """The charges of the tenant with this domain; a day begins in ``zone``. Raises FileUnreadable.

    What was paid has to be said: its column is required, and a cell may be empty in a correction only.
    """
    rows = FileRows[Found](source, file, COLUMNS, _REQUIRED, lambda cells, line: _read(cells, line, dialect, domain))
    dialect = Dialect.of(rows.table, zone, _AMOUNTS, _DAYS)
    return rows


def _read(cells: Cells, line: int, dialect: Dialect, domain: str) -> Found:
    tenant = said(cells, "tenant", _name)
    if tenant and tenant.casefold() != domain.casefold():
        raise Refused(Fault.NOT_OURS, "tenant", value=tenant)
    of = needed(cells, "currency", currency)
    amounts = {field: said(cells, field, lambda cell: dialect.amount(cell, of)) for field in _AMOUNTS}
    corrects = said(cells, "corrects", _id) or ""
    if amounts["settled"] is None and not corrects:
        raise Refused(Fault.PAID_UNSAID, "settled")
    if amounts["charged"] is None:
        raise Refused(Fault.MISSING, "charged")
    tax, period = amounts["tax"] or 0, _period(cells, dialect)
    return Section.CHARGES, ChargeRow(
        line=line,
        external_id=needed(cells, "charge_id", _id),
        subscription=said(cells, "subscription_id", _id) or "",
        seats=said(cells, "seats", whole(values.seats)) or 0,
        currency=of,
        charged=amounts["charged"] + tax,
        tax=tax,
        paid=amounts["settled"] or 0,
        in_flight=amounts["in_flight"] or 0,
        refunded_elsewhere=amounts["refunded_elsewhere"],
        disputed=amounts["disputed"],
        charged_at=said(cells, "charged_at", dialect.instant) or period.start,
        period=period,
        corrects=corrects,
        product=needed(cells, "product", _name),
        term_months=said(cells, "term_months", whole(values.months)),
        provider=said(cells, "provider", values.text(20)) or "",
        provider_id=said(cells, "provider_id", _id) or "",
    )


def _period(cells: Cells, dialect: Dialect) -> Period:
    start, end = (needed(cells, field, dialect.instant) for field in ("period_start", "period_end"))
    if start >= end:
        raise Refused(Fault.CHARGE_REFUSED, "period_end", sentence=ChargePeriodBackwards.sentence)
    if end - start > MAX_PERIOD:
        raise Refused(Fault.CHARGE_REFUSED, "period_end", sentence=ChargePeriodTooLong.sentence)
    return Period(start, end)
