"""What is good for one use: a code of an authenticator app, a link, a return from the organization's sign-in.

A row of the database says that it was used: no second process, and no restart, takes it again.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.utils import timezone

from tenants.models import UsedCode


def use_once(what: str, code: str, good_for: timedelta) -> bool:
    """Whether nobody has used it before; from now on somebody has, for as long as it could be good.

    Commit before acting on it. Two statements and a third, which forgets what is too old to be good.
    """
    now = timezone.now()
    UsedCode.objects.filter(until__lt=now).delete()
    digest = hashlib.sha256(f"{what} {code}".encode()).hexdigest()
    return UsedCode.objects.get_or_create(digest=digest, defaults={"until": now + good_for})[1]
