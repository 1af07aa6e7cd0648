"""Expected failures on the wire: the one mapping from our errors to members of a payload, or to errors[]."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TypedDict

from django.conf import settings
from django.utils.translation import gettext as _
from graphql import GraphQLError

from common.database import is_away
from common.errors import ExpectedError, InputInvalid, RateLimited
from common.messages import error_message
from common.public_ids import Kind, read_id
from portal.graphql.context import Info
from portal.graphql.limits import LimitExceeded
from portal.graphql.timeouts import RequestTimeout
from portal.graphql.types.options import CancellationOptions, CancellationQuote
from portal.graphql.types.problems import InputProblem, NotAvailableProblem, Problem, ProblemCode, QuoteChangedProblem
from portal.graphql.types.summary import SubscriptionSummary
from portal.web.outages import AWAY, INTERNAL_ERROR, UNAVAILABLE, UNEXPECTED, log_away, number_of_request
from subscriptions.errors import QuoteChanged, RouteNotAvailable, SyncRunning
from subscriptions.messages.routes import option_message, reason_message
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Mode
from tenants.requests import RETRY_AFTER

logger = logging.getLogger("wayout.graphql")


class _Plain(TypedDict):
    code: ProblemCode
    message: str
    path: list[str]


def as_problem(error: ExpectedError, info: Info, given: object, members: Collection[type]) -> Problem:
    """The error in the form that helps most, of those in ``members``: a closed route brings the open ones.

    ``given`` is the mutation's input; it names the subscription where the error does not.
    """
    if isinstance(error, RateLimited | SyncRunning):
        info.context.request.META[RETRY_AFTER] = error.retry_after
    subscription_id = read_id(Kind.SUBSCRIPTION, getattr(given, "subscription_id", ""))
    if isinstance(error, QuoteChanged) and QuoteChangedProblem in members:
        return _quote_changed(error, SubscriptionSummary.now(info, subscription_id))
    if isinstance(error, RouteNotAvailable) and NotAvailableProblem in members:
        return _not_available(error, SubscriptionSummary.now(info, subscription_id or error.subscription_id))
    return InputProblem(**_plain(error))


def _plain(error: ExpectedError) -> _Plain:
    """A code, a sentence, and the field as the mutation's arguments name it."""
    path = ["input", *error.path] if error.path else []
    return _Plain(code=ProblemCode(error.code), message=error_message(error), path=path)


def _quote_changed(error: QuoteChanged, summary: SubscriptionSummary) -> QuoteChangedProblem:
    """The new quote, or the reason why there is none."""
    plain = _plain(error)
    quote = summary.decision.quote(Mode(error.mode))
    if quote is None:
        online = summary.decision.option(Route.CANCEL_ONLINE)
        plain["message"] += f" {option_message(online, summary.snapshot, summary.decision)}"
    return QuoteChangedProblem(**plain, quote=CancellationQuote(summary=summary, quote=quote) if quote else None)


def _not_available(error: RouteNotAvailable, summary: SubscriptionSummary) -> NotAvailableProblem:
    """What is open instead."""
    plain = _plain(error)
    if error.reason:
        plain["message"] = reason_message(Reason(error.reason), summary.snapshot, summary.decision)
    return NotAvailableProblem(**plain, cancellation_options=CancellationOptions.of(summary))


def coded(error: GraphQLError) -> GraphQLError:
    """An error of errors[]: with its code; what nobody expected masked, and logged under an id the client sees."""
    cause = error.original_error
    extensions: dict[str, object]
    if isinstance(cause, ExpectedError):
        message, extensions = error_message(cause), {"code": cause.code, "path": cause.path}
    elif isinstance(cause, RecursionError):
        return coded(LimitExceeded("depth", settings.GRAPHQL_LIMITS["depth"]))
    elif isinstance(cause, RequestTimeout):
        message, extensions = _("This took too long and was stopped. Ask for less."), {"code": "TIMEOUT", "path": []}
    elif is_away(cause):
        log_away(cause)
        message, extensions = str(AWAY), {"code": UNAVAILABLE, "path": []}
    elif cause is None or isinstance(cause, GraphQLError):
        message = error.message
        extensions = dict(error.extensions or {}) or {"code": InputInvalid.code, "path": []}
    else:
        number = number_of_request()
        logger.error("unexpected error %s", number, exc_info=cause)
        message, extensions = UNEXPECTED % {"id": number}, {"code": INTERNAL_ERROR, "correlationId": number}
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)
