"""Money, for staff."""

from billing.admin import accounts, agreements, refunds

__all__ = ["accounts", "agreements", "refunds"]
