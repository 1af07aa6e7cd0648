"""Turn a signed-in person, or a staff member, into a Caller."""

from __future__ import annotations

from common.prepared import PreparedQuery
from tenants.callers import Caller, CallerKind, Role, common_language
from tenants.models import Membership, User

_MEMBERSHIPS = PreparedQuery(
    "memberships",
    lambda ids, _: Membership.objects.filter(user__in=ids, is_active=True).values_list(
        "tenant_id", "role", "tenant__language"
    ),
)
SYSTEM = Caller(kind=CallerKind.SYSTEM, id=0, name="Wayout")


def caller_of_person(user: User) -> Caller:
    """The caller with the roles of the person's active memberships."""
    memberships = _MEMBERSHIPS.rows([user.pk])
    return Caller(
        kind=CallerKind.PERSON,
        id=user.pk,
        name=user.display_name,
        email=user.email,
        phone=user.phone,
        language=user.language,
        tenant_language=common_language(language for _, _, language in memberships),
        roles={tenant_id: Role(role) for tenant_id, role, _ in memberships},
    )


def caller_of_staff(user: User) -> Caller:
    """A staff member acting in the admin, whose permission the admin has already checked."""
    return Caller(kind=CallerKind.STAFF, id=user.pk, name=user.display_name, email=user.email, language=user.language)
