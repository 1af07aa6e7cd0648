"""What a tenant has and how it ends, as tables. The promises are constraints, because SQLite has no row locks."""

from subscriptions.models.cancellations import Cancellation, IdempotencyRecord
from subscriptions.models.licenses import DirectoryGroup, DirectoryUser, License, LicenseTally
from subscriptions.models.plans import Plan, Subscription
from subscriptions.models.policies import CancellationPolicy
from subscriptions.models.reconciliations import MAX_FINDINGS, Reconciliation
from subscriptions.models.removals import Removal, RemovalRequest, RemovalStatus
from subscriptions.models.sources import FactSource, SyncPiece, SyncRun, SyncState, Watermark

__all__ = [
    "MAX_FINDINGS",
    "Cancellation",
    "CancellationPolicy",
    "DirectoryGroup",
    "DirectoryUser",
    "FactSource",
    "IdempotencyRecord",
    "License",
    "LicenseTally",
    "Plan",
    "Reconciliation",
    "Removal",
    "RemovalRequest",
    "RemovalStatus",
    "Subscription",
    "SyncPiece",
    "SyncRun",
    "SyncState",
    "Watermark",
]
