"""Take in who holds what directly: compared and written in pieces. A license that a group hands out is in groups.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from common.bulk import insert
from common.chunks import chunks
from subscriptions.directory.catalog import GRACE, Catalog
from subscriptions.directory.conflicts import Contradicted, record_contradictions
from subscriptions.directory.document import Section, UserRow
from subscriptions.directory.faults import Fault, Refused
from subscriptions.models import License, Subscription

_NEW = ("subscription_id", "user_id", "is_direct", "is_inherited", "source_id", "known_at")


class Held(NamedTuple):
    """A license that is on record, held or removed."""

    pk: int
    subscription_id: int
    user_id: int
    is_direct: bool
    is_inherited: bool
    assigned_at: datetime | None
    removed_at: datetime | None
    removed_here: bool
    source_id: int | None
    known_at: datetime | None
    by_group_known_at: datetime | None


class Given(NamedTuple):
    """What became of what a row says: at most one of them."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    older: int = 0


class Assignments:
    """Gives and takes direct licenses, within a transaction. Collected, and written by ``write``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report
        self._new: list[tuple[int, int]] = []
        self._back: list[int] = []
        self._confirmed: list[int] = []
        self._taken: list[int] = []
        self._contradicted: list[Contradicted] = []
        self._split: dict[int, int] = {}

    def hold(self, said: Sequence[tuple[UserRow, int]]) -> None:
        """Make the direct licenses of these users, by their ids, what their rows say, and write it."""
        held: dict[int, list[Held]] = defaultdict(list)
        for license in find_held([pk for _, pk in said]):
            held[license.user_id].append(license)
        for row, user_id in said:
            self._hold(row, user_id, held.get(user_id, ()))
        self.write()

    def _hold(self, row: UserRow, user_id: int, of_user: Sequence[Held]) -> None:
        plans, named = set[int](), set[int]()
        is_known = True
        by_subscription = {license.subscription_id: license for license in of_user}
        self._report.counts["unlicensed"] += not row.licenses
        for reference in row.licenses or ():
            wanted = self.wanted(reference, by_subscription) or self._catalog.unlisted(reference)
            if not wanted:
                is_known = False
                self._ask(reference, row.line)
                continue
            by_id = reference in self._catalog.by_id
            (named.add(wanted[0].pk) if by_id else plans.add(wanted[0].plan_id))
            for subscription in wanted:
                license = by_subscription.get(subscription.pk)
                # A list of names does not tell a license of a group's from a direct one.
                if by_id or not (license and license.is_inherited and not license.is_direct):
                    self.give(Section.USERS, row.line, subscription, user_id, license)
        if is_known:
            self._taken += [
                license.pk
                for license in of_user
                if self._may_take(license)
                and license.subscription_id not in named
                and self._catalog.plan_of.get(license.subscription_id) not in plans
            ]

    def wanted(self, reference: str, of_user: Mapping[int, Held]) -> Sequence[Subscription]:
        """Where a license of this id or product is held. Of several that staff have split, one."""
        wanted = self._catalog.holding(reference)
        if len(wanted) <= 1:
            return wanted
        if not any(subscription.shares_split_at for subscription in wanted):
            self._share(wanted)
            return wanted
        has = [s for s in wanted if s.pk in of_user and of_user[s.pk].is_direct]
        return has[:1] or [self._next_free(wanted)]

    def _share(self, wanted: Sequence[Subscription]) -> None:
        unmarked = [subscription for subscription in wanted if not subscription.shares_licenses]
        if unmarked:
            Subscription.objects.filter(pk__in=[s.pk for s in unmarked]).update(shares_licenses=True)
        for subscription in unmarked:
            subscription.shares_licenses = True

    def _next_free(self, wanted: Sequence[Subscription]) -> Subscription:
        """The one that ends last, while it has seats."""
        for subscription in wanted:
            if subscription.pk not in self._split:
                self._split[subscription.pk] = License.objects.held().filter(subscription=subscription).count()
        in_order = ending_last_first(wanted)
        found = next((s for s in in_order if self._split[s.pk] < s.purchased_licenses), in_order[0])
        self._split[found.pk] += 1
        return found

    def _ask(self, reference: str, line: int) -> None:
        """A product that nobody sold to this customer is a question, once."""
        if reference not in self._report.questions:
            self._report.tell(Section.USERS, line, Fault.PRODUCT_UNKNOWN, "licenses", value=reference)
        self._report.questions[reference] += 1

    def give(
        self, section: Section, line: int, subscription: Subscription, user_id: int, license: Held | None
    ) -> Given:
        """One license that is said to be held. Raises Refused where another source says who holds it."""
        report, context = self._report, self._context
        if license is None:
            self._new.append((subscription.pk, user_id))
            report.counts["licenses_assigned"] += 1
            return Given(created=1)
        if context.is_older(license.known_at):
            return Given(older=1)
        if license.is_direct:
            if license.known_at != context.as_of and not context.is_of_another(license.source_id):
                self._confirmed.append(license.pk)
            return Given(unchanged=1)
        if context.is_of_another(license.source_id):
            raise Refused(Fault.OTHER_SOURCE, source=context.name_of(license.source_id))
        grace = GRACE if license.removed_here else GRACE * 0
        if license.removed_at and context.as_of <= license.removed_at + grace:
            report.counts["kept_removed"] += 1
            return Given(older=1)
        if license.removed_here and license.removed_at:
            date = license.removed_at.astimezone(context.tenant.zone).date()
            report.tell(section, line, Fault.REMOVED_HERE, date=date)
            self._contradicted.append(Contradicted(license.pk, subscription, user_id))
        self._back.append(license.pk)
        report.counts["licenses_assigned"] += 1
        return Given(changed=1)

    def _may_take(self, license: Held) -> bool:
        """Whether a list that does not show a license says that it is gone."""
        as_of = self._context.as_of
        assigned_before = license.assigned_at is None or license.assigned_at <= as_of
        is_ours = not self._context.is_of_another(license.source_id) and not self._context.is_older(license.known_at)
        return license.is_direct and assigned_before and is_ours

    def write(self) -> None:
        """Write what was collected since the last time."""
        source, as_of = self._context.source.pk, self._context.as_of
        insert(License, _NEW, ((subscription, user, True, False, source, as_of) for subscription, user in self._new))
        for some in chunks(self._back):
            License.objects.filter(pk__among=some).update(
                is_direct=True, removed_at=None, removed_here=False, assigned_at=as_of, source=source, known_at=as_of
            )
        for some in chunks(self._confirmed):
            License.objects.filter(pk__among=some).update(source=source, known_at=as_of)
        record_contradictions(self._context, self._contradicted)
        take_away(self._taken, as_of)
        self._report.removed += len(self._taken)
        self._report.counts["licenses_removed"] += len(self._taken)
        self._new, self._back, self._confirmed, self._taken, self._contradicted = [], [], [], [], []


def ending_last_first(subscriptions: Iterable[Subscription]) -> list[Subscription]:
    """The order in which subscriptions of one product are filled; one without an end comes last."""
    return sorted(subscriptions, key=lambda s: s.period_end.timestamp() if s.period_end else 0, reverse=True)


def find_held(users: Collection[int]) -> Iterable[Held]:
    """All licenses of these users, also those that were taken away. One query a chunk."""
    for some in chunks(users):
        rows = License.objects.filter(user__pk__among=some)
        yield from map(Held._make, rows.values_list(*(name.removesuffix("_id") for name in Held._fields)))


def take_away(license_ids: Collection[int], as_of: datetime) -> None:
    """Direct licenses that a source no longer shows."""
    for some in chunks(license_ids):
        License.objects.filter(pk__among=some).update(
            is_direct=False, removed_at=as_of, removed_here=False, known_at=as_of
        )
