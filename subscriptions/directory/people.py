"""Take in users of the directory, in pieces: found, compared and written together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import CharField, F, Q, Value
from django.db.models.functions import Cast, Concat

from common.bulk import insert
from common.chunks import chunks
from common.search import search_key
from subscriptions.directory.assignments import Assignments
from subscriptions.directory.catalog import Catalog
from subscriptions.directory.document import Section, UserRow, UserState
from subscriptions.directory.faults import Fault, Refused
from subscriptions.models import DirectoryUser

_NEW = (
    "principal_key", "tenant_id", "principal_name", "external_id", "display_name", "search_key", "is_blocked",
    "deleted_at", "last_active_at", "source_id", "known_at",
)  # fmt: skip
_SAID = (*_NEW[2:], "principal_key")


class Users:
    """Those that some rows may be about, by id and by the letters of their principal names. Two queries a chunk."""

    def __init__(self, tenant_id: int, rows: Iterable[UserRow]) -> None:
        self.by_id: dict[str, DirectoryUser] = {}
        self.by_name: dict[str, DirectoryUser] = {}
        of_tenant = DirectoryUser.objects.filter(tenant=tenant_id)
        for some in chunks(rows):
            self._add(of_tenant.filter(external_id__among=[row.external_id for row in some if row.external_id]))
            names = {row.principal_name.casefold() for row in some if row.principal_name}
            if left := names - self.by_name.keys():
                self._add(of_tenant.filter(principal_key__among=list(left)))

    def _add(self, users: Iterable[DirectoryUser]) -> None:
        for user in users:
            if user.external_id:
                self.by_id[user.external_id] = user
            self.by_name[user.principal_key] = user


class UserIds:
    """The same, with nothing but their ids: of people whom other rows only name."""

    def __init__(self, tenant_id: int, references: Iterable[str]) -> None:
        self._by_id: dict[str, int] = {}
        self._by_key: dict[str, int] = {}
        of_tenant = DirectoryUser.objects.filter(tenant=tenant_id)
        for some in chunks(dict.fromkeys(references)):
            self._by_id |= of_tenant.filter(external_id__among=some).values_list("external_id", "pk")
            if keys := [reference.casefold() for reference in some if reference not in self._by_id]:
                self._by_key |= of_tenant.filter(principal_key__among=keys).values_list("principal_key", "pk")

    def get(self, reference: str) -> int | None:
        """Whose id this is, or else whose principal name."""
        return self._by_id.get(reference) or self._by_key.get(reference.casefold())


class People:
    """Applies rows of users, and what these say of their licenses."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report
        self._assignments = Assignments(catalog)

    def apply(self, rows: Sequence[UserRow]) -> None:
        unique = list({row.key: row for row in rows}.values())
        self._report.unchanged += len(rows) - len(unique)
        for piece in chunks(unique):
            self._apply(piece)

    def _apply(self, rows: Sequence[UserRow]) -> None:
        users = Users(self._context.tenant.pk, rows)
        matched = [(row, self._match(row, users)) for row in rows]
        taken = [(row, user) for row, user in matched if self._may_say(row, user)]
        taken = self._names_free(taken, users)
        ids = self._write(taken)
        said = [(row, ids[row.key]) for row, _ in taken if row.licenses is not None and not _is_gone(row)]
        self._assignments.hold(said)

    @staticmethod
    def _match(row: UserRow, users: Users) -> DirectoryUser | None:
        """Whom a row is about. Somebody whom only a name is known of gets the id that comes with it."""
        if row.external_id and (known := users.by_id.get(row.external_id)):
            return known
        named = users.by_name.get(row.principal_name.casefold()) if row.principal_name else None
        return named if named and not (row.external_id and named.external_id) else None

    def _may_say(self, row: UserRow, user: DirectoryUser | None) -> bool:
        if user is None:
            return True
        if self._context.is_of_another(user.source_id):
            self._report.refuse(Section.USERS, row.line, Refused(Fault.OTHER_SOURCE, source=user.source))
            return False
        if self._context.is_older(user.known_at):
            self._report.older += 1
            return False
        return True

    def _names_free(
        self, taken: list[tuple[UserRow, DirectoryUser | None]], users: Users
    ) -> list[tuple[UserRow, DirectoryUser | None]]:
        """Those whose names are nobody else's; names that move between them are made free first.

        Somebody who was deleted does not keep a name from who has it now: directories give names again.
        """
        while True:
            renamed = {user.pk for row, user in taken if user and _key(row, user) != user.principal_key}
            wanted: dict[str, UserRow] = {}
            refused, aside = [], []
            for row, user in taken:
                key = _key(row, user)
                holder = users.by_name.get(key)
                is_other = holder is not None and (user is None or holder.pk != user.pk) and holder.pk not in renamed
                if wanted.setdefault(key, row) is not row or (is_other and holder and not holder.deleted_at):
                    refused.append(row.key)
                elif is_other and holder:
                    aside.append(holder.pk)
            if not refused:
                _set_aside([*renamed, *aside])
                return taken
            for row, _ in taken:
                if row.key in refused:
                    self._report.refuse(
                        Section.USERS, row.line, Refused(Fault.NAME_TAKEN, "principalName", value=row.principal_name)
                    )
            taken = [(row, user) for row, user in taken if row.key not in refused]

    def _write(self, taken: Sequence[tuple[UserRow, DirectoryUser | None]]) -> Mapping[str, int]:
        """Write what is new of the users; the ids of all by their key."""
        context, report = self._context, self._report
        new = [row for row, user in taken if user is None]
        ids = dict(zip((row.key for row in new), insert(DirectoryUser, _NEW, map(self._new, new)), strict=True))
        changed: list[DirectoryUser] = []
        same: list[DirectoryUser] = []
        for row, user in taken:
            if user is not None:
                ids[row.key] = user.pk
                (changed if self._describe(user, row) else same).append(user)
        DirectoryUser.objects.bulk_create(
            changed, batch_size=1_000, update_conflicts=True, unique_fields=["pk"], update_fields=_SAID
        )
        _confirm([user.pk for user in same if user.known_at != context.as_of], context.source.pk, context.as_of)
        report.created += len(new)
        report.changed += len(changed)
        report.unchanged += len(same)
        report.counts["users_created"] += len(new)
        report.counts["users_changed"] += len(changed)
        return ids

    def _new(self, row: UserRow) -> tuple[Any, ...]:
        name, display = row.principal_name or row.external_id, row.display_name or ""
        self._report.counts["soft_deleted"] += _is_gone(row)
        deleted_at = (row.deleted_at or self._context.as_of) if _is_gone(row) else None
        return (
            name.casefold(), self._context.tenant.pk, name, row.external_id, display, search_key(display, name),
            row.state is UserState.BLOCKED, deleted_at, row.last_active_at, self._context.source.pk, self._context.as_of,
        )  # fmt: skip

    def _describe(self, user: DirectoryUser, row: UserRow) -> bool:
        """Take over what is said of a user who is on record; True when that is new."""
        self._report.counts["soft_deleted"] += _is_gone(row)
        deleted_at = (row.deleted_at or user.deleted_at or self._context.as_of) if _is_gone(row) else None
        said = {
            "principal_name": row.principal_name or user.principal_name,
            "external_id": row.external_id or user.external_id,
            "display_name": user.display_name if row.display_name is None else row.display_name or user.display_name,
            "is_blocked": user.is_blocked if row.state is None else row.state is UserState.BLOCKED,
            "deleted_at": user.deleted_at if row.state is None else deleted_at,
            "last_active_at": row.last_active_at or user.last_active_at,
        }
        changed = [name for name, value in said.items() if getattr(user, name) != value]
        if changed:
            user.principal_key = _key(row, user)
            user.source_id, user.known_at = self._context.source.pk, self._context.as_of
            for name in changed:
                setattr(user, name, said[name])
        return bool(changed)


def _key(row: UserRow, user: DirectoryUser | None) -> str:
    said = row.principal_name or (row.external_id if user is None else "")
    return said.casefold() if said else user.principal_key if user else ""


def _is_gone(row: UserRow) -> bool:
    return row.state is UserState.DELETED


def _set_aside(ids: Collection[int]) -> None:
    """Names that are about to be others': each row keeps one that nobody can have, until it gets its own."""
    for some in chunks(ids):
        DirectoryUser.objects.filter(pk__among=some).update(
            principal_key=Concat(Value(" "), Cast(F("pk"), CharField(max_length=20)))
        )


def _confirm(ids: Collection[int], source_id: int, as_of: datetime) -> None:
    for some in chunks(ids):
        DirectoryUser.objects.filter(pk__among=some).update(known_at=as_of, source=source_id)


def users_of_source(source_id: int) -> Q:
    """Whose rows these are: the source's, and those that nobody has claimed."""
    return Q(source=source_id) | Q(source=None)
