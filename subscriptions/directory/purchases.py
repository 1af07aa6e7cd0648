"""Take in what the tenant is and what it bought: its own facts, and those of its subscriptions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from billing.periods import months_later
from common.languages import Language
from common.names import is_plain
from subscriptions.directory.catalog import GRACE, Catalog, Context
from subscriptions.directory.charges import take_provider
from subscriptions.directory.document import Contact, Section, SubscriptionRow, TenantRow
from subscriptions.directory.faults import Fault, Refused
from subscriptions.models import Subscription
from subscriptions.policy.facts import Channel, Status
from tenants.models import Tenant

_LANGUAGES = [language.value for language in Language]
_LIVE = (Status.ACTIVE, Status.SUSPENDED)


def apply_tenant(context: Context, row: TenantRow) -> None:
    """What the tenant is called, where it is, and who pays for it."""
    tenant, report = context.tenant, context.report
    try:
        changed = _assign(tenant, _of_tenant(row, tenant))
    except Refused as error:
        report.refuse(Section.TENANT, row.line, error)
        return
    if changed:
        tenant.save()
    report.changed += changed
    report.unchanged += not changed


def _of_tenant(row: TenantRow, tenant: Tenant) -> Mapping[str, Any]:
    domain = row.domain.casefold() if row.domain else None
    if domain and not is_plain(domain):
        raise Refused(Fault.CHARACTERS, "domain")
    if domain and Tenant.objects.filter(domain=domain).exclude(pk=tenant.pk).exists():
        raise Refused(Fault.DOMAIN_TAKEN, "domain", value=domain)
    contact = row.billing_contact or Contact()
    for language, path in ((row.language, ("language",)), (contact.language, ("billingContact", "language"))):
        if language is not None and language not in _LANGUAGES:
            raise Refused(Fault.UNKNOWN_WORD, *path, value=language, known=", ".join(_LANGUAGES))
    if contact.email:
        _check_email(contact.email, "billingContact", "email")
    return {
        "name": row.name,
        "domain": domain,
        "time_zone": row.time_zone,
        "language": row.language,
        "billing_contact_name": contact.name,
        "billing_contact_email": contact.email,
        "billing_contact_language": contact.language,
    }


def _check_email(address: str, *path: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        raise Refused(Fault.WRONG_TYPE, *path, wanted="name@example.com") from None


class Purchases:
    """Applies rows of subscriptions, within a transaction that has locked them and their agreements."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self._context, self._report = catalog, catalog.context, catalog.context.report

    def apply(self, rows: Sequence[SubscriptionRow]) -> None:
        """Each row that can be taken; the others are in the report."""
        for row in rows:
            try:
                if row.external_id:
                    self._named(row)
                else:
                    self._of_product(row)
            except Refused as error:
                self._report.refuse(Section.SUBSCRIPTIONS, row.line, error)

    def _named(self, row: SubscriptionRow) -> None:
        self._check(row, self._catalog.by_id.get(row.external_id))
        subscription, is_new = self._catalog.subscription(row.product, row.external_id, row.currency)
        self._take(row, subscription, is_new=is_new)

    def _of_product(self, row: SubscriptionRow) -> None:
        """A list that knows products alone cannot say which of several it means."""
        known = self._catalog.known(row.product)
        if len(known) > 1:
            self._note_several(row, known)
            self._report.unchanged += 1
            return
        self._check(row, known[0] if known else None)
        if known:
            subscription, is_new = known[0], False
        else:
            subscription, is_new = self._catalog.subscription(row.product, "", row.currency)
        self._take(row, subscription, is_new=is_new)
        if subscription.period_end is None:
            self._report.note(Fault.PERIOD_UNKNOWN, product=row.product)

    def _check(self, row: SubscriptionRow, known: Subscription | None) -> None:
        """Raise Refused for what could not be taken of it, before anything is made for it."""
        if row.partner and row.partner.email:
            _check_email(row.partner.email, "partner", "email")
        if row.ends_at and self._months(row, known) is None:
            raise Refused(Fault.TERM_UNKNOWN, "endsAt")
        agreement = known.agreement if known else None
        if row.price and agreement and agreement.currency != row.price.currency and agreement.charges.exists():
            raise Refused(Fault.CURRENCY_DIFFERS, "price", value=row.price.currency, currency=agreement.currency)

    @staticmethod
    def _months(row: SubscriptionRow, known: Subscription | None) -> int | None:
        """How long a period of it is: what is said now, else what is on record."""
        on_record = (known.term_months or known.billed_months) if known else None
        return row.term_months or row.billed_months or on_record

    def _note_several(self, row: SubscriptionRow, known: Sequence[Subscription]) -> None:
        bought = ", ".join(f"{s.external_id or s.pk}: {s.purchased_licenses}" for s in known)
        self._report.note(Fault.BOUGHT_SEVERAL_TIMES, product=row.product, count=len(known), bought=bought)
        seats = sum(subscription.purchased_licenses for subscription in known)
        if row.seats is not None and seats != row.seats:
            self._report.note(Fault.SEATS_DIFFER, product=row.product, said=row.seats, count=seats)

    def _take(self, row: SubscriptionRow, subscription: Subscription, *, is_new: bool) -> None:
        context = self._context
        if context.is_of_another(subscription.source_id):
            raise Refused(Fault.OTHER_SOURCE, source=subscription.source)
        if context.is_older(subscription.known_at):
            self._report.older += 1
            return
        before = subscription.plan
        changed = self._catalog.move(subscription, row.product)
        if changed:
            self._report.note(
                Fault.PRODUCT_CHANGED, value=row.external_id, before=before.display_name, product=row.product
            )
        changed |= _assign(subscription, self._said(row, subscription))
        if row.provider_id:
            changed |= take_provider(
                context, Section.SUBSCRIPTIONS, row.line, subscription, row.provider or "", row.provider_id
            )
        subscription.source, subscription.known_at = context.source, context.as_of
        subscription.save()
        self._report.created += is_new
        self._report.changed += changed and not is_new
        self._report.unchanged += not changed and not is_new

    def _said(self, row: SubscriptionRow, subscription: Subscription) -> Mapping[str, Any]:
        """The columns of a row. What was canceled here is described further, and not brought back."""
        partner = row.partner or Contact()
        described = {
            "plan_name": row.plan_name,
            "partner_name": partner.name,
            "partner_url": partner.url,
            "partner_email": partner.email,
            "partner_phone": partner.phone,
            "unit_price": self._price(row, subscription),
            "billed_months": row.billed_months,
            "has_payment_method": row.has_payment_method,
        }
        if subscription.canceled_mode or subscription.ended_source:
            self._compare_with_decision(row, subscription)
            return described
        channel = row.channel or (Channel.PARTNER if row.partner else None)
        deciding = {"base_status": row.status, "is_trial": row.is_trial, "channel": channel, "renews": row.renews}
        return {**described, **deciding, **dict(self._seats(row)), **dict(self._end(row, subscription))}

    def _seats(self, row: SubscriptionRow) -> Iterator[tuple[str, Any]]:
        if row.seats is not None:
            yield "purchased_licenses", row.seats
            yield "seats_said_at", self._context.as_of

    def _price(self, row: SubscriptionRow, subscription: Subscription) -> int | None:
        if row.price is None:
            return None
        agreement = subscription.agreement
        if agreement.currency != row.price.currency:
            agreement.currency = row.price.currency
            agreement.save(update_fields=["currency"])
        return row.price.minor_units

    def _end(self, row: SubscriptionRow, subscription: Subscription) -> Iterator[tuple[str, Any]]:
        """The period that ends then, and how long it is. A subscription whose end nobody says keeps what it has."""
        term = row.term_months
        if term is not None:
            yield "term_months", term
        if row.ends_at is None:
            return
        months = self._months(row, subscription)
        assert months  # _check has seen to it
        start = months_later(row.ends_at, -months, self._catalog.tenant.zone)
        yield "period_start", start
        yield "period_end", row.ends_at
        yield "anchored_at", start
        yield "term_months", months
        yield "end_said_at", self._context.as_of

    def _compare_with_decision(self, row: SubscriptionRow, subscription: Subscription) -> None:
        """A source that, long after an end that was decided here, still says that it goes on."""
        end = subscription.ends_at
        if end and row.status in _LIVE and row.renews is not False and self._context.as_of > end + GRACE:
            values = {"date": end.astimezone(self._catalog.tenant.zone).date(), "source": self._context.source}
            self._report.tell(Section.SUBSCRIPTIONS, row.line, Fault.STOPPED_HERE, "status", **values)


def _assign(row: Any, said: Mapping[str, Any]) -> bool:
    """Write down what is said; whether it is new. Times at which something was said are news to nobody."""
    changed = False
    for name, value in said.items():
        if value is not None and getattr(row, name) != value:
            changed |= not name.endswith("_said_at")
            setattr(row, name, value)
    return changed
