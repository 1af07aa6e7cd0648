"""A list of users as an admin exports it, 20,000 and 200,000 rows with two licenses each: how fast, in how much memory.

Each import is the command in a process of its own, from its start to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from django.db import connection

from bench.client import RequestFailed
from bench.config import ROOT
from bench.databases import database_url, databases

SIZES = (20_000, 200_000)
GOAL = 10_000
_PRODUCTS = "Product Title,Total Licenses\nMicrosoft 365 E3,200000\nVisio Plan 2,200000\n"
_LINE = "False,Иван Петров {n},Microsoft 365 E3+Visio Plan 2,,{day},user{n}@big.example\n"


def write(path: Path, rows: int, day: str) -> None:
    """An export of ``rows`` users who were last active on ``day``."""
    with path.open("w") as file:
        file.write(
            "Block credential,Display name,Licenses,Soft deletion time stamp,Last activity date,User principal name\n"
        )
        file.writelines(_LINE.format(n=number, day=day) for number in range(rows))


def bring_in(path: Path, exported_at: str) -> tuple[float, float]:
    """Seconds and most megabytes of one import, with what was bought in a file beside it."""
    products = path.with_name("products.csv")
    products.write_text(_PRODUCTS)
    command = [sys.executable, "manage.py", "import_directory", "--tenant", "big.example", "--users", str(path)]
    command += ["--products", str(products)]
    environment = {
        **os.environ, "DATABASE_URL": database_url(1), "DJANGO_SETTINGS_MODULE": "portal.settings", "WAYOUT_DEBUG": "0",
        "WAYOUT_SECRET_KEY": "of a benchmark, which nobody else ever sees, 50 characters", "WAYOUT_HOSTS": "127.0.0.1",
    }  # fmt: skip
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--exported-at", exported_at], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RequestFailed(f"{command} ended with {child.returncode}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def check_rows(wanted: int) -> None:
    """Raise RequestFailed when not all of the file is there: what is left out costs nothing."""
    for what, table, count in (("users", "directoryuser", wanted), ("licenses", "license", 2 * wanted)):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM subscriptions_{table}")
            [there] = cursor.fetchone()
        if there != count:
            raise RequestFailed(f"{there:,} {what} of {count:,} were brought in")


def main() -> int:
    """Print the table, and whether the goal was missed."""
    sizes = SIZES[:1] if "--quick" in sys.argv else SIZES
    rates = []
    print("postgresql: each import in a process of its own, none failed, every user there\n")
    print(f"{'':34}{'rows':>9}{'took':>10}{'rows a second':>16}{'memory':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / "users.csv"
            with databases({1: lambda: None}):
                for name, day, exported_at in (
                    ("the first time", "2026-10-01", "2026-11-01"),
                    ("again, with nothing new", "2026-10-01", "2026-11-08"),
                    ("again, every user was active", "2026-11-05", "2026-11-15"),
                ):
                    write(path, size, day)
                    took, memory = bring_in(path, exported_at)
                    check_rows(size)
                    rates.append(size / took)
                    print(f"{name:34}{size:9,}{took:8.1f} s{size / took:16,.0f}{memory:7.0f} MB")
    if sizes == SIZES:
        first = rates[-3]
        print(
            "\n" + (f"Goals missed: {first:,.0f} rows a second of {GOAL:,}" if first < GOAL else "Every goal is met.")
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
