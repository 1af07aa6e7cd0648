"""kill -9 of a whole installation, web, Celery's workers and beat, while everything around it has a bad day.

Admins cancel over HTTP and send again what was not answered. Meanwhile mail hangs, the broker refuses, receivers of events
are slow or fail, Stripe loses answers. In the end all is there once.
"""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import ChannelError
from django.db import connection
from django.utils import timezone
from kombu import Connection

from billing.models import Agreement, Refund
from outbox.models import Task
from outbox.queue import requeue
from subscriptions.models import Cancellation
from tenants.callers import Scope
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.billing.fake_stripe import FakeStripe, fake_stripe
from tests.graphql.documents import CANCEL, OPTIONS
from tests.kills.post_office import PostOffice, post_office
from tests.kills.test_faults import Proxy
from tests.kills.test_kills import ROOT, environment_of
from tests.outbox.test_notifier import RABBIT, REDIS
from tests.outsiders import require
from tests.reconciling import findings
from tests.served.conftest import free_port
from tests.webhooks.receiver import Receiver, receiving
from tests.world import World
from webhooks.endpoints import register
from webhooks.models import Delivery, Event

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
SEED, KEY = 20261201, "sk_test_of_the_kills"
KILLS = int(os.environ.get("WAYOUT_KILLS", "5"))
TROUBLES = ("timeout before", "timeout after", "5xx", "429", "silent", "slow")
ADMINS = 3


class Around:
    """Everything outside, and what mood it is in."""

    def __init__(self, stripe: FakeStripe, mail: PostOffice, receiver: Receiver, broker: Proxy) -> None:
        self.stripe, self.mail, self.receiver, self.broker = stripe, mail, receiver, broker

    def be_moody(self, chance: random.Random) -> None:
        self.mail.speaks.set() if chance.random() < 0.5 else self.mail.speaks.clear()
        self.broker.open = chance.random() < 0.6
        if not self.broker.open:
            self.broker.drop()
        self.stripe.troubles[:] = chance.choices(TROUBLES, k=chance.randrange(4))
        answers = chance.choices([200, 200, 503, "hang", "close"], k=1)
        self.receiver.behave = lambda _message: answers[0]

    def be_well(self) -> None:
        self.mail.speaks.set()
        self.broker.open = True
        self.stripe.troubles.clear()
        self.receiver.behave = lambda _message: 200


@contextmanager
def around(url: str) -> Iterator[Around]:
    place = urlsplit(url)
    proxy = Proxy(str(place.hostname), place.port or 0)
    proxy.start()
    with fake_stripe() as stripe, post_office() as mail, receiving() as receiver:
        yield Around(stripe, mail, receiver, proxy)
        receiver.over.set()
    proxy.end()


class Installation:
    """Its processes, each in a group of its own, so that whatever it started is killed with it."""

    def __init__(self, environment: dict[str, str], port: int, folder: Path) -> None:
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "tests.kills.grown"]
        served = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
        worker = [*celery, "worker", "--pool", "solo", "--without-gossip", "--without-mingle", "-n"]
        self._commands = {
            "web": [*served, "--workers", "1", "--no-ws", "portal.asgi:application"],
            "worker 1": [*worker, "one@here"],
            "worker 2": [*worker, "two@here"],
            "beat": [*celery, "beat", "-s", str(folder / "beat")],
        }
        self.names, self._environment, self._log = sorted(self._commands), environment, folder / "log"
        self.queue = environment["WAYOUT_QUEUE"]
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        with self._log.open("ab") as log:
            self._running[name] = subprocess.Popen(
                self._commands[name], cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> bool:
        """True when there was something to kill."""
        process = self._running[name]
        ran = process.poll() is None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return ran

    def start_again(self) -> None:
        """Who watches over it sees what ended by itself."""
        for name in self.names:
            if name not in self._running or self._running[name].poll() is not None:
                self.start(name)

    def end(self) -> None:
        for name in self._running:
            self.kill(name)


class Admins:
    """People who cancel what is on the list, and ask again with the same key until they are answered."""

    def __init__(self, port: int, token: str, subscriptions: list[int]) -> None:
        self._url, self._token = f"http://127.0.0.1:{port}/graphql/", token
        self._left: queue.Queue[int] = queue.Queue()
        for pk in subscriptions:
            self._left.put(pk)
        self.references: dict[int, set[str]] = {pk: set() for pk in subscriptions}
        self.is_over, self.hurry = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(ADMINS)]

    def _work(self) -> None:
        while not self.is_over.is_set():
            try:
                pk = self._left.get_nowait()
            except queue.Empty:
                return
            given: dict[str, str] = {}
            while not self.is_over.is_set() and not self._answered(pk, given):
                given = given or self._decide(pk)
                time.sleep(0.2)
            # Twice, now and then: the second answer is the first.
            if pk % 3 == 0:
                self._answered(pk, given)
            if not self.hurry.is_set():
                time.sleep(0.5)

    def _decide(self, pk: int) -> dict[str, str]:
        """What to send, and to send again as it is; nothing where nobody quotes now."""
        found = (self._ask(OPTIONS, {"id": f"sub_{pk}"}) or {}).get("cancellationOptions") or {"options": []}
        quotes = [quote for option in found["options"] for quote in option["quotes"] or ()]
        for quote in quotes:
            if quote["mode"] == "IMMEDIATE":
                return {"subscriptionId": f"sub_{pk}", "quoteId": quote["id"], "idempotencyKey": uuid.uuid4().hex}
        return {}

    def _answered(self, pk: int, given: dict[str, str]) -> bool:
        answer = (given and self._ask(CANCEL, {"input": given})) or {}
        reference = (answer.get("cancelSubscription") or {}).get("cancellation", {}).get("reference")
        if reference:
            self.references[pk].add(reference)
        return bool(reference)

    def _ask(self, document: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        body = json.dumps({"query": document, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        asked = urllib.request.Request(self._url, body, headers)
        with suppress(OSError, ValueError), urllib.request.urlopen(asked, timeout=15) as answer:
            said: dict[str, Any] = json.loads(answer.read())
            return said.get("data")
        return None


@pytest.mark.parametrize("broker", [REDIS, RABBIT], ids=["redis", "rabbit"])
def test_an_installation_that_is_killed_on_a_bad_day_loses_and_doubles_nothing(
    broker: str, tmp_path: Path, settings: Any
) -> None:
    require(broker)
    chance, count = random.Random(SEED), max(12, KILLS)
    world = World.build(billing_contact_email="books@contoso.example")
    with around(broker) as outside:
        subscriptions = sold(world, count, outside.stripe)
        settings.WAYOUT_STRIPE_URL, settings.WAYOUT_STRIPE_KEY = outside.stripe.url, KEY
        endpoint, secret = register(
            partner="partner", url=outside.receiver.url, events=[], contact_email="", language="en", caller=SYSTEM,
            now=timezone.now(),
        )  # fmt: skip
        outside.receiver.secret = secret or ""
        token = world.token(
            Scope.CANCEL, Scope.WEBHOOKS, partner=endpoint.partner, expires_at=timezone.now() + timedelta(9)
        )
        port = free_port()
        installation = Installation(environment(outside, broker, tmp_path), port, tmp_path)
        admins = Admins(port, token, subscriptions)
        try:
            installation.start_again()
            killed = kill_again_and_again(installation, outside, admins, chance)
            outside.be_well()
            admins.hurry.set()
            until_quiet(installation, admins, count)
        finally:
            admins.is_over.set()
            installation.end()
            with Connection(broker) as queues, suppress(ChannelError):
                queues.channel().queue_delete(installation.queue)
        later = timezone.now() + timedelta(days=4)
        wrong = [finding for finding in findings(later) if not finding.startswith("task mail.")]
        paid = Counter(refund["metadata"]["wayout_part"] for refund in outside.stripe.refunds)
        sent, accepted = dict(outside.mail.sent), outside.receiver.accepted
    assert all(len(said) == 1 for said in admins.references.values()), admins.references
    assert Cancellation.objects.count() == count
    assert Refund.objects.filter(status="SUCCEEDED").count() == len(paid) == count
    assert set(paid.values()) == {1}
    assert {there["status"] for there in outside.stripe.subscriptions.values()} == {"canceled"}
    assert wrong == []
    assert not list(verify(world.tenant.pk))
    interrupted = list(Task.objects.filter(status="GIVEN_UP").values_list("key", flat=True))
    assert all(key.startswith("mail.") for key in interrupted)
    # What was interrupted after its last word may or may not have left: staff see it.
    assert max(sent.values()) == 1
    assert len(sent) <= 2 * count <= len(sent) + len(interrupted)
    assert all(requeue(key=key, now=later) for key in interrupted)
    # Some came more than once, each by its one id and with the same words.
    events = set(Event.objects.values_list("message_id", flat=True))
    assert {message_id for message_id, _ in accepted} == events != set()
    assert len({(message_id, json.dumps(said, sort_keys=True)) for message_id, said in accepted}) == len(events)
    print(
        f"{urlsplit(broker).scheme}, {connection.vendor}: {killed} kills, {count} cancellations and refunds,"
        f" {len(sent)} mails, {len(interrupted)} left to staff, {len(events)} events in {len(accepted)} deliveries"
    )


def sold(world: World, count: int, stripe: FakeStripe) -> list[int]:
    """So many, in the middle of their month, billed by Stripe."""
    now = timezone.now()
    period: dict[str, Any] = {"period_start": now - timedelta(days=10), "period_end": now + timedelta(days=20)}
    made = []
    for number in range(count):
        subscription = world.subscription(2, charged=None, **period)
        stripe.subscribe(f"sub_at_stripe_{number}")
        agreement = Agreement.objects.filter(pk=subscription.agreement_id)
        agreement.update(provider="stripe", external_id=f"sub_at_stripe_{number}")
        world.charge(subscription, external_id=f"ch_{number}", charged=3000)
        made.append(subscription.pk)
    return made


def environment(outside: Around, broker: str, folder: Path) -> dict[str, str]:
    place = urlsplit(broker)
    where = broker.replace(f"{place.hostname}:{place.port}", f"127.0.0.1:{outside.broker.port}")
    return {
        **environment_of(folder),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "WAYOUT_EMAIL_URL": f"smtp://127.0.0.1:{outside.mail.port}",
        "WAYOUT_BROKER_URL": where,
        "WAYOUT_QUEUE": f"wayout-test-{uuid.uuid4().hex}",
        "WAYOUT_PROVIDER": "stripe",
        "WAYOUT_STRIPE_KEY": KEY,
        "WAYOUT_STRIPE_URL": outside.stripe.url,
        "WAYOUT_WEBHOOK_PRIVATE": "1",
        "WAYOUT_WEBHOOK_TIMEOUT": "1",
    }


def kill_again_and_again(
    installation: Installation, outside: Around, admins: Admins, chance: random.Random
) -> Counter[str]:
    killed: Counter[str] = Counter()
    for thread in admins.threads:
        thread.start()
    while killed.total() < KILLS:
        outside.be_moody(chance)
        time.sleep(chance.uniform(0.5, 2.5))
        name = chance.choice(installation.names)
        killed[name] += installation.kill(name)
        installation.start_again()
    return killed


def until_quiet(installation: Installation, admins: Admins, count: int) -> None:
    """Until everything is done. Whoever waits for later finds that it is."""
    for _ in range(600):
        installation.start_again()
        now = timezone.now()
        waiting = Task.objects.filter(status="WAITING", leased_until=None)
        waiting.filter(run_at__lte=now + timedelta(days=6), run_at__gt=now).update(run_at=now)
        is_paid = Refund.objects.filter(status="SUCCEEDED").count() == count
        is_told = not Delivery.objects.exclude(status="DELIVERED").exists()
        is_answered = not any(thread.is_alive() for thread in admins.threads)
        if is_paid and is_told and is_answered and not waiting.filter(run_at__lte=now).exists():
            return
        time.sleep(0.2)
    left = list(Task.objects.filter(status="WAITING").values("key", "run_at", "last_failure")[:5])
    late = Delivery.objects.exclude(status="DELIVERED").count()
    pytest.fail(f"not finished: {left}, {late} deliveries, {sum(map(bool, admins.references.values()))} answered")
