"""Wayout behind a GraphQL gateway: composed with another subgraph, asked through Apollo's and Hive's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.served.conftest import ROOT, need_npm, serve

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]
GATEWAY = ROOT / "tests" / "gateway"
SECRET = "of the gateway, and of nobody else at all"


def test_both_gateways(tmp_path_factory: pytest.TempPathFactory) -> None:
    npm = need_npm("no gateway was asked")
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=GATEWAY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with serve(tmp_path_factory.mktemp("gateway"), WAYOUT_GATEWAY_SECRET=SECRET) as (port, environment):
        given = facts(environment) | {"WAYOUT_URL": f"http://127.0.0.1:{port}/subgraph/", "WAYOUT_SECRET": SECRET}
        ran = subprocess.run(
            ["node", "--test", "--test-reporter=tap", "gateway.test.mjs"],
            cwd=GATEWAY, env={**os.environ, **given}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr
    probes = re.findall(r"^ *ok \d+ - (?!behind)", ran.stdout, re.MULTILINE)
    print(f"gateways: {len(probes)} probes passed")
    assert len(probes) == 21


def facts(environment: dict[str, str]) -> dict[str, str]:
    """Tokens and ids of the demo."""

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    said = json.loads(run("demo", "--json"))

    def token(*scopes: str) -> str:
        wanted = [part for scope in scopes for part in ("--scope", scope)]
        made = run("partner_token", "--create", "Gateway", *wanted, "--tenant", "contoso.example")
        return str(re.findall(r"wyo_\w+", made)[0])

    user = run(
        "shell", "--no-imports", "-c",
        "from subscriptions.models import DirectoryUser as D; print(D.objects.filter(tenant__domain='contoso.example')[0].pk)",
    )  # fmt: skip
    return {
        "WAYOUT_TOKEN": token("READ", "READ_USERS", "QUOTE", "CANCEL"),
        "WAYOUT_READER": token("READ"),
        "ONLINE": said["subscriptions"]["online"],
        "OVER_LIMIT": said["subscriptions"]["over_limit"],
        "FOREIGN": "sub_15",
        "USER": f"usr_{user.strip()}",
    }
