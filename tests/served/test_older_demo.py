"""A demo of an earlier version is moved aside whole by make run, and a new one is made; nothing else is moved."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from common.history import known_migrations
from portal.older_demo import move_older_demo
from tests.common.older import dump_file, make_older_file
from tests.served.clone import ROOT, run

NOW = datetime(2026, 11, 29, 12, 4, 5, tzinfo=UTC)
ASIDE = "older-demo-2026-11-29T120405"
TOKENS = '{"port": 8000, "tokens": {"partner": "wyo_test_old"}}'


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """Where an older demo is."""
    make_older_file(tmp_path / "demo.sqlite3")
    (tmp_path / "demo.json").write_text(TOKENS)
    return tmp_path


def move(var: Path, now: datetime = NOW) -> Path | None:
    return move_older_demo(var / "demo.sqlite3", var / "demo.json", now)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.long
def test_make_run_makes_a_new_one_and_says_where_the_older_is(var: Path) -> None:
    before = dump_file(var / "demo.sqlite3")
    made = run(ROOT, "manage.py", "demo", "--json", WAYOUT_DEBUG="1", WAYOUT_VAR=str(var))
    assert made.returncode == 0, made.stderr
    [folder] = var.glob("older-demo-*")
    assert made.stderr == (
        f"The demo that was here is of an earlier version. It was moved to {folder}; this is a new one.\n"
    )
    assert names(folder) == ["demo.json", "demo.sqlite3"]
    assert dump_file(folder / "demo.sqlite3") == before
    assert (folder / "demo.json").read_text() == TOKENS
    facts = json.loads(made.stdout)
    assert facts["tokens"]["partner"] != "wyo_test_old"
    # The new one is kept.
    again = run(ROOT, "manage.py", "demo", "--json", WAYOUT_DEBUG="1", WAYOUT_VAR=str(var))
    assert (again.returncode, again.stderr, json.loads(again.stdout)) == (0, "", facts)
    assert list(var.glob("older-demo-*")) == [folder]


def test_what_was_only_in_its_log_is_moved_with_it(var: Path) -> None:
    # A copy that is taken while it is open is what a process that was killed leaves: most of it is in the log.
    killed = var / "killed"
    killed.mkdir()
    with closing(sqlite3.connect(var / "demo.sqlite3")) as opened:
        opened.execute("INSERT INTO tenants_tenant (id, domain) VALUES (2, 'rila.example')")
        opened.commit()
        for name in ("demo.sqlite3", "demo.sqlite3-wal", "demo.sqlite3-shm"):
            (killed / name).write_bytes((var / name).read_bytes())
    assert move(killed) == killed / ASIDE
    assert names(killed) == [f"{ASIDE}/demo.sqlite3"]
    assert any("rila.example" in line for line in dump_file(killed / ASIDE / "demo.sqlite3"))


def test_one_that_is_open_stays(var: Path) -> None:
    with closing(sqlite3.connect(var / "demo.sqlite3")) as worker:
        worker.execute("SELECT * FROM tenants_tenant").fetchall()
        with pytest.raises(CommandError, match="still open in another process"):
            move(var)
        assert (var / "demo.json").exists()
        assert not list(var.glob("older-demo-*"))
        worker.execute("INSERT INTO tenants_tenant (id, domain) VALUES (3, 'northwind.example')")
    assert move(var) == var / ASIDE


@pytest.mark.parametrize("stopped_at", [0, 1])
def test_a_move_that_was_stopped_is_taken_up_again(var: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int) -> None:
    moved: list[Path] = []
    rename = Path.rename

    def stop(path: Path, target: Path) -> Path:
        if len(moved) == stopped_at:
            raise KeyboardInterrupt
        moved.append(path)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        move(var)
    monkeypatch.setattr(Path, "rename", rename)
    assert (var / "demo.sqlite3").exists()
    later = NOW.replace(hour=13)
    assert move(var, later) == var / ASIDE
    assert names(var) == [f"{ASIDE}/demo.json", f"{ASIDE}/demo.sqlite3"]
    assert move(var, later) is None


def test_nothing_is_written_over(var: Path) -> None:
    first = move(var)
    make_older_file(var / "demo.sqlite3")
    with pytest.raises(FileExistsError):
        move(var)
    assert (var / "demo.sqlite3").exists()
    second = move(var, NOW.replace(second=6))
    assert first != second
    assert names(var) == [f"{ASIDE}/demo.json", f"{ASIDE}/demo.sqlite3", f"{ASIDE[:-1]}6/demo.sqlite3"]


def test_one_that_another_make_run_has_just_made_stays(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal import older_demo

    database, have = var / "demo.sqlite3", older_demo._have_it_alone

    def be_late(opened: sqlite3.Connection) -> None:
        have(opened)
        database.rename(var / "moved by the other")
        database.write_text("new")

    monkeypatch.setattr(older_demo, "_have_it_alone", be_late)
    assert move(var) is None
    assert database.read_text() == "new"


def test_one_of_this_version_of_a_newer_or_none_stays(tmp_path: Path) -> None:
    database = tmp_path / "demo.sqlite3"
    assert move(tmp_path) is None
    assert not database.exists()
    with closing(sqlite3.connect(database)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE other (id integer)")
    assert move(tmp_path) is None
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("CREATE TABLE django_migrations (app text, name text)")
        made.executemany("INSERT INTO django_migrations VALUES (?, ?)", sorted(known_migrations()))
    assert move(tmp_path) is None
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("INSERT INTO django_migrations VALUES ('tenants', '0999_next')")
    before = database.read_bytes()
    assert move(tmp_path) is None
    assert (names(tmp_path), database.read_bytes()) == (["demo.sqlite3"], before)
