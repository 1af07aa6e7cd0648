"""Expected failures on the wire: the one mapping from our errors to members of a payload, or to errors[]."""

from __future__ import annotations

import logging
import uuid

from django.conf import settings
from django.utils.translation import gettext as _
from graphql import GraphQLError
from structlog.contextvars import get_contextvars

from portal.graphql.context import Info
from portal.graphql.limits import LimitExceeded
from portal.graphql.timeouts import RequestTimeout
from portal.graphql.types.options import CancellationOptions, CancellationQuote, Verdict
from portal.graphql.types.problems import InputProblem, NotAvailableProblem, ProblemCode, QuoteChangedProblem
from subscriptions import wording
from subscriptions.errors import QuoteChanged, RouteNotAvailable, SubscriptionError
from subscriptions.policy import Mode, Reason, Route

logger = logging.getLogger("wayout.graphql")


def input_problem(error: SubscriptionError) -> InputProblem:
    """The plain form: a code, a sentence, the field."""
    return InputProblem(code=ProblemCode(error.code), message=wording.error_message(error), path=input_path(error))


def quote_problem(error: QuoteChanged, info: Info, subscription_id: int) -> QuoteChangedProblem:
    """What a changed or expired quote gets: the new one, or the reason why there is none."""
    verdict = Verdict.now(info, subscription_id)
    quote = verdict.decision.quote(Mode(str(error.data["mode"])))
    message = wording.error_message(error)
    if quote is None:
        online = verdict.decision.option(Route.CANCEL_ONLINE)
        message = f"{message} {wording.option_message(online, verdict.snapshot, verdict.decision)}"
    return QuoteChangedProblem(
        code=ProblemCode(error.code),
        message=message,
        path=input_path(error),
        quote=CancellationQuote(verdict=verdict, quote=quote) if quote else None,
    )


def problem(error: SubscriptionError, info: Info, subscription_id: int = 0) -> InputProblem | NotAvailableProblem:
    """The form that helps most: a closed route brings the open ones."""
    if not isinstance(error, RouteNotAvailable):
        return input_problem(error)
    verdict = Verdict.now(info, subscription_id or error.subscription_id)
    reason = error.data.get("reason")
    message = wording.error_message(error)
    if isinstance(reason, Reason):
        message = wording.reason_message(reason, verdict.snapshot, verdict.decision)
    return NotAvailableProblem(
        code=ProblemCode(error.code),
        message=message,
        path=input_path(error),
        cancellation_options=CancellationOptions.of(verdict),
    )


def coded(error: GraphQLError) -> GraphQLError:
    """An error of errors[]: with its code; what nobody expected masked, and logged under an id the client sees."""
    cause = error.original_error
    extensions: dict[str, object]
    if isinstance(cause, SubscriptionError):
        message, extensions = wording.error_message(cause), {"code": cause.code, "path": cause.path}
    elif isinstance(cause, RecursionError):
        return coded(LimitExceeded("depth", settings.GRAPHQL_LIMITS["depth"]))
    elif isinstance(cause, RequestTimeout):
        message, extensions = _("This took too long and was stopped. Ask for less."), {"code": "TIMEOUT", "path": []}
    elif cause is None or isinstance(cause, GraphQLError):
        message = error.message
        extensions = dict(error.extensions or {}) or {"code": ProblemCode.INPUT_INVALID.value, "path": []}
    else:
        correlation_id = get_contextvars().get("request_id") or uuid.uuid4().hex
        logger.error("unexpected error %s", correlation_id, exc_info=cause)
        message = _("Something went wrong on our side. Tell us this number: %(id)s") % {"id": correlation_id}
        extensions = {"code": "INTERNAL_ERROR", "correlationId": correlation_id}
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)


def input_path(error: SubscriptionError) -> list[str]:
    """The field as the mutation's arguments name it."""
    return ["input", *error.path] if error.path else []
