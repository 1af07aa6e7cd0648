"""What every other contestant decides: the two rows of the rules that the benchmark's data has.

Wayout decides by all of them, from charges, cancellations, calls and policies, and prices the quotes; the others are
spared that.
"""

from __future__ import annotations

from typing import Any

LIMIT = 25
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


def decide(assigned: int) -> dict[str, Any]:
    """Route and options of an active, paid subscription that was bought directly, as the API says them."""
    under = assigned < LIMIT
    reason = "UNDER_LIMIT" if under else "LICENSES_AT_OR_OVER_LIMIT"
    routes, opened = (_UNDER, 1) if under else (_OVER, 2)
    options = [
        {
            "route": route,
            "available": number < opened,
            "reason": reason,
            "usersToRemove": assigned - LIMIT + 1 if route == "REMOVE_USERS" and not under else None,
        }
        for number, route in enumerate(routes)
    ]
    return {"route": routes[0], "options": options}
