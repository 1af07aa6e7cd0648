"""What subscriptions tells whoever listens, inside the transaction: an exception of a receiver rolls it back.

Send with ``send``, never ``send_robust``. A receiver must not wait for anybody outside.
"""

from __future__ import annotations

from django.dispatch import Signal

# Before anything is decided, the subscription locked: subscription, caller, staff (StaffCancellation or None), now.
canceling = Signal()
# After everything of a cancellation is written: cancellation, caller, language, now.
canceled = Signal()
