"""Bring in what an admin exported: products, charges, users and who holds what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from billing.errors import ChargeInvalid
from billing.models import Agreement, BillingAccount, Charge
from billing.services.charges import ChargeInput, record_charge, record_correction
from subscriptions.directory_files import ChargeRow, Parsed, ProductRow, RowProblem, UserRow
from subscriptions.models import DirectoryUser, License, Plan, Subscription
from subscriptions.policy import Status
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.audit import record
from tenants.chunks import chunks
from tenants.models import Tenant
from tenants.people import SYSTEM


@dataclass(frozen=True, slots=True)
class Files:
    """The parsed files of one import."""

    users: Parsed[UserRow]
    products: Parsed[ProductRow]
    charges: Parsed[ChargeRow]


@dataclass(slots=True)
class Report:
    """What an import did, for a person to check."""

    holders: dict[str, int] = field(default_factory=dict)
    soft_deleted: int = 0
    unlicensed: int = 0
    merged: int = 0
    users_created: int = 0
    users_changed: int = 0
    licenses_assigned: int = 0
    licenses_removed: int = 0
    kept_removed: int = 0
    not_in_file: int = 0
    charges_recorded: int = 0
    notes: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any(
            (
                self.users_created,
                self.users_changed,
                self.licenses_assigned,
                self.licenses_removed,
                self.charges_recorded,
            )
        )


def import_directory(
    *,
    tenant: Tenant,
    files: Files,
    exported_at: datetime,
    complete: bool,
    dry_run: bool,
    now: datetime,
    progress: Callable[[Iterable[UserRow]], Iterable[UserRow]],
) -> Report:
    """Make the tenant's rows what the export says, in one transaction; doing it again changes nothing.

    What was removed here after ``exported_at`` stays removed. Users that the file does not name keep what they
    have, unless the file is ``complete``. A tenant that was not saved yet is. Rows that contradict what is on record are reported, the others come in.
    """
    problems = [*files.charges.problems, *files.products.problems, *files.users.problems]
    with transaction.atomic(durable=True):
        if tenant.pk is None:
            tenant.full_clean()
            tenant.save()
        # Locked first, as every writer does: nobody cancels or removes users on half an import.
        list(Subscription.objects.select_for_update().filter(tenant=tenant).values_list("pk"))
        run = _Import(tenant, exported_at, now, Report(problems=problems))
        run.charges(files.charges.rows)
        run.products(files.products.rows)
        run.users(progress(files.users.rows), [row.title for row in files.products.rows])
        run.absent_users(complete=complete)
        run.count_holders()
        if run.report.changed:
            _audit(tenant, run.report, now)
        transaction.set_rollback(dry_run)
    return run.report


class _Import:
    """One run: the rows of the tenant that it works on, and the report it writes."""

    def __init__(self, tenant: Tenant, exported_at: datetime, now: datetime, report: Report) -> None:
        self.tenant, self.exported_at, self.now, self.report = tenant, exported_at, now, report
        self.account, _ = BillingAccount.objects.get_or_create(tenant=tenant)
        self.plans: dict[str, Plan] = {}
        self.of_plan: dict[int, list[Subscription]] = defaultdict(list)
        self.to_fill: dict[int, list[Subscription]] = {}
        self.filled: dict[int, int] = {}
        self.seen: set[int] = set()
        existing = Subscription.objects.filter(tenant=tenant).select_related("plan", "agreement").order_by("pk")
        for subscription in existing:
            self.of_plan[subscription.plan_id].append(subscription)

    def _plan(self, product: str) -> Plan:
        """The plan that goes by this name or part number, made when there is none."""
        if product not in self.plans:
            known = Plan.objects.filter(Q(part_number=product) | Q(name=product)).order_by("pk").first()
            self.plans[product] = known or Plan.objects.create(part_number=product, name=product)
        return self.plans[product]

    def _of(self, product: str) -> list[Subscription]:
        return self.of_plan[self._plan(product).pk]

    # Charges say which subscriptions there are, for which period and with how many seats.

    def charges(self, rows: Sequence[ChargeRow]) -> None:
        by_subscription: dict[tuple[str, str], list[ChargeRow]] = defaultdict(list)
        for row in rows:
            if row.tenant and row.tenant.casefold() != self.tenant.domain.casefold():
                self._problem(row, f"it belongs to {row.tenant}")
            else:
                by_subscription[row.product, row.subscription_id].append(row)
        for (product, external_id), of_one in by_subscription.items():
            subscription = self._subscription(product, external_id, of_one[0].currency)
            recorded = [row for row in of_one if self._record(subscription, row)]
            self._take_period(subscription, [row for row in recorded if not row.corrects])

    def _record(self, subscription: Subscription, row: ChargeRow) -> bool:
        """Record one charge or correction; False, with a problem reported, when it contradicts what is there."""
        try:
            if row.corrects:
                changed = self._correct(subscription, row)
            else:
                changed = record_charge(agreement=subscription.agreement, charge=_charge_input(row))
        except ChargeInvalid as error:
            self._problem(row, str(error))
            return False
        self.report.charges_recorded += changed
        return True

    def _correct(self, subscription: Subscription, row: ChargeRow) -> bool:
        charge = Charge.objects.filter(agreement=subscription.agreement, external_id=row.corrects).first()
        if charge is None:
            raise ChargeInvalid(f"it corrects {row.corrects}, which is not on record")
        return record_correction(
            charge=charge,
            external_id=row.charge_id,
            amount=-row.charged,
            tax=-row.tax,
            corrected_at=row.charged_at,
        )

    def _take_period(self, subscription: Subscription, rows: Sequence[ChargeRow]) -> None:
        """The period that ends last: its first start, and the seats of all its charges."""
        if not rows:
            return
        end = max(row.period.end for row in rows)
        if subscription.period_end and subscription.period_end > end:
            return
        latest = [row for row in rows if row.period.end == end]
        subscription.period_start, subscription.period_end = min(row.period.start for row in latest), end
        subscription.anchored_at = subscription.anchored_at or subscription.period_start
        subscription.term_months = next((row.term_months for row in latest if row.term_months), None)
        subscription.purchased_licenses = sum(row.seats for row in latest) or subscription.purchased_licenses
        subscription.save()

    def _problem(self, row: ChargeRow, reason: str) -> None:
        self.report.problems.append(RowProblem("charges", row.line, f"{row.charge_id}: {reason}"))

    # Products say how many seats there are, and name what has no charge.

    def products(self, rows: Sequence[ProductRow]) -> None:
        for row in rows:
            known = self._of(row.title)
            if len(known) > 1:
                self._note_twice(row, known)
                continue
            subscription = known[0] if known else self._subscription(row.title, "", "EUR")
            subscription.purchased_licenses = row.seats
            if row.status:
                subscription.base_status = row.status
            subscription.save()
            if subscription.period_end is None:
                self._note(f"{row.title}: no charge on record, so its period is not known")

    def _note_twice(self, row: ProductRow, known: Sequence[Subscription]) -> None:
        bought = ", ".join(f"{s.external_id or s.pk} with {s.purchased_licenses} seats" for s in known)
        self._note(
            f"{row.title} was bought {len(known)} times ({bought}); the export cannot say who holds which,"
            " so the one that ends last was filled first"
        )
        seats = sum(subscription.purchased_licenses for subscription in known)
        if seats != row.seats:
            self._note(f"{row.title}: {row.seats} seats in the products file, {seats} in the charges")

    def _subscription(self, product: str, external_id: str, currency: str) -> Subscription:
        """The tenant's subscription of that product and id, made when it is not there."""
        for known in self._of(product):
            if known.external_id == external_id or self._adopt(known, external_id, currency):
                return known
        subscription = Subscription.objects.create(
            tenant=self.tenant,
            plan=self._plan(product),
            agreement=Agreement.objects.create(account=self.account, currency=currency),
            external_id=external_id,
        )
        self._of(product).append(subscription)
        return subscription

    def _adopt(self, known: Subscription, external_id: str, currency: str) -> bool:
        """Whether a subscription made from an export without charges is the one that the charges now name."""
        if known.external_id or known.agreement.charges.exists():
            return False
        known.external_id = external_id
        known.agreement.currency = currency
        known.agreement.save()
        known.save()
        return True

    def _note(self, text: str) -> None:
        if text not in self.report.notes:
            self.report.notes.append(text)

    # Users say who holds what.

    def users(self, rows: Iterable[UserRow], listed_products: Sequence[str]) -> None:
        merged: dict[str, UserRow] = {}
        for row in rows:
            if row.key in merged:
                self.report.merged += 1
                row = _merge(merged[row.key], row)
            merged[row.key] = row
        self._missing_products(merged.values(), listed_products)
        for chunk in chunks(list(merged.values())):
            self._users(chunk)

    def _missing_products(self, rows: Iterable[UserRow], listed: Sequence[str]) -> None:
        """A product that only users name: its seats are not known, so those that are held are taken."""
        held: dict[str, int] = defaultdict(int)
        for row in rows:
            for product in row.products:
                held[product] += not row.is_deleted
        for product, count in held.items():
            if not self._of(product):
                subscription = self._subscription(product, "", "EUR")
                subscription.purchased_licenses = count
                subscription.save()
            if product not in listed and self._of(product)[0].period_end is None:
                self._note(f"{product}: in no products or charges file; seats taken from its holders, period not known")

    def _users(self, rows: Sequence[UserRow]) -> None:
        users = self._save_users(rows)
        held = self._licenses_of(users.values())
        new: list[License] = []
        for row in rows:
            user = users[row.key]
            self.seen.add(user.pk)
            if row.is_deleted:
                self.report.soft_deleted += 1
                continue
            self.report.unlicensed += not row.products
            of_user = held.get(user.pk, [])
            new += self._give(user, row, of_user)
            self._take(row, of_user)
        License.objects.bulk_create(new)

    def _save_users(self, rows: Sequence[UserRow]) -> dict[str, DirectoryUser]:
        keys = [row.key for row in rows]
        users = {
            user.principal_key: user
            for user in DirectoryUser.objects.filter(tenant=self.tenant, principal_key__in=keys)
        }
        created = []
        for row in rows:
            user = users.get(row.key)
            if user is None:
                user = DirectoryUser(tenant=self.tenant, principal_key=row.key, principal_name=row.principal_name)
                self._describe(user, row)
                users[row.key] = user
                created.append(user)
            elif self._describe(user, row):
                user.save()
                self.report.users_changed += 1
        DirectoryUser.objects.bulk_create(created)
        self.report.users_created += len(created)
        return users

    def _describe(self, user: DirectoryUser, row: UserRow) -> bool:
        """Take over what the export says of the user; True when that is new."""
        deleted_at = (row.deleted_at or user.deleted_at or self.exported_at) if row.is_deleted else None
        said = {
            "display_name": row.display_name or user.display_name,
            "is_blocked": row.is_blocked,
            "deleted_at": deleted_at,
            "last_active_at": row.last_active_at or user.last_active_at,
        }
        before = {name: getattr(user, name) for name in said}
        for name, value in said.items():
            setattr(user, name, value)
        return before != said

    def _licenses_of(self, users: Iterable[DirectoryUser]) -> dict[int, list[License]]:
        found: dict[int, list[License]] = defaultdict(list)
        rows = License.objects.filter(user__in=[user.pk for user in users]).select_related("subscription__plan")
        for license in rows:
            found[license.user_id].append(license)
        return found

    def _give(self, user: DirectoryUser, row: UserRow, of_user: Sequence[License]) -> Iterator[License]:
        """New licenses for what the user holds by the export and not here."""
        for product in row.products:
            known = [license for license in of_user if license.subscription.plan_id == self._plan(product).pk]
            if any(license.is_direct or license.is_inherited for license in known):
                continue
            if any(license.removed_at and license.removed_at >= self.exported_at for license in known):
                self.report.kept_removed += 1
                continue
            self.report.licenses_assigned += 1
            subscription = self._next_free(product)
            back = next((license for license in known if license.subscription_id == subscription.pk), None)
            if back is None:
                yield License(subscription=subscription, user=user, is_direct=True)
            else:
                License.objects.filter(pk=back.pk).update(is_direct=True, removed_at=None, assigned_at=self.exported_at)

    def _take(self, row: UserRow, of_user: Sequence[License]) -> None:
        """Direct licenses that the export, made later, no longer shows."""
        held_plans = {self._plan(product).pk for product in row.products}
        for license in of_user:
            assigned_before = license.assigned_at is None or license.assigned_at <= self.exported_at
            if license.is_direct and assigned_before and license.subscription.plan_id not in held_plans:
                License.objects.filter(pk=license.pk).update(is_direct=False, removed_at=self.exported_at)
                self.report.licenses_removed += 1

    def _next_free(self, product: str) -> Subscription:
        """The subscription of that product to put one more holder into: the one that ends last, while it has seats."""
        candidates = self._candidates(self._plan(product))
        free = (s for s in candidates if self.filled[s.pk] < s.purchased_licenses)
        subscription = next(free, candidates[0])
        self.filled[subscription.pk] += 1
        return subscription

    def _candidates(self, plan: Plan) -> list[Subscription]:
        """Those that ended take no holders while there is another. Ends last comes first; an unknown end last."""
        if plan.pk not in self.to_fill:
            known = self.of_plan[plan.pk]
            batch = SubscriptionBatch.of_ids([s.pk for s in known], self.now, SYSTEM)
            in_service = [s for s in known if batch.decisions[s.pk].status in (Status.ACTIVE, Status.SUSPENDED)]
            by_end = sorted(
                in_service or known, key=lambda s: s.period_end.timestamp() if s.period_end else 0, reverse=True
            )
            self.to_fill[plan.pk] = by_end
            self.filled |= {s.pk: batch.counts[s.pk].assigned for s in by_end}
        return self.to_fill[plan.pk]

    def absent_users(self, *, complete: bool) -> None:
        """Holders that the file does not name."""
        if not self.seen:
            return
        held = License.objects.held().filter(subscription__tenant=self.tenant, is_direct=True)
        absent = [pk for pk, user_id in held.values_list("pk", "user_id") if user_id not in self.seen]
        self.report.not_in_file = len(absent)
        if complete:
            for chunk in chunks(absent):
                License.objects.filter(pk__in=chunk).update(is_direct=False, removed_at=self.exported_at)
            self.report.licenses_removed += len(absent)

    def count_holders(self) -> None:
        """Holders by product and subscription, as they now stand."""
        ids = Subscription.objects.filter(tenant=self.tenant).order_by("pk").values_list("pk", flat=True)
        batch = SubscriptionBatch.of_ids(list(ids), self.now, SYSTEM)
        for row in batch.rows:
            name = row.plan.display_name
            label = f"{name} ({row.external_id})" if len(self.of_plan[row.plan_id]) > 1 else name
            self.report.holders[label] = batch.counts[row.pk].assigned


def _merge(one: UserRow, other: UserRow) -> UserRow:
    """The same principal name twice: one user who holds what either row says."""
    products = tuple(dict.fromkeys((*one.products, *other.products)))
    return UserRow(
        principal_name=one.principal_name,
        display_name=one.display_name or other.display_name,
        products=products,
        is_blocked=one.is_blocked or other.is_blocked,
        is_deleted=one.is_deleted and other.is_deleted,
        deleted_at=one.deleted_at,
        last_active_at=one.last_active_at or other.last_active_at,
    )


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
        settled=row.settled,
        in_flight=row.in_flight,
    )


def _audit(tenant: Tenant, report: Report, now: datetime) -> None:
    record(
        tenant_id=tenant.pk,
        at=now,
        action="directory.imported",
        subject=f"Tenant:{tenant.pk}",
        caller=SYSTEM,
        language="en",
        data={
            "users_created": report.users_created,
            "users_changed": report.users_changed,
            "licenses_assigned": report.licenses_assigned,
            "licenses_removed": report.licenses_removed,
            "charges_recorded": report.charges_recorded,
            "holders": report.holders,
        },
    )
