"""Money, for staff."""

from billing.admin import accounts, refunds

__all__ = ["accounts", "refunds"]
