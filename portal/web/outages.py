"""What is answered where something broke: that the database is away, or a number to tell us, and nothing more."""

from __future__ import annotations

import logging
import sys
import uuid

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from structlog.contextvars import get_contextvars

from common.database import is_away
from portal.web.refusals import refusal

logger = logging.getLogger("wayout.database")
UNAVAILABLE, INTERNAL_ERROR = "UNAVAILABLE", "INTERNAL_ERROR"
# What was asked for may have been done, where the database went away before it said so.
AWAY = _("Our data cannot be reached at the moment. Try the same again soon: nothing is done twice.")
UNEXPECTED = _("Something went wrong on our side. Tell us this number: %(id)s")
_RETRY_AFTER = 5  # seconds


def log_away(error: BaseException | None) -> None:
    """One line: where it is, and what it said, is the operator's to look up there. An SQLite has no such place."""
    cause = (error and error.__cause__) or error
    logger.error("the database is away: %s", getattr(cause, "sqlite_errorname", "") or type(cause).__name__)


def ask_again(response: HttpResponseBase) -> HttpResponseBase:
    """Say when."""
    response.status_code = 503
    response.headers["Retry-After"] = str(_RETRY_AFTER)
    return response


def number_of_request() -> str:
    """What finds the request in the log."""
    return str(get_contextvars().get("request_id") or uuid.uuid4().hex)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """What Django answers for an error that nobody handled."""
    error = sys.exc_info()[1]
    if not is_away(error):
        return refusal(request, 500, INTERNAL_ERROR, UNEXPECTED % {"id": number_of_request()})
    log_away(error)
    # Which language they prefer is in the database.
    request.user = AnonymousUser()
    return ask_again(refusal(request, 503, UNAVAILABLE, AWAY))
