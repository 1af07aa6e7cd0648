"""The callback desk, for staff, and canceling for a customer.

Every change of state is a POST through a service: ModelAdmin.save_model runs inside a transaction already.
"""

from desk.admin.cancel import SubscriptionAtTheDeskAdmin
from desk.admin.cases import CallbackRequestAdmin
from desk.admin.settings import CallbackDeskAdmin

__all__ = ["CallbackDeskAdmin", "CallbackRequestAdmin", "SubscriptionAtTheDeskAdmin"]
