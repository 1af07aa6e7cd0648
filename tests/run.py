"""Run the whole suite: pure tests once, everything that touches the database on SQLite and on PostgreSQL.

``python -m tests.run [--long]``. Where PostgreSQL is not there, says so loudly; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import psycopg

POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
# Neither touches the database that the other tests use.
ONCE = ("tests/unit", "tests/served", "tests/browser", "tests/bench")
# Tried on SQLite by the quick run and on PostgreSQL by the long one: the API and pages, whose SQL is the services', and
# what is about mail, brokers and providers more than about a database.
LATER = (
    "tests/graphql", "tests/accounts", "tests/admin", "tests/web", "tests/common",
    "tests/billing/test_contract.py", "tests/billing/test_example.py", "tests/billing/test_stripe.py",
    "tests/outbox/test_notifier.py", "tests/outbox/test_celery.py", "tests/outbox/test_mail.py",
)  # fmt: skip
# The other way round: many at once are what PostgreSQL is for.
TOGETHER = ("tests/races", "tests/kills")
CORES = os.cpu_count() or 1


def pytest(title: str, *args: str, processes: int, **environment: str) -> bool:
    """Run pytest on all cores; True when it passed."""
    print(f"\n== {title}", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", str(processes), "--dist", "loadgroup", *args]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode == 0


def postgres_is_there() -> bool:
    """Whether the tests can use PostgreSQL; says what to do when they cannot."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        banner = "!" * 78
        print(f"\n{banner}\nNOT TESTED ON POSTGRESQL: {POSTGRES} did not answer ({error}).")
        print("Start it, or point WAYOUT_TEST_POSTGRES at one. The tests make and drop their own database.")
        print(banner, flush=True)
        return False
    return True


def main() -> int:
    """The exit code: 0 when everything that could run passed."""
    long = "--long" in sys.argv
    there = postgres_is_there()
    # Long: what is marked so, and every property with many more examples.
    kind = ["-m", "long or hypothesis" if long else "not long"]
    more = {"WAYOUT_LONG": "1"} if long else {}
    # Quick tests wait for sockets and processes as well; slow ones are servers and browsers, which take a core each.
    run = partial(pytest, processes=CORES if long else CORES + 1)
    on_server = [] if long or not there else [f"--ignore={path}" for path in TOGETHER]
    passed = [run("SQLite, and the pure tests", *kind, *on_server, WAYOUT_TEST_DB="sqlite", **more)]
    if long:
        passed.append(run("SQLite, many at once", "-m", "not long", *TOGETHER, WAYOUT_TEST_DB="sqlite"))
    if there:
        without = [f"--ignore={path}" for path in (*ONCE, *LATER)]
        passed.append(run("PostgreSQL", *kind, *without, WAYOUT_TEST_DB="postgres", **more))
        if long:
            passed.append(run("PostgreSQL, the API and pages", *LATER, WAYOUT_TEST_DB="postgres", **more))
    elif os.environ.get("CI") == "true":
        passed.append(False)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
