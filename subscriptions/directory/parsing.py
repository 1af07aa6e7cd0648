"""Read one row of a document as JSON had it, by a table of its fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from billing.periods import Period
from subscriptions.directory import values
from subscriptions.directory.document import (
    CHANNELS,
    MAX_GRANTS,
    MAX_GROUP,
    MAX_ID,
    MAX_MEMBERS,
    MAX_NAME,
    MAX_PRINCIPAL,
    STATUSES,
    USER_STATES,
    ChargeRow,
    Contact,
    GroupRow,
    LicenseRow,
    Row,
    Section,
    SubscriptionRow,
    TenantRow,
    UserRow,
)
from subscriptions.directory.faults import Fault, Refused

_id, _name = values.text(MAX_ID), values.text(MAX_NAME)
_email = values.text(254)
_CONTACT: Mapping[str, values.Read] = {
    "name": _name, "url": values.text(500), "email": _email, "phone": values.text(30),
}  # fmt: skip
_PERIOD: Mapping[str, values.Read] = {"start": lambda value: value, "end": lambda value: value}


def _object(fields: Mapping[str, values.Read], value: Any) -> dict[str, Any]:
    """The fields that are said. Raises Refused for one that there is not."""
    if not isinstance(value, Mapping):
        raise Refused(Fault.WRONG_TYPE, wanted="{…}")
    found = {}
    for name, given in value.items():
        if name not in fields:
            raise Refused(Fault.UNKNOWN_FIELD, value=name[:60], known=", ".join(fields))
        if given is None:
            continue
        try:
            found[name] = fields[name](given)
        except Refused as error:
            raise error.within(name) from None
    return found


def _need(found: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if name not in found:
            raise Refused(Fault.MISSING, name)


def _partner(value: Any) -> Contact:
    found = _object(_CONTACT, value)
    if not found.get("url", "https://").lower().startswith(("https://", "http://")):
        raise Refused(Fault.WRONG_TYPE, "url", wanted="https://…")
    return Contact(**found)


def _billing_contact(value: Any) -> Contact:
    return Contact(**_object({"name": _name, "email": _email, "language": values.text(8)}, value))


_TENANT: Mapping[str, values.Read] = {
    "name": _name, "domain": values.text(253), "timeZone": values.time_zone, "language": values.text(8),
    "billingContact": _billing_contact,
}  # fmt: skip
_SUBSCRIPTION: Mapping[str, values.Read] = {
    "id": _id, "product": _name, "plan": _name, "status": values.word(STATUSES), "isTrial": values.boolean,
    "channel": values.word(CHANNELS), "partner": _partner, "renews": values.boolean, "seats": values.seats,
    "price": values.money, "period": values.months, "term": values.months, "endsAt": lambda value: value,
    "hasPaymentMethod": values.boolean, "provider": values.text(20), "providerId": _id,
}  # fmt: skip
_CHARGE: Mapping[str, values.Read] = {
    "id": _id, "subscription": _name, "seats": values.seats, "currency": values.currency, "corrects": _id,
    **dict.fromkeys(
        ("charged", "tax", "paid", "inFlight", "refundedElsewhere", "disputed", "chargedAt"), lambda value: value
    ),
    "period": lambda value: _object(_PERIOD, value),
}  # fmt: skip
_USER: Mapping[str, values.Read] = {
    "id": _id, "principalName": values.text(MAX_PRINCIPAL),
    "displayName": values.text(MAX_PRINCIPAL, can_be_empty=True),
    "state": values.word(USER_STATES), "lastActiveAt": lambda value: value,
    "licenses": values.list_of(_name, MAX_GRANTS),
}  # fmt: skip
_GROUP: Mapping[str, values.Read] = {
    "id": _id, "name": values.text(MAX_GROUP), "members": values.list_of(_id, MAX_MEMBERS),
    "licenses": values.list_of(_name, MAX_GRANTS),
}  # fmt: skip


def _tenant(value: Any, line: int, zone: ZoneInfo) -> TenantRow:
    found = _object(_TENANT, value)
    return TenantRow(
        line, found.get("name"), found.get("domain"), found.get("timeZone"), found.get("language"),
        found.get("billingContact"),
    )  # fmt: skip


def _subscription(value: Any, line: int, zone: ZoneInfo) -> SubscriptionRow:
    found = _object(_SUBSCRIPTION, value)
    _need(found, "id", "product")
    price = found.get("price")
    return SubscriptionRow(
        line=line,
        external_id=found["id"],
        product=found["product"],
        plan_name=found.get("plan"),
        status=found.get("status"),
        is_trial=found.get("isTrial"),
        channel=found.get("channel"),
        partner=found.get("partner"),
        renews=found.get("renews"),
        seats=found.get("seats"),
        price=price,
        currency=price.currency if price else None,
        billed_months=found.get("period"),
        term_months=found.get("term"),
        ends_at=_said(found, "endsAt", zone),
        has_payment_method=found.get("hasPaymentMethod"),
        provider=found.get("provider"),
        provider_id=found.get("providerId"),
    )


def _charge(value: Any, line: int, zone: ZoneInfo) -> ChargeRow:
    found = _object(_CHARGE, value)
    _need(found, "id", "subscription", "currency", "charged", "period")
    corrects = found.get("corrects", "")
    if not corrects:
        _need(found, "paid")
    amounts = {name: _amount(found, name) for name in _AMOUNTS if name in found}
    _need(found["period"], "start", "end")
    period = Period(*(_said(found["period"], name, zone, "period") for name in ("start", "end")))  # type: ignore[arg-type]
    tax = amounts.get("tax", 0)
    return ChargeRow(
        line=line,
        external_id=found["id"],
        subscription=found["subscription"],
        seats=found.get("seats", 0),
        currency=found["currency"],
        charged=amounts["charged"] + tax,
        tax=tax,
        paid=amounts.get("paid", 0),
        in_flight=amounts.get("inFlight", 0),
        refunded_elsewhere=amounts.get("refundedElsewhere"),
        disputed=amounts.get("disputed"),
        charged_at=_said(found, "chargedAt", zone) or period.start,
        period=period,
        corrects=corrects,
    )


_AMOUNTS = ("charged", "tax", "paid", "inFlight", "refundedElsewhere", "disputed")


def _amount(found: Mapping[str, Any], name: str) -> int:
    try:
        return values.amount(found[name], found["currency"])
    except Refused as error:
        raise error.within(name) from None


def _said(found: Mapping[str, Any], name: str, zone: ZoneInfo, *path: str) -> datetime | None:
    if name not in found:
        return None
    try:
        return values.instant(found[name], zone)
    except Refused as error:
        raise error.within(*path, name) from None


def _user(value: Any, line: int, zone: ZoneInfo) -> UserRow:
    found = _object(_USER, value)
    _need(found, "id")
    return UserRow(
        line, found["id"], found.get("principalName", ""), found.get("displayName"), found.get("state"),
        _said(found, "lastActiveAt", zone), None, found.get("licenses"),
    )  # fmt: skip


def _group(value: Any, line: int, zone: ZoneInfo) -> GroupRow:
    found = _object(_GROUP, value)
    _need(found, "id")
    if found["id"] in found.get("members", ()):
        raise Refused(Fault.GROUP_IN_GROUP, "members", value=found["id"])
    return GroupRow(line, found["id"], found.get("name", ""), found.get("members"), found.get("licenses"))


# The most frequent row by far, so it is read without detours.
def _license(value: Any, line: int, zone: ZoneInfo) -> LicenseRow:
    found = _object(_LICENSE, value)
    _need(found, "subscription", "user")
    return LicenseRow(line, found["subscription"], found["user"], found.get("via", ""))


def _via(value: Any) -> str:
    """The id of the group, empty where it is direct."""
    if value == "direct":
        return ""
    if isinstance(value, Mapping) and value.keys() == {"group"}:
        return str(_id(value["group"]))
    raise Refused(Fault.WRONG_TYPE, wanted='"direct", {"group": "…"}')


_LICENSE: Mapping[str, values.Read] = {"subscription": _name, "user": _id, "via": _via}

_READERS: Mapping[Section, Callable[[Any, int, ZoneInfo], Row]] = {
    Section.TENANT: _tenant,
    Section.SUBSCRIPTIONS: _subscription,
    Section.CHARGES: _charge,
    Section.USERS: _user,
    Section.GROUPS: _group,
    Section.LICENSES: _license,
}


def read_row(section: Section, value: Any, line: int, zone: ZoneInfo) -> Row:
    """One row as JSON had it; a date without a time is that day in ``zone``. Raises Refused."""
    return _READERS[section](value, line, zone)
