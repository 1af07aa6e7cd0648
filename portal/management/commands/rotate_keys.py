"""manage.py rotate_keys: which keys there are, what needs them, and the steps from one to the next."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from common.keys import current_id, keys
from common.languages import DEFAULT_LANGUAGE
from portal.key_uses import USES, named_in, needed, not_reencrypted, said
from tenants.actions import Action
from tenants.audit import record
from tenants.people import SYSTEM


class Command(BaseCommand):
    """Without options it only looks. A key is never printed, but for a new one, once; keys go by their ids."""

    help = "Says which keys are named and what needs them; makes anew under the current key what can be."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One step."""
        step = parser.add_mutually_exclusive_group()
        step.add_argument("--new", action="store_true", help="print a new key, and what to set")
        step.add_argument("--reencrypt", action="store_true", help="make anew under the current key what can be")
        step.add_argument("--retire", metavar="KEYID", help="say whether nothing needs this key any more")
        parser.add_argument("--dry-run", action="store_true", help="with --reencrypt: only say how much that is")

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        if options["dry_run"] and not options["reencrypt"]:
            raise CommandError("--dry-run goes with --reencrypt.")
        if options["new"]:
            self._new(now)
        elif options["reencrypt"]:
            self._reencrypt(now, dry_run=options["dry_run"])
        elif options["retire"] is not None:
            self._retire(options["retire"], now)
        else:
            self._list(now)

    def _list(self, now: datetime) -> None:
        found = needed(now)
        for key, uses in found.items():
            where = named_in(key) or "NOT NAMED"
            self.stdout.write(f"{key} {where}: {said(uses) or 'no row needs it'}")
        if missing := found.keys() - keys().keys():
            raise CommandError(
                f"Rows need a key that is not named: {', '.join(sorted(missing))}. Name it in WAYOUT_SECRET_KEY_FALLBACKS,"
                " or in WAYOUT_DIGEST_KEYS where it must sign nothing."
            )

    def _new(self, now: datetime) -> None:
        if not_reencrypted(now):
            raise CommandError("Rows are not yet under the current key. First: manage.py rotate_keys --reencrypt")
        if "," in settings.SECRET_KEY:
            raise CommandError(
                "The present key has a comma in it, which separates the keys of a list: it cannot be named as an older one."
            )
        self.stdout.write(f"WAYOUT_SECRET_KEY={secrets.token_urlsafe(50)}")
        self.stderr.write(
            "Set this, and put the present value of WAYOUT_SECRET_KEY before whatever is in WAYOUT_SECRET_KEY_FALLBACKS."
            " Where several processes run, name the new key in WAYOUT_SECRET_KEY_FALLBACKS of all of them first.\n"
            "Then restart them, and: manage.py rotate_keys --reencrypt"
        )

    def _reencrypt(self, now: datetime, *, dry_run: bool) -> None:
        if dry_run:
            self.stdout.write(f"To be encrypted under {current_id()}: {not_reencrypted(now)}. Nothing was changed.")
            return
        done = 0
        for use in USES:
            if use.reencrypt:
                done += sum(tqdm(use.reencrypt(now), desc=use.name, disable=None))
        if done:
            with transaction.atomic():
                record(
                    tenant_id=None, at=now, action=Action.KEYS_REENCRYPTED, subject=f"Key:{current_id()}", caller=SYSTEM,
                    language=DEFAULT_LANGUAGE, data={"rows": done},
                )  # fmt: skip
        self.stdout.write(f"Encrypted under {current_id()}: {done}.")
        if left := not_reencrypted(now):
            raise CommandError(
                f"Not readable with the keys that are named: {left}. manage.py rotate_keys says whose they are."
            )

    def _retire(self, key: str, now: datetime) -> None:
        where = named_in(key)
        if not where:
            raise CommandError(f"No key that is named is called {key}.")
        if key == current_id():
            raise CommandError(f"{key} is the current key. For another: manage.py rotate_keys --new")
        uses = needed(now)[key]
        if any(use.reencrypt for use in uses):
            raise CommandError(f"Rows need {key}: {said(uses)}. First: manage.py rotate_keys --reencrypt")
        if uses and where == "WAYOUT_DIGEST_KEYS":
            raise CommandError(f"Rows need {key}: {said(uses)}. It stays in {where}, where it signs nothing.")
        if uses:
            raise CommandError(
                f"Rows need {key}: {said(uses)}. Nobody can make these anew: move it from {where} to WAYOUT_DIGEST_KEYS,"
                " where it signs nothing. Whoever has not come back since it was replaced signs in again."
            )
        self.stdout.write(
            f"No row needs {key}. Take it out of {where}. Ends of the trail that were noted while it was current cannot be"
            " checked without it: note all of them anew first, with manage.py verify_audit --anchor"
        )
        if where != "WAYOUT_DIGEST_KEYS":
            self.stdout.write("Whoever has not come back since it was replaced signs in again.")
