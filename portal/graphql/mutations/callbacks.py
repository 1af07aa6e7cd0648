"""Ask for a call, move it, withdraw it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from common.public_ids import Kind, read_id
from desk.errors import WindowNotAvailable
from desk.models import CallbackSource
from desk.services import requests as services
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.callbacks import CallbackRequest, wrap_callback
from portal.graphql.types.problems import InputProblem, NotAvailableProblem


@strawberry.input(description="Who is to be called about what.")
class RequestCallbackInput:
    subscription_id: strawberry.ID = strawberry.field(description="What the call is about.")
    phone: str = strawberry.field(description="With its country code, for example +359 88 812 3456.")
    contact_name: str = strawberry.field(description="Who is to be asked for, at most 200 characters.")
    language: str | None = strawberry.field(
        default=strawberry.UNSET, description="A language's code, for example bg. Null: the request's."
    )
    time_zone: str | None = strawberry.field(default=strawberry.UNSET, description="IANA name. Null: the tenant's.")
    window_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="From callbackWindows; null: as soon as possible."
    )
    note: str | None = strawberry.field(
        default=strawberry.UNSET, description="For the agent, at most 500 characters. Null: none."
    )
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Made by you, at most 255 characters: repeated within 30 days it answers the same request. An open request is updated with or without one.",
    )


@strawberry.input(description="What to change of a request.")
class RescheduleCallbackInput:
    callback_id: strawberry.ID = strawberry.field(description="The request.")
    phone: str | None = strawberry.field(default=strawberry.UNSET, description="Another number. Null: the same.")
    window_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of callbackWindows. Null: as soon as possible, so send the chosen one again to keep it.",
    )


@strawberry.input(description="Which request.")
class WithdrawCallbackInput:
    callback_id: strawberry.ID = strawberry.field(description="The request.")


@strawberry.type(description="It is in the queue.")
class RequestCallbackSuccess:
    callback_request: CallbackRequest = strawberry.field(description="As it is in the queue now.")
    existing: bool = strawberry.field(
        description="True when an open request was already there and was updated instead."
    )


@strawberry.type(description="It is withdrawn.")
class WithdrawCallbackSuccess:
    callback_request: CallbackRequest = strawberry.field(description="The request, closed now.")


RequestCallbackPayload = Annotated[
    RequestCallbackSuccess | NotAvailableProblem | InputProblem,
    strawberry.union("RequestCallbackPayload", description="In the queue; or why not, with what is possible instead."),
]
WithdrawCallbackPayload = Annotated[
    WithdrawCallbackSuccess | InputProblem,
    strawberry.union("WithdrawCallbackPayload", description="Withdrawn; or why not."),
]


@strawberry.type
class CallbackMutation:
    @mutation(
        description="Let us call you: puts one open request per subscription into the staff queue, or updates the open"
        " one."
    )
    def request_callback(
        self,
        info: Info,
        input: RequestCallbackInput,
    ) -> RequestCallbackPayload:
        requested = services.request_callback(
            subscription_id=read_id(Kind.SUBSCRIPTION, input.subscription_id),
            wish=_wish(input, info.context.language),
            idempotency_key=input.idempotency_key or None,
            source=CallbackSource.GRAPHQL,
            **info.context.basics,
        )
        request = wrap_callback(info, requested.request)
        return RequestCallbackSuccess(callback_request=request, existing=requested.existing)

    @mutation(
        description="Another time or number for an open request. A number that is wrong is mended like this, too."
    )
    def reschedule_callback(self, info: Info, input: RescheduleCallbackInput) -> RequestCallbackPayload:
        request = services.reschedule_callback(
            callback_id=read_id(Kind.CALLBACK, input.callback_id),
            phone=input.phone or None,
            window_start=_window_start(input.window_id),
            **info.context.basics,
        )
        return RequestCallbackSuccess(callback_request=wrap_callback(info, request), existing=True)

    @mutation(description="Nobody needs to call any more. Repeating it is harmless.")
    def withdraw_callback(self, info: Info, input: WithdrawCallbackInput) -> WithdrawCallbackPayload:
        request = services.withdraw_callback(
            callback_id=read_id(Kind.CALLBACK, input.callback_id),
            **info.context.basics,
        )
        return WithdrawCallbackSuccess(callback_request=wrap_callback(info, request))


def _wish(input: RequestCallbackInput, language: str) -> services.Wish:
    """What is asked for; in the request's language when nothing is said of that. Raises WindowNotAvailable."""
    return services.Wish(
        phone=input.phone,
        contact_name=input.contact_name,
        language=input.language or language,
        time_zone=input.time_zone or None,
        window_start=_window_start(input.window_id),
        note=input.note or "",
    )


def _window_start(window_id: str | None) -> datetime | None:
    """The start that a window id names; an id that is none is a window that is not available."""
    if not window_id:
        return None
    seconds = read_id(Kind.WINDOW, window_id)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise WindowNotAvailable("windowId") from None
