"""The frontend example, as a frontend developer would run it: types from the schema, tsc --strict, a cancellation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served.conftest import ROOT, Served, need_npm

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]


def test_the_example_generates_builds_and_cancels(served: Served, tmp_path: Path) -> None:
    npm = need_npm("the frontend example was not built")
    project = tmp_path / "examples" / "frontend"
    shutil.copytree(
        ROOT / "examples" / "frontend", project, ignore=shutil.ignore_patterns("node_modules", "out", "gql")
    )
    shutil.copy(ROOT / "schema.graphql", tmp_path)

    def run(*command: str) -> str:
        done = subprocess.run([npm, *command], cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("ci", "--no-audit", "--no-fund")
    run("run", "generate")
    run("run", "build")
    port, environment = served
    facts = json.loads(
        subprocess.run(
            [sys.executable, "manage.py", "demo", "--json"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    said = run(
        "start", "--", f"http://127.0.0.1:{port}/graphql/", facts["tokens"]["partner"], facts["subscriptions"]["online"]
    )
    assert "You can cancel online" in said
    assert "EFFECTIVE C-" in said
