"""Who may do what, as one table: every field of Query and Mutation asks its entry first (fields.py).

What depends on a tenant is asked again where that is known: mutations about a subscription where it is locked
(subscriptions/inputs.py), the fields of FIELDS where they are answered. The tests walk every cell, docs/access.md
prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from common.errors import NotAuthenticated, NotPermitted, ScopeMissing
from portal.accounts.errors import AlreadySignedIn
from tenants.callers import ACTING_ROLES, Caller, CallerKind, Role, Scope, refusal, with_included


class Who(StrEnum):
    """Whom an entry lets in at all."""

    ANYBODY = "anybody"
    NOBODY = "nobody signed in"
    PERSON = "a signed-in person; no partner token, and nobody whom a host vouches for"
    PARTNER = "a partner's token"
    CALLER = "a person or a partner's token"


@dataclass(frozen=True, slots=True)
class Access:
    """One entry.

    ``scopes``: of a token, any one is enough; none: any token. ``acts``: of people only those of ACTING_ROLES in the
    tenant. ``proof``: what the input has to show, which only the body can check.
    """

    who: Who
    scopes: tuple[Scope, ...] = ()
    acts: bool = False
    proof: str = ""

    def check(self, caller: Caller | None) -> None:
        """Raise NotAuthenticated, NotPermitted or AlreadySignedIn for one that does not come in, whatever the tenant."""
        if self.who is Who.ANYBODY:
            return
        if self.who is Who.NOBODY:
            if caller and caller.kind is CallerKind.PERSON:
                raise AlreadySignedIn
            return
        if caller is None:
            raise NotAuthenticated
        if self.who is Who.PERSON and caller.kind is not CallerKind.PERSON:
            raise NotPermitted
        if caller.kind is CallerKind.PARTNER:
            if not self.opens_to_scopes(caller.scopes):
                raise ScopeMissing(scope=self.scopes[0])
        elif self.who is Who.PARTNER:
            raise NotPermitted

    def allows(self, caller: Caller, tenant_id: int) -> bool:
        """Whether the caller comes in there, in a tenant that is known."""
        return any(caller.may(scope, tenant_id) for scope in self.scopes)

    def require(self, caller: Caller, tenant_id: int) -> None:
        """Raise NotPermitted, which names what is missing, for one that does not come in there."""
        if not self.allows(caller, tenant_id):
            raise refusal(caller, self.scopes[0])

    def opens_to_scopes(self, scopes: frozenset[Scope]) -> bool:
        """Whether a token with these scopes, and what they include, comes in."""
        return not self.scopes or bool(with_included(scopes) & set(self.scopes))

    def opens_to_role(self, role: Role) -> bool:
        """Whether a person with this role comes in: viewers see everything and change nothing."""
        return self.who is not Who.PARTNER and (not self.acts or role in ACTING_ROLES)


def _read(*scopes: Scope) -> Access:
    return Access(Who.CALLER, scopes)


def _act(scope: Scope) -> Access:
    return Access(Who.CALLER, (scope,), acts=True)


# A person has a portal that shows it.
_WEBHOOKS = Access(Who.PARTNER, (Scope.WEBHOOKS,))
# Whoever pays refunds says that one was paid, never whoever gets it.
_SETTLE = Access(Who.PARTNER, (Scope.SETTLE,))
# Whoever asks for removals does not say that they were carried out: the host does, of its directory.
_SYNC = Access(Who.PARTNER, (Scope.SYNC,))
_SESSIONS = Access(Who.PARTNER, (Scope.SESSIONS,))

QUERIES: Mapping[str, Access] = {
    "viewer": _read(),
    "subscriptions": _read(Scope.READ),
    "subscription": _read(Scope.READ),
    "cancellationOptions": _read(Scope.READ),
    "callbackRequest": _read(Scope.READ, Scope.CALLBACK),
    "removalRequest": _read(Scope.READ, Scope.REMOVE_USERS),
    "callbackWindows": _read(Scope.READ, Scope.CALLBACK),
    "node": _read(Scope.READ),
    "subscriptionByExternalId": _read(Scope.READ),
    "tenantByExternalId": _read(Scope.READ),
    "userByExternalId": _read(Scope.READ_USERS),
    "webhooks": _WEBHOOKS,
    "events": Access(Who.PARTNER, (Scope.EVENTS,)),
}
FIELDS: Mapping[str, Access] = {
    "CancellationOption.quotes": _read(Scope.QUOTE),
    "ProductSubscription.licenses": _read(Scope.READ_USERS),
    "UserRemoval.user": _read(Scope.READ_USERS),
    "Removal.reason (text)": _act(Scope.REMOVE_USERS),
    "node (License, DirectoryUser)": _read(Scope.READ_USERS),
    "CallbackRequest.phone (whole)": _act(Scope.CALLBACK),
}
MUTATIONS: Mapping[str, Access] = {
    "cancelSubscription": _act(Scope.CANCEL),
    "undoCancellation": _act(Scope.CANCEL),
    "submitCancellationFeedback": _act(Scope.CANCEL),
    "removeUsers": _act(Scope.REMOVE_USERS),
    "settleRemovals": _SYNC,
    "requestCallback": _act(Scope.CALLBACK),
    "rescheduleCallback": _act(Scope.CALLBACK),
    "withdrawCallback": _act(Scope.CALLBACK),
    "markRefundPaid": _SETTLE,
    "registerWebhook": _WEBHOOKS,
    "rotateWebhookSecret": _WEBHOOKS,
    "testWebhook": _WEBHOOKS,
    "replayWebhook": _WEBHOOKS,
    "removeWebhook": _WEBHOOKS,
    "createPortalSession": _SESSIONS,
    "endPortalSessions": _SESSIONS,
}
# Accounts are no tenant's: each of these takes what it says, whatever the role.
ACCOUNTS: Mapping[str, Access] = {
    "signIn": Access(Who.NOBODY, proof="the name, the password, and a code where the account asks for one"),
    "signOut": Access(Who.ANYBODY),
    "refreshSession": Access(Who.ANYBODY, proof="a session or a refresh token"),
    "requestPasswordReset": Access(Who.ANYBODY),
    "resetPassword": Access(Who.ANYBODY, proof="the key of a mailed link"),
    "changePassword": Access(Who.PERSON, proof="the current password"),
}
# What a gateway asks, which has shown its credential; the caller is whose request it passes on.
SUBGRAPH: Mapping[str, Access] = {
    "_service": Access(Who.ANYBODY),
    "_entities": QUERIES["node"],
}


def as_markdown() -> str:
    columns = [*Role, *Scope]
    lines = [
        "# Who may do what",
        "",
        "In the caller's own tenants; staff work in the admin and see no tenant here. A row with a dot or brackets is asked",
        "on top of the row of the field that leads there. Everyone else gets what an unknown id gets: `null`, or NOT_FOUND",
        "from a mutation; a caller without the role or scope gets NOT_PERMITTED, and nobody at all NOT_AUTHENTICATED. This page is",
        "printed from `portal/graphql/access.py`; the tests walk every cell and check that a refusal changes nothing.",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for name, entry in {**QUERIES, **FIELDS, **MUTATIONS}.items():
        cells = [*map(entry.opens_to_role, Role), *(entry.opens_to_scopes(frozenset({scope})) for scope in Scope)]
        lines.append(f"| {name} | {' | '.join('yes' if cell else '' for cell in cells)} |")
    lines += ["", "Of accounts, which are no tenant's:", "", "| | who | with |", "|---|---|---|"]
    lines += [f"| {name} | {entry.who} | {entry.proof} |" for name, entry in ACCOUNTS.items()]
    return "\n".join(lines) + "\n"
