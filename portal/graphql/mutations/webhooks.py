"""Register addresses that events are sent to, test and remove them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from common.errors import EmailInvalid, NotFound
from common.public_ids import Kind, read_id
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.enums import WebhookEventType
from portal.graphql.types.problems import InputProblem
from portal.graphql.types.webhooks import Webhook
from subscriptions.inputs import clean_text
from webhooks import endpoints as services
from webhooks.models import Endpoint

_LONGEST_URL = 500


@strawberry.input(description="Where events are to go.")
class RegisterWebhookInput:
    url: str = strawberry.field(description="https, of a host on the open internet; no redirects are followed.")
    events: list[WebhookEventType] = strawberry.field(default_factory=list, description="Empty: all of them.")
    contact_email: str | None = strawberry.field(
        default=strawberry.UNSET, description="Who hears when events are not sent any more."
    )


@strawberry.input(description="Which webhook.")
class WebhookInput:
    webhook_id: strawberry.ID = strawberry.field(description="From registerWebhook or webhooks.")


@strawberry.input(description="What to send again.")
class ReplayWebhookInput:
    webhook_id: strawberry.ID = strawberry.field(description="To this webhook.")
    since: datetime | None = strawberry.field(
        default=strawberry.UNSET,
        description="Also what did arrive since then, at most 30 days ago. Null: only what did not.",
    )


@strawberry.type(description="It is registered.")
class RegisterWebhookSuccess:
    webhook: Webhook = strawberry.field(description="As it is registered now.")
    secret: str | None = strawberry.field(
        description="Shown this once. Null when the address was registered before: it was changed; rotate for a secret."
    )


@strawberry.type(description="It is rotated.")
class RotateWebhookSecretSuccess:
    webhook: Webhook = strawberry.field(description="Unchanged, but for its secret.")
    secret: str = strawberry.field(description="Shown this once. The old one signs along for 24 hours.")


@strawberry.type(description="One signed event of type webhook.test was sent.")
class TestWebhookSuccess:
    webhook: Webhook = strawberry.field(description="As it stands after the attempt.")
    arrived: bool = strawberry.field(description="Whether the receiver answered 2xx.")
    status: int | None = strawberry.field(description="The HTTP status of the answer; null when there was none.")
    problem: str | None = strawberry.field(
        description="Null when it arrived. Else HTTP and its status, TIMEOUT, NO_CONNECTION, TLS, PRIVATE for an address that is not public, or STILL_WAITING."
    )


@strawberry.type(description="It is being sent.")
class ReplayWebhookSuccess:
    webhook: Webhook = strawberry.field(description="The webhook, which is enabled again.")
    events: int = strawberry.field(description="How many are sent now.")


@strawberry.type(description="It is removed.")
class RemoveWebhookSuccess:
    webhook_id: strawberry.ID = strawberry.field(description="Of what was removed.")


RegisterWebhookPayload = Annotated[
    RegisterWebhookSuccess | InputProblem,
    strawberry.union("RegisterWebhookPayload", description="Registered; or why not."),
]
RotateWebhookSecretPayload = Annotated[
    RotateWebhookSecretSuccess | InputProblem,
    strawberry.union("RotateWebhookSecretPayload", description="Rotated; or why not."),
]
TestWebhookPayload = Annotated[
    TestWebhookSuccess | InputProblem, strawberry.union("TestWebhookPayload", description="Sent; or why not.")
]
ReplayWebhookPayload = Annotated[
    ReplayWebhookSuccess | InputProblem, strawberry.union("ReplayWebhookPayload", description="Being sent; or why not.")
]
RemoveWebhookPayload = Annotated[
    RemoveWebhookSuccess | InputProblem, strawberry.union("RemoveWebhookPayload", description="Removed; or why not.")
]


@strawberry.type
class WebhookMutation:
    @mutation(description="Have events sent to an address. Repeating it changes the one that is there.")
    def register_webhook(self, info: Info, input: RegisterWebhookInput) -> RegisterWebhookPayload:
        endpoint, secret = services.register(
            partner=info.context.caller.partner,
            url=clean_text(input.url, "url", limit=_LONGEST_URL, required=True),
            events=input.events,
            contact_email=_address(input.contact_email or ""),
            **info.context.basics,
        )
        return RegisterWebhookSuccess(webhook=_shown(endpoint), secret=secret)

    @mutation(description="A new secret for a webhook; the old one signs along for 24 hours.")
    def rotate_webhook_secret(self, info: Info, input: WebhookInput) -> RotateWebhookSecretPayload:
        endpoint = _endpoint(info, input.webhook_id)
        secret = services.rotate_secret(endpoint=endpoint, caller=info.context.caller, now=info.context.now)
        return RotateWebhookSecretSuccess(webhook=_shown(endpoint), secret=secret)

    @mutation(
        description="Sends webhook.test now and waits a second at most. Then problem is STILL_WAITING, and the result follows in lastProblem and lastDeliveredAt."
    )
    def test_webhook(self, info: Info, input: WebhookInput) -> TestWebhookPayload:
        endpoint = _endpoint(info, input.webhook_id)
        answer = services.test(endpoint=endpoint, caller=info.context.caller, now=info.context.now)
        return TestWebhookSuccess(
            webhook=_shown(endpoint), arrived=answer.arrived, status=answer.status, problem=answer.problem or None
        )

    @mutation(description="Goes on with one that failed or was disabled, and sends again.")
    def replay_webhook(
        self,
        info: Info,
        input: ReplayWebhookInput,
    ) -> ReplayWebhookPayload:
        endpoint = _endpoint(info, input.webhook_id)
        count = services.resume(
            endpoint=endpoint, since=input.since or None, caller=info.context.caller, now=info.context.now
        )
        return ReplayWebhookSuccess(webhook=_shown(endpoint), events=count)

    @mutation(description="Nothing is sent there any more, and what waits is forgotten.")
    def remove_webhook(self, info: Info, input: WebhookInput) -> RemoveWebhookPayload:
        endpoint = _endpoint(info, input.webhook_id)
        services.remove(endpoint=endpoint, caller=info.context.caller, now=info.context.now)
        return RemoveWebhookSuccess(webhook_id=input.webhook_id)


def _endpoint(info: Info, webhook_id: str) -> Endpoint:
    """The partner's own. Raises NotFound for any other."""
    rows = Endpoint.objects.filter(partner=info.context.caller.partner)
    endpoint = rows.filter(pk=read_id(Kind.WEBHOOK, webhook_id)).first()
    if endpoint is None:
        raise NotFound("webhookId")
    return endpoint


def _shown(endpoint: Endpoint) -> Webhook:
    return Webhook(row=services.with_waiting(Endpoint.objects.filter(pk=endpoint.pk)).get())


def _address(text: str) -> str:
    email = clean_text(text, "contactEmail", limit=254)
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise EmailInvalid("contactEmail") from None
    return email
