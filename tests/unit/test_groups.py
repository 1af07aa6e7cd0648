"""Tests that share a database, a server or a browser run after each other: pytest-xdist sends their group to one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Each says which process it runs in. Without the group, the second would go to the other one.
GROUPED = """
import os, pathlib, pytest
pytestmark = pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_it(number):
    with pathlib.Path("ran").open("a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
"""


def test_a_group_runs_on_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-p", "no:django", "-c", "/dev/null"]
    done = subprocess.run(
        [*command, "--rootdir", ".", "."], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran = (tmp_path / "ran").read_text().splitlines()
    assert len(ran) == 6
    assert len(set(ran)) == 1, "the plugin and pytest do not fit each other"
