"""A benchmark says what failed, or fails: a server that refuses some requests is met by each of them."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client as InProcess

from bench import growth, imports, processes, queue, reads, soak, sync, writes
from bench.client import OK, Client, RequestFailed, SenderDied, check_page, failed, outcome, said, send_together
from bench.dataset import Dataset, last_noon
from tests.builders import at

GOOD = b'{"data":{"cancellationOptions":{"route":"CANCEL_ONLINE","options":[{"quotes":null}]}}}'
REFUSED = b'{"errors":[{"message":"later","extensions":{"code":"OVERLOADED"}}]}'
DATASET = Dataset("token", 1)


@pytest.mark.parametrize(
    ("status", "body", "said_as"),
    [
        (200, GOOD, "ok"),
        (200, b'{"data":{"subscription":null}}', "200 null"),
        (200, b'{"data": null}', "200 null"),
        (200, b'{"errors":[{"message":"x","extensions":{"code":"NOT_FOUND"}}],"data":null}', "200 NOT_FOUND"),
        (200, b'{"errors":[{"message":"x"}]}', "200 error"),
        (200, b'{"data":{"cancelSubscription":{"code":"QUOTE_CHANGED"}}}', "200 QUOTE_CHANGED"),
        (200, b'{"data":{"x":{"text":"\\"code\\""}}}', "ok"),
        (503, REFUSED, "503 OVERLOADED"),
        (503, GOOD, "503"),
        (502, b"<html>", "502 no JSON object"),
        (200, b'"errors"', "200 no JSON object"),
    ],
)
def test_an_outcome_names_what_went_wrong(status: int, body: bytes, said_as: str) -> None:
    assert outcome(status, body) == said_as


def test_counts_are_said() -> None:
    assert said(Counter({OK: 1_200})) == "1,200 answered, none failed"
    assert said(Counter({OK: 3, "503 OVERLOADED": 2})) == "3 answered, 2 FAILED (503 OVERLOADED: 2)"


class Server(ThreadingHTTPServer):
    """Of many connections at once."""

    daemon_threads = True
    request_queue_size = 64


Answers = Callable[[int], tuple[int, bytes] | None]


@pytest.fixture
def serve() -> Iterator[Callable[[Answers], int]]:
    """Serve what a function of the request's number says; None: hang up. Yields what answers a port."""
    servers = []

    def start(answers: Answers) -> int:
        numbers = itertools.count()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                answer = answers(next(numbers))
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *_: Any) -> None:
                pass

        server = Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.server_port)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _everybody_hangs_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    clients: list[Client] = []
    made = Client.__init__

    def note(self: Client, *args: Any, **given: Any) -> None:
        made(self, *args, **given)
        clients.append(self)

    monkeypatch.setattr(Client, "__init__", note)
    yield
    for client in clients:
        client.close()


def some_refused(number: int) -> tuple[int, bytes]:
    return (503, REFUSED) if number % 4 == 3 else (200, GOOD)


def dies(number: int) -> tuple[int, bytes] | None:
    return None if number == 30 else (200, GOOD)


def test_the_client_counts(serve: Any) -> None:
    client = Client(serve(some_refused), "token")
    assert [client.ask(b"{}")[0] for _ in range(4)] == [OK, OK, OK, "503 OVERLOADED"]
    assert client.counts == {OK: 3, "503 OVERLOADED": 1}
    expecting = Client(serve(some_refused), "token", expected=["503 OVERLOADED"])
    assert {expecting.ask(b"{}")[0] for _ in range(4)} == {OK}
    with pytest.raises(RequestFailed, match="503 OVERLOADED"):
        [client.must(b"{}") for _ in range(4)]


def test_no_answer_is_counted(serve: Any) -> None:
    client = Client(serve(lambda _: None), "token")
    with pytest.raises(ConnectionError):
        client.ask(b"{}")
    assert client.counts == {"no answer": 1}


def test_an_answer_in_pieces_is_read_whole(serve: Any) -> None:
    large = b'{"data":{"x":{"y":"' + b"z" * 300_000 + b'"}}}'
    assert Client(serve(lambda _: (200, large)), "token").must(b"{}") == large


def test_a_sender_that_dies_ends_the_run() -> None:
    def waits(is_over: Callable[[], bool]) -> None:
        while not is_over():
            pass

    def breaks(_: Callable[[], bool]) -> None:
        raise ZeroDivisionError

    with pytest.raises(SenderDied, match="1 of 3 senders died: ZeroDivisionError"):
        send_together([waits, breaks, waits], 60)


def sixteen(port: int) -> list[processes.Sender]:
    return [processes.Sender(port, "token", [b"{}"], number) for number in range(16)]


@pytest.mark.long
def test_processes_go_on_with_all_senders_and_say_what_was_refused(
    serve: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    port = serve(some_refused)
    measured = {1: processes.Measured(), 2: processes.Measured()}
    for of in measured.values():
        senders = sixteen(port)
        processes.measure(senders, 1, port, of)
        assert all(sender.client.counts.total() > 1 for sender in senders)
        assert of.rates == [of.counts[OK]]
        assert failed(of.counts)
    assert processes.report(measured) == 1
    printed = capsys.readouterr().out
    assert printed.count("FAILED (503 OVERLOADED:") == 2
    assert "requests failed" in printed
    assert "goal" not in printed


def test_processes_say_that_nothing_failed(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    port = serve(lambda _: (200, GOOD))
    measured = {1: processes.Measured(), 2: processes.Measured()}
    for of in measured.values():
        processes.measure(sixteen(port), 0.2, port, of)
    assert processes.report(measured) == 0
    assert capsys.readouterr().out.count("none failed") == 2


def test_processes_end_when_a_sender_dies(serve: Any) -> None:
    port = serve(dies)
    with pytest.raises(SenderDied, match="1 of 16 senders died"):
        processes.measure(sixteen(port), 30, port, processes.Measured())


@pytest.mark.long
def test_reads_fail_at_the_first_refusal(serve: Any) -> None:
    asked = {"Wayout": reads.queries("Wayout", DATASET)}
    times = reads.timed({"Wayout": Client(serve(lambda _: (200, GOOD)), "token")}, asked, 2, 3)
    assert {work: len(of["Wayout"]) for work, of in times.items()} == {"one": 6, "list": 6}
    with pytest.raises(RequestFailed, match="503 OVERLOADED"):
        reads.timed({"Wayout": Client(serve(some_refused), "token")}, asked, 2, 3)


def test_a_soak_says_what_was_refused_and_does_not_hold(serve: Any, capsys: pytest.CaptureFixture[str]) -> None:
    port = serve(some_refused)
    traffic = [soak.Traffic(port, DATASET, [1], {1: [1]}, number) for number in range(4)]
    assert soak.run(traffic, 0.5, None) > 0
    assert all(one.client.counts[OK] for one in traffic)
    counts = soak.report("held", traffic)
    assert "FAILED (503 OVERLOADED:" in capsys.readouterr().out
    fine = Counter({OK: 1})
    assert soak.verdict(fine, counts, fine, grown=False) == 0
    assert soak.verdict(counts, fine, fine, grown=False) == 1
    assert soak.verdict(fine, fine, counts, grown=False) == 1
    assert soak.verdict(fine, fine + Counter({"500 INTERNAL_ERROR": 1}), fine, grown=False) == 1
    assert soak.verdict(fine, fine, fine, grown=True) == 1


def test_a_soak_ends_when_a_sender_dies(serve: Any) -> None:
    port = serve(dies)
    with pytest.raises(SenderDied):
        soak.run([soak.Traffic(port, DATASET, [1], {1: [1]}, number) for number in range(4)], 30, 1_000)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked in process is refused."""
    answer = HttpResponse(REFUSED, status=503, content_type="application/json")
    monkeypatch.setattr(InProcess, "post", lambda *_, **__: answer)
    monkeypatch.setattr(InProcess, "get", lambda *_, **__: answer)


@pytest.mark.usefixtures("refused")
def test_writes_fail_at_the_first_refusal() -> None:
    with pytest.raises(RequestFailed, match="503 OVERLOADED"):
        writes.Wayout("token")(writes.OPTIONS, id="sub_1")


@pytest.mark.usefixtures("refused")
def test_growth_fails_at_the_first_refusal() -> None:
    scenario = growth.Scenario.__new__(growth.Scenario)
    scenario.client, scenario.staff, scenario.headers = InProcess(), InProcess(), {}
    with pytest.raises(RequestFailed, match="503 OVERLOADED"):
        scenario.options(1)
    with pytest.raises(RequestFailed, match="503"):
        scenario.queue()


@pytest.mark.usefixtures("refused")
def test_the_queue_fails_at_the_first_refusal() -> None:
    with pytest.raises(RequestFailed, match="503"):
        queue.show(InProcess())


def test_a_page_shows_what_it_is_measured_for() -> None:
    check_page(200, b"<td class=field-due_at>", b"field-due_at")
    with pytest.raises(RequestFailed):
        check_page(200, b"sign in", b"field-due_at")


@pytest.mark.parametrize(
    ("now", "noon"),
    [
        ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z"),
        ("2026-11-25T09:59:00Z", "2026-11-24T10:00:00Z"),
        ("2026-11-29T17:30:00Z", "2026-11-27T10:00:00Z"),
        ("2026-06-01T08:00:00Z", "2026-05-29T09:00:00Z"),
    ],
)
def test_calls_are_claimed_at_a_time_when_somebody_may_be_called(now: str, noon: str) -> None:
    assert last_noon(at(now)) == at(noon)


@pytest.mark.django_db
def test_imports_fail_when_the_command_or_a_row_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RequestFailed, match="ended with 1"):
        imports.bring_in(tmp_path / "users.csv", "2026-11-01")
    with pytest.raises(RequestFailed, match="0 users of 3"):
        imports.check_rows(3)


@pytest.mark.django_db(transaction=True)
def test_documents_come_in_and_fail_at_the_first_row_that_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = sync.new_tenant()
    assert sync.take_in(tenant, 400) > 0
    assert sync.take_in(tenant, 400) > 0
    assert [line[:26].strip() for line in capsys.readouterr().out.splitlines()] == [
        "the first time", "again, with nothing new",
    ]  # fmt: skip
    few = sync.statements(tenant)
    sync.take_in(tenant, 2_000)
    assert sync.statements(tenant) == few
    true = sync.document
    monkeypatch.setattr(sync, "document", lambda *given: [*list(true(*given))[:-1], b'{"users":{}}\n'])
    with pytest.raises(RequestFailed, match="DONE"):
        sync.take_in(tenant, 400)
