"""Money, for staff."""

from billing.admin import accounts, agreements, notices, refunds

__all__ = ["accounts", "agreements", "notices", "refunds"]
