"""Several ``make run`` at once, and one that finds what another left half written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.served.clone import environment, run
from tests.served.conftest import ROOT, free_port, wait_for


def start(var: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT, env=environment(WAYOUT_DEBUG="1", WAYOUT_VAR=str(var)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.long
def test_three_at_once_make_one_demo(tmp_path: Path) -> None:
    running = [start(tmp_path, "--json") for _ in range(3)]
    said = [process.communicate(timeout=180) for process in running]
    assert [(process.returncode, err) for process, (_out, err) in zip(running, said, strict=True)] == [(0, "")] * 3
    first, *others = [json.loads(out) for out, _err in said]
    assert others == [first, first]


@pytest.mark.long
def test_of_three_at_once_one_serves(tmp_path: Path) -> None:
    port = free_port()
    running = [start(tmp_path, "--serve", str(port)) for _ in range(3)]
    try:
        wait_for(port)
        over = [process for process in running if process.poll() is not None]
        assert len(over) == 2
        for process in over:
            assert f"Port {port} is in use" in process.communicate()[1]
        # Beside it the demo can be asked.
        assert run(ROOT, "manage.py", "demo", "--json", WAYOUT_DEBUG="1", WAYOUT_VAR=str(tmp_path)).returncode == 0
    finally:
        for process in running:
            process.terminate()
            process.communicate(timeout=30)


@pytest.mark.long
@pytest.mark.parametrize(
    "left", ["", "{", "[]", '{"port": 8000, "tokens": null}', '{"port": 8000, "tokens": {"partner": 1}}']
)
def test_what_cannot_be_read_is_written_anew(demo: Path, left: str) -> None:
    (demo / "demo.json").write_text(left)
    said = run(ROOT, "manage.py", "demo", "--json", WAYOUT_DEBUG="1", WAYOUT_VAR=str(demo))
    assert (said.returncode, said.stderr) == (0, "")
    assert json.loads((demo / "demo.json").read_text())["tokens"] == json.loads(said.stdout)["tokens"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that was made."""
    folder = tmp_path_factory.mktemp("demo")
    assert run(ROOT, "manage.py", "demo", "--json", WAYOUT_DEBUG="1", WAYOUT_VAR=str(folder)).returncode == 0
    return folder
