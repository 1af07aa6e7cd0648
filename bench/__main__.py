"""Run every benchmark on SQLite and, where it is there, on PostgreSQL: ``python -m bench [--quick]``."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

from bench.places import POSTGRES, ROOT

BENCHMARKS = ("bench.queue",)


def main() -> int:
    """0 when every benchmark kept what it promises."""
    urls = [f"sqlite:///{ROOT}/var/bench.sqlite3"]
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
        urls.append(POSTGRES)
    except psycopg.OperationalError as error:
        print(f"NOT MEASURED ON POSTGRESQL: {POSTGRES} did not answer ({error}).")
    codes = [
        subprocess.run(
            [sys.executable, "-m", name, *sys.argv[1:]],
            cwd=ROOT, env={**os.environ, "WAYOUT_BENCH_URL": url}, check=False,
        ).returncode
        for name in BENCHMARKS
        for url in urls
    ]  # fmt: skip
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
