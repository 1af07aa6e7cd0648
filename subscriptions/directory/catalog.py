"""What the tenant bought, by its charges and products."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from billing.charges import ChargeInput, record_charge, record_correction
from billing.errors import ChargeInvalid, ProviderIdInvalid
from billing.models import Agreement, BillingAccount, Charge
from billing.money import Money
from billing.providers import billing_providers, is_subscription_id
from billing.refunds.repricing import reprice
from billing.renewal import set_provider_id
from billing.selectors import billed_periods, late_charges, provider_of
from billing.writing import ChargeChange, audit_charges
from common.languages import DEFAULT_LANGUAGE
from common.messages import error_message
from subscriptions.directory.files import MAX_SEATS, ChargeRow, ProductRow, said_once
from subscriptions.directory.periods import anchor_of, period_by_charges, term_of
from subscriptions.directory.report import ImportReport, note_repricing
from subscriptions.directory.tables import RowProblem
from subscriptions.models import Plan, Subscription
from tenants.actions import Action
from tenants.models import Tenant
from tenants.people import SYSTEM


class Catalog:
    """The tenant's subscriptions by product, which charges, products and, at last, users bring in."""

    def __init__(self, tenant: Tenant, exported_at: datetime, now: datetime, report: ImportReport) -> None:
        self.tenant, self.report, self._exported_at, self._now = tenant, report, exported_at, now
        self.of_plan: dict[int, list[Subscription]] = defaultdict(list)
        self._account, _ = BillingAccount.objects.get_or_create(tenant=tenant)
        self.listed: set[str] = set()
        self._summed: set[tuple[str, str, str]] = set()
        self._changes: list[ChargeChange] = []
        self._plans: dict[str, Plan] = {}
        self._by_id: dict[str, Subscription] = {}
        existing = Subscription.objects.filter(tenant=tenant).select_related("plan", "agreement__account__tenant")
        for subscription in existing.order_by("pk"):
            self.of_plan[subscription.plan_id].append(subscription)
            self._name(subscription)

    def plan(self, product: str) -> Plan:
        """The plan that goes by this name or part number, made when there is none."""
        found = self._known_plan(product) or Plan.objects.create(part_number=product, name=product)
        return self._plans.setdefault(product, found)

    def _known_plan(self, product: str) -> Plan | None:
        if product not in self._plans:
            found = Plan.objects.filter(Q(part_number=product) | Q(name=product)).order_by("pk").first()
            if found is None:
                return None
            self._plans[product] = found
        return self._plans[product]

    def of(self, product: str) -> list[Subscription]:
        """The tenant's subscriptions of that product, which becomes a plan where it is none."""
        return self.of_plan[self.plan(product).pk]

    def known(self, product: str) -> Sequence[Subscription]:
        """The same, and nothing becomes of a product that is not known."""
        plan = self._known_plan(product)
        return self.of_plan[plan.pk] if plan else ()

    # Charges say which subscriptions there are, for which period and with how many seats.

    def charges(self, rows: Sequence[ChargeRow]) -> None:
        """Record what was charged, and take periods and seats from it. A row that is refused leaves nothing."""
        by_subscription: dict[tuple[str, str], list[ChargeRow]] = defaultdict(list)
        for row in self._not_contradicted([row for row in rows if self._is_ours(row)]):
            by_subscription[row.product, row.subscription_id].append(row)
        ended: dict[int, Subscription] = {}
        billed: list[tuple[Subscription, list[ChargeRow]]] = []
        for of_one in by_subscription.values():
            # What corrects a charge comes after it.
            of_one.sort(key=lambda row: bool(row.corrects))
            recorded = [(found, row) for row in of_one if (found := self._bring_in(row))]
            if not recorded:
                continue
            subscription, came_in = recorded[0][0], [row for _, row in recorded]
            self._take_period(subscription, [row for row in came_in if not row.corrects])
            billed.append((subscription, came_in))
            if subscription.canceled_mode:
                ended[subscription.agreement_id] = subscription
        new = {change.charge.pk for change in self._changes if change.action is Action.CHARGE_RECORDED}
        for repricing in reprice(ended, self._now):
            note_repricing(self.report, repricing, new)
        # After the money: what is written on the trail comes last, as everywhere.
        audit_charges(self._changes, self._now)
        for subscription, came_in in billed:
            self._take_provider(subscription, came_in)
        for charge in late_charges().filter(agreement__in=ended, recorded_at=self._now, paid=0):
            self.report.note(
                f"{charge} bills time after its subscription was canceled. Nothing of it was paid, so nothing goes back:"
                " have it voided where it was billed"
            )

    def _is_ours(self, row: ChargeRow) -> bool:
        if row.tenant and row.tenant.casefold() != self.tenant.domain.casefold():
            self._problem(row, f"it belongs to {row.tenant}")
            return False
        return True

    def _not_contradicted(self, rows: Sequence[ChargeRow]) -> Sequence[ChargeRow]:
        """Each fact once. Of rows that differ about one, nobody knows which is right: none of them comes in."""
        found, contradicted = said_once(rows)
        for row, line in contradicted:
            self._problem(row, f"line {line} says otherwise of it, so neither is taken")
            self._count(row, came_in=False)
        return found

    def _take_price(self, subscription: Subscription, before: str) -> None:
        """What a license costs follows into the successor of a currency that ended."""
        after = subscription.agreement.currency
        if subscription.unit_price is not None and after != before:
            subscription.unit_price = Money(subscription.unit_price, before).into(after).minor_units
            subscription.save(update_fields=["unit_price"])

    def _bring_in(self, row: ChargeRow) -> Subscription | None:
        """Record one row and sum it up; its subscription where it is on record now."""
        subscription = self._record(row)
        self._count(row, came_in=subscription is not None)
        return subscription

    def _count(self, row: ChargeRow, *, came_in: bool) -> None:
        if row.fact not in self._summed:
            self._summed.add(row.fact)
            self.report.count_charge(row.currency, row.charged, row.paid, came_in=came_in)

    def _record(self, row: ChargeRow) -> Subscription | None:
        """Record one charge or correction; None, with a problem reported, when it contradicts what is there."""
        try:
            subscription = self._place(row)
            before = subscription.agreement.currency
            changes = self._correct(subscription, row) if row.corrects else self._charge(subscription, row)
        except ChargeInvalid as error:
            self._problem(row, str(error))
            return None
        self._take_price(subscription, before)
        self._changes += changes
        self.report.charges_recorded += bool(changes)
        return subscription

    def _place(self, row: ChargeRow) -> Subscription:
        """Which subscription a row is about: one on record, or one that is made for a charge that can come in."""
        named = self._by_id.get(row.subscription_id)
        if named and named not in self.known(row.product):
            name = named.plan.display_name
            raise ChargeInvalid(
                f"subscription {named.external_id} is one of {name}: write that as its product, or rename {name} under"
                " Plans in the admin"
            )
        if not named and not any(one.external_id == row.subscription_id for one in self.known(row.product)):
            if row.corrects:
                raise _not_on_record(row)
            _charge_input(row).check(self.tenant.zone)
        return self.subscription(row.product, row.subscription_id, row.currency)

    def _charge(self, subscription: Subscription, row: ChargeRow) -> Sequence[ChargeChange]:
        recorded = record_charge(
            agreement=subscription.agreement, charge=_charge_input(row), now=self._now, known_at=self._exported_at
        )
        if recorded.gone:
            gone = Money(recorded.gone, row.currency)
            self.report.note(f"{row.charge_id}: {gone} less is settled than before; it is taken as returned elsewhere")
        if recorded.contradicts:
            self.report.note(
                f"{row.charge_id}: {Money(row.paid, row.currency)} is settled by the file, {recorded.contradicts} said more;"
                " its word is kept"
            )
        return recorded.changes

    def _correct(self, subscription: Subscription, row: ChargeRow) -> Sequence[ChargeChange]:
        charge = Charge.objects.filter(agreement=subscription.agreement, external_id=row.corrects).first()
        if charge is None:
            raise _not_on_record(row)
        change = record_correction(
            charge=charge,
            external_id=row.charge_id,
            amount=Money(-row.charged, row.currency),
            tax=-row.tax,
            corrected_at=row.charged_at,
            now=self._now,
        )
        return [change] if change else []

    def _take_provider(self, subscription: Subscription, rows: Sequence[ChargeRow]) -> None:
        """Who bills the subscription, under which id: without it nobody there hears that it was canceled."""
        named = [row for row in rows if row.provider_id or row.provider in billing_providers()]
        if not named:
            self._note_unused_id(subscription)
            return
        first, *others = named
        for row in others:
            if (row.provider, row.provider_id) != (first.provider, first.provider_id):
                self._problem(row, f"provider_id: line {first.line} says {first.provider_id}, this {row.provider_id}")
        provider = first.provider or provider_of(subscription.agreement)
        known = subscription.agreement.external_id
        if known and (subscription.agreement.provider, known) != (provider, first.provider_id):
            # Staff may have corrected it: a file that is imported again does not take that back.
            self._problem(first, f"provider_id: {known} is on record; change it under Billing agreements in the admin")
            return
        try:
            changed = set_provider_id(
                agreement=subscription.agreement,
                provider=provider,
                external_id=first.provider_id,
                caller=SYSTEM,
                language=DEFAULT_LANGUAGE,
                now=self._now,
            )
        except ProviderIdInvalid as error:
            self._problem(first, f"provider_id: {error_message(error)}")
        else:
            self.report.provider_ids += changed

    def _note_unused_id(self, subscription: Subscription) -> None:
        """An id that looks like a provider's own is named, not used: a column that means another thing is no promise."""
        like = next((name for name in billing_providers() if is_subscription_id(name, subscription.external_id)), None)
        if like and not subscription.agreement.external_id:
            self.report.note(
                f"subscription_id {subscription.external_id} looks like an id of {like}, which is not told by it when this"
                f" is canceled: write it in a column provider_id, and {like} in a column provider"
            )

    def _take_period(self, subscription: Subscription, rows: Sequence[ChargeRow]) -> None:
        """The period that contains now, and its seats, by all charges on record and not by the file at hand alone."""
        if not rows or subscription.canceled_mode or subscription.ended_source:
            # What ends is not moved on by what was billed although it does.
            return
        billed = billed_periods(Charge.objects.filter(agreement=subscription.agreement_id))
        found = period_by_charges(billed[subscription.agreement_id], subscription.period, self._now)
        if found is None:
            return
        zone, period = self.tenant.zone, found.period
        said = next((row.term_months for row in rows if row.term_months and row.period.end == period.end), None)
        anchor = anchor_of(subscription.anchored_at, said or subscription.term_months, period, zone)
        subscription.period_start, subscription.period_end, subscription.anchored_at = period.start, period.end, anchor
        subscription.term_months = said or term_of(subscription.term_months, anchor, period, zone)
        if found.seats > MAX_SEATS:
            self._problem(rows[0], f"{found.seats:,} seats in all are more than {MAX_SEATS:,}: they are not taken")
        else:
            subscription.purchased_licenses = found.seats or subscription.purchased_licenses
        subscription.save()

    def _problem(self, row: ChargeRow, reason: str) -> None:
        self.report.problems.append(RowProblem("charges", row.line, f"{row.charge_id}: {reason}"))

    # Products say how many seats there are, and name what has no charge.

    def products(self, rows: Sequence[ProductRow]) -> None:
        """Take seats and states."""
        self.listed = {row.title for row in rows}
        for row in rows:
            known = self.of(row.title)
            if len(known) > 1:
                self._note_twice(row, known)
                continue
            subscription = known[0] if known else self.subscription(row.title, "", "EUR")
            subscription.purchased_licenses = row.seats
            if row.status:
                subscription.base_status = row.status
            subscription.save()
            if subscription.period_end is None:
                self.report.note(f"{row.title}: no charge on record, so its period is not known")

    def _note_twice(self, row: ProductRow, known: Sequence[Subscription]) -> None:
        bought = ", ".join(f"{s.external_id or s.pk} with {s.purchased_licenses} seats" for s in known)
        self.report.note(
            f"{row.title} was bought {len(known)} times ({bought}); the export cannot say who holds which,"
            " so the one that ends last was filled first"
        )
        seats = sum(subscription.purchased_licenses for subscription in known)
        if seats != row.seats:
            self.report.note(f"{row.title}: {row.seats} seats in the products file, {seats} in the charges")

    def subscription(self, product: str, external_id: str, currency: str) -> Subscription:
        """The subscription of that product and id, made when it is not there."""
        for known in self.of(product):
            if known.external_id == external_id or self._adopt(known, external_id, currency):
                return known
        subscription = Subscription.objects.create(
            tenant=self.tenant,
            plan=self.plan(product),
            agreement=Agreement.objects.create(account=self._account, currency=currency),
            external_id=external_id,
        )
        self.of(product).append(subscription)
        self._name(subscription)
        return subscription

    def _name(self, subscription: Subscription) -> None:
        if subscription.external_id:
            self._by_id[subscription.external_id] = subscription

    def _adopt(self, known: Subscription, external_id: str, currency: str) -> bool:
        """Whether a subscription made from an export without charges is the one that the charges now name."""
        if known.external_id or known.agreement.charges.exists():
            return False
        known.external_id = external_id
        known.agreement.currency = currency
        known.agreement.save()
        known.save()
        self._name(known)
        return True


def _not_on_record(row: ChargeRow) -> ChargeInvalid:
    return ChargeInvalid(f"it corrects {row.corrects}, which is not on record")


def _charge_input(row: ChargeRow) -> ChargeInput:
    return ChargeInput(
        external_id=row.charge_id,
        description=row.product,
        seats=row.seats,
        period=row.period,
        charged_at=row.charged_at,
        currency=row.currency,
        charged=row.charged,
        tax=row.tax,
        paid=row.paid,
        in_flight=row.in_flight,
    )
