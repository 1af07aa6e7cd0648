"""Subscriptions, policies, cancellations and the callback queue, for staff.

Every change of state is a POST through a service: ModelAdmin.save_model runs inside a transaction already.
"""

from subscriptions.admin.callbacks import CallbackRequestAdmin
from subscriptions.admin.cancellations import CancellationAdmin
from subscriptions.admin.desk_settings import CallbackDeskAdmin
from subscriptions.admin.policies import CancellationPolicyAdmin
from subscriptions.admin.subscriptions import LicenseAdmin, PlanAdmin, SubscriptionAdmin

__all__ = [
    "CallbackDeskAdmin",
    "CallbackRequestAdmin",
    "CancellationAdmin",
    "CancellationPolicyAdmin",
    "LicenseAdmin",
    "PlanAdmin",
    "SubscriptionAdmin",
]
