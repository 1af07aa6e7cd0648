"""The demo, whose passwords everybody knows, stays apart from what is no demo: as people run both, in one folder."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.served.clone import PRODUCTION, SECRET, clone, run
from tests.served.conftest import free_port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which somebody has typed ``make run`` before."""
    folder = clone(tmp_path_factory.mktemp("clone"))
    subprocess.run(["make", "-s", ".env"], cwd=folder, check=True)
    return folder


SETTINGS: list[Any] = [
    PRODUCTION,
    pytest.param({"WAYOUT_SECRET_KEY": SECRET}, marks=pytest.mark.long),
    pytest.param({"DATABASE_URL": "sqlite:///production.sqlite3"}, marks=pytest.mark.long),
]


@pytest.mark.parametrize("environment", SETTINGS)
def test_its_file_does_not_make_a_demo_of_production(folder: Path, environment: dict[str, str]) -> None:
    refused = run(folder, "manage.py", "work", "--once", **environment)
    assert refused.returncode != 0
    assert f"{folder / '.env'} says WAYOUT_DEBUG=1" in refused.stderr
    assert ", ".join(sorted(environment)) in refused.stderr.splitlines()[-1]
    assert not list(folder.glob("*.sqlite3"))


@pytest.mark.long
@pytest.mark.parametrize("said", SETTINGS)
def test_production_in_its_file_is_no_demo_either(folder: Path, said: dict[str, str]) -> None:
    file = folder / ".env"
    demo = file.read_text()
    file.write_text(demo + "".join(f"{name}={value}\n" for name, value in said.items()))
    try:
        refused = run(folder, "manage.py", "work", "--once")
        # Elsewhere than in the file it is meant.
        meant = run(folder, "manage.py", "check", WAYOUT_DEBUG="1")
    finally:
        file.write_text(demo)
    assert refused.returncode != 0
    assert f"{file} says WAYOUT_DEBUG=1" in refused.stderr
    assert ", ".join(sorted(said)) in refused.stderr.splitlines()[-1]
    assert not list(folder.glob("*.sqlite3"))
    assert meant.returncode == 0


def test_its_file_serves_nobody(folder: Path) -> None:
    port = str(free_port())
    refused = run(
        folder, "-m", "granian", "--interface", "asginl", "--no-ws", "--port", port, "portal.asgi:application"
    )
    assert refused.returncode != 0
    assert "the demo is served by make run" in refused.stderr + refused.stdout


@pytest.mark.long
@pytest.mark.parametrize("environment", SETTINGS)
def test_what_the_environment_says_of_the_demo_is_meant(folder: Path, environment: dict[str, str]) -> None:
    assert run(folder, "-c", "import portal.wsgi", WAYOUT_DEBUG="1", **environment).returncode == 0
    production = {**PRODUCTION, **environment, "WAYOUT_DEBUG": "0"}
    assert run(folder, "-c", "import portal.wsgi", **production).returncode == 0
    # Commands find the demo by its file, as the README has them.
    assert run(folder, "manage.py", "check").returncode == 0


@pytest.mark.long
@pytest.mark.parametrize("option", ["", *(pytest.param(o, marks=pytest.mark.long) for o in ("--json", "--reset"))])
def test_it_goes_into_no_other_database(folder: Path, tmp_path: Path, option: str) -> None:
    database = tmp_path / "production.sqlite3"
    sqlite3.connect(database).execute("CREATE TABLE customers (name text)")
    asked = ["manage.py", "demo", *option.split()]
    refused = run(folder, *asked, WAYOUT_DEBUG="1", DATABASE_URL=f"sqlite:///{database}")
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: The demo has a database of its own")
    assert "DATABASE_URL" in refused.stderr
    assert sqlite3.connect(database).execute("SELECT name FROM sqlite_master").fetchall() == [("customers",)]
