"""What our enums are called in the API, and what their values mean there.

All in one place that is read before any type: a type that mentions an enum first would give it a name of its own.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING

import strawberry

from billing.credit_form import CreditForm
from billing.models import RefundStatus
from billing.proration import Convention, LineReason, NoRefundReason
from desk.codes import CallbackStatus, CloseReason
from subscriptions.carriers.base import RefusalReason
from subscriptions.directory.licenses import RemovalOutcome
from subscriptions.models.cancellations import CancellationStatus, Feedback
from subscriptions.models.removals import RemovalStatus
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Channel, Mode, Status
from tenants.callers import Role, Scope
from webhooks.kinds import known_kinds


def _declare(enum: type[Enum], name: str, description: str, **values: str) -> None:
    """Give an enum of the apps its name in the API, and each of its values a meaning."""
    strawberry.enum(enum, name=name, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_declare(
    Route,
    "CancellationRoute",
    "A way to leave a subscription.",
    NOTHING_TO_CANCEL="It ends by itself, or has ended.",
    CANCEL_ONLINE="Confirm a quote.",
    REMOVE_USERS="Take licenses away until few enough are assigned.",
    REQUEST_CALLBACK="Let support call.",
    CONTACT_PARTNER="Ask the partner who sold it.",
    UNDO_CANCELLATION="Take back a cancellation.",
)
_declare(
    Reason,
    "ReasonCode",
    "The rule that decided.",
    UNDO_OPEN="It was canceled, and that can be undone.",
    ALREADY_CANCELED="It was canceled, and that cannot be undone any more.",
    ALREADY_ENDED="It has ended.",
    PARTNER_MANAGED="A partner sold it.",
    TRIAL_EXPIRES_BY_ITSELF="A trial that nothing follows.",
    TRIAL_CONVERTS="A trial that will be charged when it ends.",
    UNDER_LIMIT="Few enough licenses are assigned.",
    LICENSES_AT_OR_OVER_LIMIT="Too many licenses are assigned.",
    ONLY_GROUP_LICENSES="Too many licenses come from groups for removing users to be enough.",
    REMOVALS_PENDING="Too many licenses are assigned until the directory confirms removals that it was asked for.",
)
_declare(
    Mode,
    "CancellationMode",
    "When a subscription ends.",
    IMMEDIATE="At once; what is not used comes back.",
    AT_PERIOD_END="When the period that is paid for ends.",
)
_declare(
    Status,
    "SubscriptionStatus",
    "Where a subscription is in its life.",
    ACTIVE="In use.",
    SUSPENDED="Stopped by the seller, for example because an invoice is open. It can be canceled like an active one.",
    CANCELING="Canceled for the end of the period, and in use until then.",
    EXPIRED="Ended; users still have access for a while.",
    DISABLED="Ended; admins alone reach the data.",
    DELETED="Ended; the data is gone or about to be.",
)
_declare(
    Channel,
    "SalesChannel",
    "Who sold a subscription.",
    DIRECT="We did.",
    PARTNER="A partner did, who also cancels it.",
    PREPAID="It was bought with a product key.",
)
_declare(
    NoRefundReason,
    "NoRefundReason",
    "Why nothing comes back.",
    PERIOD_END="It ends with the period that is paid for.",
    TRIAL="Nothing was charged for the trial.",
    PREPAID="It was bought with a product key, which is not paid back.",
    WINDOW_CLOSED="The time in which money comes back is over.",
    FULLY_USED="All that was paid for is used.",
    ALREADY_REFUNDED="It was paid back before.",
    NOTHING_SETTLED="No payment has arrived.",
    NOTHING_CHARGED="Nothing was charged, or all of it was taken off again by corrections.",
    NO_CHARGE_ON_RECORD="Nobody told this server of a charge; support looks it up.",
    AGREED="It was agreed with support.",
    DISPUTED="The payment was disputed at the bank, which decides what becomes of it.",
)
_declare(
    LineReason,
    "LineReason",
    "Why a line of a quote gives what it gives, where that is not plain proration.",
    NOT_BEGUN="Its period has not begun: what was paid of it comes back whole.",
    WINDOW_CLOSED="The time in which money comes back is over.",
    DISPUTED="What a dispute at the bank holds or took does not come back, or not all of it does.",
    ALREADY_REFUNDED="What was paid back before, or is on its way, does not come back again.",
)
_declare(
    Convention,
    "ProrationConvention",
    "What a used unit of time is.",
    ELAPSED_24H="A whole 24 hours since the period began.",
    CALENDAR_DAY="A day of the tenant's zone before the one of canceling.",
    CALENDAR_DAY_INCLUSIVE="A day of the tenant's zone, the one of canceling as well.",
    SECOND="Each second counts by itself.",
)
_declare(
    CancellationStatus,
    "CancellationStatus",
    "Where a cancellation is.",
    SCHEDULED="It takes effect later.",
    EFFECTIVE="It has taken effect.",
    UNDONE="It was taken back.",
)
_declare(
    Feedback,
    "CancellationFeedback",
    "Why somebody left.",
    TOO_EXPENSIVE="It costs too much.",
    MISSING_FEATURES="Something that is needed is not there.",
    SWITCHED_SERVICE="Another service took its place.",
    UNUSED="It was not used.",
    CUSTOMER_SERVICE="The service was not good.",
    TOO_COMPLEX="It is too complicated.",
    LOW_QUALITY="It does not work well enough.",
    OTHER="Something else.",
)
_declare(
    CreditForm,
    "CreditForm",
    "What becomes of a refund, as whoever pays it declares. Nothing is said to be paid before its status is SUCCEEDED.",
    PAID_BACK="Who bills pays it back: you get back the amount; then, it was paid back.",
    ACCOUNT_CREDIT="It is credited to the customer's account, for the next invoice; then, it was credited.",
    OWED="It is owed until it is paid by other means: we will pay it by the day; then, it was paid. See markRefundPaid.",
)
_declare(
    RefundStatus,
    "RefundStatus",
    "How far a refund is.",
    HELD="Waits until the cancellation cannot be undone any more.",
    PENDING="Goes to the provider next.",
    SUBMITTED="The provider has it; where creditForm is OWED, it waits to be paid.",
    SUCCEEDED="It is done: paid back, credited or paid, as creditForm says.",
    PARTIALLY_SUCCEEDED="A part is back; staff look after the rest.",
    FAILED="The provider refused it; staff look after it.",
    VOIDED="Nothing goes back: the cancellation was undone.",
    SETTLED_MANUALLY="Staff paid it back in another way.",
)
_declare(
    RemovalOutcome,
    "RemovalOutcome",
    "What became of one user's license.",
    REMOVED="It was taken away; in a dry run: would be.",
    NOT_ASSIGNED="This user holds none of this subscription.",
    NOT_FOUND="There is no such user.",
    GROUP_INHERITED="It comes from a group, which takes it away.",
    STILL_ASSIGNED_BY_GROUP="What was assigned directly is taken away; a group still hands it out.",
    DUPLICATE="This user is in the list before; the first entry says what became of the license.",
    REQUESTED="The directory is asked to take away what was assigned directly, now or before: the license counts until it confirms that.",
    REFUSED="The directory refused to: the license counts on. Of a removalRequest alone.",
)
_declare(
    RemovalStatus,
    "RemovalStatus",
    "What the directory made of a removal.",
    REQUESTED="It was asked, and has not decided.",
    CONFIRMED="It took the license away.",
    REFUSED="It did not, for a reason.",
)
_declare(
    RefusalReason,
    "RefusalReason",
    "Why the directory did not take a license away.",
    INHERITED_FROM_GROUP="A group hands the license out.",
    DEPENDENT_PRODUCT="Another product of this user depends on it.",
    UNKNOWN_USER="It does not know this user.",
    NOT_PERMITTED="Whoever asked may not do that there.",
    OTHER="Another one; the text may say more.",
)
_declare(
    CallbackStatus,
    "CallbackStatus",
    "Where a request for a call is.",
    NEW="To be called as soon as possible.",
    SCHEDULED="To be called in the window, or at the time, that the customer chose.",
    CLAIMED="An agent has it now.",
    DONE="Over; closeReason says how.",
    UNREACHABLE="Nobody answered three times. It stays open: another time or number puts it back.",
    WITHDRAWN="Over: the customer withdrew it, or canceled online.",
    DO_NOT_CALL="Over: the number asked not to be called.",
)
_declare(
    CloseReason,
    "CallbackCloseReason",
    "How a request for a call ended.",
    CANCELED_BY_AGENT="An agent canceled for the customer; there is a cancellation.",
    CUSTOMER_KEEPS="The customer keeps the subscription.",
    DIRECTED_ONLINE="The customer cancels online after all; nothing was canceled on the call.",
    RESOLVED_ONLINE="The subscription was canceled online while the request was open.",
    WITHDRAWN_BY_CUSTOMER="The customer withdrew it.",
    ASKED_NOT_TO_CALL="Whoever answered asked not to be called.",
    OTHER="None of the others; the desk has a note.",
)
_declare(
    Role,
    "Role",
    "What a person is in a tenant.",
    GLOBAL_ADMIN="Sees and does everything.",
    BILLING_ADMIN="The same as GLOBAL_ADMIN here; the directory tells them apart.",
    VIEWER="Sees everything and changes nothing.",
)
_declare(
    Scope,
    "PartnerScope",
    "QUOTE includes READ. CANCEL includes QUOTE and undo. CALLBACK includes reschedule and withdraw."
    " READ shows no names of users: READ_USERS does.",
    READ="See subscriptions, options and requests for a call.",
    READ_USERS="See who holds licenses.",
    QUOTE="See quotes. Includes READ.",
    REMOVE_USERS="Take licenses away.",
    CALLBACK="Ask for a call, move it, withdraw it, and see the number.",
    CANCEL="Cancel, undo, say why. Includes QUOTE.",
    WEBHOOKS="Register webhooks. Includes READ.",
    EVENTS="Read the feed of events.",
    SETTLE="Say that a refund was paid. Not on one token with CANCEL or SESSIONS.",
    SYNC="Bring the facts of tenants, and say what became of removals. Not on one token with CANCEL, REMOVE_USERS or SESSIONS.",
    SCIM="Bring users and groups of one tenant by SCIM. Not on one token with CANCEL, REMOVE_USERS or SESSIONS.",
    SESSIONS="Vouch for people: make and end portal sessions.",
)

if TYPE_CHECKING:

    class WebhookEventType(StrEnum):
        """Whatever is declared, see webhooks.kinds."""

else:
    WebhookEventType = StrEnum("WebhookEventType", {name: kind.value for name, kind in known_kinds().items()})
    _declare(
        WebhookEventType,
        "WebhookEventType",
        "What a webhook can be told of.",
        **{name: kind.description for name, kind in known_kinds().items()},
    )
