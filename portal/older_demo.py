"""The demo of a version before the migrations were written anew is moved aside: kept whole, for the version that made it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from common.history import RECORDED, TABLE, gone_migrations, known_migrations


def move_older_demo(database: Path, remembered: Path, now: datetime) -> Path | None:
    """The folder into which an older demo was moved; None when there is none. Raises CommandError while it is open.

    The database goes last, in one step. A move that was stopped before it is taken up by the next call.
    """
    if not database.exists():
        return None
    was = database.stat()
    address = f"{database.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=5, isolation_level=None)) as opened:
        if not _is_older(opened):
            return None
        _have_it_alone(opened)
        # Somebody else's make run may have been quicker, and what is there now is new.
        if not (database.exists() and os.path.samestat(was, database.stat())):
            return None
        files = [path for path in (remembered, database) if path.exists()]
        folder = _folder(database.parent, files, now)
        for path in files:
            path.rename(folder / path.name)
    return folder


def _is_older(opened: sqlite3.Connection) -> bool:
    if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [TABLE]).fetchone():
        return False
    return bool(gone_migrations(set(opened.execute(RECORDED)), known_migrations()))


def _have_it_alone(opened: sqlite3.Connection) -> None:
    """Put its log into the file, so that there is one file to move, and lock it.

    SQLite lets nobody do that while another process has the database open, as the worker of a running demo has.
    """
    opened.execute("PRAGMA busy_timeout=0")
    try:
        opened.execute("PRAGMA journal_mode=DELETE")
        opened.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        raise CommandError(
            _("The demo of an earlier version is still open in another process. Stop it; then make run moves it aside.")
        ) from error


def _folder(beside: Path, files: Sequence[Path], now: datetime) -> Path:
    """The folder of a move that was stopped, in which nothing would be written over; else a new one that says when."""
    for begun in sorted(beside.glob("older-demo-*/")):
        if not any((begun / path.name).exists() for path in files):
            return begun
    folder = beside / f"older-demo-{now:%Y-%m-%dT%H%M%S}"
    folder.mkdir()
    return folder
