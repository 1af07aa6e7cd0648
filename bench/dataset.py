"""The data to measure with: tenants with subscriptions, licenses and charges, the same every time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import time_machine
from django.db import connection
from tqdm import tqdm

from billing.models import Agreement, BillingAccount, Charge, PaymentMethod
from subscriptions.models import DirectoryUser, Plan, Subscription
from tenants.callers import EXCLUDES, Scope
from tenants.models import Tenant
from tenants.people import SYSTEM
from tenants.tokens import create_token

USERS = 40


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the baselines are asked about: a token of one tenant, and one of its subscriptions."""

    token: str
    subscription: int


def at_noon() -> time_machine.travel:
    """The clock from noon of the last working day on: at night and on Sundays nobody is to be called."""
    return time_machine.travel(last_noon(datetime.now(UTC)), tick=True)


def last_noon(now: datetime) -> datetime:
    """Noon of the last working day in Sofia."""
    noon = now.astimezone(ZoneInfo("Europe/Sofia")).replace(hour=12, minute=0, second=0, microsecond=0)
    while noon > now or noon.weekday() > 4:
        noon -= timedelta(days=1)
    return noon.astimezone(UTC)


def build(tenants: int, subscriptions: int) -> Dataset:
    """``tenants`` with that many ``subscriptions`` each, 1 to 40 licenses and one paid charge on every one."""
    now = datetime.now(UTC)
    start = now - timedelta(days=10)
    plans = Plan.objects.bulk_create(Plan(part_number=f"P{n}", name=f"Product {n}") for n in range(subscriptions))
    ids: list[int] = []
    for number in tqdm(range(tenants), desc="tenants", leave=False):
        tenant = Tenant.objects.create(name=f"Tenant {number}", domain=f"t{number}.example")
        account = BillingAccount.objects.create(tenant=tenant, payment_methods_known=True)
        PaymentMethod.objects.create(account=account, label="Visa 4242")
        DirectoryUser.objects.bulk_create(
            DirectoryUser(tenant=tenant, principal_name=name, principal_key=name, display_name=f"User {n}")
            for n in range(USERS)
            for name in [f"u{n}@t{number}.example"]
        )
        agreements = Agreement.objects.bulk_create(
            Agreement(account=account, currency="EUR") for _ in range(subscriptions)
        )
        made = Subscription.objects.bulk_create(
            Subscription(
                tenant=tenant, plan=plan, agreement=agreement, purchased_licenses=USERS, term_months=1,
                period_start=start, period_end=start + timedelta(days=30), anchored_at=start,
            )
            for plan, agreement in zip(plans, agreements, strict=True)
        )  # fmt: skip
        Charge.objects.bulk_create(
            Charge(
                agreement=agreement, external_id=f"ch-{agreement.pk}", description="Business Standard",
                currency="EUR", period_start=start, period_end=start + timedelta(days=30), charged_at=start, charged=2000, paid=2000,
            )
            for agreement in agreements
        )  # fmt: skip
        ids.append(made[-2].pk)
    _assign()
    first = Tenant.objects.get(domain="t0.example")
    _, text = create_token(name="Bench", scopes=set(Scope) - set(EXCLUDES), tenants=[first], caller=SYSTEM, now=now)
    return Dataset(text, ids[0])


def _assign() -> None:
    """1 to 40 licenses of each subscription, by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscriptions_license (subscription_id, user_id, is_direct, is_inherited)"
            " SELECT s.id, u.id, true, false FROM subscriptions_subscription s JOIN ("
            "   SELECT id, tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY id) AS n"
            "   FROM subscriptions_directoryuser) u ON u.tenant_id = s.tenant_id AND u.n <= (s.id * 7) %% 40 + 1",
            [],
        )
