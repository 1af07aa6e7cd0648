"""Who holds what, by the list of users: read, compared and written in pieces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from common.bulk import insert
from common.chunks import chunks
from common.search import search_key
from subscriptions.directory.catalog import Catalog
from subscriptions.directory.files import UserRow
from subscriptions.directory.report import ImportReport
from subscriptions.directory.tables import FileTable
from subscriptions.models import DirectoryUser, License, Subscription
from subscriptions.policy.facts import Status
from subscriptions.policy.status import is_in_service
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.people import SYSTEM

_OF_USER = (
    "principal_key",
    "tenant_id",
    "principal_name",
    "display_name",
    "search_key",
    "is_blocked",
    "deleted_at",
    "last_active_at",
)
_SAID = ("display_name", "search_key", "is_blocked", "deleted_at", "last_active_at")
_OF_LICENSE = ("subscription_id", "user_id", "is_direct", "is_inherited")


def named_twice(users: FileTable[UserRow]) -> tuple[Collection[int], int]:
    """The hashes of the names that more than one row has, and how many rows there are. Raises FileUnreadable.

    Hashes alone are kept, so that a million users take megabytes.
    """
    seen: set[int] = set()
    twice: set[int] = set()
    count = 0
    for row in users:
        count += 1
        number = hash(row.key)
        (twice if number in seen else seen).add(number)
    return twice, count


class _Held(NamedTuple):
    """A license that is on record, held or removed."""

    pk: int
    subscription_id: int
    plan_id: int
    is_direct: bool
    is_inherited: bool
    assigned_at: datetime | None
    removed_at: datetime | None


class Holders:
    """Makes users and licenses what the file says."""

    def __init__(self, catalog: Catalog, exported_at: datetime, now: datetime, report: ImportReport) -> None:
        self._catalog, self._exported_at, self._now, self._report = catalog, exported_at, now, report
        self._tenant = catalog.tenant
        self._to_fill: dict[str, Sequence[Subscription]] = {}
        self._filled: dict[int, int] = {}
        self._ended: set[int] = set()
        self._seats_unknown: list[Subscription] = []
        self._seen: set[int] = set()
        # Then nobody has to be looked for.
        self._is_first = not DirectoryUser.objects.filter(tenant=self._tenant).exists()

    def users(self, rows: Iterable[UserRow], twice: Collection[int]) -> None:
        """Bring in the users; rows whose name's hash is in ``twice`` may be about the same one."""
        merged: dict[str, UserRow] = {}
        for piece in chunks(self._once(rows, twice, merged)):
            self._bring_in(piece)
        for piece in chunks(merged.values()):
            self._bring_in(piece)
        self._take_seats()

    def _once(self, rows: Iterable[UserRow], twice: Collection[int], merged: dict[str, UserRow]) -> Iterator[UserRow]:
        """The rows of users that are named once. The others are put together in ``merged``."""
        for row in rows:
            if hash(row.key) not in twice:
                yield row
                continue
            if row.key in merged:
                self._report.merged += 1
                row = _merge(merged[row.key], row)
            merged[row.key] = row

    def _bring_in(self, rows: Sequence[UserRow]) -> None:
        known = self._known_of(rows)
        ids = self._save(rows, known)
        held = self._licenses_of(known.values())
        new: list[tuple[int, int, bool, bool]] = []
        back: list[int] = []
        taken: list[int] = []
        for row in rows:
            user_id = ids[row.key]
            self._seen.add(user_id)
            if row.is_deleted:
                self._report.soft_deleted += 1
                continue
            self._report.unlicensed += not row.products
            of_user = held.get(user_id, ())
            for subscription, license in self._to_give(row, of_user):
                if license is None:
                    new.append((subscription.pk, user_id, True, False))
                else:
                    back.append(license.pk)
            taken += self._to_take(row, of_user)
        insert(License, _OF_LICENSE, new)
        License.objects.filter(pk__in=back).update(is_direct=True, removed_at=None, assigned_at=self._exported_at)
        License.objects.filter(pk__in=taken).update(is_direct=False, removed_at=self._exported_at)
        self._report.licenses_removed += len(taken)

    def _known_of(self, rows: Sequence[UserRow]) -> Mapping[str, DirectoryUser]:
        if self._is_first:
            return {}
        users = DirectoryUser.objects.filter(tenant=self._tenant, principal_key__in=[row.key for row in rows])
        return {user.principal_key: user for user in users}

    def _save(self, rows: Sequence[UserRow], known: Mapping[str, DirectoryUser]) -> Mapping[str, int]:
        """Write what is new of the users; the ids of all by their key."""
        changed = [known[row.key] for row in rows if row.key in known and self._describe(known[row.key], row)]
        DirectoryUser.objects.bulk_create(
            changed, batch_size=1_000, update_conflicts=True, unique_fields=["pk"], update_fields=_SAID
        )
        created = [self._described(row) for row in rows if row.key not in known]
        ids = dict(zip((key for key, *_ in created), insert(DirectoryUser, _OF_USER, created), strict=True))
        self._report.users_changed += len(changed)
        self._report.users_created += len(created)
        return {**ids, **{key: user.pk for key, user in known.items()}}

    def _described(self, row: UserRow) -> tuple[str, int, str, str, str, bool, datetime | None, datetime | None]:
        key = search_key(row.display_name, row.principal_name)
        deleted_at = (row.deleted_at or self._exported_at) if row.is_deleted else None
        return (
            row.key, self._tenant.pk, row.principal_name, row.display_name, key, row.is_blocked, deleted_at,
            row.last_active_at,
        )  # fmt: skip

    def _describe(self, user: DirectoryUser, row: UserRow) -> bool:
        """Take over what the export says of a user who is on record; True when that is new."""
        deleted_at = (row.deleted_at or user.deleted_at or self._exported_at) if row.is_deleted else None
        said = {
            "display_name": row.display_name or user.display_name,
            "is_blocked": row.is_blocked,
            "deleted_at": deleted_at,
            "last_active_at": row.last_active_at or user.last_active_at,
        }
        before = {name: getattr(user, name) for name in said}
        for name, value in said.items():
            setattr(user, name, value)
        return before != said

    def _licenses_of(self, users: Collection[DirectoryUser]) -> Mapping[int, Sequence[_Held]]:
        found: dict[int, list[_Held]] = defaultdict(list)
        if users:
            plan = "subscription__plan"
            rows = License.objects.filter(user__in=[user.pk for user in users])
            for user_id, *of_license in rows.values_list("user", *_Held._fields[:2], plan, *_Held._fields[3:]):
                found[user_id].append(_Held(*of_license))
        return found

    def _to_give(self, row: UserRow, of_user: Sequence[_Held]) -> Iterator[tuple[Subscription, _Held | None]]:
        """What the user holds by the export and not here: where, and the license that comes back, if there is one."""
        for product in row.products:
            candidates = self._candidates(product)
            plan_id = candidates[0].plan_id
            # Who held what ended and was bought again holds what runs now; where nothing runs, what ended.
            ended = self._ended if candidates[0].pk not in self._ended else ()
            known = [held for held in of_user if held.plan_id == plan_id and held.subscription_id not in ended]
            if any(license.is_direct or license.is_inherited for license in known):
                continue
            if any(license.removed_at and license.removed_at >= self._exported_at for license in known):
                self._report.kept_removed += 1
                continue
            self._report.licenses_assigned += 1
            free = (s for s in candidates if self._filled[s.pk] < s.purchased_licenses)
            subscription = next(free, candidates[0])
            self._filled[subscription.pk] += 1
            yield subscription, next((one for one in known if one.subscription_id == subscription.pk), None)

    def _to_take(self, row: UserRow, of_user: Sequence[_Held]) -> Iterator[int]:
        """Direct licenses that the export, made later, no longer shows."""
        plans = {self._candidates(product)[0].plan_id for product in row.products}
        for license in of_user:
            assigned_before = license.assigned_at is None or license.assigned_at <= self._exported_at
            if license.is_direct and assigned_before and license.plan_id not in plans:
                yield license.pk

    def _candidates(self, product: str) -> Sequence[Subscription]:
        """Where one more holder of the product goes: the one that ends last, while it has seats.

        What ends or ended takes no holders while there is another. An unknown end comes last.
        """
        if product not in self._to_fill:
            known = self._catalog.of(product) or [self._unlisted(product)]
            if product not in self._catalog.listed and known[0].period_end is None:
                self._report.note(
                    f"{product}: in no products or charges file; seats taken from its holders, period not known"
                )
            batch = SubscriptionBatch.find_many([s.pk for s in known], self._now, SYSTEM)
            statuses = {s.pk: batch.decisions[s.pk].status for s in known}
            self._ended |= {pk for pk, status in statuses.items() if not is_in_service(status)}
            in_service = [s for s in known if s.pk not in self._ended]
            going_on = [s for s in in_service if statuses[s.pk] is not Status.CANCELING]
            self._to_fill[product] = sorted(
                going_on or in_service or known,
                key=lambda s: s.period_end.timestamp() if s.period_end else 0,
                reverse=True,
            )
            self._filled |= {s.pk: batch.counts[s.pk].assigned for s in known if s.pk not in self._filled}
        return self._to_fill[product]

    def _unlisted(self, product: str) -> Subscription:
        """A product that only users name."""
        subscription = self._catalog.subscription(product, "", "EUR")
        self._seats_unknown.append(subscription)
        return subscription

    def _take_seats(self) -> None:
        """Where nobody said how many seats there are, those that are held."""
        for subscription in self._seats_unknown:
            subscription.purchased_licenses = self._filled[subscription.pk]
            subscription.save()

    def absent_users(self, *, complete: bool, unread: int) -> None:
        """Holders that the file does not name. Any of them may be in a row that was not read: then nobody is absent."""
        if not self._seen:
            return
        if complete and unread:
            some = "1 row of users.csv was" if unread == 1 else f"{unread:,} rows of users.csv were"
            self._report.note(f"{some} not read, so nobody was taken away")
            complete = False
        held = License.objects.held().filter(subscription__tenant=self._tenant, is_direct=True)
        rows = held.values_list("pk", "user_id").iterator(chunk_size=10_000)
        absent = [pk for pk, user_id in rows if user_id not in self._seen]
        self._report.not_in_file = len(absent)
        if complete:
            for piece in chunks(absent):
                License.objects.filter(pk__in=piece).update(is_direct=False, removed_at=self._exported_at)
            self._report.licenses_removed += len(absent)


def _merge(one: UserRow, other: UserRow) -> UserRow:
    """The same principal name twice: one user who holds what either row says."""
    products = tuple(dict.fromkeys((*one.products, *other.products)))
    return UserRow(
        key=one.key,
        principal_name=one.principal_name,
        display_name=one.display_name or other.display_name,
        products=products,
        is_blocked=one.is_blocked or other.is_blocked,
        is_deleted=one.is_deleted and other.is_deleted,
        deleted_at=one.deleted_at,
        last_active_at=one.last_active_at or other.last_active_at,
    )
