"""Run the whole suite: pure tests once, everything that touches the database on SQLite and on PostgreSQL.

``python -m tests.run [--long]``. Where PostgreSQL is not there, says so loudly; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
PURE = "tests/unit"


def pytest(title: str, *args: str, **environment: str) -> bool:
    """Run pytest on two processes; True when it passed."""
    print(f"\n== {title}", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", *args]
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
    kind = ["-m", "long"] if "--long" in sys.argv else ["-m", "not long"]
    passed = [pytest("SQLite, and the pure tests", *kind, WAYOUT_TEST_DB="sqlite")]
    if postgres_is_there():
        passed.append(pytest("PostgreSQL", *kind, f"--ignore={PURE}", WAYOUT_TEST_DB="postgres"))
    elif os.environ.get("CI") == "true":
        passed.append(False)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
