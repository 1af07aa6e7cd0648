"""What a decision looks at, read in one go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.credit_form import CreditForm
from billing.money import Money
from billing.periods import Period
from billing.proration import ChargeFacts, Convention


class Status(StrEnum):
    """Where a subscription is in its life. See status_at."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CANCELING = "CANCELING"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    DELETED = "DELETED"


class Channel(StrEnum):
    """Who sold it: us, a reseller, or a product key."""

    DIRECT = "DIRECT"
    PARTNER = "PARTNER"
    PREPAID = "PREPAID"


class Mode(StrEnum):
    """Now, or when the period ends."""

    IMMEDIATE = "IMMEDIATE"
    AT_PERIOD_END = "AT_PERIOD_END"


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """The versioned, editable part of the rules, as a staff member saved it. Versions count per tenant; ids do not.

    ``count_requested_removals``: a removal that was requested counts like one that was confirmed.
    """

    name: str
    version: int
    id: int = 0
    online_license_limit: int = 25
    limit_is_inclusive: bool = False
    convention: Convention = Convention.ELAPSED_24H
    full_refund_hours: int | None = None
    prorated_refund_hours: int | None = None
    count_requested_removals: bool = False

    @property
    def max_online(self) -> int:
        """The largest license count that still cancels online."""
        return self.online_license_limit if self.limit_is_inclusive else self.online_license_limit - 1


@dataclass(frozen=True, slots=True)
class InForce:
    """The cancellation in force: what was decided and until when it can be reversed."""

    mode: Mode
    effective_at: datetime
    undo_until: datetime


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """Staff cancel for the customer: whatever the license count, with credit from ``credit_from``; None: from now."""

    credit_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """What a quote looks at besides: today's charges, what becomes of a refund, and who keeps the product anyway.

    ``charged_before``: where none of the charges has begun, whether others are over. Read when a quote is asked for: a
    list of routes and reasons needs none of it.
    """

    charges: tuple[ChargeFacts, ...]
    still_covered: int
    credit_form: CreditForm
    charged_before: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the policy looks at, read in one go. Counts are distinct users.

    ``base_status`` is what billing or the import says; the status people see is ``status_at``.
    ``assigned`` counts users holding a license, ``removable`` those who hold it only directly,
    ``by_group`` those who hold it by a group (also when they hold it directly too), ``pending`` those of ``removable``
    whose removal is on its way. ``shares_licenses``: the product was bought more than once, nobody says who holds which,
    and every holder counts for each.
    """

    base_status: Status
    is_trial: bool
    channel: Channel
    partner_name: str
    renews: bool
    has_payment_method: bool | None
    period: Period | None
    anchored_at: datetime | None
    term_months: int | None
    unit_price: Money | None
    zone: ZoneInfo
    purchased: int
    assigned: int
    removable: int
    by_group: int
    pending: int
    group_names: tuple[str, ...]
    shares_licenses: bool
    for_quotes: QuoteFacts
    cancellation: InForce | None
    policy: PolicyTerms

    @property
    def counted(self) -> int:
        """The licenses that count against the limit."""
        return self.assigned - self.pending if self.policy.count_requested_removals else self.assigned
