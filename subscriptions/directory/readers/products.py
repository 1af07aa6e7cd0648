"""What was bought: Microsoft 365's list of products, or one that says more of each."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from billing.money import Money
from subscriptions.directory import values
from subscriptions.directory.document import (
    CHANNELS,
    MAX_ID,
    MAX_NAME,
    STATUSES,
    Contact,
    Section,
    SubscriptionRow,
)
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.readers.dialect import Dialect
from subscriptions.directory.readers.rows import FileRows, Found, in_both, needed, said, whole, yes_or_no
from subscriptions.directory.readers.rows import currency as read_currency
from subscriptions.directory.tables import Cells, Headers, Source

COLUMNS: Headers = {
    "product": ("product title", "продукт", "titre du produit"),
    "seats": ("total licenses", "общо лицензи", "nombre total de licences"),
    "status": ("status", "състояние"),
    "assigned": ("assigned licenses", "присвоени лицензи", "licences attribuées"),
    "subscription_id": ("subscription_id", "subscription id", "ид на абонамент"),
    "plan": ("plan", "план"),
    "trial": ("trial", "пробен период"),
    "channel": ("channel", "канал"),
    "partner": ("partner", "партньор"),
    "partner_url": ("partner_url", "partner url", "сайт на партньора"),
    "partner_email": ("partner_email", "partner email", "имейл на партньора"),
    "partner_phone": ("partner_phone", "partner phone", "телефон на партньора"),
    "renews": ("recurring_billing", "recurring billing", "автоматично подновяване"),
    "price": ("price", "цена"),
    "currency": ("currency", "валута"),
    "billed_months": ("billing_months", "billing months", "месеци на таксуване"),
    "term_months": ("term_months", "term months", "срок в месеци"),
    "ends_at": ("ends_at", "end date", "крайна дата"),
    "payment_method": ("payment_method", "payment method", "начин на плащане"),
}
PASSED_OVER = ("expired licenses", "изтекли лицензи")

_id, _name = values.text(MAX_ID), values.text(MAX_NAME)
_status = in_both(
    STATUSES,
    {"активен": "active", "предупреждение": "warning", "спрян": "suspended", "изтекъл": "expired", "деактивиран": "disabled",
     "анулиран": "canceled", "изтрит": "deleted"},
)  # fmt: skip
_channel = in_both(CHANNELS, {"директно": "direct", "партньор": "partner", "предплатен": "prepaid"})


def read_products(source: Source, file: str, zone: ZoneInfo) -> FileRows[Found]:
    """The list of products; a date is that day's start in ``zone``. Raises FileUnreadable."""
    rows = FileRows[Found](
        source, file, COLUMNS, ("product", "seats"), lambda cells, line: _read(cells, line, dialect), PASSED_OVER
    )
    dialect = Dialect.of(rows.table, zone, ["price"], ["ends_at"])
    return rows


def _read(cells: Cells, line: int, dialect: Dialect) -> Found:
    currency = said(cells, "currency", read_currency)
    if cells.get("price") and currency is None:
        raise Refused(Fault.MISSING, "currency")
    return Section.SUBSCRIPTIONS, SubscriptionRow(
        line=line,
        external_id=said(cells, "subscription_id", _id) or "",
        product=needed(cells, "product", _name),
        plan_name=said(cells, "plan", _name),
        status=said(cells, "status", _status),
        is_trial=said(cells, "trial", yes_or_no),
        channel=said(cells, "channel", _channel),
        partner=_partner(cells),
        renews=said(cells, "renews", yes_or_no),
        seats=needed(cells, "seats", whole(values.seats)),
        price=said(cells, "price", lambda cell: _price(cell, currency or "", dialect)),
        currency=currency,
        billed_months=said(cells, "billed_months", whole(values.months)),
        term_months=said(cells, "term_months", whole(values.months)),
        ends_at=said(cells, "ends_at", dialect.instant),
        has_payment_method=said(cells, "payment_method", yes_or_no),
        assigned=said(cells, "assigned", whole(values.seats)),
    )


def _price(cell: str, currency: str, dialect: Dialect) -> Money:
    minor_units = dialect.amount(cell, currency)
    if minor_units < 0:
        raise Refused(Fault.OUT_OF_RANGE, value=cell[:60], least=0, limit="…")
    return Money(minor_units, currency)


def _partner(cells: Cells) -> Contact | None:
    found = Contact(
        name=said(cells, "partner", _name),
        url=said(cells, "partner_url", _url),
        email=said(cells, "partner_email", values.text(254)),
        phone=said(cells, "partner_phone", values.text(30)),
    )
    return found if any(found) else None


def _url(cell: str) -> str:
    if not cell.lower().startswith(("https://", "http://")):
        raise Refused(Fault.WRONG_TYPE, wanted="https://…")
    return str(values.text(500)(cell))
