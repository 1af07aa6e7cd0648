"""Who is in a directory and holds what: the active users list of Microsoft 365, or one with the same columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from common.search import fold
from subscriptions.directory import values
from subscriptions.directory.document import (
    MAX_GROUP,
    MAX_ID,
    MAX_NAME,
    MAX_PRINCIPAL,
    USER_STATES,
    GroupRow,
    LicenseRow,
    Section,
    UserRow,
    UserState,
)
from subscriptions.directory.faults import Fault, Problem, Refused
from subscriptions.directory.readers.rows import FileRows, Found, in_both, needed, said, yes_or_no
from subscriptions.directory.tables import Cells, Headers, Source

# Microsoft's own “State” is that of an address.
COLUMNS: Headers = {
    "principal": ("user principal name", "основно потребителско име", "nom d'utilisateur", "username"),
    "display": ("display name", "показвано име", "nom complet"),
    "licenses": ("licenses", "лицензи", "licences"),
    "blocked": ("block credential", "блокиране на идентификационни данни", "blocage des informations d'identification"),
    "deleted": ("soft deletion time stamp", "времеви печат на меко изтриване"),
    "last_active": ("last activity date", "последна активност"),
    "user_id": ("user_id", "user id", "ид на потребител", "идентификатор на потребител"),
    "group": ("group", "група"),
    "state": ("user_state", "user state", "account state", "състояние на акаунта"),
}
# What else that list has, and what decides nothing.
PASSED_OVER = (
    "city", "country/region", "department", "dirsyncenabled", "fax", "first name", "last dirsync time", "last name",
    "last password change time stamp", "license assignment details", "mobile phone", "oath token meta data", "object id",
    "office", "password never expires", "phone number", "postal code", "preferred data location", "preferred language",
    "proxy addresses", "release track", "state", "street address", "strong password required", "title", "usage location",
    "when created",
)  # fmt: skip

_UNLICENSED = {"", "unlicensed", "нелицензиран", "без лиценз", "sans licence"}
# What programs write for a list, or for nothing, that they cannot write.
_NO_PRODUCT = re.compile(
    r"\[object .*|system\.\w+.*|#(n/a|name\?|ref!|value!)|none|null|nan|undefined|n/a|-", re.IGNORECASE
)
# Product names are joined without spaces; a name may itself hold a plus between spaces.
_JOINT = re.compile(r"(?<! )\+(?! )")
_UTC = ZoneInfo("UTC")
_principal, _id, _group = values.text(MAX_PRINCIPAL), values.text(MAX_ID), values.text(MAX_GROUP)
_product, _display = values.text(MAX_NAME), values.text(MAX_PRINCIPAL, can_be_empty=True)
_state = in_both(
    USER_STATES, {"активен": "active", "блокиран": "blocked", "деактивиран": "disabled", "изтрит": "deleted"}
)


class _Line(NamedTuple):
    """One row of the file. ``products`` are held by the group, where one is named, else directly."""

    user: UserRow
    products: tuple[str, ...]
    group: str

    @property
    def key(self) -> str:
        return self.user.principal_name.casefold()


class UsersFile:
    """Users with what they hold directly, and licenses by groups. A long list is read as it is looked through.

    A principal name that comes twice, in whatever case, is one user who holds what either row says; ``merged`` counts
    such rows, ``count`` all rows, once they were looked through. Those users come last. Raises FileUnreadable.
    """

    def __init__(self, source: Source, file: str) -> None:
        self._lines = FileRows(source, file, COLUMNS, ("principal", "licenses"), _read, PASSED_OVER)
        self.merged = self.count = 0

    @property
    def notes(self) -> Sequence[Problem]:
        return self._lines.notes

    def __iter__(self) -> Iterator[Found | Problem]:
        self.merged = self.count = 0
        twice = self._named_twice()
        kept: dict[str, list[_Line]] = {}
        groups: set[str] = set()
        for line in self._lines:
            self.count += 1
            if isinstance(line, Problem):
                yield line
            elif hash(line.key) in twice:
                kept.setdefault(line.key, []).append(line)
            else:
                yield from _rows([line], groups)
        for lines in kept.values():
            self.merged += len(lines) - 1
            yield from _rows(lines, groups)

    def _named_twice(self) -> Collection[int]:
        """The hashes of the names that more than one row has: those alone are kept, of a million users some megabytes."""
        seen: set[int] = set()
        twice: set[int] = set()
        for _line, cells in self._lines.table:
            if not isinstance(cells, Refused):
                number = hash(cells["principal"].casefold())
                (twice if number in seen else seen).add(number)
        return twice


def _rows(lines: Sequence[_Line], groups: set[str]) -> Iterator[Found]:
    """The user whom some rows of the file are about, and by which groups they hold what. ``groups``: named before."""
    direct = [product for line in lines if not line.group for product in line.products]
    user = _merged([line.user for line in lines])._replace(licenses=tuple(dict.fromkeys(direct)))
    yield Section.USERS, user
    for line in lines:
        if line.group and line.group not in groups:
            groups.add(line.group)
            yield Section.GROUPS, GroupRow(line.user.line, "", line.group)
        for product in line.products if line.group else ():
            yield (
                Section.LICENSES,
                LicenseRow(line.user.line, product, user.external_id or user.principal_name, line.group),
            )


def _merged(users: Sequence[UserRow]) -> UserRow:
    """One of several: blocked where any row says so, deleted where all do."""
    first, *others = users
    if not others:
        return first
    states = {user.state for user in users}
    state = next(state for state in (UserState.BLOCKED, UserState.ACTIVE, UserState.DELETED) if state in states)
    return first._replace(
        external_id=next((user.external_id for user in users if user.external_id), ""),
        display_name=next((user.display_name for user in users if user.display_name), None),
        state=state,
        last_active_at=max((user.last_active_at for user in users if user.last_active_at), default=None),
    )


def _read(cells: Cells, line: int) -> _Line:
    group = said(cells, "group", _group) or ""
    deleted = cells.get("deleted")
    return _Line(
        UserRow(
            line=line,
            external_id=said(cells, "user_id", _id) or "",
            principal_name=needed(cells, "principal", _principal),
            display_name=said(cells, "display", _shown),
            state=_state_of(cells),
            last_active_at=_lenient(cells.get("last_active", "")),
            deleted_at=_lenient(deleted) if deleted else None,
        ),
        _products(cells["licenses"]),
        group,
    )


def _state_of(cells: Cells) -> UserState:
    """Such a list says of everybody in it what they are; who is not said to be anything else is active."""
    if cells.get("deleted"):
        return UserState.DELETED
    found: UserState = said(cells, "state", _state) or UserState.ACTIVE
    blocked = said(cells, "blocked", yes_or_no)
    return UserState.BLOCKED if blocked and found is UserState.ACTIVE else found


def _shown(cell: str) -> str:
    """A display name over several lines is one; what only steers how it is shown is left out."""
    text = " ".join(cell.split())
    if not (text.isprintable() or values.is_one_line(text)):
        text = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    return str(_display(text))


# The same few texts come again and again.


def _products(cell: str) -> tuple[str, ...]:
    found = _products_or_not(cell)
    if isinstance(found, Refused):
        raise Refused(found.fault, *found.path, **found.data)
    return found


@lru_cache(maxsize=1_000)
def _products_or_not(cell: str) -> tuple[str, ...] | Refused:
    if fold(cell) in _UNLICENSED:
        return ()
    names = [name.strip() for name in _JOINT.split(cell)]
    try:
        found = [_product(name) for name in names if name]
    except Refused as error:
        return error.within("licenses")
    unsaid = next((name for name in found if _NO_PRODUCT.fullmatch(name)), None)
    return Refused(Fault.NOT_A_PRODUCT, "licenses", value=unsaid[:60]) if unsaid else tuple(dict.fromkeys(found))


@lru_cache(maxsize=1_000)
def _lenient(text: str) -> datetime | None:
    """A timestamp that is nice to have."""
    try:
        return values.instant(text, _UTC) if text else None
    except Refused:
        return None
