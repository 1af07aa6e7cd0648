"""What can be wrong with facts that come in, one row of a table each. Pure.

``line``, where there is one, is that of the file or the document, ``path`` the field in the spelling of the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.codes import N_, CodeTable


class Fault(CodeTable):
    """Codes are of the API: hosts compare them. A conflict is a row too: two sides say different things, both on record."""

    sentence: str

    # What cannot be read.
    UNREADABLE = "UNREADABLE", N_("This is not JSON: %(detail)s")
    NOT_AN_OBJECT = "NOT_AN_OBJECT", N_("This must be an object with one row of a section.")
    UNKNOWN_SECTION = "UNKNOWN_SECTION", N_("There is no section “%(value)s”. There are: %(known)s.")
    UNKNOWN_FIELD = "UNKNOWN_FIELD", N_("There is no field “%(value)s” here. Is it misspelt? There are: %(known)s.")
    MISSING = "MISSING", N_("This has to be said.")
    WRONG_TYPE = "WRONG_TYPE", N_("This must be %(wanted)s.")
    TOO_LONG = "TOO_LONG", N_("This is longer than %(limit)d characters.")
    CHARACTERS = "CHARACTERS", N_("This has a line break or a character that is not text.")
    NOT_A_DATE = "NOT_A_DATE", N_("“%(value)s” is not a date, or a date and time with an offset.")
    OUT_OF_RANGE = "OUT_OF_RANGE", N_("“%(value)s” is not between %(least)s and %(limit)s.")
    NOT_AN_AMOUNT = "NOT_AN_AMOUNT", N_("“%(value)s” is not an amount of %(currency)s: write 12.50, as text.")
    UNKNOWN_CURRENCY = "UNKNOWN_CURRENCY", N_("“%(value)s” is no currency that we know.")
    UNKNOWN_WORD = "UNKNOWN_WORD", N_("“%(value)s” is none of the words for this: %(known)s.")
    IN_THE_FUTURE = "IN_THE_FUTURE", N_("%(value)s is in the future. What is true cannot be known as of then.")
    TOO_LARGE = "TOO_LARGE", N_("This is more than %(limit)s bytes once it is unpacked.")
    TOO_MANY_ROWS = "TOO_MANY_ROWS", N_("There are more than %(limit)s rows in one document.")
    TRUNCATED = "TRUNCATED", N_("The end is missing: %(detail)s. Nobody was taken away.")
    SAID_TWICE = "SAID_TWICE", N_("Line %(other)s says otherwise of it. Neither was taken.")
    STALE = "STALE", N_("A later complete list of “%(section)s”, as of %(value)s, has come in already.")
    NEVER_COMPLETE = "NEVER_COMPLETE", N_("What was charged does not go away: “charges” cannot be complete.")

    # What a row of a file is.
    COLUMNS_DIFFER = "COLUMNS_DIFFER", N_("it has %(count)s columns, the first line has %(wanted)s")
    QUOTE_OPEN = "QUOTE_OPEN", N_("a quote is not closed: it took in the rows below")
    NOT_CLEAR = (
        "NOT_CLEAR",
        N_("“%(value)s” can be read in two ways. Write an amount like 1234.50, a day like 2026-11-25."),
    )
    NOT_A_PRODUCT = (
        "NOT_A_PRODUCT",
        N_("“%(value)s” is no product: the program that wrote this file could not say which."),
    )
    NOT_OURS = "NOT_OURS", N_("it belongs to %(value)s")
    PAID_UNSAID = "PAID_UNSAID", N_("settled is empty: write 0 where nothing was paid")

    # What does not fit what is there.
    TENANT_UNKNOWN = "TENANT_UNKNOWN", N_("There is no such customer: send “tenant” with its name and domain.")
    TENANT_NEEDED = (
        "TENANT_NEEDED",
        N_("A long dry run needs the customer to be there: send a short document with “tenant” before."),
    )
    DOMAIN_TAKEN = "DOMAIN_TAKEN", N_("The domain %(value)s is that of another customer.")
    SUBSCRIPTION_UNKNOWN = "SUBSCRIPTION_UNKNOWN", N_("There is no subscription and no product “%(value)s” here.")
    SUBSCRIPTION_AMBIGUOUS = (
        "SUBSCRIPTION_AMBIGUOUS",
        N_("“%(value)s” was bought several times: say which subscription, by its id."),
    )
    OTHER_PRODUCT = (
        "OTHER_PRODUCT",
        N_(
            "subscription %(value)s is one of %(product)s: write that as its product, or rename %(product)s under Plans in the admin"
        ),
    )
    USER_UNKNOWN = "USER_UNKNOWN", N_("There is no user “%(value)s” here.")
    GROUP_UNKNOWN = "GROUP_UNKNOWN", N_("There is no group “%(value)s” here.")
    GROUP_IN_GROUP = "GROUP_IN_GROUP", N_("“%(value)s” is a group. Groups in groups hand out nothing: name the users.")
    NAME_TAKEN = "NAME_TAKEN", N_("The name %(value)s is that of another user.")
    CHARGE_UNKNOWN = "CHARGE_UNKNOWN", N_("it corrects %(value)s, which is not on record")
    CHARGE_REFUSED = "CHARGE_REFUSED", "%(detail)s"
    PROVIDER_ID_REFUSED = "PROVIDER_ID_REFUSED", "%(detail)s"
    PROVIDER_ID_STANDS = (
        "PROVIDER_ID_STANDS",
        N_("%(value)s is on record; change it under Billing agreements in the admin"),
    )
    PROVIDER_IDS_DIFFER = "PROVIDER_IDS_DIFFER", N_("line %(other)s says %(first)s, this %(value)s")
    CURRENCY_DIFFERS = "CURRENCY_DIFFERS", N_("The price is in %(value)s, what was charged in %(currency)s.")
    TERM_UNKNOWN = "TERM_UNKNOWN", N_("“endsAt” needs “term” or “period”: nobody knows when this period began.")
    TOO_MANY_SEATS = "TOO_MANY_SEATS", N_("%(value)s seats in all are more than %(limit)s: they are not taken.")

    # What two sides say of one thing.
    OTHER_SOURCE = "OTHER_SOURCE", N_("This is known from %(source)s, which keeps it: staff can hand it over.")
    REMOVED_HERE = "REMOVED_HERE", N_("Removed here on %(date)s, the directory still assigns it: counted again.")
    STOPPED_HERE = "STOPPED_HERE", N_("Canceled here on %(date)s, %(source)s says it goes on.")

    # What somebody should know besides.
    PAID_MORE = (
        "PAID_MORE",
        N_("%(charge)s: %(amount)s is settled by the file, %(provider)s said more; its word is kept"),
    )
    LESS_PAID = (
        "LESS_PAID",
        N_("%(charge)s: %(amount)s less is settled than before; it is taken as returned elsewhere"),
    )
    LATE_AND_UNPAID = (
        "LATE_AND_UNPAID",
        N_(
            "%(charge)s bills time after its subscription was canceled. Nothing of it was paid, so nothing goes back: have it voided where it was billed"
        ),
    )
    UNUSED_ID = (
        "UNUSED_ID",
        N_(
            "subscription_id %(value)s looks like an id of %(provider)s, which is not told by it when this is canceled: write it in a column provider_id, and %(provider)s in a column provider"
        ),
    )
    REFUND_VOIDED = "REFUND_VOIDED", N_("refund %(refund)s: %(before)s was to go back, by these charges it is nothing")
    REFUND_REPRICED = (
        "REFUND_REPRICED",
        N_("refund %(refund)s: %(before)s was to go back, by these charges it is %(amount)s"),
    )
    LATE_CHARGE_RETURNED = (
        "LATE_CHARGE_RETURNED",
        N_("%(charge)s came after its subscription was canceled: %(amount)s of it goes back by %(date)s"),
    )
    MORE_RETURNED = (
        "MORE_RETURNED",
        N_("%(charge)s: by these charges, %(amount)s more of it goes back by %(date)s"),
    )
    RETURNED_TOO_MUCH = (
        "RETURNED_TOO_MUCH",
        N_("refund %(refund)s: %(amount)s goes back, by these charges %(due)s is due; staff are told"),
    )
    PRODUCT_CHANGED = "PRODUCT_CHANGED", N_("%(value)s was one of %(before)s and is now one of %(product)s")
    BOUGHT_SEVERAL_TIMES = (
        "BOUGHT_SEVERAL_TIMES",
        N_(
            "%(product)s was bought %(count)s times (%(bought)s); nobody says who holds which, so every holder counts for each"
        ),
    )
    SEATS_DIFFER = (
        "SEATS_DIFFER",
        N_("%(product)s: %(said)s seats in the products file, %(count)s in the charges"),
    )
    HOLDERS_DIFFER = (
        "HOLDERS_DIFFER",
        N_(
            "%(product)s: %(said)s licenses are assigned by the products file, %(count)s users hold it by the users file"
        ),
    )
    UNLISTED = (
        "UNLISTED",
        N_("%(product)s: in no products or charges file; seats taken from its holders, period not known"),
    )
    PERIOD_UNKNOWN = "PERIOD_UNKNOWN", N_("%(product)s: no charge on record, so its period is not known")
    PRODUCT_UNKNOWN = (
        "PRODUCT_UNKNOWN",
        N_(
            "“%(value)s” is held by these users, and this customer has no subscription of such a product. Which product is it?"
        ),
    )
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN", N_("%(file)s: the column “%(value)s” was not read")
    NOBODY_TAKEN = "NOBODY_TAKEN", N_("%(rows)s of the rows could not be taken, so nobody was taken away")


# Both sides stand on record: staff decide, and the row is no mistake of who sent it.
CONFLICTS = frozenset({Fault.OTHER_SOURCE, Fault.REMOVED_HERE, Fault.STOPPED_HERE})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that was not taken, or that two sides disagree on."""

    code: str
    path: str = ""
    line: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """Raised where a value or a row cannot be taken. ``path``: below the row, where it is known."""

    def __init__(self, fault: Fault, *path: str, **data: Any) -> None:
        super().__init__(fault)
        self.fault, self.path, self.data = fault, path, data

    def within(self, *path: str) -> Refused:
        """The same, said of a part of something."""
        self.path = (*path, *self.path)
        return self
