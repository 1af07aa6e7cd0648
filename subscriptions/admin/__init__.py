"""Subscriptions, policies and cancellations, for staff.

Every change of state is a POST through a service: ModelAdmin.save_model runs inside a transaction already.
"""

from subscriptions.admin.cancellations import CancellationAdmin
from subscriptions.admin.policies import CancellationPolicyAdmin
from subscriptions.admin.reconciliations import ReconciliationAdmin
from subscriptions.admin.refunds import RefundOfCancellationAdmin
from subscriptions.admin.removals import RemovalAdmin
from subscriptions.admin.sources import FactSourceAdmin, SyncRunAdmin
from subscriptions.admin.subscriptions import LicenseAdmin, PlanAdmin, SubscriptionAdmin

__all__ = [
    "CancellationAdmin",
    "CancellationPolicyAdmin",
    "FactSourceAdmin",
    "LicenseAdmin",
    "PlanAdmin",
    "ReconciliationAdmin",
    "RefundOfCancellationAdmin",
    "RemovalAdmin",
    "SubscriptionAdmin",
    "SyncRunAdmin",
]
