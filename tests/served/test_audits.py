"""The audits of GraphQL over HTTP, by npm's graphql-http, against the server as it is served."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.served.conftest import need_npm

NPM = Path(__file__).parents[1] / "npm"
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with what tests/npm needs."""
    npm = need_npm("GraphQL over HTTP was not audited")
    if not (NPM / "node_modules" / "graphql-http").exists():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NPM, check=True, capture_output=True)
    return shutil.which("node") or ""


def test_all_61_audits_pass(served: tuple[int, dict[str, str]], node: str) -> None:
    port, _environment = served
    ran = subprocess.run(
        [node, "audits.mjs", f"http://127.0.0.1:{port}/graphql/"], cwd=NPM, check=True, capture_output=True, text=True
    )
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [audit for audit in found if audit["status"] != "ok"] == []
    assert len(found) == 61
