"""Subscriptions on the wire: one, and the list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

import strawberry

from common.public_ids import Kind
from portal.graphql.context import Info
from portal.graphql.types.billing import Money
from portal.graphql.types.callbacks import CallbackRequest
from portal.graphql.types.cancellations import Cancellation
from portal.graphql.types.connections import After, First, Page, PageInfo, make_cursor, read_cursor
from portal.graphql.types.licenses import LicenseConnection, license_page
from portal.graphql.types.node import Node, make_id
from portal.graphql.types.options import CancellationOptions
from portal.graphql.types.summary import SubscriptionSummary
from portal.graphql.types.viewer import Tenant
from subscriptions.messages.routes import conversion_amount
from subscriptions.policy.decision import Reason
from subscriptions.policy.facts import Channel, Status
from subscriptions.policy.status import is_in_service
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.lists import Listing


@strawberry.type(description="What follows a trial.")
class TrialConversion:
    at: datetime = strawberry.field(description="When it turns into a subscription that costs.")
    amount: Money | None = strawberry.field(description="What a period then costs. Null: unknown.")


@strawberry.type(description="Whom to turn to.")
class Contact:
    name: str = strawberry.field(description="To show. Where nobody gave one, the first of the others that is there.")
    url: str | None = strawberry.field(description="A page for people, http or https. Null: unknown.")
    email: str | None = strawberry.field(description="Where they read mail. Null: unknown.")
    phone: str | None = strawberry.field(description="As it was given, to show. Null: unknown.")


@strawberry.type(
    description="What a tenant bought. Not named Subscription: without a schema definition, readers of the SDL take"
    " that type for the subscription root."
)
class ProductSubscription(Node):
    summary: strawberry.Private[SubscriptionSummary]
    # What the row says is a plain attribute, what has to be found out a resolver: see CancellationOption.
    id: strawberry.ID = strawberry.field(description="Opaque; stays the same for as long as the subscription exists.")
    tenant: Tenant = strawberry.field(description="Whose it is.")
    external_id: str | None = strawberry.field(
        description="What the host calls it, one of its kind in the tenant. Null when no system of record named it."
    )
    name: str = strawberry.field(description="Of the product, to show.")
    plan: str = strawberry.field(
        description="Under which terms it was bought, as the system of record names them; the product's name where it names none."
    )

    @classmethod
    def of(cls, summary: SubscriptionSummary) -> ProductSubscription:
        row = summary.row
        return cls(
            summary=summary,
            id=make_id(Kind.SUBSCRIPTION, row.pk),
            tenant=cast(Tenant, row.tenant),
            external_id=row.external_id or None,
            name=row.plan.display_name,
            plan=row.plan_name or row.plan.display_name,
            channel=Channel(row.channel),
            partner_name=row.partner_name or None,
            purchased_licenses=row.purchased_licenses,
            term_months=row.term_months,
            shares_licenses=row.shares_licenses,
        )

    @strawberry.field(description="Where it is in its life, now.")
    def status(self) -> Status:
        return self.summary.decision.status

    @strawberry.field(description="Whether it is a trial.")
    def is_trial(self) -> bool:
        return self.summary.decision.is_trial

    @strawberry.field(description="Set on a trial that converts: when, and what it would then cost, if known.")
    def trial_conversion(self) -> TrialConversion | None:
        decision, snapshot = self.summary.decision, self.summary.snapshot
        if decision.reason is not Reason.TRIAL_CONVERTS or decision.period is None:
            return None
        amount = conversion_amount(snapshot)
        return TrialConversion(at=decision.period.end, amount=Money(exact=amount) if amount else None)

    channel: Channel = strawberry.field(description="Who sold it.")
    partner_name: str | None = strawberry.field(
        description="The partner who sold it. Null where no partner did, or nobody knows the name."
    )

    @strawberry.field(description="Who sold it, where a partner did.")
    def partner(self) -> Contact | None:
        row = self.summary.row
        known = [row.partner_name, row.partner_email, row.partner_url, row.partner_phone]
        if row.channel != Channel.PARTNER or not any(known):
            return None
        return Contact(
            name=next(filter(None, known)),
            url=row.partner_url or None,
            email=row.partner_email or None,
            phone=row.partner_phone or None,
        )

    purchased_licenses: int = strawberry.field(description="How many licenses were bought.")

    @strawberry.field(description="Distinct users holding a license of this subscription, soft-deleted users left out.")
    def assigned_licenses(self) -> int:
        return self.summary.batch.counts[self.summary.row.pk].assigned

    @strawberry.field(description="Removals asked of the directory that it has not confirmed.")
    def pending_removals(self) -> int:
        return self.summary.batch.counts[self.summary.row.pk].pending

    @strawberry.field(description="Purchased and not assigned; never negative.")
    def unused_licenses(self) -> int:
        assigned = self.summary.batch.counts[self.summary.row.pk].assigned
        return max(0, self.summary.row.purchased_licenses - assigned)

    @strawberry.field(description="Assigned beyond what was purchased; never negative.")
    def over_assigned_licenses(self) -> int:
        assigned = self.summary.batch.counts[self.summary.row.pk].assigned
        return max(0, assigned - self.summary.row.purchased_licenses)

    @strawberry.field(description="Null when the import did not say.")
    def current_period_start(self) -> datetime | None:
        period = self.summary.decision.period
        return period.start if period else None

    @strawberry.field(description="When the period that is running ends, exclusive. Null when the import did not say.")
    def current_period_end(self) -> datetime | None:
        period = self.summary.decision.period
        return period.end if period else None

    term_months: int | None = strawberry.field(description="How long a term is, in months. Null: unknown.")

    @strawberry.field(description="Whether it renews by itself when the period ends.")
    def recurring_billing(self) -> bool:
        row = self.summary.row
        return row.renews and row.canceled_mode is None and is_in_service(self.summary.decision.status)

    shares_licenses: bool = strawberry.field(
        description="SKU shared with other live subscriptions: every holder counts for each."
    )

    @strawberry.field(description="The latest one, also when undone.")
    def cancellation(self) -> Cancellation | None:
        row = self.summary.batch.cancellations.get(self.summary.row.pk)
        return Cancellation(row=row, summary=self.summary) if row else None

    @strawberry.field(description="The request for a call that is open. Null: none is.")
    def open_callback(self) -> CallbackRequest | None:
        row = self.summary.calls.open(self.summary.row.pk)
        return CallbackRequest(row=row, summary=self.summary) if row else None

    @strawberry.field(description="The latest request for a call, open or not. Null: there never was one.")
    def latest_callback(self) -> CallbackRequest | None:
        row = self.summary.calls.latest(self.summary.row.pk)
        return CallbackRequest(row=row, summary=self.summary) if row else None

    @strawberry.field(description="How it can be canceled now.")
    def cancellation_options(self) -> CancellationOptions:
        return CancellationOptions.of(self.summary)

    @strawberry.field(description="Least recently active first.")
    def licenses(
        self,
        info: Info,
        first: First = 20,
        after: After = strawberry.UNSET,
        search: Annotated[
            str | None,
            strawberry.argument(
                description="A part of a name or sign-in name, or a whole external id; at most 200 characters. Null: everybody."
            ),
        ] = strawberry.UNSET,
    ) -> LicenseConnection:
        return license_page(info.context.caller, self.summary.row, first, after or None, search or None)


@strawberry.type(description="One subscription of a page.")
class SubscriptionEdge:
    node: ProductSubscription = strawberry.field(description="The subscription.")
    cursor: str = strawberry.field(description="For after.")


@strawberry.type(description="A page of subscriptions.")
class SubscriptionConnection:
    listing: strawberry.Private[Listing]
    edges: list[SubscriptionEdge] = strawberry.field(description="The subscriptions of this page.")
    page_info: PageInfo = strawberry.field(description="How to go on.")

    @strawberry.field(description="How many there are on all pages.")
    def total_count(self) -> int:
        return self.listing.count()


def find_subscription(info: Info, subscription_id: int) -> ProductSubscription | None:
    """The subscription with its verdict as of now, or None when the caller sees no such one."""
    batch = SubscriptionBatch.find(info.context.caller, subscription_id, info.context.now)
    return ProductSubscription.of(SubscriptionSummary(batch.rows[0], batch)) if batch else None


def subscription_page(listing: Listing, first: int, after: str | None, now: datetime) -> SubscriptionConnection:
    """A page of the listing, newest first. Raises InputInvalid."""
    before = read_cursor(after, 1)[0] if after else None
    page = Page(lambda limit: listing.newest(before, limit), first, after=bool(after))
    batch = SubscriptionBatch(page.rows, now)
    cursors = [make_cursor(row.pk) for row in page.rows]
    return SubscriptionConnection(
        listing=listing,
        edges=[
            SubscriptionEdge(node=ProductSubscription.of(summary), cursor=cursor)
            for summary, cursor in zip(SubscriptionSummary.page(batch), cursors, strict=True)
        ],
        page_info=page.info(cursors),
    )
