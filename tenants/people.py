"""Turn a signed-in person, or a staff member, into a Caller."""

from __future__ import annotations

from django.db.models import QuerySet

from common.names import is_plain
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


def people_with_address(address: str) -> QuerySet[User]:
    """Whoever has this very address, active or not. One that only looks like another's is nobody's."""
    return User.objects.filter(email__iexact=address) if is_plain(address) else User.objects.none()


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
