"""Run every benchmark: ``python -m bench [--quick] [--picture]``. The queue and documents on SQLite, too; the others on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg

from bench.config import POSTGRES, ROOT

SQLITE = f"sqlite:///{ROOT}/var/bench.sqlite3"
BENCHMARKS = [
    ("bench.reads", POSTGRES),
    ("bench.cost", POSTGRES),
    ("bench.writes", POSTGRES),
    ("bench.growth", POSTGRES),
    ("bench.imports", POSTGRES),
    ("bench.sync", POSTGRES),
    ("bench.processes", POSTGRES),
    ("bench.outsiders", POSTGRES),
    ("bench.queue", POSTGRES),
    ("bench.queue", SQLITE),
    ("bench.sync", SQLITE),
]
_LONG = ("bench.outsiders", "bench.queue")


def main() -> int:
    """0 when every benchmark ran to its end; goals that were missed are printed."""
    benchmarks = BENCHMARKS
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        print(f"NOT MEASURED ON POSTGRESQL: {POSTGRES} did not answer ({error}).")
        benchmarks = [(name, url) for name, url in benchmarks if url == SQLITE]
    if "--quick" in sys.argv:
        benchmarks = [(name, url) for name, url in benchmarks if name not in _LONG]
    codes = []
    for name, url in benchmarks:
        print(f"\n=== {name.removeprefix('bench.')}\n", flush=True)
        environment = {**os.environ, "WAYOUT_BENCH_URL": url}
        codes.append(
            subprocess.run(
                [sys.executable, "-m", name, *sys.argv[1:]], cwd=ROOT, env=environment, check=False
            ).returncode
        )
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
