"""What can be asked: each query reads what it is given, and finds. Who may ask is in access.py."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, cast

import strawberry

from common.errors import NotFound, NumberOutOfRange, TooManyValues
from common.public_ids import Kind, read_id, split_id
from desk.selectors import open_windows
from desk.services.times import read_time_zone
from portal.graphql.context import Info
from portal.graphql.fields import query
from portal.graphql.nodes import find_nodes
from portal.graphql.types.callbacks import CallbackRequest, CallbackWindow, find_callback
from portal.graphql.types.connections import After, First, read_search
from portal.graphql.types.enums import WebhookEventType
from portal.graphql.types.events import EventConnection, event_page
from portal.graphql.types.licenses import DirectoryUser
from portal.graphql.types.node import Node
from portal.graphql.types.options import CancellationOptions
from portal.graphql.types.removals import RemovalRequest
from portal.graphql.types.subscriptions import (
    ProductSubscription,
    SubscriptionConnection,
    find_subscription,
    subscription_page,
)
from portal.graphql.types.viewer import Tenant, Viewer
from portal.graphql.types.webhooks import Webhook
from subscriptions import models
from subscriptions.policy.facts import Status
from subscriptions.selectors.external_ids import find_subscription_id, find_tenant, find_user
from subscriptions.selectors.lists import Listing, visible
from tenants import models as tenant_models
from tenants.callers import Caller
from webhooks import models as webhook_models
from webhooks.endpoints import MAX_ENDPOINTS, with_waiting

_MAX_DAYS = 30
ExternalId = Annotated[str, strawberry.argument(description="What the host calls it, letter by letter.")]
TenantExternalId = Annotated[
    str | None,
    strawberry.argument(
        description="What the host calls the tenant. INPUT_INVALID without it where several of the caller's tenants have such a one."
    ),
]


@strawberry.type(description="What can be asked. What a caller cannot see is null, like what is not there.")
class Query:
    @query(
        description="Who is calling: a signed-in person or a partner token, with the tenants and the role or scopes"
        " it has."
    )
    def viewer(self, info: Info) -> Viewer:
        return Viewer(caller=info.context.caller)

    @query(description="Subscriptions the caller may see, newest first. first is 1..100.")
    def subscriptions(
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        tenant_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Of this tenant alone. Null: of all that the caller sees."),
        ] = strawberry.UNSET,
        status: Annotated[
            list[Status] | None, strawberry.argument(description="With one of these. Null or empty: whatever it is.")
        ] = strawberry.UNSET,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="A part of the name of the product or the tenant, or a whole external id of either; at most 200 characters. Null: all."
            ),
        ] = strawberry.UNSET,
    ) -> SubscriptionConnection:
        caller, now = info.context.caller, info.context.now
        tenants = _tenants(caller, tenant_id or None)
        if status and len(status) > len(Status):
            raise TooManyValues("status", limit=len(Status))
        listing = Listing(tenants, status or (), read_search(search or None), now)
        return subscription_page(listing, first, after or None, now)

    @query(description="One subscription. Null for one that is not there or not the caller's.")
    def subscription(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of the subscription.")]
    ) -> ProductSubscription | None:
        return find_subscription(info, read_id(Kind.SUBSCRIPTION, id))

    @query(description="From the host's id; tenantExternalId where a token sees more than one tenant.")
    def subscription_by_external_id(
        self, info: Info, external_id: ExternalId, tenant_external_id: TenantExternalId = strawberry.UNSET
    ) -> ProductSubscription | None:
        found = find_subscription_id(info.context.caller, external_id, tenant_external_id)
        return find_subscription(info, found) if found else None

    @query(description="A tenant from the host's id. Null for one that is not there or not the caller's.")
    def tenant_by_external_id(self, info: Info, external_id: ExternalId) -> Tenant | None:
        return cast(Tenant | None, find_tenant(info.context.caller, external_id))

    @query(description="Somebody in a directory from the host's id. Null like any other, and once they are deleted.")
    def user_by_external_id(
        self, info: Info, external_id: ExternalId, tenant_external_id: TenantExternalId = strawberry.UNSET
    ) -> DirectoryUser | None:
        row = find_user(info.context.caller, external_id, tenant_external_id)
        return DirectoryUser(row=row) if row else None

    @query(description="How this subscription can be canceled now, by whom, and what it would give back.")
    def cancellation_options(
        self,
        info: Info,
        subscription_id: Annotated[strawberry.ID, strawberry.argument(description="What is to be left.")],
    ) -> CancellationOptions | None:
        found = find_subscription(info, read_id(Kind.SUBSCRIPTION, subscription_id))
        return CancellationOptions.of(found.summary) if found else None

    @query(description="One request for a call. Null for one that is not there or not the caller's.")
    def callback_request(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of the request.")]
    ) -> CallbackRequest | None:
        return find_callback(info, read_id(Kind.CALLBACK, id))

    @query(description="Follow a removal.")
    def removal_request(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of the request.")]
    ) -> RemovalRequest | None:
        number = read_id(Kind.REMOVAL_REQUEST, id)
        found: RemovalRequest | None = find_nodes(info, Kind.REMOVAL_REQUEST, [number]).get(number)
        return found

    @query(
        description="Windows in which support can call: inside the desk's business hours and 09:00-19:00 of timeZone,"
        " with capacity left."
    )
    def callback_windows(
        self,
        info: Info,
        subscription_id: Annotated[strawberry.ID, strawberry.argument(description="What the call is about.")],
        time_zone: Annotated[
            str,
            strawberry.argument(
                description="IANA name of the zone in which the customer is, for example Europe/Sofia."
            ),
        ],
        days: Annotated[int, strawberry.argument(description="How many days ahead, 1 to 30.")] = 5,
    ) -> list[CallbackWindow] | None:
        caller = info.context.caller
        if not 1 <= days <= _MAX_DAYS:
            raise NumberOutOfRange("days", least=1, limit=_MAX_DAYS)
        zone = read_time_zone(time_zone, "timeZone")
        rows = visible(models.Subscription.objects.all(), caller)
        if not rows.filter(pk=read_id(Kind.SUBSCRIPTION, subscription_id)).exists():
            return None
        found = open_windows(zone, info.context.now, days)
        return [CallbackWindow(begins=window.start, ends=window.end, zone=zone) for window in found]

    @query(description="Of the calling partner: at most ten. Rotating the token changes nothing of them.")
    def webhooks(self, info: Info) -> list[Webhook]:
        own = webhook_models.Endpoint.objects.filter(partner=info.context.caller.partner)
        return [Webhook(row=row) for row in with_waiting(own).order_by("pk")[:MAX_ENDPOINTS]]

    @query(
        description="Everything that happened, in the order of the feed, kept 30 days whether or not anyone listened. Scope EVENTS."
    )
    def events(
        self,
        info: Info,
        after: After = strawberry.UNSET,
        first: First = 100,
        types: Annotated[
            list[WebhookEventType] | None,
            strawberry.argument(description="Only these. Null or empty: all, also those that are yet to come."),
        ] = strawberry.UNSET,
        tenant_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Of this tenant alone. Null: of all that the token sees."),
        ] = strawberry.UNSET,
    ) -> EventConnection:
        caller = info.context.caller
        if types and len(types) > len(WebhookEventType):
            raise TooManyValues("types", limit=len(WebhookEventType))
        rows = visible(webhook_models.Event.objects.all(), caller)
        if tenant_id:
            rows = rows.filter(tenant__in=_tenants(caller, tenant_id) or ())
        return event_page(rows, types or (), first, after or None)

    @query(description="Whatever has this id. Null for what is not there or not the caller's.")
    def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of any type that is a Node.")]
    ) -> Node | None:
        found = split_id(id)
        return find_nodes(info, found[0], [found[1]]).get(found[1]) if found else None


def _tenants(caller: Caller, tenant_id: str | None) -> Collection[int] | None:
    """The one that is named, or those that the caller sees; None: all there are. Raises NotFound for one that it does not see."""
    if tenant_id is None:
        return None if caller.reaches_all else caller.visible_tenant_ids
    number = read_id(Kind.TENANT, tenant_id)
    if not caller.sees(number) or (caller.reaches_all and not tenant_models.Tenant.objects.filter(pk=number).exists()):
        raise NotFound("tenantId")
    return [number]
