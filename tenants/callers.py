"""Who is calling and what they may do. Pure: built at the entry point, passed down, asked everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from common.errors import NotPermitted, RoleMissing, ScopeMissing


class CallerKind(StrEnum):
    """A signed-in person, one whom a host vouches for, a partner's token, a staff member in the admin, or a command."""

    PERSON = "PERSON"
    VOUCHED = "VOUCHED"
    PARTNER = "PARTNER"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"


class Role(StrEnum):
    """What a person is in a tenant. The admins act; a viewer sees everything and is told who can."""

    GLOBAL_ADMIN = "GLOBAL_ADMIN"
    BILLING_ADMIN = "BILLING_ADMIN"
    VIEWER = "VIEWER"


class Scope(StrEnum):
    """What a token may do; roles are translated to the same words."""

    READ = "READ"
    READ_USERS = "READ_USERS"
    QUOTE = "QUOTE"
    REMOVE_USERS = "REMOVE_USERS"
    CALLBACK = "CALLBACK"
    CANCEL = "CANCEL"
    WEBHOOKS = "WEBHOOKS"
    EVENTS = "EVENTS"
    SETTLE = "SETTLE"
    SYNC = "SYNC"
    SCIM = "SCIM"
    SESSIONS = "SESSIONS"


ACTING_ROLES = (Role.GLOBAL_ADMIN, Role.BILLING_ADMIN)
_INCLUDED = {
    Scope.QUOTE: {Scope.READ},
    Scope.CANCEL: {Scope.QUOTE, Scope.READ},
    Scope.WEBHOOKS: {Scope.READ},
}
# What does not go on one token: whoever brings the facts does not act on them, or as somebody who does.
_BRINGS_FACTS = frozenset({Scope.CANCEL, Scope.REMOVE_USERS, Scope.SESSIONS})
EXCLUDES: Mapping[Scope, frozenset[Scope]] = {
    Scope.SYNC: _BRINGS_FACTS,
    Scope.SCIM: _BRINGS_FACTS,
    Scope.SETTLE: frozenset({Scope.CANCEL, Scope.SESSIONS}),
}
# No role of a tenant has these: they are a program's.
_OF_PARTNERS = frozenset({Scope.WEBHOOKS, Scope.EVENTS, Scope.SETTLE, Scope.SYNC, Scope.SCIM, Scope.SESSIONS})
_TRUSTED = (CallerKind.STAFF, CallerKind.SYSTEM)
_OF_VIEWER = frozenset({Scope.READ, Scope.READ_USERS, Scope.QUOTE})


@cache
def with_included(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """QUOTE includes READ; CANCEL includes QUOTE (and undo); WEBHOOKS includes READ."""
    return scopes.union(*(_INCLUDED.get(scope, set()) for scope in scopes))


def excluded(scopes: Collection[Scope]) -> tuple[Scope, Scope] | None:
    """Two of these that do not go on one token, if there are any."""
    pairs = ((scope, other) for scope in Scope for other in Scope if other in EXCLUDES.get(scope, ()))
    return next(((scope, other) for scope, other in pairs if scope in scopes and other in scopes), None)


def common_language(languages: Iterable[str]) -> str:
    """The language that all of these are; empty when they differ."""
    found = set(languages)
    return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The one on whose behalf something is read or done.

    ``roles`` maps the tenants of a PERSON to a role, the one of somebody VOUCHED for by ``vouched_by``; ``tenant_ids`` are the tenants of a PARTNER token, and
    ``partner`` is what stays the same when the token is rotated. A token ``of_installation`` sees every tenant, those
    to come included, and does there what its scopes say.
    STAFF and SYSTEM do everything everywhere: the admin has checked the permission before it calls a service.
    ``tenant_language``: the one that all its tenants speak.
    ``address`` and ``correlation_id`` are of the request, for the audit trail.
    """

    kind: CallerKind
    id: int
    name: str
    email: str = ""
    phone: str = ""
    language: str = ""
    tenant_language: str = ""
    roles: Mapping[int, Role] = field(default_factory=dict)
    scopes: frozenset[Scope] = frozenset()
    tenant_ids: frozenset[int] = frozenset()
    partner: str = ""
    of_installation: bool = False
    vouched_by: str = ""
    address: str = ""
    correlation_id: str = ""

    @property
    def user_id(self) -> int | None:
        """The row of the person or staff member; None for a token or a command."""
        return self.id if self.kind in (CallerKind.PERSON, CallerKind.STAFF) else None

    @property
    def vouched_id(self) -> int | None:
        """The row of somebody whom a host vouches for; None for everyone else."""
        return self.id if self.kind is CallerKind.VOUCHED else None

    @property
    def is_person(self) -> bool:
        """Whether it acts by a role, whoever says who they are."""
        return self.kind in (CallerKind.PERSON, CallerKind.VOUCHED)

    @property
    def token_id(self) -> int | None:
        """The row of the partner's token; None for everyone else."""
        return self.id if self.kind is CallerKind.PARTNER else None

    @property
    def reaches_all(self) -> bool:
        """Whether every tenant is visible."""
        return self.of_installation or self.kind in _TRUSTED

    @property
    def visible_tenant_ids(self) -> frozenset[int]:
        """The tenants this caller can see at all. Ask ``reaches_all`` first."""
        return frozenset(self.roles) if self.is_person else self.tenant_ids

    def sees(self, tenant_id: int) -> bool:
        """Whether the tenant exists for this caller."""
        return self.reaches_all or tenant_id in self.visible_tenant_ids

    def may(self, scope: Scope, tenant_id: int) -> bool:
        """Whether the caller may do ``scope`` in a tenant. False for a tenant that it does not see."""
        if self.kind in _TRUSTED:
            return True
        if not self.sees(tenant_id):
            return False
        if self.kind is CallerKind.PARTNER:
            return scope in with_included(self.scopes)
        if scope in _OF_PARTNERS:
            return False
        return self.roles[tenant_id] in ACTING_ROLES or scope in _OF_VIEWER


def refusal(caller: Caller, scope: Scope) -> NotPermitted:
    """What to raise for a caller who may not do ``scope``: it says what would allow it, to whoever asks."""
    if caller.kind is CallerKind.PARTNER:
        return ScopeMissing(scope=scope)
    return NotPermitted() if scope in _OF_PARTNERS else RoleMissing()
