"""What the README and the walk tell people to type is typed here, against the demo served as `make run` serves it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^ *```(sh run|json)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# Ids, references, numbers of days and money change from day to day; words and codes do not.
VOLATILE = re.compile(r"[A-Z]-[2-9A-Z]{4}-[2-9A-Z]{4}|\d[\d.,:]*")
# One server serves all of these tests.
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]


def steps(path: Path) -> list[tuple[str, Any]]:
    """Commands in order, each with the JSON that the page shows under it, if it shows one."""
    found: list[tuple[str, Any]] = []
    for kind, text in BLOCK.findall(path.read_text()):
        if kind == "sh run":
            found.append((text, None))
        else:
            found[-1] = (found[-1][0], json.loads(text))
    return found


def lasting(value: Any) -> Any:
    """The value without what changes from day to day."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items()}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    return VOLATILE.sub("#", value) if isinstance(value, str) else value


@pytest.mark.parametrize("page", ["README.md", "docs/walk.md", "docs/removals.md", "docs/sync.md", "docs/sessions.md"])
def test_the_page_does_what_it_says(served: tuple[int, dict[str, str]], page: str) -> None:
    port, environment = served
    bash = shutil.which("bash")
    assert bash
    script, expected = ["set -euo pipefail"], []
    for number, (commands, answer) in enumerate(steps(ROOT / page)):
        script += [f"echo; echo '@@{number}'", commands]
        expected.append((number, answer))
    text = "\n".join(script).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    text = text.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(
        [bash, "-c", text], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    outputs = dict(part.split("\n", 1) for part in done.stdout.split("\n@@")[1:])
    for number, answer in expected:
        if answer is not None:
            assert lasting(json.loads(outputs[str(number)])) == lasting(answer)


def test_a_port_in_use_is_one_clear_sentence(served: tuple[int, dict[str, str]]) -> None:
    port, environment = served
    again = subprocess.run(
        [sys.executable, "manage.py", "demo", "--serve", str(port)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 1
    assert again.stderr.strip() == f"CommandError: Port {port} is in use; choose another one: make run PORT={port + 1}"


def test_the_demo_has_a_subscription_for_every_route(served: tuple[int, dict[str, str]]) -> None:
    port, environment = served
    printed = [
        subprocess.run(
            [sys.executable, "manage.py", "demo", "--json"],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert printed[0] == printed[1]
    facts = json.loads(printed[0])
    assert facts["graphql"] == f"http://127.0.0.1:{port}/graphql/"
    routes = {
        "trial": ("NOTHING_TO_CANCEL", "TRIAL_EXPIRES_BY_ITSELF"),
        "trial_converting": ("CANCEL_ONLINE", "TRIAL_CONVERTS"),
        "online": ("CANCEL_ONLINE", "UNDER_LIMIT"),
        "at_limit": ("REMOVE_USERS", "LICENSES_AT_OR_OVER_LIMIT"),
        "over_limit": ("REMOVE_USERS", "LICENSES_AT_OR_OVER_LIMIT"),
        "partner_managed": ("CONTACT_PARTNER", "PARTNER_MANAGED"),
        "canceling": ("UNDO_CANCELLATION", "UNDO_OPEN"),
        "canceled": ("NOTHING_TO_CANCEL", "ALREADY_CANCELED"),
        "ended": ("NOTHING_TO_CANCEL", "ALREADY_ENDED"),
        "suspended": ("CANCEL_ONLINE", "UNDER_LIMIT"),
        "only_groups": ("REQUEST_CALLBACK", "LICENSES_AT_OR_OVER_LIMIT"),
    }
    for word, (route, reason) in routes.items():
        query = (
            f'{{ cancellationOptions(subscriptionId: "{facts["subscriptions"][word]}")'
            " { route options { route reason available } } }"
        )
        request = urllib.request.Request(
            facts["graphql"],
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {facts['tokens']['partner']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            options = json.load(response)["data"]["cancellationOptions"]
        assert (options["route"], options["options"][0]["reason"]) == (route, reason), word
    roles = {(login["role"], login["tenant"]) for login in facts["logins"]}
    assert len(roles) == 10
    assert {tenant for _, tenant in roles} == {"", "contoso.example", "rila.example", "northwind.example"}


def test_the_demo_exists_only_in_debug(tmp_path: Path) -> None:
    environment = {**os.environ, "WAYOUT_DEBUG": "0", "WAYOUT_SECRET_KEY": "x" * 60, "WAYOUT_VAR": str(tmp_path)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    refused = subprocess.run(
        [sys.executable, "manage.py", "demo", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "only with WAYOUT_DEBUG=1" in refused.stderr


def test_without_debug_a_secret_is_required(tmp_path: Path) -> None:
    environment = {**os.environ, "WAYOUT_DEBUG": "0", "WAYOUT_VAR": str(tmp_path)}
    for name in ("DJANGO_SETTINGS_MODULE", "WAYOUT_SECRET_KEY"):
        environment.pop(name, None)
    refused = subprocess.run(
        [sys.executable, "manage.py", "migrate"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "Set WAYOUT_SECRET_KEY" in refused.stderr


def test_the_pins_are_exact_and_strawberry_is_the_one_we_mean() -> None:
    pins = (ROOT / "requirements.txt").read_text()
    assert "strawberry-graphql==0.341.2" in pins
    assert "strawberry-graphql-django==0.93.0" in pins
    for name in ("requirements.txt", "requirements-dev.txt"):
        # Two spaces and a hash, or a name and an exact version: each of these has hashes.
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text())
        assert [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []
    loose = [line for line in pins.splitlines() if line and not line.startswith((" ", "#")) and "==" not in line]
    assert not loose
