"""What billing tells those above it, inside the transaction: an exception rolls everything back."""

from __future__ import annotations

from django.dispatch import Signal

# Facts changed what an ending gives back. ``repricing``: a refunds.repricing.Repricing; ``now``.
refunds_repriced = Signal()

# A provider stopped what it bills, or lets it go on again, without us. ``agreement``, ``stop`` (a RenewalStop), ``at``: since
# when, ``reason``: the provider's word for why, ``now``.
stopped_elsewhere = Signal()

# Staff gave back by hand what was held while an undo was open, which it no longer is. ``refund``, ``now``.
refund_left_early = Signal()
