"""manage.py personal_data: what is kept of a person, exported to a file or erased."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from common.personal import Whom
from desk.personal import requests_of
from portal.accounts.personal import (
    HOLDINGS,
    NotAPerson,
    NotErased,
    SeveralFound,
    count,
    erase,
    export,
    find,
    require_erasable,
)


class Command(BaseCommand):
    """Names nobody on the terminal: how many rows of which kind, and what stays of them."""

    help = "Export, or erase, what is kept of a person: with an account, or known by an address or a number alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whom, and one thing to do."""
        parser.add_argument(
            "--person", required=True, metavar="WHO", help="an id, a user name, an email address, a number"
        )
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--export", metavar="FILE", help="write all of it to a new file, as JSON")
        act.add_argument("--erase", action="store_true", help="forget them everywhere")
        parser.add_argument("--dry-run", action="store_true", help="with --erase: only say what would be erased")
        parser.add_argument(
            "--open-too", action="store_true", help="with --erase: withdraw requests for a call that are open"
        )

    def handle(self, **options: Any) -> None:
        """Exit code 1 where nobody, or more than one, is found, and where something speaks against it."""
        if options["export"] and (options["dry_run"] or options["open_too"]):
            raise CommandError("--dry-run and --open-too go with --erase.")
        try:
            whom = find(options["person"])
        except NotAPerson:
            raise CommandError(
                "Nobody has that id or user name, and it is neither an email address nor a phone number."
            ) from None
        except SeveralFound as several:
            raise CommandError(f"Several accounts have that: give one of these ids: {several}.") from None
        counted = count(whom)
        if not any(counted.values()):
            raise CommandError("Nothing is kept of anybody like that.")
        if options["export"]:
            self._export(whom, Path(options["export"]))
        else:
            self._erase(whom, counted, open_too=options["open_too"], dry_run=options["dry_run"])

    def _erase(self, whom: Whom, counted: dict[str, int], *, open_too: bool, dry_run: bool) -> None:
        try:
            if dry_run:
                require_erasable(whom, open_too=open_too)
            else:
                counted = erase(whom, timezone.now(), open_too=open_too)
        except NotErased as refused:
            raise CommandError(str(refused)) from None
        self._say("Would be erased" if dry_run else "Erased", counted)
        if dry_run and counted["callback_requests"]:
            # By a number alone there may be somebody else's among them: whoever erases looks first.
            references = requests_of(whom).order_by("pk").values_list("reference", flat=True)
            self.stdout.write(f"These callback requests: {', '.join(references)}")

    def _export(self, whom: Whom, path: Path) -> None:
        try:
            # Nobody else reads it, and nothing is overwritten.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(export(whom, timezone.now()), file, ensure_ascii=False, indent=2, cls=DjangoJSONEncoder)
        self.stdout.write(f"Written to {path}. It is somebody's: keep it where only they get it, then delete it.")

    def _say(self, what: str, counted: dict[str, int]) -> None:
        for one in HOLDINGS:
            if counted[one.kind]:
                kept = f" (kept: {one.kept})" if one.kept else ""
                self.stdout.write(f"{what}: {one.kind.replace('_', ' ')}: {counted[one.kind]}{kept}")
