"""The feed of events, on the wire."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import strawberry
from django.db.models import QuerySet

from portal.graphql.types.connections import Page, PageInfo, make_cursor, read_cursor
from portal.graphql.types.enums import WebhookEventType
from webhooks import models
from webhooks.deliveries import message_of
from webhooks.feed import events_after, last_position


@strawberry.type(description="One thing that happened, as it was then: ids, states and amounts, no people.")
class Event:
    row: strawberry.Private[models.Event]

    @strawberry.field(description="The same as the Webhook-Id of its webhooks: who takes both knows each event once.")
    def id(self) -> strawberry.ID:  # no Node: it is of the feed
        return strawberry.ID(self.row.message_id)

    @strawberry.field(description="What happened.")
    def type(self) -> WebhookEventType:
        return WebhookEventType(self.row.type)

    @strawberry.field(description="When it happened. The feed is in the order of commits, which may differ a little.")
    def at(self) -> datetime:
        return self.row.at

    @strawberry.field(description="Counts the events of its subscription: ignore a lower one than you have.")
    def version(self) -> int:
        return self.row.version

    @strawberry.field(description="The same JSON as a webhook carries.")
    def payload(self) -> str:
        return message_of(self.row)


@strawberry.type(description="One event of a page.")
class EventEdge:
    node: Event = strawberry.field(description="The event.")
    cursor: str = strawberry.field(description="For after, for as long as nothing that followed was dropped.")


@strawberry.type(description="A page of the feed, the oldest first.")
class EventConnection:
    edges: list[EventEdge] = strawberry.field(description="The events of this page.")
    page_info: PageInfo = strawberry.field(
        description="How to go on. On an empty page endCursor is the end of the feed, so that who filters keeps up with it."
    )


def event_page(
    rows: QuerySet[models.Event], types: Collection[WebhookEventType], first: int, after: str | None
) -> EventConnection:
    """These rows after a cursor. At most four queries, and a few where something waited for its position.

    Raises CursorExpired, InputInvalid.
    """
    position = read_cursor(after, 1)[0] if after else None
    if types:
        rows = rows.filter(type__in=types)
    last = last_position()
    page = Page(lambda limit: events_after(position, rows, limit), first, after=position is not None)
    cursors = [make_cursor(row.position or 0) for row in page.rows]
    info = page.info(cursors)
    info.end_cursor = info.end_cursor or make_cursor(last)
    return EventConnection(
        edges=[EventEdge(node=Event(row=row), cursor=cursor) for row, cursor in zip(page.rows, cursors, strict=True)],
        page_info=info,
    )
