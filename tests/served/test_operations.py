"""What the pages for operators tell them to type is typed here: with production's settings, in a folder of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from tests.served.clone import PRODUCTION, clone, environment
from tests.served.conftest import ROOT, free_port, wait_for

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("operations")]
BLOCK = re.compile(r"^```sh (run|serve)(?: (sqlite|postgresql|with a broker))?\n(.*?)^```", re.DOTALL | re.MULTILINE)
POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("WAYOUT_TEST_REDIS", "redis://127.0.0.1:6379/9")
NAME = f"wayout_operations_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}"
QUERY = "?application_name=wayout/shop"
EXAMPLES = ROOT / "tests" / "data" / "examples"


def missing(what: str) -> None:
    """Say loudly what was not tested; in CI it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def blocks(page: str, how: str, on: str) -> list[str]:
    """The commands of a page that are run, or served, with a database or a broker."""
    return [
        text
        for kind, only, text in BLOCK.findall((ROOT / "docs" / page).read_text())
        if kind == how and only in ("", on)
    ]


def set_up(on: str) -> list[str]:
    """What is typed before anything is served; the page's last block is an import."""
    return blocks("setup.md", "run", on)[:-1]


@pytest.fixture(params=["sqlite", "postgresql"])
def vendor(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "postgresql":
        if not all(map(shutil.which, ("pg_dump", "pg_restore", "createdb", "dropdb"))):
            missing("NOT TESTED: backup of PostgreSQL. pg_dump, pg_restore, createdb and dropdb are not there")
        names = [sql.Identifier(name) for name in (NAME, f"{NAME}_restored")]
        try:
            with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as server:
                for name in names:
                    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
                server.execute(sql.SQL("CREATE DATABASE {}").format(names[0]))
        except psycopg.OperationalError as error:
            missing(f"NOT TESTED: backup of PostgreSQL. {POSTGRES} did not answer ({error})")
        yield request.param
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            for name in names:
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
    else:
        yield request.param


@pytest.fixture
def installation(vendor: str, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder as it is after ``pip install``, and production's environment. The database has a name of its own."""
    folder = clone(tmp_path / "wayout")
    for name, example in (("users", "active-users-utf8-bom"), ("products", "products"), ("charges", "charges")):
        shutil.copy(EXAMPLES / f"{example}.csv", folder / f"{name}.csv")
    (tmp_path / "data").mkdir()
    url = (
        f"{POSTGRES.rpartition('/')[0]}/{NAME}" if vendor == "postgresql" else f"sqlite:///{tmp_path}/data/shop.sqlite3"
    )
    superuser = {"DJANGO_SUPERUSER_USERNAME": "ada", "DJANGO_SUPERUSER_EMAIL": "ada@x.example"}
    given = {**PRODUCTION, **superuser, "DJANGO_SUPERUSER_PASSWORD": "a fine horse of iron", "DATABASE_URL": url}
    return folder, environment(**given, WAYOUT_VAR=str(tmp_path / "data"))


def typed(text: str) -> str:
    """As an operator types it, but for what is asked back, and names that only one run of the tests may use."""
    text = text.replace(".venv/bin/", f"{Path(sys.executable).parent}/").replace("wayout_restored", f"{NAME}_restored")
    text = text.replace("/var/lib/wayout/", "")
    return text.replace("createsuperuser", "createsuperuser --no-input")


def without(installation: tuple[Path, dict[str, str]], *names: str) -> tuple[Path, dict[str, str]]:
    folder, environ = installation
    return folder, {name: value for name, value in environ.items() if name not in names}


def bash(installation: tuple[Path, dict[str, str]], *texts: str) -> str:
    folder, environ = installation
    script = "\n".join(["set -euxo pipefail", *map(typed, texts)])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_set_up_and_operations_do_what_they_say(
    installation: tuple[Path, dict[str, str]], vendor: str
) -> None:
    folder, environ = installation
    # The page makes them, but for the database, which the operator adds: with a query that looks like a path.
    (folder / ".env").write_text(f"DATABASE_URL={environ['DATABASE_URL']}{QUERY if vendor == 'postgresql' else ''}\n")
    installation = without(installation, "DATABASE_URL", *PRODUCTION)
    bash(installation, *set_up(vendor))
    assert (folder / "portal/locale/bg/LC_MESSAGES/django.mo").exists()
    import_it = blocks("setup.md", "run", vendor)[-1]
    assert "dry run" in bash(installation, import_it).lower()
    bash(installation, import_it.replace("--dry-run", ""), ".venv/bin/python manage.py work --once")
    held = "from subscriptions.models import License; print(License.objects.count())"
    count = f"{{}} .venv/bin/python manage.py shell --no-imports -c '{held}'"
    before = bash(installation, count.format(""))
    assert int(before) > 0
    operations = blocks("operations.md", "run", vendor)
    tried = 1 + next(number for number, text in enumerate(operations) if "reconcile --offline" in text)
    operations.insert(tried, f"echo copied $({count.format('DATABASE_URL=$COPY')})")
    for _month in range(2):
        said = bash(installation, *operations)
        assert "The audit trail holds. Chains: 2." in said
        assert "Everything adds up." in said
        assert f"copied {before.strip()}\n" in said
    # What is there after the restore is what was.
    assert bash(installation, count.format("")) == before


def test_a_backup_of_nothing_is_told(installation: tuple[Path, dict[str, str]], vendor: str) -> None:
    with pytest.raises(AssertionError):
        bash(installation, *blocks("operations.md", "run", vendor))


def test_a_backup_without_an_address_is_refused(installation: tuple[Path, dict[str, str]], vendor: str) -> None:
    if vendor == "sqlite":
        pytest.skip("PostgreSQL's tools take another database then")
    (installation[0] / ".env").touch()
    for block in blocks("operations.md", "run", vendor):
        if re.search("pg_dump|createdb|dropdb", block):
            with pytest.raises(AssertionError, match="DATABASE_URL: parameter null or not set"):
                bash(without(installation, "DATABASE_URL"), "BACKUP=none DATABASE_URL=", block)


def documented(which: str) -> list[str]:
    """Every line that is a process of its own, on either page once."""
    texts = [text for page in ("setup.md", "operations.md") for text in blocks(page, "serve", which)]
    lines = (line.partition("#")[0].strip() for text in texts for line in text.splitlines())
    return sorted({line for line in lines if ("celery" in line) is bool(which)})


def wait_until_it_can_be_stopped(process: subprocess.Popen[bytes]) -> None:
    """Until it catches SIGTERM, which the system knows: before, it would just die of it."""
    mask = 1 << (signal.SIGTERM - 1)
    for _ in range(600):
        caught = Path(f"/proc/{process.pid}/status").read_text().partition("SigCgt:")[2].split()[0]
        if int(caught, 16) & mask:
            return
        assert process.poll() is None
        time.sleep(0.1)
    pytest.fail(f"{process.args} did not begin")


@contextmanager
def started(installation: tuple[Path, dict[str, str]], *lines: str, **more: str) -> Iterator[None]:
    """All of them run until the block ends, and end well."""
    folder, environ = installation
    running = [
        subprocess.Popen(typed(line).split(), cwd=folder, env={**environ, **more}, stdout=subprocess.DEVNULL)
        for line in lines
    ]
    try:
        yield
        for process in running:
            wait_until_it_can_be_stopped(process)
        time.sleep(5)
        assert [process.poll() for process in running] == [None] * len(lines)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(30) for process in running]
    assert ended == [0] * len(lines)


def test_what_is_documented_serves_and_works(installation: tuple[Path, dict[str, str]], vendor: str) -> None:
    bash(installation, *set_up(vendor))
    port, lines = free_port(), documented("")
    assert len(lines) == 2, lines
    with started(installation, *(line.replace("8000", str(port)) for line in lines)):
        wait_for(port, "/healthz/live")
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/healthz/ready", headers={"Host": "wayout.example"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert answer.status == 200


def test_with_a_broker_celery_works(installation: tuple[Path, dict[str, str]], vendor: str) -> None:
    if vendor != "postgresql":
        pytest.skip("processes besides each other are for PostgreSQL")
    try:
        redis.Redis.from_url(REDIS).ping()
    except redis.RedisError as error:
        missing(f"NOT TESTED: Celery as documented. {REDIS} did not answer ({error})")
    bash(installation, *set_up(vendor))
    lines = documented("with a broker")
    assert len(lines) == 2, lines
    with started(installation, *lines, WAYOUT_BROKER_URL=REDIS, WAYOUT_QUEUE=NAME):
        pass
