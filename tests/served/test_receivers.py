"""The receivers of docs/events.md, in Python and in Node, against the demo: from registering to a canceled subscription."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.graphql.documents import CANCEL, OPTIONS, REGISTER_WEBHOOK, REPLAY_WEBHOOK, TEST_WEBHOOK, UNDO
from tests.served.conftest import ROOT, Served, free_port, need_npm, serve

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]
EXAMPLE = ROOT / "examples" / "webhooks"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A demo of their own: what they cancel, others cancel as well."""
    with serve(tmp_path_factory.mktemp("receivers")) as running:
        yield running


def asker(port: int, token: str) -> Callable[..., Any]:
    def ask(document: str, **variables: Any) -> Any:
        body = json.dumps({"query": document, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql/", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            [(_, found)] = json.load(answer)["data"].items()
            return found

    return ask


def lines_of(log: Path, count: int) -> list[str]:
    """What the receiver printed, once there are that many lines."""
    for _ in range(150):
        lines = log.read_text().splitlines()
        if len(lines) >= count:
            return lines
        time.sleep(0.1)
    pytest.fail(f"the receiver heard {log.read_text()!r}")


@pytest.mark.parametrize(("which", "subscription"), [("python", "online"), ("node", "prepaid")])
def test_the_receiver_hears_each_event_once(served: Served, tmp_path: Path, which: str, subscription: str) -> None:
    port, environment = served
    if which == "node":
        npm = need_npm("no receiver in Node was run")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=EXAMPLE, capture_output=True, check=True)
    run = [sys.executable, "manage.py"]
    made = subprocess.run(
        [*run, "partner_token", "--create", which, "--scope", "WEBHOOKS", "--scope", "CANCEL", "--tenant", "contoso.example"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    known = json.loads(
        subprocess.run([*run, "demo", "--json"], cwd=ROOT, env=environment, capture_output=True, check=True).stdout
    )
    ask, at = asker(port, re.findall(r"wyo_\w+", made.stdout)[0]), free_port()
    registered = ask(REGISTER_WEBHOOK, input={"url": f"http://127.0.0.1:{at}/"})
    wish = {"webhookId": registered["webhook"]["id"]}
    assert ask(TEST_WEBHOOK, input=wish)["problem"] == "NO_CONNECTION"
    command = [sys.executable, "receiver.py"] if which == "python" else ["node", "receiver.mjs"]
    own = {**os.environ, "WAYOUT_WEBHOOK_SECRET": registered["secret"], "BOOKS": str(tmp_path / "books.sqlite3")}
    log = tmp_path / "log"
    with log.open("w") as out, subprocess.Popen([*command, str(at)], cwd=EXAMPLE, env=own, stdout=out) as receiver:
        try:
            for _ in range(100):
                if ask(TEST_WEBHOOK, input=wish)["arrived"]:
                    break
                time.sleep(0.1)
            sub = known["subscriptions"][subscription]
            options = ask(OPTIONS, id=sub)["options"]
            quote = next(q for option in options for q in option["quotes"] or () if q["mode"] == "IMMEDIATE")
            key = {"subscriptionId": sub, "quoteId": quote["id"], "idempotencyKey": f"hears-{which}"}
            canceled = ask(CANCEL, input=key)["cancellation"]
            lines_of(log, 3)
            ask(UNDO, input={"cancellationId": canceled["id"]})
            heard = lines_of(log, 4)
            assert heard[0] == "test webhook.test"
            assert sorted(heard[1:]) == [
                "new cancellation.effective", "new cancellation.requested", "new cancellation.undone",
            ]  # fmt: skip
            # Everything once more: it is known.
            assert ask(REPLAY_WEBHOOK, input={**wish, "since": canceled["requestedAt"]})["events"] == 3
            assert [line.split()[0] for line in lines_of(log, 7)[4:]] == ["known"] * 3
            forged = urllib.request.Request(f"http://127.0.0.1:{at}/", b"{}", {"Webhook-Id": "evt_1"})
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(forged, timeout=5)
        finally:
            receiver.terminate()
