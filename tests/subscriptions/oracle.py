"""What should be, reckoned from facts alone and on paper's terms: no code of the product but its enums."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Sofia")


@dataclass
class Told:
    """All that was ever told of one charge, in cents."""

    number: str
    start: datetime
    end: datetime
    charged: int
    tax: int
    paid: int = 0
    in_flight: int = 0
    corrections: dict[str, tuple[int, int]] = field(default_factory=dict)
    refunds: dict[str, tuple[int, bool]] = field(default_factory=dict)
    disputes: dict[str, tuple[int, bool]] = field(default_factory=dict)
    # The decision that was in force when it came in.
    came_after: Decided | None = None

    @property
    def corrected(self) -> int:
        return sum(amount for amount, _ in self.corrections.values())

    @property
    def corrected_tax(self) -> int:
        return sum(tax for _, tax in self.corrections.values())

    @property
    def billed(self) -> int:
        return self.charged - self.corrected

    @property
    def elsewhere(self) -> int:
        """What went back by others and did not return, and what disputes hold or took."""
        stands = [*self.refunds.values(), *self.disputes.values()]
        return sum(amount for amount, is_back in stands if not is_back)

    @property
    def returnable(self) -> int:
        return min(self.paid, self.billed)

    def used(self, at: datetime) -> int:
        """By whole days of 24 hours since the start, of the days that its period has on a calendar in Sofia."""
        if self.start > at:
            return 0
        days = (self.end.astimezone(ZONE).date() - self.start.astimezone(ZONE).date()).days
        gone = min((at - self.start) // timedelta(hours=24), days) if at < self.end else days
        return int((Decimal(self.billed) * gone / days).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass
class Decided:
    """A cancellation: when, as of when it is priced, when it ends, and whether time that is not used comes back."""

    at: datetime
    ends_at: datetime
    prorates: bool

    def due(self, told: Told) -> int:
        """What of a charge comes back by the rules."""
        left = max(0, told.returnable - told.elsewhere)
        if self.prorates and told.start <= self.at:
            return min(max(0, told.returnable - told.used(self.at)), left) if told.end > self.at else 0
        if told.start >= self.ends_at or (self.prorates and told.start > self.at):
            return left
        if told.came_after is self and not self.prorates and told.start < self.ends_at < told.end:
            return min(max(0, told.returnable - told.used(self.ends_at)), left)
        return 0

    def is_late(self, told: Told) -> bool:
        """Whether a charge came after the decision, for time after the end."""
        return told.came_after is self and told.start >= self.ends_at
