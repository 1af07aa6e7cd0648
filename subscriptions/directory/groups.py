"""Take in groups and what they hand out, and licenses that are said to come from a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Exists, OuterRef

from common.bulk import insert
from common.chunks import chunks
from subscriptions.directory.catalog import Catalog, Context
from subscriptions.directory.document import GroupRow, Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.people import UserIds
from subscriptions.models import DirectoryGroup, License

_Links = License.groups.through
_Members = DirectoryGroup.members.through
_LINK = ("license_id", "directorygroup_id")
_MEMBER = ("directorygroup_id", "directoryuser_id")
_NEW = ("subscription_id", "user_id", "is_direct", "is_inherited", "assigned_at", "source_id", "by_group_known_at")


class Groups:
    """Applies rows of groups: members, what they hand out, and the licenses that follow from both."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report

    def apply(self, rows: Sequence[GroupRow]) -> None:
        for row in rows:
            try:
                self._apply(row)
            except Refused as error:
                self._report.refuse(Section.GROUPS, row.line, error)

    def _apply(self, row: GroupRow) -> None:
        context = self._context
        subscriptions = self._subscriptions(row)
        group = find_group(context.tenant.pk, row.key)
        if group and context.is_of_another(group.source_id):
            raise Refused(Fault.OTHER_SOURCE, source=group.source)
        if group and context.is_older(group.known_at):
            self._report.older += 1
            return
        is_new = group is None
        group = group or DirectoryGroup(tenant=context.tenant, external_id=row.external_id)
        name = row.name or group.name or row.external_id
        changed = group.name != name
        group.name, group.source, group.known_at = name, context.source, context.as_of
        group.save()
        if row.members is not None:
            changed |= self._take_members(group, row)
        before = set(group.hands_out.values_list("pk", flat=True))
        if subscriptions is not None and before != subscriptions:
            group.hands_out.set(subscriptions)
            changed = True
        if not is_new and not changed:
            self._report.unchanged += 1
            return
        self._report.created += is_new
        self._report.changed += not is_new
        after = before if subscriptions is None else subscriptions
        members = set(_Members.objects.filter(directorygroup=group).values_list("directoryuser", flat=True))
        for subscription_id in sorted(before | after):
            hand_out(context, group.pk, subscription_id, members if subscription_id in after else ())

    def _subscriptions(self, row: GroupRow) -> set[int] | None:
        if row.licenses is None:
            return None
        found: set[int] = set()
        for number, reference in enumerate(row.licenses):
            held = self._catalog.holding(reference)
            if not held:
                raise Refused(Fault.SUBSCRIPTION_UNKNOWN, "licenses", str(number), value=reference)
            found |= {subscription.pk for subscription in held}
        return found

    def _take_members(self, group: DirectoryGroup, row: GroupRow) -> bool:
        """Make its members those that are named, as far as they are there; whether that is new."""
        users, named = UserIds(self._context.tenant.pk, row.members or ()), set()
        for number, reference in enumerate(row.members or ()):
            if user := users.get(reference):
                named.add(user)
                continue
            is_group = find_group(self._context.tenant.pk, reference) is not None
            fault = Fault.GROUP_IN_GROUP if is_group else Fault.USER_UNKNOWN
            self._report.tell(Section.GROUPS, row.line, fault, "members", str(number), value=reference)
        known = dict(_Members.objects.filter(directorygroup=group).values_list("directoryuser", "pk"))
        insert(_Members, _MEMBER, ((group.pk, user) for user in sorted(named - known.keys())))
        gone = [pk for user, pk in known.items() if user not in named]
        for some in chunks(gone):
            _Members.objects.filter(pk__among=some).delete()
        return bool(gone) or bool(named - known.keys())


def find_group(tenant_id: int, reference: str) -> DirectoryGroup | None:
    """The group of that id, or of that name where it has no id."""
    of_tenant = DirectoryGroup.objects.filter(tenant=tenant_id)
    found: DirectoryGroup | None = (
        of_tenant.filter(external_id=reference).first() or of_tenant.filter(external_id="", name=reference).first()
    )
    return found


def hand_out(context: Context, group_id: int, subscription_id: int, users: Collection[int]) -> None:
    """Make those who have a license of the subscription by the group these users, and nobody else."""
    links = _Links.objects.filter(directorygroup=group_id, license__subscription=subscription_id)
    has = dict(links.values_list("license__user", "license"))
    link(context, group_id, subscription_id, [user for user in users if user not in has])
    wanted = set(users)
    unlink(context, group_id, [license for user, license in has.items() if user not in wanted])


def link(context: Context, group_id: int, subscription_id: int, users: Collection[int]) -> int:
    """Give these users a license by the group; how many had it neither from it nor otherwise."""
    made = 0
    for some in chunks(users):
        known: Mapping[int, int] = dict(
            License.objects.filter(subscription=subscription_id, user__pk__among=some).values_list("user", "pk")
        )
        new = [user for user in some if user not in known]
        source, as_of = context.source.pk, context.as_of
        ids = insert(License, _NEW, ((subscription_id, user, False, True, as_of, source, as_of) for user in new))
        inherited = License.objects.filter(pk__in=known.values())
        inherited.update(is_inherited=True, by_group_known_at=as_of)
        insert(_Links, _LINK, ((license, group_id) for license in (*known.values(), *ids)))
        made += len(new)
    context.report.counts["licenses_assigned"] += made
    return made


def unlink(context: Context, group_id: int, license_ids: Collection[int], *, drop: bool = True) -> None:
    """What a group no longer hands out: a license that no other group hands out is inherited no more, unless one follows."""
    for some in chunks(license_ids):
        _Links.objects.filter(directorygroup=group_id, license__pk__among=some).delete()
        if drop:
            drop_inherited(context, some)


def links_of(license_ids: Collection[int]) -> dict[int, set[int]]:
    """The groups of these licenses. One query a chunk."""
    found: dict[int, set[int]] = defaultdict(set)
    for some in chunks(license_ids):
        for license, group in _Links.objects.filter(license__pk__among=some).values_list("license", "directorygroup"):
            found[license].add(group)
    return found


def handed_out(group_id: int) -> set[int]:
    """The subscriptions that a group hands out by its own word: its members' licenses follow from that. One query."""
    return set(
        DirectoryGroup.hands_out.through.objects.filter(directorygroup=group_id).values_list("subscription", flat=True)
    )


def drop_inherited(context: Context, license_ids: Iterable[int]) -> int:
    """Of these licenses, those that no group hands out any more; how many."""
    still = Exists(_Links.objects.filter(license=OuterRef("pk")))
    left = License.objects.filter(~still, pk__in=list(license_ids), is_inherited=True)
    left.filter(is_direct=False).update(removed_at=context.as_of, removed_here=False)
    count = left.update(is_inherited=False, by_group_known_at=context.as_of)
    context.report.removed += count
    context.report.counts["licenses_removed"] += count
    return count
