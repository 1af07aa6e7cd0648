"""Demo data: three tenants, each with a subscription in every row of the rules, dated from today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group

from billing.charges import ChargeInput, record_charge
from billing.models import Agreement, BillingAccount, PaymentMethod
from billing.periods import Period, local_midnight, months_later
from common.languages import Language
from desk.models import CallbackSource
from desk.services.requests import Wish, request_callback
from subscriptions.cancellations.service import cancel_subscription
from subscriptions.cancellations.signing import quote_id
from subscriptions.models import DirectoryGroup, DirectoryUser, License, Plan, Subscription
from subscriptions.policy.facts import Channel, Mode, Status
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Role
from tenants.models import Membership, Tenant, User
from tenants.people import caller_of_person

PASSWORD = "leave-in-peace"  # noqa: S105
# May do everything; and two who may do what their group may.
STAFF = ("staff", "supervisor", "agent")
_GROUPS = {"supervisor": ("Sofia", "Callback supervisors"), "agent": ("Ana", "Callback agents")}


@dataclass(frozen=True, slots=True)
class Account:
    word: str
    name: str
    zone: str
    language: str
    region: str
    contact: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]

    @property
    def domain(self) -> str:
        return f"{self.word}.example"


ACCOUNTS = (
    Account(
        "contoso", "Contoso Ltd", "Europe/Sofia", Language.EN, "BG", "Dana Reed",
        ("Alex", "Robin", "Sam", "Kim", "Jo"), ("Miller", "Novak", "Silva", "Jones", "Weber"),
    ),
    Account(
        "rila", "Рила Софтуер ООД", "Europe/Sofia", Language.BG, "BG", "Даниела Петрова",
        ("Иван", "Мария", "Георги", "Елена", "Димитър"), ("Иванов", "Колев", "Щерев", "Ъглов", "Тодоров"),
    ),
    Account(
        "northwind", "Northwind Traders", "America/New_York", Language.EN, "US", "Pat Lane",
        ("Chris", "Lee", "Taylor", "Morgan", "Ray"), ("Adams", "Baker", "Clark", "Davis", "Evans"),
    ),
)  # fmt: skip


def seed(now: datetime) -> bool:
    """Make what is not there yet; False when everything was. Keeps what was done in the demo."""
    if User.objects.filter(username=STAFF[0]).exists():
        return False
    _staff()
    for account in ACCOUNTS:
        _Seeder(account, now).run()
    return True


def logins() -> list[dict[str, str]]:
    """Everyone who can sign in to the demo."""
    staff = [{"username": name, "password": PASSWORD, "role": "STAFF", "tenant": ""} for name in STAFF]
    people = [
        {
            "username": membership.user.username,
            "password": PASSWORD,
            "role": membership.role,
            "tenant": membership.tenant.domain,
        }
        for membership in Membership.objects.filter(tenant__domain__in=[account.domain for account in ACCOUNTS])
        .select_related("user", "tenant")
        .order_by("pk")
    ]
    return [*staff, *people]


def _staff() -> None:
    User.objects.create_superuser(STAFF[0], "staff@wayout.example", PASSWORD, first_name="Stella", last_name="Staff")
    for name, (first_name, group) in _GROUPS.items():
        user = User.objects.create_user(
            name, f"{name}@wayout.example", PASSWORD, is_staff=True, first_name=first_name, last_name=name.capitalize()
        )
        user.groups.add(Group.objects.get(name=group))


class _Seeder:
    """Fills one tenant."""

    def __init__(self, account: Account, now: datetime) -> None:
        self.account, self.now = account, now
        self.tenant = Tenant.objects.create(
            name=account.name,
            domain=account.domain,
            time_zone=account.zone,
            language=account.language,
            phone_region=account.region,
            billing_contact_name=account.contact,
            billing_contact_email=f"billing@{account.domain}",
        )
        self.billing = BillingAccount.objects.create(tenant=self.tenant, payment_methods_known=True)
        PaymentMethod.objects.create(account=self.billing, label="Visa 4242")
        today = now.astimezone(self.tenant.zone).date()
        start = local_midnight(today - timedelta(days=10), self.tenant.zone)
        self.month = Period(start, months_later(start, 1, self.tenant.zone))
        self.users: list[DirectoryUser] = []

    def run(self) -> None:
        for role, word in ((Role.GLOBAL_ADMIN, "admin"), (Role.BILLING_ADMIN, "billing"), (Role.VIEWER, "viewer")):
            self._person(role, word)
        self.users = DirectoryUser.objects.bulk_create(self._directory(60))
        self._subscriptions()

    def _person(self, role: Role, word: str) -> None:
        first, last = self.account.first_names[len(word) % 5], self.account.last_names[0]
        user = User.objects.create_user(
            f"{self.account.word}-{word}",
            f"{word}@{self.account.domain}",
            PASSWORD,
            first_name=first,
            last_name=last,
            language=self.account.language,
        )
        Membership.objects.create(user=user, tenant=self.tenant, role=role.value)

    def _directory(self, count: int) -> Iterator[DirectoryUser]:
        for number in range(count):
            first = self.account.first_names[number % 5]
            last = self.account.last_names[number // 5 % 5]
            name = f"demo{number:02}@{self.account.domain}"
            last_active = self.now - timedelta(days=number * 3) if number % 7 else None
            yield DirectoryUser(
                tenant=self.tenant,
                principal_name=name,
                principal_key=name,
                display_name=f"{first} {last}",
                last_active_at=last_active,
                is_blocked=number % 20 == 19,
            )

    def _subscriptions(self) -> None:
        """One in every row of the rules, and the ways they differ."""
        self._add("trial", "Video Trial", 3, is_trial=True, renews=False, charge=None)
        self._add("trial_converting", "Analytics Trial", 2, is_trial=True, unit_price=9900, purchased=2, charge=None)
        self._add("online", "Team Chat", 12, charge=14400, extra_seats=2)
        self._add("prepaid", "Office Suite Key", 5, channel=Channel.PREPAID, renews=False, charge=None)
        self._add("suspended", "Mail Archive", 8, base_status=Status.SUSPENDED, charge=4000, paid=0, in_flight=4800)
        self._add("at_limit", "Design Studio", 25, charge=50000)
        over = self._add("over_limit", "Business Suite", 32, charge=64000)
        self._add("only_groups", "Remote Desktop", 4, by_group=30, charge=30000)
        self._add("partner_managed", "Security Pack", 9, channel=Channel.PARTNER, partner_name="Fabrikam", charge=None)
        self._add("ended", "Legacy Backup", 0, base_status=Status.EXPIRED, charge=None)
        canceling = self._add("canceling", "Team Board", 6, charge=6000)
        canceled = self._add("canceled", "Old Forms", 2, charge=2000)
        self._cancel(canceling, Mode.AT_PERIOD_END, self.now)
        self._cancel(canceled, Mode.IMMEDIATE, self.now - timedelta(days=8))
        self._request_callback(over)

    def _add(
        self,
        word: str,
        product: str,
        direct: int,
        *,
        charge: int | None,
        by_group: int = 0,
        purchased: int = 40,
        extra_seats: int = 0,
        paid: int | None = None,
        in_flight: int = 0,
        **given: Any,
    ) -> Subscription:
        agreement = Agreement.objects.create(account=self.billing, currency="EUR")
        plan, _ = Plan.objects.get_or_create(part_number=product.upper().replace(" ", "_"), defaults={"name": product})
        subscription = Subscription.objects.create(
            tenant=self.tenant,
            plan=plan,
            agreement=agreement,
            external_id=f"{self.account.word}-{word}",
            purchased_licenses=purchased,
            period_start=self.month.start,
            period_end=self.month.end,
            anchored_at=self.month.start,
            term_months=1,
            **given,
        )
        if charge is not None:
            self._charge(subscription, "1", self.month, purchased, charge, paid, in_flight)
        if extra_seats and charge is not None:
            rest = Period(self.month.start + timedelta(days=6), self.month.end)
            self._charge(subscription, "2", rest, extra_seats, charge // 20, None, 0)
        self._assign(subscription, direct, by_group)
        return subscription

    def _charge(
        self,
        subscription: Subscription,
        number: str,
        period: Period,
        seats: int,
        net: int,
        paid: int | None,
        in_flight: int,
    ) -> None:
        tax = net // 5
        charge = ChargeInput(
            external_id=f"{subscription.external_id}-{number}",
            description=f"{subscription.plan.display_name} × {seats}",
            seats=seats,
            period=period,
            charged_at=period.start,
            currency="EUR",
            charged=net + tax,
            tax=tax,
            paid=net + tax if paid is None else paid,
            in_flight=in_flight,
        )
        record_charge(agreement=subscription.agreement, charge=charge, now=charge.charged_at)

    def _assign(self, subscription: Subscription, direct: int, by_group: int) -> None:
        assigned_at = self.month.start - timedelta(days=40)
        made = License.objects.bulk_create(
            License(
                subscription=subscription,
                user=user,
                is_direct=number < direct,
                is_inherited=number >= direct,
                assigned_at=assigned_at,
            )
            for number, user in enumerate(self.users[: direct + by_group])
        )
        if by_group:
            group, _ = DirectoryGroup.objects.get_or_create(tenant=self.tenant, name="All staff")
            group.licenses.add(*made[direct:])

    def _cancel(self, subscription: Subscription, mode: Mode, at: datetime) -> None:
        caller = caller_of_person(User.objects.get(username=f"{self.account.word}-admin"))
        batch = SubscriptionBatch.get(caller, subscription.pk, at)
        quote = batch.decisions[subscription.pk].quote(mode)
        assert quote
        cancel_subscription(
            caller=caller,
            subscription_id=subscription.pk,
            quote_id=quote_id(quote, tenant_id=self.tenant.pk, subscription_id=subscription.pk),
            idempotency_key=f"demo-{subscription.pk}",
            language=self.account.language,
            now=at,
        )

    def _request_callback(self, subscription: Subscription) -> None:
        phone = {"BG": "0888 123 456", "US": "(212) 555-0147"}[self.account.region]
        request_callback(
            caller=caller_of_person(User.objects.get(username=f"{self.account.word}-billing")),
            subscription_id=subscription.pk,
            wish=Wish(
                phone=phone,
                contact_name=self.account.contact,
                language=self.account.language,
                time_zone=self.account.zone,
                window_start=None,
                note="",
            ),
            idempotency_key=None,
            source=CallbackSource.PORTAL,
            language=self.account.language,
            now=self.now,
        )
