"""What a complete list does not name is gone: found by when it was last said, so that no list of what was seen is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from common.chunks import chunks
from subscriptions.directory.assignments import take_away
from subscriptions.directory.catalog import Context
from subscriptions.directory.document import Section
from subscriptions.directory.faults import Fault
from subscriptions.directory.groups import hand_out, unlink
from subscriptions.directory.people import users_of_source
from subscriptions.models import DirectoryGroup, DirectoryUser, License, Subscription, Watermark
from subscriptions.policy.facts import Status
from tenants.models import Tenant

_Links = License.groups.through


def apply_absences(context: Context) -> None:
    """Take away what is absent of the sections that are complete, once all rows are applied, and note that they were.

    With any row that was not taken nobody is taken away: it may have been about them.
    """
    report = context.report
    if not context.complete:
        return
    if not report.is_whole:
        report.note(Fault.NOBODY_TAKEN, rows=report.left_out)
        return
    for section in Section:
        if section in context.complete:
            if section in _GONE:
                _GONE[section](context)
            Watermark.objects.update_or_create(
                source=context.source, section=section, defaults={"complete_at": context.as_of}
            )


def stale_sections(context: Context) -> dict[Section, datetime]:
    """Of the sections that are complete, those of which a later complete list has come in, and as of when that was."""
    marks = Watermark.objects.filter(source=context.source, section__in=context.complete, complete_at__gt=context.as_of)
    return {Section(section): at for section, at in marks.values_list("section", "complete_at")}


def _unsaid(name: str, context: Context) -> Q:
    return users_of_source(context.source.pk) & (Q(**{name: None}) | Q(**{f"{name}__lt": context.as_of}))


def _direct(context: Context) -> QuerySet[License]:
    assigned_before = Q(assigned_at=None) | Q(assigned_at__lte=context.as_of)
    of_tenant = License.objects.filter(assigned_before, user__tenant=context.tenant, is_direct=True)
    return of_tenant.filter(_unsaid("known_at", context))


def _licenses(context: Context) -> None:
    count = _take_away(_direct(context), context)
    context.report.removed += count
    context.report.counts["licenses_removed"] += count
    # What follows from a group and its members is said by the section of groups.
    follows = DirectoryGroup.objects.filter(pk=OuterRef("directorygroup"), hands_out=OuterRef("license__subscription"))
    of_tenant = License.objects.filter(user__tenant=context.tenant, is_inherited=True)
    inherited = of_tenant.filter(_unsaid("by_group_known_at", context))
    links = _Links.objects.filter(~Exists(follows), license__in=inherited.values("pk"))
    by_group: dict[int, list[int]] = defaultdict(list)
    for license, group in links.values_list("license", "directorygroup"):
        by_group[group].append(license)
    for group, licenses in by_group.items():
        unlink(context, group, licenses)
    # Inherited by a group that nobody named.
    nameless = inherited.filter(~Exists(_Links.objects.filter(license=OuterRef("pk"))))
    nameless.update(is_inherited=False, by_group_known_at=context.as_of)


def _take_away(licenses: QuerySet[License], context: Context) -> int:
    found = list(licenses.values_list("pk", flat=True))
    take_away(found, context.as_of)
    return len(found)


def _absent_users(context: Context) -> QuerySet[DirectoryUser]:
    return DirectoryUser.objects.filter(_unsaid("known_at", context), tenant=context.tenant, deleted_at=None)


def _users(context: Context) -> None:
    for some in chunks(list(_absent_users(context).values_list("pk", flat=True))):
        context.report.removed += DirectoryUser.objects.filter(pk__among=some).update(
            deleted_at=context.as_of, known_at=context.as_of
        )


def _absent_groups(context: Context) -> QuerySet[DirectoryGroup]:
    return DirectoryGroup.objects.filter(_unsaid("known_at", context), tenant=context.tenant)


def _groups(context: Context) -> None:
    for group in _absent_groups(context):
        links = _Links.objects.filter(directorygroup=group)
        for subscription_id in links.values_list("license__subscription", flat=True).distinct():
            hand_out(context, group.pk, subscription_id, ())
        group.delete()
        context.report.removed += 1


def _absent_subscriptions(context: Context) -> QuerySet[Subscription]:
    going_on = Subscription.objects.filter(base_status__in=[Status.ACTIVE, Status.SUSPENDED], canceled_mode=None)
    return going_on.filter(_unsaid("known_at", context), tenant=context.tenant).exclude(external_id="")


def _subscriptions(context: Context) -> None:
    """What its source no longer has is over, and by no decision of ours; what was canceled here stays as decided."""
    gone = _absent_subscriptions(context)
    context.report.removed += gone.update(base_status=Status.DELETED.value, known_at=context.as_of)


def absent(context: Context) -> dict[Section, list[int]]:
    """What would be gone of the sections that are complete, by id, with nothing of the document applied."""
    return {
        section: list(find(context).values_list("pk", flat=True))
        for section, find in _ABSENT.items()
        if section in context.complete
    }


def mentioned(context: Context) -> dict[Section, list[int]]:
    """What the document has named so far, by id, of the sections that are complete."""
    return {
        section: list(_OF_TENANT[section](context.tenant).filter(known_at=context.as_of).values_list("pk", flat=True))
        for section in _ABSENT
        if section in context.complete
    }


_ABSENT: Mapping[Section, Callable[[Context], QuerySet[Any]]] = {
    Section.SUBSCRIPTIONS: _absent_subscriptions,
    Section.USERS: _absent_users,
    Section.GROUPS: _absent_groups,
    Section.LICENSES: _direct,
}
_OF_TENANT: Mapping[Section, Callable[[Tenant], QuerySet[Any]]] = {
    Section.SUBSCRIPTIONS: lambda tenant: Subscription.objects.filter(tenant=tenant),
    Section.USERS: lambda tenant: DirectoryUser.objects.filter(tenant=tenant),
    Section.GROUPS: lambda tenant: DirectoryGroup.objects.filter(tenant=tenant),
    Section.LICENSES: lambda tenant: License.objects.filter(user__tenant=tenant),
}


_GONE = {
    Section.SUBSCRIPTIONS: _subscriptions,
    Section.USERS: _users,
    Section.GROUPS: _groups,
    Section.LICENSES: _licenses,
}
