"""Processes that are set up wrongly, as operators start them: which do not start, and which are told what they miss."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from portal.environment import VARIABLES
from tests.served.clone import PRODUCTION, run
from tests.served.conftest import ROOT


def test_every_example_but_those_in_brackets_is_taken(tmp_path: Path) -> None:
    examples = {
        name: about.example for name, about in VARIABLES.items() if not about.example.startswith(("(", "shop."))
    }
    given = {
        **examples,
        "WAYOUT_OIDC_CLIENT_ID": "id",
        "WAYOUT_OIDC_CLIENT_SECRET": "secret",
        "WAYOUT_VAR": str(tmp_path),
    }
    done = run(ROOT, "-c", "import portal.settings", **{**PRODUCTION, **given})
    assert (done.returncode, done.stderr) == (0, "")


WRONG = [
    ("WAYOUT_CALLER_RATE", "lots"),
    ("WAYOUT_TENANT_RATE", "0/minute"),
    ("WAYOUT_MAX_CONCURRENCY", "0"),
    ("WAYOUT_MAX_CONCURRENCY", "many"),
    ("WAYOUT_IDLE_HOURS", "0.2"),
    ("WAYOUT_STAFF_IDLE_HOURS", "0"),
    ("WAYOUT_RECONCILE_RATE", "0"),
    ("WAYOUT_RECONCILE_RATE", "101"),
    ("WAYOUT_PROXIES", "-1"),
    ("WAYOUT_HTTPS", "perhaps"),
    ("WAYOUT_REQUEST_TIMEOUT", "nan"),
    ("WAYOUT_WEBHOOK_TIMEOUT", "0"),
    ("WAYOUT_STATEMENT_TIMEOUT", "10s"),
    ("WAYOUT_ENVIRONMENT", "Live"),
    ("WAYOUT_GATEWAY_SECRET", "short"),
    ("WAYOUT_AUDIT_ANCHORS", "/tmp"),
    ("WAYOUT_AUDIT_ANCHORS", "/nowhere/anchors"),
    ("WAYOUT_REDIS_URL", "127.0.0.1:6379"),
    ("WAYOUT_REDIS_URL", "redis:6379"),
    ("WAYOUT_BROKER_URL", "ampq://rabbit"),
    ("WAYOUT_RESET_PAGE", "https://portal.example/reset"),
    ("WAYOUT_OIDC_URL", "login.example"),
    ("WAYOUT_EMAIL_URL", "mail.example:587"),
    ("WAYOUT_EMAIL_URL", "submision://mail.example:587"),
    ("WAYOUT_EMAIL_URL", "submission://"),
    ("WAYOUT_EMAIL_URL", "submission://user:pass/word@mail.example:587"),
    ("DATABASE_URL", "postgresqll://host/name"),
    ("DATABASE_URL", "mysql://host/name"),
    ("DATABASE_URL", "host/name"),
    ("DATABASE_URL", "postgresql://host"),
    ("DATABASE_URL", "sqlite:////nowhere/wayout.sqlite3"),
    ("WAYOUT_VAR", "/nowhere/var"),
    ("WAYOUT_VAR", "/dev/null"),
]
TRY = f"""
import importlib, os, sys
from django.core.exceptions import ImproperlyConfigured
for name, value in {WRONG!r}:
    sys.modules.pop("portal.settings", None)
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        importlib.import_module("portal.settings")
        print("taken")
    except ImproperlyConfigured as error:
        print(error)
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before
"""


def test_what_cannot_be_used_is_refused_by_name_and_with_an_example(tmp_path: Path) -> None:
    tried = run(ROOT, "-c", TRY, **PRODUCTION, WAYOUT_VAR=str(tmp_path))
    assert tried.stderr == ""
    said = list(zip(WRONG, tried.stdout.splitlines(), strict=True))
    assert not [
        (name, value, line)
        for (name, value), line in said
        if not (line.startswith(f"{name} is ") and f"for example {name}={VARIABLES[name].example}" in line)
    ]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["manage.py", "check"], 1),
        (["manage.py", "work", "--once"], 1),
        (
            [
                "-m",
                "granian",
                "--interface",
                "asginl",
                "--port",
                "1",
                "--log-level",
                "critical",
                "portal.asgi:application",
            ],
            1,
        ),
        (["-m", "celery", "-A", "outbox.tasks", "worker"], 1),
    ],
    ids=["check", "work", "server", "celery"],
)
@pytest.mark.parametrize("wrong", [{"WAYOUT_PROXIES": "one"}, {"WAYOUT_PROVIDER": "strip"}], ids=["value", "provider"])
def test_whoever_starts_it_reads_just_the_sentence(
    tmp_path: Path, command: list[str], says: int, wrong: dict[str, str]
) -> None:
    refused = run(ROOT, *command, **{**PRODUCTION, "WAYOUT_VAR": str(tmp_path), **wrong})
    assert refused.returncode != 0
    lines = [line for line in (refused.stderr + refused.stdout).splitlines() if line]
    assert len(lines) == says, lines
    assert lines[0].startswith(f"Wayout does not start. {next(iter(wrong))} is ")


FINE: dict[str, Any] = {
    "WAYOUT_EMAIL_URL": "submission://mail.example", "WAYOUT_STAFF_EMAIL": "staff@x.example", "WAYOUT_PROXIES": "1",
}  # fmt: skip
STRIPE = {**FINE, "WAYOUT_PROVIDER": "stripe", "WAYOUT_STRIPE_WEBHOOK_SECRET": "whsec_x"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (FINE, []),
        ({}, ["portal.W002", "portal.W003", "portal.W004"]),
        ({**FINE, "WAYOUT_AT_ONCE": "0"}, ["portal.W001"]),
        ({**STRIPE, "WAYOUT_STRIPE_KEY": "rk_live_x"}, []),
        ({**STRIPE, "WAYOUT_STRIPE_KEY": "pk_live_x"}, ["billing.W001"]),
        ({**STRIPE, "WAYOUT_STRIPE_KEY": "sk_live_x", "WAYOUT_STRIPE_WEBHOOK_SECRET": ""}, ["billing.W001"]),
    ],
    ids=["fine", "nothing", "old name", "restricted", "public key", "no webhook secret"],
)
def test_a_deployment_that_would_miss_something_is_told_so(
    tmp_path: Path, given: dict[str, str], said: list[str]
) -> None:
    checked = run(
        ROOT, "manage.py", "check", "--deploy", "--fail-level", "WARNING",
        **PRODUCTION, WAYOUT_VAR=str(tmp_path), **given,
    )  # fmt: skip
    assert re.findall(r"\((\w+\.W\d+)\)", checked.stderr) == said
    assert checked.returncode == bool(said)
