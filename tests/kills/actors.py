"""The processes that are killed: ``python -m tests.kills.actors canceler|worker|...``, on DATABASE_URL.

The canceler cancels what is not canceled yet, as the web process does; the worker lives four days later, when no
undo is open any more, and shortens the lease so that a test need not wait a minute for what a dead one held.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta

import django


def cancel_all() -> None:
    from django.utils import timezone

    from subscriptions.cancellations.service import cancel_subscription
    from subscriptions.cancellations.signing import quote_id
    from subscriptions.models import Subscription
    from subscriptions.policy.facts import Mode
    from subscriptions.selectors.batches import SubscriptionBatch
    from tenants.models import User
    from tenants.people import caller_of_person

    caller = caller_of_person(User.objects.get())
    for subscription in Subscription.objects.filter(canceled_mode=None).order_by("pk"):
        now = timezone.now()
        decision = SubscriptionBatch.get(caller, subscription.pk, now).decisions[subscription.pk]
        quote = decision.quote(Mode.IMMEDIATE)
        if quote is not None:
            cancel_subscription(
                caller=caller, subscription_id=subscription.pk, idempotency_key=f"key {subscription.pk}",
                quote_id=quote_id(quote, tenant_id=subscription.tenant_id, subscription_id=subscription.pk),
                language="en", now=now,
            )  # fmt: skip


def work() -> None:
    from django.utils import timezone

    from outbox import worker
    from outbox.lanes import Lanes

    def clock() -> datetime:
        return timezone.now() + timedelta(days=4)

    worker.LEASE = timedelta(seconds=1)
    Lanes(clock=clock, pause=0.05).work()


def carry() -> None:
    """A worker with a connection to a directory on paper."""
    from outbox import worker
    from outbox.lanes import Lanes
    from subscriptions.carriers import register_carrier
    from tests.kills.paper_directory import PaperDirectory

    register_carrier("paper", PaperDirectory())
    worker.LEASE = timedelta(seconds=1)
    Lanes(pause=0.05).work()


def sync() -> None:
    """A worker for which five rows are a piece."""
    from outbox import worker
    from outbox.lanes import Lanes
    from outbox.registry import Lane
    from subscriptions.directory import staging

    staging.PIECE = 5
    worker.LEASE = timedelta(seconds=1)
    Lanes([Lane.SYNC], pause=0.05).work()


def send() -> None:
    """A web process that keeps a long document of the only tenant with an id, slowly."""
    import os
    from pathlib import Path

    from django.utils import timezone

    from subscriptions.directory import runs, staging, work
    from tenants.models import Tenant

    staging._RAW = 500
    content = Path(os.environ["WAYOUT_TEST_DOCUMENT"]).read_bytes()
    source = runs.source_of(Tenant.objects.get(external_id="c-1"), "host", "Host")
    run = runs.open_run(source=source, token_id=None, dry_run=False, now=timezone.now(), is_ndjson=True)
    pieces = (time.sleep(0.1) or content[at : at + 500] for at in range(0, len(content), 500))
    work.receive(run, pieces, timezone.now())


def work_with_a_wrong_clock() -> None:
    """On a machine whose clock is off by the minutes of the second argument."""
    import time_machine
    from django.core.management import call_command
    from django.utils import timezone

    with time_machine.travel(timezone.now() + timedelta(minutes=int(sys.argv[2]))):
        call_command("work", "--pause", "0.05")


def work_on_poison() -> None:
    """Does the kind "poison", which ends it: by a signal, or by hanging. The third argument is one of the command's."""
    import os
    import signal

    from django.core.management import call_command

    from outbox import watch, worker
    from outbox.registry import Lane, handles

    def poison(*_: object) -> None:
        time.sleep(0.2)  # so that others have begun
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)

    worker.LEASE, watch.LONGEST = timedelta(seconds=1), timedelta(seconds=1)
    handles("poison", Lane.WEBHOOKS)(poison)
    handles("note", Lane.MONEY)(lambda *_: None)
    handles("piece", Lane.LONG)(lambda *_: time.sleep(0.6))
    call_command("work", "--pause", "0.05", *sys.argv[3:])


def publish_without_end() -> None:
    import uuid

    from django.db import transaction
    from django.utils import timezone

    from subscriptions.events import SubscriptionEvent
    from tenants.models import Tenant
    from webhooks.events import publish

    tenant_id = Tenant.objects.values_list("pk", flat=True).get()
    while True:
        with transaction.atomic():
            for n in range(3):
                publish(
                    type=SubscriptionEvent.USERS_REMOVED, key=uuid.uuid4().hex, tenant_id=tenant_id, subject=f"sub_{n}",
                    describe=dict, now=timezone.now(),
                )  # fmt: skip


def position_without_end() -> None:
    from django.utils import timezone

    from webhooks.feed import position_events

    while True:
        position_events(timezone.now())


ACTORS = {
    "canceler": cancel_all,
    "worker": work,
    "carrier": carry,
    "syncer": sync,
    "sender": send,
    "skewed": work_with_a_wrong_clock,
    "poisoned": work_on_poison,
    "publisher": publish_without_end,
    "positioner": position_without_end,
}

if __name__ == "__main__":
    django.setup()
    ACTORS[sys.argv[1]]()
