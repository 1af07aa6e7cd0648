"""Things that break under the installation: workers that disagree about the time, a database that goes away, a full disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import LedgerEntry, Refund
from outbox.models import Task
from outbox.queue import enqueue
from outbox.worker import MAX_CRASHES, work_off
from subscriptions.models import Cancellation
from tests.graphql.documents import CANCEL
from tests.kills.test_kills import ROOT, environment_of, mails
from tests.races.together import together
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import cancel
from tests.world import Api, World

pytestmark = pytest.mark.django_db(transaction=True)


def canceled(world: World, count: int) -> None:
    now = timezone.now()
    for _ in range(count):
        cancel(
            world,
            world.subscription(2, period_start=now - timedelta(days=10), period_end=now + timedelta(days=20)),
            at=now,
        )


def test_several_workers_pay_once() -> None:
    world = World.build()
    canceled(world, 20)
    later = timezone.now() + timedelta(hours=80)
    answers = together(4, lambda _: sum(work_off(lambda: later) for _ in range(3)))
    assert all(isinstance(answer, int) for answer in answers), answers
    assert LedgerEntry.objects.count() == Refund.objects.filter(status="SUCCEEDED").count() == 20
    assert list(findings(later)) == []


def test_workers_whose_clocks_are_five_minutes_apart_go_by_the_databases(tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is on one machine, with one clock")
    world = World.build()
    environment = environment_of(tmp_path)
    command = [sys.executable, "-m", "tests.kills.actors", "skewed"]
    workers = [subprocess.Popen([*command, minutes], cwd=ROOT, env=environment) for minutes in ("-5", "5")]
    try:
        for _ in range(10):
            canceled(world, 2)
        soon = timezone.now() + timedelta(minutes=2)
        enqueue(kind="nothing", key="early", payload={}, run_at=soon, now=timezone.now())
        wait_for_mail(tmp_path, 20)
        time.sleep(1)
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()
    assert set(mails(tmp_path).values()) == {1}
    assert not Task.objects.filter(status="GIVEN_UP").exists()
    assert Task.objects.get(key="early").fence == 0


def test_workers_never_hold_the_same_task() -> None:
    world = World.build()
    canceled(world, 8)
    from outbox.worker import claim

    now = timezone.now()
    answers = together(8, lambda _: [task.pk for _ in range(3) if (task := claim(now))])
    claimed = [pk for answer in answers for pk in answer]  # type: ignore[union-attr]
    assert len(claimed) == len(set(claimed)) == Task.objects.filter(run_at__lte=now).count()


def test_a_full_disk_is_an_error_that_loses_nothing() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite keeps its file with us")
    world = World.build()
    subscriptions = [world.subscription(1) for _ in range(60)]
    api = Api(world.admin)
    inputs = [cancel_input(api, subscription.pk) for subscription in subscriptions]
    with connection.cursor() as cursor:
        # Into pages that earlier tests left free, it would still fit.
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0] + 30}")
    responses = [api.post(CANCEL, input=given) for given in inputs]
    answers = [response.json() for response in responses]
    assert {response.status_code for response in responses} == {200, 503}
    failed = [given for given, answer in zip(inputs, answers, strict=True) if "errors" in answer]
    assert {a["errors"][0]["extensions"]["code"] for a in answers if "errors" in a} == {"UNAVAILABLE"}
    assert "disk" not in str(answers)
    confirmed = {a["data"]["cancelSubscription"]["cancellation"]["reference"] for a in answers if "errors" not in a}
    assert confirmed
    assert set(Cancellation.objects.values_list("reference", flat=True)) == confirmed
    assert Refund.objects.count() == len(confirmed)
    assert list(findings(timezone.now())) == []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA max_page_count = 1073741823")
    for given in failed:
        assert api(CANCEL, input=given)["cancelSubscription"]["cancellation"]["reference"]
    assert Cancellation.objects.count() == Refund.objects.count() == len(subscriptions)


def cancel_input(api: Api, pk: int) -> dict[str, str]:
    query = "query($id: ID!) { cancellationOptions(subscriptionId: $id) { options { quotes { id } } } }"
    [quote, *_] = api(query, id=f"sub_{pk}")["cancellationOptions"]["options"][0]["quotes"]
    return {"subscriptionId": f"sub_{pk}", "quoteId": quote["id"], "idempotencyKey": f"k{pk}"}


@contextmanager
def without_database(proxy: Proxy) -> Iterator[None]:
    """Nobody gets at the database until the block ends."""
    if connection.vendor == "postgresql":
        proxy.open = False
        proxy.drop()
        yield
        proxy.open = True
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN EXCLUSIVE")
        yield
        cursor.execute("COMMIT")


class Proxy(threading.Thread):
    """Stands between a process and PostgreSQL, and can be shut."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self.target, self.open, self.ended = (host, port), True, False
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(0.2)
        self.port = self.server.getsockname()[1]
        self.pairs: list[socket.socket] = []

    def run(self) -> None:
        while not self.ended:
            try:
                client, _ = self.server.accept()
            except TimeoutError:
                continue
            client.settimeout(None)
            if not self.open:
                client.close()
                continue
            upstream = socket.create_connection(self.target)
            self.pairs += [client, upstream]
            for source, sink in ((client, upstream), (upstream, client)):
                threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            # Close alone would leave the other direction waiting in recv.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def end(self) -> None:
        self.ended = True
        self.drop()
        self.join()
        self.server.close()

    def drop(self) -> None:
        for end in self.pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()


@pytest.mark.long
def test_a_database_that_is_gone_for_ten_seconds_costs_ten_seconds(tmp_path: Path) -> None:
    world = World.build(billing_contact_email="books@contoso.example")
    database = connection.settings_dict
    proxy = Proxy(str(database["HOST"] or "127.0.0.1"), int(database["PORT"] or 0))
    proxy.start()
    environment = environment_of(tmp_path)
    if connection.vendor == "postgresql":
        environment["DATABASE_URL"] = f"postgresql://{database['USER']}@127.0.0.1:{proxy.port}/{database['NAME']}"
    command = [sys.executable, "manage.py", "work", "--pause", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            canceled(world, 1)
            wait_for_mail(tmp_path, 2)
            with without_database(proxy):
                time.sleep(10)
            assert worker.poll() is None
            canceled(world, 1)
            wait_for_mail(tmp_path, 4)
        finally:
            worker.terminate()
            worker.wait()
            proxy.end()
    assert max(mails(tmp_path).values()) == 1


def wait_for_mail(folder: Path, count: int) -> None:
    for _ in range(600):
        if sum(mails(folder).values()) == count:
            return
        time.sleep(0.1)
    pytest.fail(f"{sum(mails(folder).values())} mails instead of {count}")


@pytest.mark.long
@pytest.mark.parametrize(("how", "exit_code"), [("kill", -signal.SIGKILL), ("hang", os.EX_TEMPFAIL)])
def test_what_ends_its_worker_ends_three_and_holds_nothing_else_up(tmp_path: Path, how: str, exit_code: int) -> None:
    poison(1)
    command = [sys.executable, "-m", "tests.kills.actors", "poisoned", how]
    for _ in range(MAX_CRASHES):
        worker = subprocess.Popen(command, cwd=ROOT, env=environment_of(tmp_path), stderr=subprocess.DEVNULL)
        assert worker.wait(30) == exit_code
        if how == "hang":
            # Only what hung is to blame, not what worked beside it.
            assert set(Task.objects.filter(kind="piece").values_list("crashes", flat=True)) == {0}
    worker = subprocess.Popen(command, cwd=ROOT, env=environment_of(tmp_path), stderr=subprocess.DEVNULL)
    try:
        wait_until_the_poison_is_stuck()
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait()


@pytest.mark.long
def test_a_worker_that_nobody_watches_starts_itself_again(tmp_path: Path) -> None:
    poison(1)
    command = [sys.executable, "-m", "tests.kills.actors", "poisoned", "hang", "--while-parent"]
    worker = subprocess.Popen(command, cwd=ROOT, env=environment_of(tmp_path), stderr=subprocess.DEVNULL)
    try:
        wait_until_the_poison_is_stuck()
        assert worker.poll() is None
        worker.terminate()
        # By a slow machine it is asked in the middle of starting itself again.
        assert worker.wait(30) in (0, -signal.SIGTERM)
    finally:
        worker.kill()
        worker.wait()


def poison(notes: int) -> None:
    now = timezone.now()
    enqueue(kind="poison", key="poison", payload={}, run_at=now, now=now)
    for number in range(notes):
        enqueue(kind="note", key=f"note{number}", payload={}, run_at=now + timedelta(seconds=1), now=now)
    # Beside it there is always one that is at work, and no more to blame than the note.
    for number in range(5):
        enqueue(kind="piece", key=f"piece{number}", payload={}, run_at=now, now=now)


def wait_until_the_poison_is_stuck() -> None:
    for _ in range(300):
        found = dict(Task.objects.filter(kind__in=["poison", "note", "piece"]).values_list("key", "status"))
        if found == {"poison": "STUCK", "note0": "DONE", **{f"piece{number}": "DONE" for number in range(5)}}:
            return
        time.sleep(0.1)
    pytest.fail(f"{found}")
