"""Periodic work row by row: one that fails is said, and stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from django.db import InterfaceError, OperationalError, models
from django.utils.translation import gettext_lazy as _

from outbox.mail import queue_staff_mail

logger = logging.getLogger("wayout.outbox")
Row = TypeVar("Row", bound=models.Model)


def each_by_itself(rows: Iterable[Row], act: Callable[[Row], bool], *, work: str, now: datetime) -> int:
    """Let ``act`` have each row, in transactions of its own; how many it says it changed.

    Staff hear once a day of a row that fails. A database that is gone fails the whole work: no row is to blame.
    """
    changed = 0
    for row in rows:
        try:
            changed += act(row)
        except (InterfaceError, OperationalError):
            raise
        except Exception as error:
            logger.exception("%s failed for %s %s", work, row._meta.model_name, row.pk)
            values = {"work": work, "kind": row._meta.model_name, "pk": row.pk, "error": type(error).__name__}
            queue_staff_mail(key=f"{work}:{row.pk}:{now.date()}", sentence=_FAILED, values=values, now=now)
    return changed


_FAILED = _("%(work)s: %(kind)s %(pk)s failed with %(error)s, everything else went on.")
