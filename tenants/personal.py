"""What tenants know of a person: roles, billing contacts, tokens they made, and the trail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from common.chunks import chunks
from common.languages import DEFAULT_LANGUAGE
from common.personal import Holding, Whom, by_address, deleting, mentioning
from tenants.actions import Action
from tenants.audit import erase_personal_data, record
from tenants.callers import CallerKind
from tenants.models import (
    AuditEvent,
    AuditPersonalData,
    Invitation,
    Membership,
    PartnerToken,
    PortalSession,
    Tenant,
    VouchedPerson,
)
from tenants.models.vouching import NOBODY
from tenants.people import SYSTEM

# For as long as somebody may still dispute what was done.
KEPT_FOR = timedelta(days=3 * 365)
_BATCH = 500


def _memberships(whom: Whom) -> QuerySet[Membership]:
    return Membership.objects.filter(user=whom.user_id) if whom.user_id else Membership.objects.none()


def vouched(whom: Whom) -> QuerySet[VouchedPerson]:
    """As whom hosts know them: by their address, or by a number as it is dialed."""
    return VouchedPerson.objects.filter(by_address("email", whom) | Q(phone__in=whom.numbers))


def _invitations(whom: Whom) -> QuerySet[Invitation]:
    accepted = Q(accepted_by=whom.user_id) if whom.user_id else Q(pk=None)
    return Invitation.objects.filter(accepted | by_address("email", whom))


def tenants_of(user_id: int) -> set[int]:
    """Where somebody has a role, or had one: there a number of theirs means them, and elsewhere it may be a colleague's."""
    given = AuditEvent.objects.filter(action__startswith="membership.", data__person=user_id, tenant__isnull=False)
    has = Membership.objects.filter(user=user_id)
    return {*has.values_list("tenant_id", flat=True), *given.values_list("tenant_id", flat=True)}


def _on_the_trail(whom: Whom) -> QuerySet[AuditPersonalData]:
    """What they did, what was done to their account, and where they are mentioned. Reads all of it."""
    rows = AuditPersonalData.objects.all()
    found = mentioning(rows, "data", replace(whom, numbers=frozenset()) if whom.user_id else whom)
    if whom.user_id:
        found |= mentioning(rows.filter(event__tenant__in=tenants_of(whom.user_id)), "data", whom)
        roles = [f"Membership:{pk}" for pk in _memberships(whom).values_list("pk", flat=True)]
        found |= Q(event__actor_kind__in=[CallerKind.PERSON, CallerKind.STAFF], event__actor_id=whom.user_id)
        found |= Q(event__subject__in=[f"User:{whom.user_id}", *roles])
    invitations = _invitations(whom).values_list("pk", flat=True)
    found |= Q(event__subject__in=[f"Invitation:{pk}" for pk in invitations])
    ids = list(vouched(whom).values_list("pk", flat=True))
    found |= Q(event__actor_kind=CallerKind.VOUCHED, event__actor_id__in=ids)
    found |= Q(event__subject__in=[f"VouchedPerson:{pk}" for pk in ids])
    return AuditPersonalData.objects.filter(found)


def _forget_vouched(rows: QuerySet[Any], _now: datetime) -> None:
    PortalSession.objects.filter(person__in=rows).delete()
    rows.update(**NOBODY)


def _take_roles(rows: QuerySet[Any], now: datetime) -> None:
    for role in rows.order_by("tenant_id"):
        data = {"person": role.user_id, "role": role.role, "active": role.is_active}
        _record(Action.MEMBERSHIP_TAKEN, role.tenant_id, f"Membership:{role.pk}", data, now)
    rows.delete()


def _blank_contacts(rows: QuerySet[Any], now: datetime) -> None:
    changed = list(rows.order_by("pk").values_list("pk", flat=True))
    rows.update(billing_contact_name="", billing_contact_email="")
    for pk in changed:
        data = {"changes": {}, "personal": ["billing_contact_email", "billing_contact_name"]}
        _record(Action.TENANT_CHANGED, pk, f"Tenant:{pk}", data, now)


def forget_old_names(now: datetime) -> int:
    """Drop what is personal on the trail after three years; the events stay. Looks at the oldest alone."""
    count = 0
    while True:
        with transaction.atomic():
            oldest = AuditPersonalData.objects.order_by("pk").values_list("pk", "event__at")[:_BATCH]
            old = [pk for pk, at in oldest if at < now - KEPT_FOR]
            _erase_from_trail(AuditPersonalData.objects.filter(pk__in=old), now, Action.NAMES_EXPIRED)
        count += len(old)
        if len(old) < _BATCH:
            return count


def _erase_from_trail(rows: QuerySet[Any], now: datetime, action: Action = Action.PERSON_ERASED) -> None:
    """Chain by chain, each with an event that says of which events the personal data is gone."""
    found = list(rows.values_list("event_id", "event__tenant_id"))
    for tenant_id in sorted({tenant_id for _, tenant_id in found}, key=lambda pk: pk or 0):
        for ids in chunks(event_id for event_id, of in found if of == tenant_id):
            erased = erase_personal_data(AuditEvent.objects.filter(pk__in=ids))
            _record(action, tenant_id, "Person", {"erased": erased}, now)


def _record(action: Action, tenant_id: int | None, subject: str, data: dict[str, Any], now: datetime) -> None:
    record(
        tenant_id=tenant_id, at=now, action=action, subject=subject, caller=SYSTEM, language=DEFAULT_LANGUAGE, data=data
    )


HOLDINGS = (
    Holding(
        "billing_contact_of",
        lambda whom: Tenant.objects.filter(by_address("billing_contact_email", whom)),
        ("domain", "billing_contact_name", "billing_contact_email", "billing_contact_language"),
        _blank_contacts,
        kept="the tenant, which has no billing contact then",
    ),
    Holding(
        "tokens_made",
        lambda whom: PartnerToken.objects.filter(created_by=whom.user_id, created_by__isnull=False),
        ("key_id", "name", "created_at"),
        kept="without who made them",
    ),
    # The trail before the roles: it is found by them.
    Holding(
        "audit_trail",
        _on_the_trail,
        ("event__at", "event__action", "event__subject", "data"),
        _erase_from_trail,
        kept="what was done and decided, with an id that means nobody any more",
    ),
    Holding(
        "vouched_people",
        vouched,
        ("tenant__domain", "token__name", "external_id", "name", "email", "phone", "language", "seen_at"),
        _forget_vouched,
        kept="that a partner vouched for somebody; who it was comes back when it does so again",
    ),
    Holding(
        "invitations",
        _invitations,
        ("tenant__domain", "email", "first_name", "last_name", "role", "language", "created_at", "accepted_at"),
        deleting,
    ),
    Holding("memberships", _memberships, ("tenant__domain", "role", "is_active"), _take_roles),
)
