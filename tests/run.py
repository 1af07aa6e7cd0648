"""Run the whole suite: pure tests once, everything that touches the database on SQLite and on PostgreSQL.

``python -m tests.run [--long]``. Where PostgreSQL is not there, says so loudly; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
# Neither touches the database that the other tests use.
ONCE = ("tests/unit", "tests/served", "tests/browser", "tests/bench")
# The matrix of who may do what, and pages: on PostgreSQL in the long run. Services and the API are tried on both.
LATER = ("tests/graphql/test_access.py", "tests/accounts", "tests/admin", "tests/web")


def pytest(title: str, *args: str, **environment: str) -> bool:
    """Run pytest on two processes; True when it passed."""
    print(f"\n== {title}", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *args]
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
    # Long: what is marked so, and every property with many more examples.
    is_long = "--long" in sys.argv
    kind = ["-m", "long or hypothesis" if is_long else "not long"]
    more = {"WAYOUT_LONG": "1"} if is_long else {}
    passed = [pytest("SQLite, and the pure tests", *kind, WAYOUT_TEST_DB="sqlite", **more)]
    if postgres_is_there():
        without = [f"--ignore={path}" for path in (*ONCE, *LATER)]
        passed.append(pytest("PostgreSQL", *kind, *without, WAYOUT_TEST_DB="postgres", **more))
        if is_long:
            passed.append(pytest("PostgreSQL, matrices and pages", *LATER, WAYOUT_TEST_DB="postgres", **more))
    elif os.environ.get("CI") == "true":
        passed.append(False)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
