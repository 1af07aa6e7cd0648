"""What billing tells those above it, inside the transaction: an exception rolls everything back."""

from __future__ import annotations

from django.dispatch import Signal

# Facts changed what an ending gives back. ``repricing``: a refunds.repricing.Repricing; ``now``.
refunds_repriced = Signal()
