"""1 thousand, 100 thousand and 1 million licenses, callbacks and cancellations: what people do stays as fast.

On PostgreSQL. Each size is a dataset with 10 subscriptions a tenant, and one tenant that has 30 % of all licenses in one
subscription (300,000 in the largest).
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
# What fills a dataset may take its time.
os.environ.setdefault("WAYOUT_STATEMENT_TIMEOUT", "0")

# Sets Django up as what serves does.
import json

from django.db import connection, transaction
from django.test import Client
from tqdm import tqdm

import portal.wsgi  # noqa: F401
from bench.client import RequestFailed, check, check_page
from bench.databases import databases
from bench.dataset import at_noon
from desk.services.claims import claim_next, release_callback
from subscriptions.models import CancellationPolicy, License, Subscription
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import EXCLUDES, Scope
from tenants.models import Tenant, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.tokens import create_token

SIZES = (1_000, 100_000, 1_000_000)
GOAL = 1.5
_EACH = 10  # subscriptions of a tenant
_FILL = """
INSERT INTO tenants_tenant (id, name, domain, time_zone, language, phone_region, billing_contact_name,
  billing_contact_email, billing_contact_language, search_key, created_at)
SELECT n, 'Tenant ' || n, 't' || n || '.example', 'Europe/Sofia', 'en', 'BG', '', '', '',
  'tenant ' || n || ' t' || n || '.example', now() FROM generate_series(1, {tenants}) n;
INSERT INTO billing_billingaccount (id, tenant_id, payment_methods_known)
SELECT n, n, true FROM generate_series(1, {tenants}) n;
INSERT INTO billing_paymentmethod (account_id, label, is_active) SELECT n, 'Visa', true FROM generate_series(1, {tenants}) n;
INSERT INTO subscriptions_plan (id, part_number, name, search_key)
SELECT n, 'P' || n, 'Product ' || n, 'product ' || n FROM generate_series(1, {each}) n;
INSERT INTO billing_agreement (id, account_id, currency, provider, external_id, renewal_stop, confirmed_stop)
SELECT n, (n - 1) / {each} + 1, 'EUR', '', '', 'NONE', 'NONE' FROM generate_series(1, {size}) n;
INSERT INTO subscriptions_subscription (id, tenant_id, plan_id, agreement_id, external_id, base_status, is_trial, channel,
  partner_name, purchased_licenses, period_start, period_end, anchored_at, term_months, renews)
SELECT n, (n - 1) / {each} + 1, (n - 1) % {each} + 1, n, '', 'ACTIVE', false, 'DIRECT', '', 40, now() - interval '10 days',
  now() + interval '20 days', now() - interval '10 days', 1, true FROM generate_series(1, {size}) n;
INSERT INTO subscriptions_directoryuser (id, tenant_id, principal_name, principal_key, display_name, search_key, is_blocked,
  last_active_at)
SELECT n, CASE WHEN n <= {size} * 3 / 10 THEN 1 ELSE (n - 1) / {each} + 1 END, 'u' || n, 'u' || n, 'User ' || n,
  'user ' || n || ' u' || n, false, now() - n * interval '1 second' FROM generate_series(1, {size}) n;
INSERT INTO subscriptions_license (subscription_id, user_id, is_direct, is_inherited)
SELECT CASE WHEN n <= {size} * 3 / 10 THEN 1 ELSE n END, n, true, false FROM generate_series(1, {size}) n;
INSERT INTO desk_callbackrequest (reference, tenant_id, subscription_id, source, contact_name, phone,
  phone_extension, phone_is_valid, phone_as_typed, language, time_zone, note, requested_at, phone_given_at, credit_from,
  due_at, next_attempt_at, status, closed_at, close_reason, attempts, waited_as, last_outcome)
SELECT 'R-' || n, (n - 1) / {each} + 1, n, 'GRAPHQL', 'Ada', '+35988' || n, '', true, '', 'en', 'Europe/Sofia', '', at, at,
  at, at + interval '4 hours', CASE WHEN n % 4 > 0 THEN at END, CASE WHEN n % 4 > 0 THEN 'NEW' ELSE 'DONE' END,
  CASE WHEN n % 4 = 0 THEN at END, CASE WHEN n % 4 > 0 THEN '' ELSE 'OTHER' END, 0, '', ''
FROM (SELECT n, now() - interval '1 year' * n / {size} AS at FROM generate_series(1, {size}) n) s;
INSERT INTO subscriptions_cancellation (reference, tenant_id, subscription_id, mode, requested_at, by_staff, staff_reason,
  customer_language, effective_at, undo_until, access_ends_at, data_available_until, data_erased_by, priced_at, no_refund_reason,
  policy_id, quote, facts, licenses_30_days_before, language, feedback, comment, undone_at)
SELECT 'C-' || n, (n - 1) / {each} + 1, n, 'IMMEDIATE', now(), false, '', '', now(), now(), now(), now(), now(), now(), '',
  {policy}, '{{}}', '{{}}', 1, 'en', '', '', now() FROM generate_series(1, {size}) n;
"""


def fill(size: int) -> None:
    """A dataset of that size, by the database itself; what the ids count from follows."""
    policy = CancellationPolicy.objects.get().pk
    with connection.cursor() as cursor:
        for statement in _FILL.format(size=size, tenants=size // _EACH, each=_EACH, policy=policy).split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        for table in ("tenants_tenant", "subscriptions_subscription", "subscriptions_directoryuser"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {size} + 1)")
    User.objects.create_superuser("boss", "boss@example.com", "x")


class Scenario:
    """What is measured, on the database that is in use."""

    def __init__(self, size: int) -> None:
        self.user = User.objects.get(username="boss")
        self.client, self.staff = Client(), Client()
        self.staff.force_login(self.user)
        tenants = [Tenant.objects.get(pk=pk) for pk in (1, 2)]
        _, text = create_token(
            name="B", scopes=set(Scope) - set(EXCLUDES), tenants=tenants, caller=SYSTEM, now=datetime.now(UTC)
        )
        self.headers = {"Authorization": f"Bearer {text}"}
        self.large = License.objects.filter(subscription=1, is_direct=True)
        self.last = self.large.values_list("user__principal_name", flat=True).latest("user")
        self.some = Subscription.objects.filter(tenant=2).values_list("pk", flat=True)[0]

    def ask(self, query: str) -> None:
        """One question. Raises RequestFailed."""
        body = json.dumps({"query": query})
        answer = self.client.post("/graphql/", body, content_type="application/json", headers=self.headers)
        check(answer.status_code, answer.content)

    def options(self, pk: int) -> None:
        """Options of one subscription."""
        self.ask(
            f'{{ cancellationOptions(subscriptionId: "sub_{pk}") {{ route headline options {{ route message }} }} }}'
        )

    def holders(self, search: str) -> None:
        """A page of the holders of the largest subscription."""
        found = f', search: "{search}"' if search else ""
        self.ask(
            f'{{ subscription(id: "sub_1") {{ licenses(first: 20{found}) {{ edges {{ node {{ user {{ displayName }} }} }} }} }} }}'
        )

    def remove(self) -> None:
        """Remove one holder of the largest subscription, and give the license back."""
        user = self.large.values_list("user", flat=True)[0]
        self.ask(
            f'mutation {{ removeUsers(input: {{subscriptionId: "sub_1", userIds: ["usr_{user}"]}}) {{ __typename }} }}'
        )
        License.objects.filter(subscription=1, user=user).update(is_direct=True, removed_at=None)

    def claim(self) -> None:
        """Claim next, and give it back."""
        caller, now = caller_of_staff(self.user), datetime.now(UTC)
        found = claim_next(agent=self.user, caller=caller, language="en", now=now)
        if not found:
            raise RequestFailed("nothing to claim")
        release_callback(agent=self.user, caller=caller, callback_id=found.pk, language="en", now=now)

    def queue(self) -> None:
        """The desk's list."""
        page = self.staff.get("/admin/desk/callbackrequest/")
        check_page(page.status_code, page.content, b"field-due_at")

    def audit(self) -> None:
        """One line on a tenant's trail."""
        with transaction.atomic():
            record(
                tenant_id=1, at=datetime.now(UTC), action=Action.DIRECTORY_IMPORTED, subject="Bench:1", caller=SYSTEM, language="en", data={},
            )  # fmt: skip

    def plan(self) -> dict[str, Callable[[], None]]:
        page = "{ subscriptions(first: 20) { edges { node { name cancellationOptions { route } } } } }"
        return {
            "options": lambda: self.options(self.some),
            "list of 20": lambda: self.ask(page),
            "claim next, release": self.claim,
            "the desk's list": self.queue,
            "audit write": self.audit,
            "options, 30 % in one": lambda: self.options(1),
            "its holders": lambda: self.holders(""),
            "one of them, by name": lambda: self.holders(self.last),
            "a page of a search": lambda: self.holders("user 77"),
            "remove one of them": self.remove,
        }


def main() -> int:
    """Print the table, and what grew by more than half."""
    sizes = SIZES[:2] if "--quick" in sys.argv else SIZES
    rounds = 7 if "--quick" in sys.argv else 21
    times: dict[tuple[str, int], list[float]] = {}
    with databases({size: lambda size=size: fill(size) for size in sizes}) as use, at_noon():  # type: ignore[misc]
        for number in tqdm(range(rounds + 1), desc="rounds", leave=False):
            for size in sizes if number % 2 else sizes[::-1]:
                use(size)
                for name, act in Scenario(size).plan().items():
                    act()  # warms what a new connection lacks
                    began = time.perf_counter()
                    act()
                    if number:
                        times.setdefault((name, size), []).append(time.perf_counter() - began)
    print(f"postgresql: medians of {rounds} rounds, none failed\n")
    print(f"{'':24}" + "".join(f"{size:>14,}" for size in sizes) + "   ratio")
    grown = []
    for name in dict.fromkeys(name for name, _ in times):
        medians = [statistics.median(times[name, size]) * 1000 for size in sizes]
        ratio = medians[-1] / medians[0]
        print(f"{name:24}" + "".join(f"{median:11.1f} ms" for median in medians) + f"  {ratio:5.2f}x")
        if ratio > GOAL:
            grown.append(f"{name} {ratio:.2f}x")
    print("\n" + (f"Grown by more than {GOAL}: " + "; ".join(grown) if grown else "Nothing grows."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
