"""Actions of the admin on many rows: each by itself, a failure stops no other, and what became of which is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.errors import ExpectedError
from common.messages import error_message, fill

logger = logging.getLogger("wayout.admin")
T = TypeVar("T")
# So many of those that were left are named.
_NAMED = 10


def act_on_each(
    request: HttpRequest, rows: Iterable[T], act: Callable[[T], bool], *, skipped: str, name: Callable[[T], str] = str
) -> None:
    """Do ``act`` to each of ``rows`` in a transaction of its own, and say how many were changed and which were not, and why.

    ``skipped``: why it answers False. ``name``: how people call a row.
    """
    done, left = 0, []
    for row in rows:
        try:
            reason = "" if act(row) else skipped
        except ExpectedError as error:
            reason = error_message(error)
        except Exception:
            logger.exception("an action on %s failed", type(row).__name__)
            reason = _("something went wrong on our side, the log says what")
        if reason:
            left.append(f"{name(row)}: {reason}")
        else:
            done += 1
    _say(request, done, left)


def _say(request: HttpRequest, done: int, left: list[str]) -> None:
    text = ngettext("%(count)d changed.", "%(count)d changed.", done) % {"count": done}
    if not left:
        messages.success(request, text)
        return
    named = "; ".join(left[:_NAMED])
    if len(left) > _NAMED:
        named += "; " + _("and %(count)d more") % {"count": len(left) - _NAMED}
    values = {"done": text, "count": len(left), "named": named}
    messages.warning(request, fill(_("%(done)s %(count)d not. %(named)s."), values))
