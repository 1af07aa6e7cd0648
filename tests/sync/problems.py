"""What can be wrong with a document, an example of each: printed as docs/sync-problems.md, and sent by test_problems.py. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from subscriptions.directory.faults import Fault


class Kind(StrEnum):
    """Where in an answer it stands."""

    REFUSED = "refused"
    PROBLEM = "problems"
    CONFLICT = "conflicts"
    NOTE = "notes"


class Before(StrEnum):
    """What happened at 08:30, after the first document: as the page says it."""

    REMOVED = "after Ana's license was removed in Wayout, at 08:30"
    CANCELED = "after the subscription was canceled in Wayout, at 08:30, for that moment"


class Example(NamedTuple):
    """``sent``: a document, or text, which is one in lines where it has several. ``first``: documents that are sent before it.

    ``path`` and ``line``: where the answer says that it stands. ``by``: another source.
    """

    code: Fault
    kind: Kind
    sent: Mapping[str, Any] | str
    path: str = ""
    line: int | None = None
    status: int = 200
    first: tuple[Mapping[str, Any], ...] = ()
    before: Before | None = None
    to: str = "bakery-1"
    by: str = ""


NINE, TEN = "2026-11-25T09:00:00Z", "2026-11-25T10:00:00Z"
SUITE: Mapping[str, Any] = {"id": "suite-1", "product": "Example Suite"}
INVOICE: Mapping[str, Any] = {
    "id": "invoice-7", "subscription": "suite-1", "currency": "EUR", "charged": "10.00", "paid": "10.00",
    "period": {"start": "2026-11-01", "end": "2026-12-01"},
}  # fmt: skip
BASE: Mapping[str, Any] = {
    "asOf": "2026-11-25T08:00:00Z",
    "subscriptions": [{**SUITE, "status": "active", "seats": 5, "renews": True, "period": 1, "term": 1}],
    "charges": [INVOICE],
    "users": [{"id": "u-1", "principalName": "ana@bakery.example"}, {"id": "u-2", "principalName": "boris@bakery.example"}],
    "groups": [{"id": "staff", "members": ["u-2"], "licenses": ["suite-1"]}],
    "licenses": [{"subscription": "suite-1", "user": "u-1"}],
}  # fmt: skip


def said(**sections: Any) -> Mapping[str, Any]:
    return {"asOf": NINE, **sections}


def charge(**given: Any) -> Mapping[str, Any]:
    return {**INVOICE, "id": "invoice-8", **given}


LATER = charge(period={"start": "2026-12-01", "end": "2027-01-01"})
REFUSED, PROBLEM, CONFLICT, NOTE = Kind

EXAMPLES: tuple[Example, ...] = (
    # Nothing of it is taken.
    Example(Fault.UNREADABLE, REFUSED, '{"asOf": "2026-11-25T09:00:00Z", "users": [', status=400),
    Example(Fault.MISSING, REFUSED, {"users": [{"id": "u-1"}]}, "asOf", status=400),
    Example(Fault.IN_THE_FUTURE, REFUSED, {"asOf": "2026-11-25T23:00:00Z"}, "asOf", status=400),
    Example(Fault.NEVER_COMPLETE, REFUSED, said(complete=["users", "charges"]), "complete[1]", status=400),
    Example(
        Fault.STALE, REFUSED, said(complete=["licenses"], licenses=[]), "complete[0]", status=409,
        first=({"asOf": TEN, "complete": ["licenses"], "licenses": BASE["licenses"]},),
    ),
    Example(Fault.TENANT_UNKNOWN, REFUSED, said(users=[{"id": "u-1"}]), "tenant", status=400, to="bakery-2"),
    # A row, or a part of one, is not taken.
    Example(Fault.NOT_AN_OBJECT, PROBLEM, '{"asOf": "2026-11-25T09:00:00Z"}\n["u-1"]', line=2),
    Example(Fault.UNKNOWN_SECTION, PROBLEM, said(people=[{"id": "u-1"}]), "people"),
    Example(Fault.UNKNOWN_FIELD, PROBLEM, said(users=[{"id": "u-1", "email": "ana@bakery.example"}]), "users[0]"),
    Example(Fault.WRONG_TYPE, PROBLEM, said(subscriptions=[{**SUITE, "seats": "5"}]), "subscriptions[0].seats"),
    Example(Fault.TOO_LONG, PROBLEM, said(tenant={"language": "Bulgarian"}), "tenant.language"),
    Example(Fault.CHARACTERS, PROBLEM, said(groups=[{"id": "staff", "name": "The\nstaff"}]), "groups[0].name"),
    Example(Fault.NOT_A_DATE, PROBLEM, said(users=[{"id": "u-1", "lastActiveAt": "25.11.2026"}]), "users[0].lastActiveAt"),
    Example(Fault.OUT_OF_RANGE, PROBLEM, said(subscriptions=[{**SUITE, "term": 0}]), "subscriptions[0].term"),
    Example(Fault.NOT_AN_AMOUNT, PROBLEM, said(charges=[charge(tax="1,50")]), "charges[0].tax"),
    Example(Fault.UNKNOWN_CURRENCY, PROBLEM, said(charges=[charge(currency="EURO")]), "charges[0].currency"),
    Example(Fault.UNKNOWN_WORD, PROBLEM, said(subscriptions=[{**SUITE, "status": "grandfathered"}]), "subscriptions[0].status"),
    Example(
        Fault.TRUNCATED, PROBLEM,
        '{"asOf": "2026-11-25T09:00:00Z", "complete": ["licenses"]}\n{"licenses": {"subscription": "suite-1", "user": "u-1"}}',
        "rows",
    ),
    Example(
        Fault.SAID_TWICE, PROBLEM, '{"asOf": "2026-11-25T09:00:00Z"}\n{"users": {"id": "u-1"}}\n{"users": {"id": "u-1", "state": "blocked"}}',
        "users", 3,
    ),
    Example(Fault.DOMAIN_TAKEN, PROBLEM, said(tenant={"domain": "brewery.example"}), "tenant.domain"),
    Example(Fault.SUBSCRIPTION_UNKNOWN, PROBLEM, said(licenses=[{"subscription": "suite-2", "user": "u-1"}]), "licenses[0].subscription"),
    Example(
        Fault.SUBSCRIPTION_AMBIGUOUS, PROBLEM,
        said(subscriptions=[{**SUITE, "id": "suite-2"}], charges=[charge(subscription="Example Suite")]), "charges[0].subscription",
    ),
    Example(Fault.USER_UNKNOWN, PROBLEM, said(licenses=[{"subscription": "suite-1", "user": "u-9"}]), "licenses[0].user"),
    Example(
        Fault.GROUP_UNKNOWN, PROBLEM, said(licenses=[{"subscription": "suite-1", "user": "u-1", "via": {"group": "sales"}}]),
        "licenses[0].via.group",
    ),
    Example(
        Fault.GROUP_IN_GROUP, PROBLEM, said(groups=[{"id": "all", "members": ["u-1", "staff"]}]), "groups[0].members[1]",
    ),
    Example(Fault.NAME_TAKEN, PROBLEM, said(users=[{"id": "u-3", "principalName": "ANA@bakery.example"}]), "users[0].principalName"),
    Example(Fault.CHARGE_UNKNOWN, PROBLEM, said(charges=[charge(corrects="invoice-6", charged="-5.00")]), "charges[0].corrects"),
    Example(Fault.CHARGE_REFUSED, PROBLEM, said(charges=[{**INVOICE, "charged": "12.00"}]), "charges[0]"),
    Example(
        Fault.CURRENCY_DIFFERS, PROBLEM, said(subscriptions=[{**SUITE, "price": {"amount": "2.00", "currency": "USD"}}]), "subscriptions[0].price",
    ),
    Example(
        Fault.TERM_UNKNOWN, PROBLEM, said(subscriptions=[{**SUITE, "id": "suite-2", "endsAt": "2027-03-01"}]), "subscriptions[0].endsAt",
    ),
    Example(Fault.TOO_MANY_SEATS, PROBLEM, said(charges=[charge(seats=6_000_000), charge(id="invoice-9", seats=6_000_000)]), "charges[0].seats"),
    Example(Fault.PRODUCT_UNKNOWN, PROBLEM, said(users=[{"id": "u-1", "licenses": ["suite-1", "Example Sweet"]}]), "users[0].licenses"),
    Example(
        Fault.PROVIDER_ID_REFUSED, PROBLEM, said(subscriptions=[{**SUITE, "provider": "stripe", "providerId": "42"}]), "subscriptions[0].providerId",
    ),
    Example(
        Fault.PROVIDER_ID_STANDS, PROBLEM, said(subscriptions=[{**SUITE, "provider": "stripe", "providerId": "sub_1PgafmB7WZ01zgkW9999"}]),
        "subscriptions[0].providerId",
        first=(said(subscriptions=[{**SUITE, "provider": "stripe", "providerId": "sub_1PgafmB7WZ01zgkW6dKueIc5"}]),),
    ),
    # Two sides say different things.
    Example(Fault.OTHER_SOURCE, CONFLICT, said(users=[{"id": "u-1", "state": "blocked"}]), "users[0]", by="Another Portal"),
    Example(Fault.REMOVED_HERE, CONFLICT, said(licenses=[{"subscription": "suite-1", "user": "u-1"}]), "licenses[0]", before=Before.REMOVED),
    Example(Fault.STOPPED_HERE, CONFLICT, said(subscriptions=[{**SUITE, "status": "active"}]), "subscriptions[0].status", before=Before.CANCELED),
    # What somebody should know.
    Example(Fault.NOBODY_TAKEN, NOTE, said(complete=["licenses"], licenses=[{"subscription": "suite-2", "user": "u-1"}])),
    Example(Fault.PRODUCT_CHANGED, NOTE, said(subscriptions=[{**SUITE, "product": "Example Suite Plus"}])),
    Example(Fault.LESS_PAID, NOTE, said(charges=[{**INVOICE, "paid": "4.00"}])),
    Example(Fault.UNLISTED, NOTE, said(users=[{"id": "u-1", "licenses": ["suite-1", "Brewing Kit"]}])),
    Example(Fault.REFUND_REPRICED, NOTE, said(charges=[{**INVOICE, "paid": "1.00"}]), before=Before.CANCELED),
    Example(Fault.REFUND_VOIDED, NOTE, said(charges=[{**INVOICE, "paid": 0}]), before=Before.CANCELED),
    Example(Fault.LATE_CHARGE_RETURNED, NOTE, said(charges=[LATER]), before=Before.CANCELED),
    Example(Fault.LATE_AND_UNPAID, NOTE, said(charges=[{**LATER, "paid": 0}]), before=Before.CANCELED),
)  # fmt: skip

# Said elsewhere, and where.
ELSEWHERE: Mapping[str, tuple[Fault, ...]] = {
    "Of a long dry run of a customer that nobody knows yet:": (Fault.TENANT_NEEDED,),
    "A document that is too long to be shown here is refused whole, with 413:": (Fault.TOO_LARGE, Fault.TOO_MANY_ROWS),
    "Of [files that staff import](setup.md#to-bring-a-tenant-in), beside those above:": (
        Fault.COLUMNS_DIFFER, Fault.QUOTE_OPEN, Fault.NOT_CLEAR, Fault.NOT_A_PRODUCT, Fault.NOT_OURS, Fault.PAID_UNSAID,
        Fault.OTHER_PRODUCT, Fault.PROVIDER_IDS_DIFFER, Fault.UNKNOWN_COLUMN, Fault.BOUGHT_SEVERAL_TIMES, Fault.SEATS_DIFFER, Fault.HOLDERS_DIFFER,
        Fault.PERIOD_UNKNOWN,
    ),
    "Notes about who bills, and about what charges do to money that was promised or paid:":
        (Fault.UNUSED_ID, Fault.PAID_MORE, Fault.MORE_RETURNED, Fault.RETURNED_TOO_MUCH),
}  # fmt: skip
_PARTS: Mapping[Kind, str] = {
    Kind.REFUSED: "## Nothing of the document is taken",
    Kind.PROBLEM: "## A row is not taken, or a part of it",
    Kind.CONFLICT: "## Two sides say different things",
    Kind.NOTE: "## What somebody should know besides",
}
_HEAD = """# What can be wrong with a document

Whatever of a [sync document](sync.md) is not taken is named in the answer, each with where it stands, a code to compare and a sentence in the language
that was asked for:

```js
{"path": "licenses[1].user", "line": null, "code": "USER_UNKNOWN", "message": "There is no user “u-9” here."}
```

`path` is the field, in the spelling of the document. In a document of lines `line` counts from 1, and `path` begins with the section alone. In the sentences
`…` is what was sent, or what is on record. This page is printed from `subscriptions/directory/faults.py` and
`tests/sync/problems.py`; a test sends each example, to an installation that has another customer with the domain `brewery.example` and sells another product,
`Brewing Kit`, after this document:
"""


def as_markdown() -> str:
    """The page."""
    lines = [_HEAD, *_document(BASE)]
    for kind, title in _PARTS.items():
        lines += [title, ""]
        for example in EXAMPLES:
            if example.kind is kind:
                lines += _entry(example)
    lines += ["## Without an example", ""]
    for where, codes in ELSEWHERE.items():
        lines += [where, "", "| code | |", "|---|---|", *(f"| `{code}` | {_sentence(code)} |" for code in codes), ""]
    return "\n".join(lines)


def _entry(example: Example) -> Iterator[str]:
    yield from (f"### {example.code}", "", _sentence(example.code), "")
    for document in example.first:
        yield from ("After this one:", "", *_document(document))
    yield from (*_document(example.sent), f"{_circumstances(example)}{_place(example)}", "")


def _circumstances(example: Example) -> str:
    said = [
        f"Sent by *{example.by}*" if example.by else "",
        f"Sent to `{example.to}`, which is not there" if example.to != Example._field_defaults["to"] else "",
        f"Sent {example.before}" if example.before else "",
    ]
    return "".join(f"{one}. " for one in said if one)


def _place(example: Example) -> str:
    where = f"`{example.path}`" if example.path else "no path"
    line = f", line {example.line}" if example.line else ""
    status = f", with {example.status}" if example.kind is Kind.REFUSED else ""
    return f"In `{example.kind if example.kind is not Kind.REFUSED else Kind.PROBLEM}`: {where}{line}{status}."


def _document(sent: Mapping[str, Any] | str) -> Iterator[str]:
    yield "```js"
    if isinstance(sent, str):
        yield sent
    else:
        fields = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in sent.items()]
        yield from ("{", ",\n".join(fields), "}")
    yield from ("```", "")


def _sentence(code: Fault) -> str:
    said = re.sub(r"%\(\w+\)[sd]", "…", code.sentence)
    if said == "…":
        return "Why, in a sentence of its own: what contradicts itself, or what is on record."
    return said if said.endswith((".", "?")) else f"{said}."
