"""What every other baseline decides: the two rows of the rules that the benchmark's data has.

Wayout decides by all of them, and looks at cancellations, groups and products bought twice too; the others are spared
that.
"""

from __future__ import annotations

from typing import Any

_UNDER = (
    "CANCEL_ONLINE",
    "UNDO_CANCELLATION",
    "NOTHING_TO_CANCEL",
    "REMOVE_USERS",
    "REQUEST_CALLBACK",
    "CONTACT_PARTNER",
)
_OVER = (
    "REMOVE_USERS",
    "REQUEST_CALLBACK",
    "UNDO_CANCELLATION",
    "NOTHING_TO_CANCEL",
    "CANCEL_ONLINE",
    "CONTACT_PARTNER",
)


def decide(
    *,
    assigned: int,
    by_group: int,
    purchased: int,
    is_trial: bool,
    has_method: bool,
    methods_known: bool,
    limit: int,
    is_inclusive: bool,
    policy: str,
    version: int,
    may_act: bool,
) -> dict[str, Any]:
    """Route, facts and options of an active, paid subscription that was bought directly, as the API says them."""
    limit = limit if is_inclusive else limit - 1
    under = assigned <= limit
    reason = "UNDER_LIMIT" if under else "LICENSES_AT_OR_OVER_LIMIT"
    routes, opened = (_UNDER, 1) if under else (_OVER, 2)
    options = [
        {
            "route": route,
            "available": number < opened,
            "reason": reason,
            "usersToRemove": assigned - limit if route == "REMOVE_USERS" and not under else None,
        }
        for number, route in enumerate(routes)
    ]
    facts = {
        "isTrial": is_trial,
        "hasPaymentMethod": True if has_method else False if methods_known else None,
        "purchasedLicenses": purchased,
        "assignedLicenses": assigned,
        "groupAssignedLicenses": by_group,
        "onlineLicenseLimit": limit,
        "limitIsInclusive": is_inclusive,
        "policyName": policy,
        "policyVersion": version,
    }
    return {"route": routes[0], "canAct": may_act, "facts": facts, "options": options}
