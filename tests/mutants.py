"""Change the rules one expression at a time, and see which changes no test notices: ``make mutants``, by hand.

mutmut changes functions in copies of the project below build/mutants/. What survived there and is not explained in
tests/mutants.md is printed. ``MODULE=worker`` does one module; all of them take ten minutes or so on two cores.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

ROOT = Path(__file__).parents[1]
COPIES = ROOT / "build" / "mutants"
EXPLAINED = Path(__file__).with_suffix(".md")
APPS = ["portal", "desk", "subscriptions", "billing", "webhooks", "outbox", "tenants", "common"]
# What is changed, and the tests that belong to it.
MODULES = {
    "billing/proration.py": ["tests/unit/test_proration.py", "tests/unit/test_boundaries.py"],
    "subscriptions/policy/*.py": [
        "tests/unit/test_policy.py",
        "tests/unit/test_quotes.py",
        "tests/unit/test_boundaries.py",
    ],
    "tenants/tokens.py": ["tests/tenants/test_tokens.py", "tests/tenants/test_token_life.py"],
    "outbox/worker.py": ["tests/outbox/test_worker.py", "tests/outbox/test_leases.py"],
    "subscriptions/cancellations/service.py": [
        "tests/subscriptions/test_cancellation_service.py",
        "tests/subscriptions/test_evidence.py",
        "tests/desk/test_on_behalf.py",
    ],
}
# What is logged may read as it likes.
SETTINGS = r"""[mutmut]
source_paths=
    {apps}
only_mutate={module}
also_copy=
    schema.graphql
    manage.py
pytest_add_cli_args_test_selection=
    {tests}
pytest_add_cli_args=
    -p
    no:schemathesis
    --hypothesis-profile=mutants
do_not_mutate_patterns=
    logger\.
timeout_multiplier=4
timeout_constant=10
"""
# Of the process that tests a mutant. Whatever else it ends with is a crash or the end of its time, and was noticed too.
SURVIVED, UNTESTED = 0, 33


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A copy of the migrated database for each process, because two test a mutant each at the same time."""
    from django.db import connection

    own = f"{os.environ['WAYOUT_MUTANTS']}.{os.getpid()}"
    shutil.copy(os.environ["WAYOUT_MUTANTS"], own)
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict["NAME"] = own
        yield
        connection.close()
    Path(own).unlink()


def main() -> None:
    """Change the modules whose path contains the argument."""
    shutil.rmtree(COPIES, ignore_errors=True)
    COPIES.mkdir(parents=True)
    database = COPIES / "migrated.sqlite3"
    environment = {**os.environ, "WAYOUT_DEBUG": "1", "DATABASE_URL": f"sqlite:///{database}"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    environment["WAYOUT_MUTANTS"] = str(database)
    for module, tests in MODULES.items():
        if sys.argv[-1] in module or len(sys.argv) == 1:
            copy = copied(module, tests)
            mutmut("run", "--max-children", "2", cwd=copy, env=environment)
            report(module, copy)


def mutmut(*args: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    """What it printed."""
    run = [sys.executable, "-m", "mutmut", *args]
    done = subprocess.run(run, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return done.stdout


def copied(module: str, tests: list[str]) -> Path:
    """A copy of the project that says what mutmut is to do in it."""
    copy = COPIES / module.translate(str.maketrans("/*.", "---"))
    listed = subprocess.run(
        ["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [*listed.stdout.split("\0"), *(str(mo.relative_to(ROOT)) for mo in (ROOT / "portal").rglob("*.mo"))]
    for name in names:
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    settings = SETTINGS.format(apps="\n    ".join(APPS), module=module, tests="\n    ".join(tests))
    (copy / "setup.cfg").write_text(settings)
    return copy


def report(module: str, copy: Path) -> None:
    """How many mutants were noticed, and each that was not and that nobody explained."""
    codes: dict[str, int] = {}
    for results in (copy / "mutants").rglob("*.meta"):
        codes |= json.loads(results.read_text())["exit_code_by_key"]
    unnoticed = [name for name, code in codes.items() if code in (SURVIVED, UNTESTED)]
    diffs = [diff for name in unnoticed if not is_explained(name, diff := mutmut("show", name, cwd=copy))]
    killed = len(codes) - len(unnoticed)
    print(f"\n{module}: {killed} of {len(codes)} killed, {killed / len(codes):.1%}; {len(diffs)} survive unexplained")
    print(*diffs, sep="\n", flush=True)


def is_explained(name: str, diff: str) -> bool:
    """Whether a row of the list names the function, and the lines as the mutant has them (or that it took away)."""
    function = name.rpartition(".")[2].removeprefix("x_").rpartition("__mutmut_")[0]
    lines = [line for line in diff.splitlines() if not line.startswith(("+++", "---"))]
    said = [line[1:].strip() for sign in "+-" for line in lines if line.startswith(sign)]
    added = sum(line.startswith("+") for line in lines)
    rows = EXPLAINED.read_text().splitlines()
    return any(all(f"`{part}`" in row for part in (function, *said[: added or None])) for row in rows)


if __name__ == "__main__":
    main()
