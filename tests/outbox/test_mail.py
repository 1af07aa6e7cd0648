"""Mail over SMTP: it ends in time, waits out an outage, and is given up only where it will never do or may have left."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage

from outbox import registry, smtp
from outbox.mail import circuit, deliver
from outbox.models import Task
from outbox.queue import enqueue
from outbox.worker import work_off
from tests.builders import NOW
from tests.outsiders import refused, silent

pytestmark = pytest.mark.django_db
BACKEND = "outbox.smtp.EmailBackend"
USUAL = {
    "": "220 there", "EHLO": "250 there", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", ".": "250 queued",
    "RSET": "250 ok", "QUIT": "221 bye",
}  # fmt: skip


@contextmanager
def server(answers: Mapping[str, str | None]) -> Iterator[int]:
    """A mail server that answers each word by its line, and is silent where there is none."""

    def talk(call: socket.socket) -> None:
        with call, call.makefile("rwb") as lines, suppress(OSError):
            word = ""
            while True:
                if (said := answers[word]) is not None:
                    lines.write(said.encode() + b"\r\n")
                    lines.flush()
                word = next(lines, b"").split(b" ")[0].strip().decode().upper()
                if word == "DATA" and (answers["DATA"] or "").startswith("354"):
                    lines.write(b"354 go on\r\n")
                    lines.flush()
                    while next(lines, b"").strip() != b".":
                        pass
                    word = "."
                if not word:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=talk, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def mail(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Send one mail, once, to a port; what became of it."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = BACKEND, "127.0.0.1", 0.4
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""

    def send(payload: dict[str, Any], now: datetime) -> None:
        deliver(EmailMessage("A line", "Text.", "from@wayout.example", ["to@contoso.example"]))

    monkeypatch.setattr(registry, "_handlers", {"mail": send})
    monkeypatch.setattr(registry, "_periodic", {})

    def work(port: int) -> Task:
        settings.EMAIL_PORT = port
        enqueue(kind="mail", key="mail", payload={}, run_at=NOW, now=NOW, at_most_once=True)
        work_off(lambda: NOW)
        return Task.objects.latest("pk")

    return work


def test_a_mail_that_is_taken_is_done_even_without_a_goodbye(mail: Any) -> None:
    with server({**USUAL, "QUIT": None}) as port:
        assert mail(port).status == "DONE"


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param({"": None}, id="is silent"),
        pytest.param({"": "421 too busy"}, id="is busy"),
        pytest.param({"": "554 go away"}, id="takes nobody"),
        pytest.param({"EHLO": None}, id="is silent after its greeting"),
        pytest.param({"MAIL": None}, id="is silent about the sender"),
        pytest.param({"RCPT": None}, id="is silent about the address"),
        pytest.param({"MAIL": "421 closing"}, id="closes at the sender"),
        pytest.param({".": "421 closing"}, id="closes without taking it"),
    ],
)
def test_an_outage_is_waited_out(mail: Any, trouble: dict[str, str | None]) -> None:
    with server({**USUAL, **trouble}) as port:
        task = mail(port)
    assert (task.status, task.failures, task.outages) == ("WAITING", 0, 1)
    circuit.worked()  # a moment later
    with server(USUAL) as port:
        Task.objects.update(run_at=NOW)
        assert mail(port).status == "DONE"


@pytest.mark.parametrize("trouble", ["refused", "silent", "drips its greeting", "drips an answer"])
def test_nobody_there_costs_no_more_than_the_time_of_a_mail(
    mail: Any, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "LONGEST", 1.0)
    first = b"220 there\r\n" if trouble == "drips an answer" else b""
    there = silent(b"2" if "drips" in trouble else b"", first=first, pause=0.05)
    with nullcontext(refused()) if trouble == "refused" else there as outsider:
        began = time.monotonic()
        task = mail(outsider.port)
        assert time.monotonic() - began < 2.5
    assert (task.status, task.failures, task.outages) == ("WAITING", 0, 1)
    assert timedelta(0) < task.run_at - NOW < timedelta(seconds=5)


@pytest.mark.parametrize("trouble", [{"RCPT": "450 greylisted"}, {"MAIL": "550 not you"}, {".": "451 try later"}])
def test_what_was_refused_for_now_is_tried_again(mail: Any, trouble: dict[str, str]) -> None:
    with server({**USUAL, **trouble}) as port:
        task = mail(port)
    assert (task.status, task.failures, task.outages) == ("WAITING", 1, 0)


@pytest.mark.parametrize(("trouble", "said"), [
    ({"RCPT": "550 no such user"}, "the address was refused"),
    ({".": "554 no"}, "the mail server refused it: 554"),
    ({".": None}, "interrupted: it may have happened"),
])  # fmt: skip
def test_what_never_will_do_or_may_have_left_is_left_to_staff(
    mail: Any, trouble: dict[str, str | None], said: str
) -> None:
    with server({**USUAL, **trouble}) as port:
        task = mail(port)
    assert (task.status, task.last_failure) == ("GIVEN_UP", said)


def test_a_silent_server_costs_the_worker_one_wait_for_all_mail(mail: Any) -> None:
    with silent() as outsider:
        for number in range(20):
            enqueue(kind="mail", key=f"other{number}", payload={}, run_at=NOW, now=NOW, at_most_once=True)
        began = time.monotonic()
        mail_tasks = Task.objects.filter(pk__lte=mail(outsider.port).pk)
        assert time.monotonic() - began < 3
        assert len(outsider.calls) == 1
    assert set(mail_tasks.values_list("status", "failures", "outages")) == {("WAITING", 0, 1)}
