"""The verdict on the wire: options, facts, quotes."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from billing import proration
from billing.credit_form import CreditForm
from portal.graphql.access import FIELDS
from portal.graphql.context import Info
from portal.graphql.types.billing import Money
from portal.graphql.types.summary import SubscriptionSummary, subscription_of
from subscriptions.cancellations.signing import quote_id
from subscriptions.messages.quotes import quote_explanation
from subscriptions.messages.routes import headline, option_message
from subscriptions.policy.decision import Option, Reason, Route
from subscriptions.policy.facts import Mode
from subscriptions.policy.quotes import Quote
from tenants import callers
from tenants.callers import ACTING_ROLES, Caller, Scope

_ACTS = {
    Route.CANCEL_ONLINE: Scope.CANCEL,
    Route.UNDO_CANCELLATION: Scope.CANCEL,
    Route.REMOVE_USERS: Scope.REMOVE_USERS,
    Route.REQUEST_CALLBACK: Scope.CALLBACK,
}


@strawberry.type(description="What comes back of one charge. Amounts are with tax, but for refundTax.")
class QuoteLine:
    description: str = strawberry.field(description="What was charged, to show.")
    period_start: datetime = strawberry.field(description="When the period that was charged begins.")
    period_end: datetime = strawberry.field(description="When it ends, exclusive.")
    charged: Money = strawberry.field(description="What was charged.")
    used: Money = strawberry.field(description="What of it is used.")
    refund: Money = strawberry.field(description="What comes back.")
    refund_tax: Money | None = strawberry.field(description="The tax in that.")
    used_units: int = strawberry.field(description="How many units of time are used; prorationConvention says of what.")
    period_units: int = strawberry.field(description="How many units the period has.")
    reason: proration.LineReason | None = strawberry.field(
        description="Why this line gives what it gives, where that is not plain proration."
    )

    @classmethod
    def of(cls, line: proration.Line) -> QuoteLine:
        return cls(
            description=line.description,
            period_start=line.period.start,
            period_end=line.period.end,
            charged=Money(exact=line.charged),
            used=Money(exact=line.used),
            refund=Money(exact=line.refund),
            refund_tax=Money(exact=line.refund_tax) if line.refund_tax.minor_units else None,
            used_units=line.used_units,
            period_units=line.period_units,
            reason=line.line_reason,
        )


@strawberry.type(description="Signed and expiring: cancelSubscription executes it to the cent or refuses.")
class CancellationQuote:
    summary: strawberry.Private[SubscriptionSummary]
    quote: strawberry.Private[Quote]

    @strawberry.field(description="Signed by the server; cancelSubscription takes it for 30 minutes.")
    def id(self) -> strawberry.ID:
        row = self.summary.row
        return strawberry.ID(quote_id(self.quote, tenant_id=row.tenant_id, subscription_id=row.pk))

    @strawberry.field(description="At once, or at the end of the period.")
    def mode(self) -> Mode:
        return self.quote.mode

    @strawberry.field(description="From when time counts as unused: now, or when a call was asked for.")
    def priced_at(self) -> datetime:
        return self.quote.priced_at

    @strawberry.field(description="When cancelSubscription takes it no more.")
    def expires_at(self) -> datetime:
        return self.quote.expires_at

    @strawberry.field(description="When it would take effect if confirmed now.")
    def effective_at(self) -> datetime:
        return self.quote.effective_at

    @strawberry.field(description="IANA name of the zone in which days are counted: the tenant's.")
    def time_zone(self) -> str:
        return self.summary.row.tenant.time_zone

    @strawberry.field(description="One for each charge that is looked at.")
    def lines(self) -> list[QuoteLine]:
        return [QuoteLine.of(line) for line in self.quote.lines]

    @strawberry.field(description="Sum of the lines; null when nothing comes back, and noRefundReason then says why.")
    def refund(self) -> Money | None:
        return Money(exact=self.quote.refund) if self.quote.refund else None

    @strawberry.field(description="Why nothing comes back. Null when something does.")
    def no_refund_reason(self) -> proration.NoRefundReason | None:
        return self.quote.no_refund_reason

    @strawberry.field(description="What becomes of the refund: say it in these words, see rules.md.")
    def credit_form(self) -> CreditForm:
        return self.quote.credit_form

    @strawberry.field(description="In words, for example: 26 of 28 days unused, whole 24-hour days.")
    def explanation(self) -> str:
        return quote_explanation(self.quote, self.summary.snapshot)

    @strawberry.field(description="How time is counted.")
    def proration_convention(self) -> proration.Convention:
        return self.quote.convention

    @strawberry.field(description="End of the next billing cycle: the credit is back by then.")
    def refund_due_by(self) -> date | None:
        return self.quote.refund_due_by

    @strawberry.field(description="Payments still in flight, refunded by themselves when they settle.")
    def pending_charges(self) -> list[Money]:
        return [Money(exact=amount) for amount in self.quote.pending_charges]

    @strawberry.field(description="How many users hold a license that ends.")
    def affected_users(self) -> int:
        return self.quote.affected_users

    @strawberry.field(description="Of those, how many keep the product through another subscription.")
    def users_still_covered(self) -> int:
        return self.quote.users_still_covered

    @strawberry.field(description="When users lose access.")
    def access_ends_at(self) -> datetime:
        return self.quote.access_ends_at

    @strawberry.field(description="Until when admins still reach the data.")
    def data_available_until(self) -> datetime:
        return self.quote.data_available_until

    @strawberry.field(description="By when the data is gone for good.")
    def data_erased_by(self) -> datetime:
        return self.quote.data_erased_by

    @strawberry.field(description="Until when it could be undone. Null where it could not.")
    def undo_until(self) -> datetime | None:
        return self.quote.undo_until


@strawberry.type(description="One way to leave, open or not. All six are always listed.")
class CancellationOption:
    summary: strawberry.Private[SubscriptionSummary]
    option: strawberry.Private[Option]
    # Plain attributes: a resolver costs several times what graphql-core spends on a field, and lists have many.
    route: Route = strawberry.field(description="Which way.")
    available: bool = strawberry.field(description="Whether it is open now.")
    reason: Reason = strawberry.field(description="Stable machine code of the rule that decided.")

    @strawberry.field(
        description="One sentence for people, in the request's language: what it does, or why it is closed: often the rule that decided, alike for several."
    )
    def message(self) -> str:
        return option_message(self.option, self.summary.snapshot, self.summary.decision)

    users_to_remove: int | None = strawberry.field(
        description="REMOVE_USERS: how many users must lose their license before CANCEL_ONLINE opens."
    )

    @classmethod
    def of(cls, summary: SubscriptionSummary, option: Option) -> CancellationOption:
        return cls(
            summary=summary,
            option=option,
            route=option.route,
            available=option.available,
            reason=option.reason,
            users_to_remove=option.users_to_remove,
        )

    @strawberry.field(
        description="CANCEL_ONLINE: one per mode on offer. Null, with NOT_PERMITTED in errors, for a token that may"
        " not quote."
    )
    def quotes(self, info: Info) -> list[CancellationQuote] | None:
        # Of what only would be, nothing could be confirmed.
        if self.option.route is not Route.CANCEL_ONLINE or self.summary.real is not self.summary:
            return None
        FIELDS["CancellationOption.quotes"].require(info.context.caller, self.summary.row.tenant_id)
        self.summary.batch.require_whole(self.summary.row.pk)
        return [CancellationQuote(summary=self.summary, quote=quote) for quote in self.summary.decision.quotes]


@strawberry.type(description="What the policy looked at, so that a person can check the verdict.")
class CancellationFacts:
    is_trial: bool = strawberry.field(description="Whether it is a trial.")
    has_payment_method: bool | None = strawberry.field(description="Null: nobody knows.")
    purchased_licenses: int = strawberry.field(description="How many licenses were bought.")
    assigned_licenses: int = strawberry.field(
        description="How many users hold one, each counted once; deleted users do not count."
    )
    group_assigned_licenses: int = strawberry.field(description="Of those, how many have it by a group.")
    pending_removals: int = strawberry.field(
        description="Asked of the directory and not confirmed: still counted in assignedLicenses, unless the policy trusts them."
    )
    online_license_limit: int = strawberry.field(
        description="The number of assigned licenses at which canceling online closes: 25, unless staff set another."
    )
    limit_is_inclusive: bool = strawberry.field(
        description="Whether exactly the limit still cancels online. False: there must be fewer."
    )
    policy_name: str = strawberry.field(description="The policy that decided, by its name.")
    policy_version: int = strawberry.field(description="Its version; a changed policy is a new version.")


@strawberry.type(description="How a subscription can be canceled, decided at one instant.")
class CancellationOptions:
    summary: strawberry.Private[SubscriptionSummary]

    subscription = strawberry.field(resolver=subscription_of, description="What it is about.")

    route: Route = strawberry.field(description="The route to show first.")

    @strawberry.field(description="One sentence for people, in the request's language.")
    def headline(self) -> str:
        return headline(self.summary.snapshot, self.summary.decision)

    options: list[CancellationOption] = strawberry.field(
        description="Every route, in the order to show them, the unavailable ones with their reason."
    )

    @classmethod
    def of(cls, summary: SubscriptionSummary) -> CancellationOptions:
        options = [CancellationOption.of(summary, option) for option in summary.decision.options]
        return cls(summary=summary, route=summary.decision.route, options=options)

    @strawberry.field(
        description="False when the caller's role or scopes forbid acting; eligibleRoles then says who can."
    )
    def can_act(self, info: Info) -> bool:
        return _can_act(info.context.caller, self.summary)

    @strawberry.field(description="The roles that may act.")
    def eligible_roles(self) -> list[callers.Role]:
        return list(ACTING_ROLES)

    @strawberry.field(description="What was counted.")
    def facts(self) -> CancellationFacts:
        snapshot = self.summary.snapshot
        return CancellationFacts(
            is_trial=self.summary.decision.is_trial,
            has_payment_method=snapshot.has_payment_method,
            purchased_licenses=snapshot.purchased,
            assigned_licenses=snapshot.assigned,
            group_assigned_licenses=snapshot.by_group,
            pending_removals=snapshot.pending,
            online_license_limit=snapshot.policy.online_license_limit,
            limit_is_inclusive=snapshot.policy.limit_is_inclusive,
            policy_name=snapshot.policy.name,
            policy_version=snapshot.policy.version,
        )

    @strawberry.field(description="The instant for which all of this is true.")
    def decided_at(self) -> datetime:
        return self.summary.decision.decided_at


def _can_act(caller: Caller, summary: SubscriptionSummary) -> bool:
    """A person by role; a token by the scopes of what is open now (of anything, where nothing is)."""
    tenant_id = summary.row.tenant_id
    if caller.is_person:
        return caller.may(Scope.CANCEL, tenant_id)
    acts = {_ACTS[option.route] for option in summary.decision.options if option.available and option.route in _ACTS}
    return any(caller.may(scope, tenant_id) for scope in acts or set(_ACTS.values()))
