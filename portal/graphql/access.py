"""Who may do what, as one table: the tests walk every cell of it, docs/access.md prints it.

Queries, and the mutations of webhooks, ask it. Mutations about a subscription are checked where that is locked
(subscriptions/inputs.py), fields where they are answered: the tests hold both to the table.
"""

from __future__ import annotations

from tenants.callers import ACTING_ROLES, Role, Scope, with_included

# The scopes of a token of which one is enough. Roles follow from tenants/callers.py.
QUERIES: dict[str, tuple[Scope, ...]] = {
    "viewer": tuple(Scope),
    "subscriptions": (Scope.READ,),
    "subscription": (Scope.READ,),
    "cancellationOptions": (Scope.READ,),
    "callbackRequest": (Scope.READ, Scope.CALLBACK),
    "callbackWindows": (Scope.READ, Scope.CALLBACK),
    "node": (Scope.READ,),
    "webhooks": (Scope.WEBHOOKS,),
}
FIELDS: dict[str, tuple[Scope, ...]] = {
    "CancellationOption.quotes": (Scope.QUOTE,),
    "ProductSubscription.licenses": (Scope.READ_USERS,),
    "UserRemoval.user": (Scope.READ_USERS,),
    "CallbackRequest.phone (whole)": (Scope.CALLBACK,),
}
MUTATIONS: dict[str, tuple[Scope, ...]] = {
    "cancelSubscription": (Scope.CANCEL,),
    "undoCancellation": (Scope.CANCEL,),
    "submitCancellationFeedback": (Scope.CANCEL,),
    "removeUsers": (Scope.REMOVE_USERS,),
    "requestCallback": (Scope.CALLBACK,),
    "rescheduleCallback": (Scope.CALLBACK,),
    "withdrawCallback": (Scope.CALLBACK,),
    "registerWebhook": (Scope.WEBHOOKS,),
    "rotateWebhookSecret": (Scope.WEBHOOKS,),
    "testWebhook": (Scope.WEBHOOKS,),
    "replayWebhook": (Scope.WEBHOOKS,),
    "removeWebhook": (Scope.WEBHOOKS,),
}
# Of partners alone: a person has a portal that shows it.
PARTNERS_ONLY = {name for name, scopes in {**QUERIES, **MUTATIONS}.items() if scopes == (Scope.WEBHOOKS,)}
# Accounts are no tenant's: each of these takes what it says, whatever the role.
ACCOUNTS = {
    "signIn": "nobody signed in",
    "signOut": "anybody",
    "refreshSession": "who has a session or a refresh token",
    "requestPasswordReset": "anybody",
    "resetPassword": "who has the key of a mailed link",
    "changePassword": "a signed-in person with the current password; no partner token",
}


def scope_opens(scope: Scope, wanted: tuple[Scope, ...]) -> bool:
    """Whether a token with only this scope comes in."""
    return bool(with_included(frozenset({scope})) & set(wanted))


def role_opens(role: Role, name: str) -> bool:
    """Whether a person with this role comes in: viewers see everything and change nothing."""
    if name in PARTNERS_ONLY:
        return False
    return role in ACTING_ROLES or (name not in MUTATIONS and name != "CallbackRequest.phone (whole)")


def as_markdown() -> str:
    """The table for docs/access.md."""
    columns = [*Role, *Scope]
    lines = [
        "# Who may do what",
        "",
        "In the caller's own tenants. Everyone else gets what an unknown id gets: `null`, or NOT_FOUND from a mutation;",
        "a caller without the role or scope gets NOT_PERMITTED, and nobody at all NOT_AUTHENTICATED. This page is",
        "printed from `portal/graphql/access.py`; the tests walk every cell and check that a refusal changes nothing.",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for name, wanted in {**QUERIES, **FIELDS, **MUTATIONS}.items():
        cells = [role_opens(role, name) for role in Role] + [scope_opens(scope, wanted) for scope in Scope]
        lines.append(f"| {name} | {' | '.join('yes' if cell else '' for cell in cells)} |")
    lines += ["", "Of accounts, which are no tenant's:", "", "| | who |", "|---|---|"]
    lines += [f"| {name} | {who} |" for name, who in ACCOUNTS.items()]
    return "\n".join(lines) + "\n"
