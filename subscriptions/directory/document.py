"""The sync document: facts of one tenant as of an instant, by the ids of who sends them. Pure.

Every door turns what it has into these rows; parsing.py reads those that come as JSON. A field that is absent or null is
unsaid: what is on record stays. Source: docs/sync.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from billing.money import Money
from billing.periods import Period
from subscriptions.policy.facts import Channel, Status


class Section(StrEnum):
    """In the order in which they are applied: each may name what those before it brought."""

    TENANT = "tenant"
    SUBSCRIPTIONS = "subscriptions"
    CHARGES = "charges"
    USERS = "users"
    GROUPS = "groups"
    LICENSES = "licenses"


class UserState(StrEnum):
    """Who is blocked holds licenses; who is deleted does not."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"


class Contact(NamedTuple):
    name: str | None = None
    url: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None


class TenantRow(NamedTuple):
    line: int
    name: str | None = None
    domain: str | None = None
    time_zone: str | None = None
    language: str | None = None
    billing_contact: Contact | None = None


class SubscriptionRow(NamedTuple):
    """``external_id`` is empty where a source knows products alone. ``price``: of a license for ``billed_months``, net."""

    line: int
    external_id: str
    product: str
    plan_name: str | None = None
    status: Status | None = None
    is_trial: bool | None = None
    channel: Channel | None = None
    partner: Contact | None = None
    renews: bool | None = None
    seats: int | None = None
    price: Money | None = None
    currency: str | None = None
    billed_months: int | None = None
    term_months: int | None = None
    ends_at: datetime | None = None
    has_payment_method: bool | None = None
    provider: str | None = None
    provider_id: str | None = None
    # What a file of products says of its own count, to be compared.
    assigned: int | None = None

    @property
    def key(self) -> str:
        return self.external_id or self.product


class ChargeRow(NamedTuple):
    """What was charged for a period, or a correction of it. Minor units; ``charged`` and ``paid`` with tax.

    ``subscription``: its id, or the name of a product that was bought once. A file of charges alone says which product it
    is of, and who bills it: then the subscription is made where it is not there.
    """

    line: int
    external_id: str
    subscription: str
    seats: int
    currency: str
    charged: int
    tax: int
    paid: int
    in_flight: int
    refunded_elsewhere: int | None
    disputed: int | None
    charged_at: datetime
    period: Period
    corrects: str
    product: str = ""
    term_months: int | None = None
    provider: str = ""
    provider_id: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What it speaks of: a charge of a subscription, or a correction of one."""
        return self.subscription or self.product, self.external_id, self.corrects


class UserRow(NamedTuple):
    """``external_id`` is empty where a source knows people by their principal names alone; the name where it is unsaid.

    ``licenses``: all that the user holds directly, by the subscription's id or a product; what is not among them is taken
    away. None: unsaid, then the section of licenses says it.
    """

    line: int
    external_id: str
    principal_name: str
    display_name: str | None = None
    state: UserState | None = None
    last_active_at: datetime | None = None
    deleted_at: datetime | None = None
    licenses: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        return self.external_id or self.principal_name.casefold()


class GroupRow(NamedTuple):
    """``members`` are users; ``licenses`` the subscriptions that the group hands to them, None where nobody says."""

    line: int
    external_id: str
    name: str
    members: tuple[str, ...] | None = None
    licenses: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        return self.external_id or self.name


class LicenseRow(NamedTuple):
    """``subscription``: its id, or a product; ``user``: an id, or a principal name; ``group``: empty where direct."""

    line: int
    subscription: str
    user: str
    group: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.subscription, self.user, self.group


Row = TenantRow | SubscriptionRow | ChargeRow | UserRow | GroupRow | LicenseRow

MAX_ID, MAX_NAME, MAX_PRINCIPAL, MAX_GROUP = 100, 200, 320, 256
# A row with more is no row of a table any more: a group of so many people is sent by licenses.
MAX_MEMBERS, MAX_GRANTS = 500_000, 1_000

STATUSES: Mapping[str, Status] = {
    "active": Status.ACTIVE,
    "enabled": Status.ACTIVE,
    "trialing": Status.ACTIVE,
    "warning": Status.SUSPENDED,
    "suspended": Status.SUSPENDED,
    "lockedout": Status.SUSPENDED,
    "pastdue": Status.SUSPENDED,
    "unpaid": Status.SUSPENDED,
    "expired": Status.EXPIRED,
    "disabled": Status.DISABLED,
    "canceled": Status.DISABLED,
    "deleted": Status.DELETED,
}
CHANNELS: Mapping[str, Channel] = {
    "direct": Channel.DIRECT, "partner": Channel.PARTNER, "reseller": Channel.PARTNER, "prepaid": Channel.PREPAID,
}  # fmt: skip
USER_STATES: Mapping[str, UserState] = {
    "active": UserState.ACTIVE, "enabled": UserState.ACTIVE, "blocked": UserState.BLOCKED, "disabled": UserState.BLOCKED,
    "deleted": UserState.DELETED,
}  # fmt: skip
