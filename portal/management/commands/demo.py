"""manage.py demo: seed the demo, say how to get in, and serve it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from common.whole_numbers import whole_number_argument
from portal.demo import ACCOUNTS, logins, seed
from portal.older_demo import move_older_demo
from portal.settings import DEMO_DATABASE, VAR_DIR
from subscriptions.models import Subscription
from tenants.callers import EXCLUDES, Scope
from tenants.models import Tenant
from tenants.people import SYSTEM
from tenants.tokens import caller_of_token, create_token

HOST = "127.0.0.1"
# Token texts are shown once and kept nowhere else; the demo may be asked again.
REMEMBERED = VAR_DIR / "demo.json"
_TRY = "headline options { route available message }"
# All that may be on one.
_TOKENS = {"partner": tuple(scope for scope in Scope if scope not in EXCLUDES), "reader": (Scope.READ,)}


class Command(BaseCommand):
    """Make the demo's database and people (only what is missing), print how to get in, and serve it if asked."""

    help = "Seed demo data and print addresses, logins, tokens. Only in debug."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How to print, and whether to serve."""
        parser.add_argument("--json", action="store_true", help="print for scripts")
        parser.add_argument("--reset", action="store_true", help="delete the demo's database instead")
        parser.add_argument(
            "--serve", type=whole_number_argument, metavar="PORT", help="then serve page, GraphQL and admin"
        )

    def handle(self, **options: Any) -> None:
        """Refuse outside debug: demo logins are known to everybody."""
        if not settings.DEBUG:
            raise CommandError(
                "The demo exists only with WAYOUT_DEBUG=1 (make run writes it into .env): its passwords are public."
            )
        database = settings.DATABASES["default"]
        if (database["ENGINE"], database["NAME"]) != ("django.db.backends.sqlite3", str(DEMO_DATABASE)):
            raise CommandError(
                f"The demo has a database of its own, {DEMO_DATABASE}: its passwords are public. DATABASE_URL names"
                " another one; unset it (look into .env, too)."
            )
        port = options["serve"]
        if port and not (_lock(VAR_DIR / f"demo-{port}.lock", wait=False) and _is_free(port)):
            raise CommandError(f"Port {port} is in use; choose another one: make run PORT={port + 1}")
        # Whoever comes while another one makes the demo finds it made.
        making = _lock(VAR_DIR / "demo.lock", wait=True)
        if options["reset"]:
            self._reset()
            return
        self._move_older()
        call_command("migrate", verbosity=0)
        seeded = seed(timezone.now())
        facts = self._facts(port)
        # The last one that closes the database locks it for a moment.
        connection.close()
        os.close(making)
        if options["json"]:
            self.stdout.write(json.dumps(facts, indent=2, ensure_ascii=False))
        else:
            self._print(facts, seeded=seeded)
        if port:
            self.stdout.flush()
            _serve(port)

    def _move_older(self) -> None:
        folder = move_older_demo(DEMO_DATABASE, REMEMBERED, timezone.now())
        if folder:
            # Not among what --json prints.
            self.stderr.write(
                _("The demo that was here is of an earlier version. It was moved to %(folder)s; this is a new one.")
                % {"folder": folder},
                self.style.WARNING,
            )

    def _reset(self) -> None:
        for name in (DEMO_DATABASE, f"{DEMO_DATABASE}-wal", f"{DEMO_DATABASE}-shm", REMEMBERED):
            Path(name).unlink(missing_ok=True)
        self.stdout.write("The demo is gone. make run makes a new one.")

    def _facts(self, port: int | None) -> dict[str, Any]:
        remembered = _remembered()
        port = port or remembered.get("port", 8000)
        tokens = self._tokens(remembered.get("tokens", {}))
        REMEMBERED.write_text(json.dumps({"port": port, "tokens": tokens}))
        REMEMBERED.chmod(0o600)
        base = f"http://{HOST}:{port}"
        return {
            "page": f"{base}/",
            "graphql": f"{base}/graphql/",
            "admin": f"{base}/admin/",
            "login": f"{base}/login/",
            "logins": logins(),
            "tokens": tokens,
            "subscriptions": self._subscriptions(ACCOUNTS[0].word),
            "tenants": {account.word: self._subscriptions(account.word) for account in ACCOUNTS},
        }

    def _tokens(self, remembered: dict[str, str]) -> dict[str, str]:
        """The demo's tokens for the first tenant, new ones where the old do not work."""
        now, tenant = timezone.now(), Tenant.objects.get(domain=ACCOUNTS[0].domain)
        tokens = {}
        for name, scopes in _TOKENS.items():
            text = str(remembered.get(name, ""))
            if caller_of_token(text, now) is None:
                _row, text = create_token(name=f"Demo {name}", scopes=scopes, tenants=[tenant], caller=SYSTEM, now=now)
            tokens[name] = text
        return tokens

    def _subscriptions(self, word: str) -> dict[str, str]:
        """The public id of the subscription for each route, by the words of the external ids."""
        rows = Subscription.objects.filter(external_id__startswith=f"{word}-").order_by("pk")
        return {row.external_id.removeprefix(f"{word}-"): f"sub_{row.pk}" for row in rows}

    def _print(self, facts: dict[str, Any], *, seeded: bool) -> None:
        write = self.stdout.write
        write("Demo data made." if seeded else "Demo data kept as it was (make demo-reset throws it away).")
        write(f"\n  Page      {facts['page']}\n  GraphQL   {facts['graphql']}\n  Admin     {facts['admin']}")
        write(f"  Mail      {settings.EMAIL_FILE_PATH}/")
        write("\n  Sign in with:")
        for login in facts["logins"]:
            where = f" of {login['tenant']}" if login["tenant"] else ""
            write(f"    {login['username']:<18} {login['password']}   {login['role']}{where}")
        write(f"\n  Partner token of contoso.example:\n    {facts['tokens']['partner']}")
        subscription = facts["subscriptions"]["over_limit"]
        query = f'{{ cancellationOptions(subscriptionId: \\"{subscription}\\") {{ {_TRY} }} }}'
        write("\n  Try it:")
        write(
            f"    curl -s {facts['graphql']} -H 'Authorization: Bearer {facts['tokens']['partner']}'"
            f" -H 'Content-Type: application/json' -d '{{\"query\": \"{query}\"}}'\n"
        )


def _remembered() -> dict[str, Any]:
    """What was written down; nothing where that cannot be read: there are new tokens then."""
    try:
        found = json.loads(REMEMBERED.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("tokens"), dict) else {}


def _lock(path: Path, *, wait: bool) -> int:
    """An open file that nobody else has as long as it is open; 0 where another process does. A server keeps its own."""
    opened = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.set_inheritable(opened, not wait)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(opened)
        return 0
    return opened


def _is_free(port: int) -> bool:
    """Whether the port can be bound. Two servers would share one silently: SO_REUSEPORT."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A server that stopped a moment ago leaves the address in TIME_WAIT: that is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def server_command(port: int) -> list[str]:
    """How Wayout is served; documented for operators in docs/setup.md."""
    return [
        sys.executable, "-m", "granian", "--interface", "asginl", "--host", HOST, "--port", str(port),
        "--workers", "1", "--workers-kill-timeout", "10", "--no-ws", "--log-level", "warning", "portal.asgi:application",
    ]  # fmt: skip


def _serve(port: int) -> None:
    """Start a worker that lives as long as this process, and become the server, so that signals reach it."""
    subprocess.Popen([sys.executable, "manage.py", "work", "--while-parent"], cwd=settings.BASE_DIR)
    os.execv(sys.executable, server_command(port))  # noqa: S606
