"""What billing tells those above it, inside the transaction: an exception rolls everything back."""

from __future__ import annotations

from django.dispatch import Signal

# Facts changed what an ending gives back, or why that is nothing. ``repricing``: a refunds.repricing.Repricing; ``now``.
refunds_repriced = Signal()

# Staff gave back by hand what was held while an undo was open, which it no longer is. ``refund``, ``now``.
refund_left_early = Signal()
