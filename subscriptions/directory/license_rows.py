"""Take in rows of licenses: who holds what, directly or by a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from common.chunks import chunks
from subscriptions.directory.assignments import Assignments, Held, find_held
from subscriptions.directory.catalog import Catalog
from subscriptions.directory.document import LicenseRow, Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.groups import find_group, handed_out, link, links_of, unlink
from subscriptions.directory.people import UserIds
from subscriptions.models import DirectoryGroup, License, Subscription


class Licenses:
    """Applies rows of licenses. Each row is about one user, and of a product that was bought twice about two licenses."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report
        self._groups: dict[str, DirectoryGroup | None] = {}

    def apply(self, rows: Sequence[LicenseRow]) -> None:
        for piece in chunks(rows):
            self._apply(piece)

    def _apply(self, rows: Sequence[LicenseRow]) -> None:
        users = UserIds(self._context.tenant.pk, (row.user for row in rows))
        ids = {user for row in rows if (user := users.get(row.user))}
        held = {(license.subscription_id, license.user_id): license for license in find_held(ids)}
        assignments = Assignments(self._catalog)
        by_group: dict[tuple[int, int], dict[int, LicenseRow]] = defaultdict(dict)
        seen = set()
        for row in rows:
            try:
                user_id, subscriptions = self._resolve(row, users)
                if row.group:
                    group = self._group(row.group)
                    if user_id in by_group[group.pk, subscriptions[0].pk]:
                        self._report.unchanged += 1
                    for subscription in subscriptions:
                        by_group[group.pk, subscription.pk].setdefault(user_id, row)
                    continue
                if (user_id, row.subscription) in seen:
                    self._report.unchanged += 1
                    continue
                seen.add((user_id, row.subscription))
                self._give(row, user_id, subscriptions, held, assignments)
            except Refused as error:
                self._report.refuse(Section.LICENSES, row.line, error)
        assignments.write()
        self._hand_out(by_group, held)

    def _resolve(self, row: LicenseRow, users: UserIds) -> tuple[int, Sequence[Subscription]]:
        subscriptions = self._catalog.holding(row.subscription)
        if not subscriptions:
            self._report.questions[row.subscription] += 1
            raise Refused(Fault.SUBSCRIPTION_UNKNOWN, "subscription", value=row.subscription)
        user = users.get(row.user)
        if user is None:
            raise Refused(Fault.USER_UNKNOWN, "user", value=row.user)
        return user, subscriptions

    def _group(self, reference: str) -> DirectoryGroup:
        if reference not in self._groups:
            self._groups[reference] = find_group(self._context.tenant.pk, reference)
        group = self._groups[reference]
        if group is None:
            raise Refused(Fault.GROUP_UNKNOWN, "via", "group", value=reference)
        return group

    def _give(
        self,
        row: LicenseRow,
        user_id: int,
        subscriptions: Sequence[Subscription],
        held: dict[tuple[int, int], Held],
        assignments: Assignments,
    ) -> None:
        by_subscription = {s.pk: license for s in subscriptions if (license := held.get((s.pk, user_id)))}
        wanted = assignments.wanted(row.subscription, by_subscription)
        found = [
            assignments.give(Section.LICENSES, row.line, one, user_id, by_subscription.get(one.pk)) for one in wanted
        ]
        for name in ("created", "changed", "unchanged", "older"):
            if any(getattr(outcome, name) for outcome in found):
                setattr(self._report, name, getattr(self._report, name) + 1)
                return

    def _hand_out(
        self, by_group: dict[tuple[int, int], dict[int, LicenseRow]], held: dict[tuple[int, int], Held]
    ) -> None:
        """Licenses by groups. In a complete list, the first word of a license says by which groups it no longer is."""
        if not by_group:
            return
        report, as_of = self._report, self._context.as_of
        links = links_of([license.pk for license in held.values() if license.is_inherited])
        if Section.LICENSES in self._context.complete:
            self._forget_others(by_group, held, links)
        counted: set[int] = set()
        for (group_id, subscription_id), rows in by_group.items():
            new, same = [], []
            for user_id, row in rows.items():
                # A row about a product that was bought several times is counted once.
                is_first = row.line not in counted
                counted.add(row.line)
                license = held.get((subscription_id, user_id))
                if license and self._context.is_older(license.by_group_known_at):
                    report.older += is_first
                elif license and group_id in links.get(license.pk, ()):
                    report.unchanged += is_first
                    same.append(license.pk)
                else:
                    report.created += is_first
                    new.append(user_id)
            link(self._context, group_id, subscription_id, new)
            for some in chunks(same):
                License.objects.filter(pk__among=some).update(by_group_known_at=as_of)

    def _forget_others(
        self,
        by_group: dict[tuple[int, int], dict[int, LicenseRow]],
        held: dict[tuple[int, int], Held],
        links: dict[int, set[int]],
    ) -> None:
        said: dict[int, set[int]] = defaultdict(set)
        for (group_id, subscription_id), rows in by_group.items():
            for user_id in rows:
                if (
                    license := held.get((subscription_id, user_id))
                ) and license.by_group_known_at != self._context.as_of:
                    said[license.pk].add(group_id)
        by_other: dict[int, list[int]] = defaultdict(list)
        hands_out = cache(handed_out)
        subscription_of = {license.pk: license.subscription_id for license in held.values()}
        for license_id, groups in said.items():
            for group_id in links.get(license_id, set()) - groups:
                if subscription_of[license_id] not in hands_out(group_id):
                    by_other[group_id].append(license_id)
        for group_id, licenses in by_other.items():
            unlink(self._context, group_id, licenses, drop=False)
