"""manage.py import_directory: bring in what an admin exported."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from billing.money import Money
from subscriptions.directory.document import Section
from subscriptions.directory.faults import Refused
from subscriptions.directory.importing import Files, import_files
from subscriptions.directory.readers.charges import read_charges
from subscriptions.directory.readers.products import read_products
from subscriptions.directory.readers.rows import FileRows, Found
from subscriptions.directory.readers.users import UsersFile
from subscriptions.directory.report import SyncReport, problem_message, refusal_message
from subscriptions.directory.runs import DocumentRefused
from subscriptions.directory.tables import FileUnreadable, Source
from subscriptions.directory.values import instant
from subscriptions.errors import SyncRunning
from tenants.models import Tenant

_MAX_PROBLEMS_SHOWN = 50
# 0: everything came in. 1: nothing did. 2: this.
LEFT_OUT = 2


class Command(BaseCommand):
    """Import users, products and charges of one tenant from CSV files, and report what came in."""

    help = (
        "Import users, products and charges that an admin exported. Repeating it changes nothing. Exit code 0: all of it"
        " came in, 1: nothing did, 2: some rows were left out."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files and what is known of them."""
        parser.add_argument("--tenant", required=True, help="domain of the tenant; one that is not there is created")
        parser.add_argument("--users", required=True, type=Path, help="the active users list")
        parser.add_argument("--products", type=Path, help="the products list: how many seats there are")
        parser.add_argument("--charges", type=Path, help="what was charged: subscriptions, periods, money")
        parser.add_argument(
            "--exported-at",
            help="when the users were exported, ISO 8601 with an offset (default: the time of the file)."
            " What was removed here after that stays removed",
        )
        parser.add_argument(
            "--complete",
            action="store_true",
            help="the users file names every user: who is not in it holds nothing any more",
        )
        parser.add_argument("--dry-run", action="store_true", help="report what would change, and change nothing")

    def handle(self, **options: Any) -> None:
        """Bring everything in, or, with a file that cannot be read, nothing."""
        now = timezone.now()
        domain, dry_run = options["tenant"].casefold(), options["dry_run"]
        tenant = Tenant.objects.filter(domain=domain).first()
        created = tenant is None
        tenant = tenant or Tenant(domain=domain, name=options["tenant"])
        try:
            files, users = self._read(tenant, options, self._exported_at(tenant, options, now))
            with tqdm(desc="applied", unit=" pieces", disable=None) as bar:
                report = import_files(tenant=tenant, files=files, dry_run=dry_run, now=now, progress=_shown_on(bar))
        except FileUnreadable as error:
            raise CommandError(f"{error}. Nothing was imported.") from None
        except DocumentRefused as error:
            said = " ".join(problem_message(problem) for problem in error.problems)
            raise CommandError(f"{said} Nothing was imported.") from None
        except SyncRunning:
            raise CommandError(f"Facts of {domain} are just coming in from elsewhere. Nothing was imported.") from None
        report.counts["merged"] = users.merged
        if created and not dry_run:
            self.stdout.write(f"Created tenant {tenant.domain}; set its name, zone and language in the admin.")
        self._print(report, files.as_of, dry_run=dry_run)
        if left_out := report.numbers["problems"]:
            rows = "1 row was" if left_out == 1 else f"{left_out:,} rows were"
            raise CommandError(f"{rows} left out: see above.", returncode=LEFT_OUT)

    def _read(self, tenant: Tenant, options: dict[str, Any], as_of: datetime) -> tuple[Files, UsersFile]:
        """What the files say, and the list of users, which counts while it is read."""
        zone = tenant.zone
        users = UsersFile(_opener(options["users"]), options["users"].name)
        others: list[FileRows[Found]] = []
        if path := options["products"]:
            others.append(read_products(_opener(path), path.name, zone))
        if path := options["charges"]:
            others.append(read_charges(_opener(path), path.name, zone, tenant.domain))
        rows = tqdm(chain(*others, users), desc="read", unit=" rows", disable=None)
        complete = [Section.LICENSES] if options["complete"] else []
        notes = [note for file in others for note in file.notes] + list(users.notes)
        return Files(rows, as_of, complete, lambda: notes), users

    def _exported_at(self, tenant: Tenant, options: dict[str, Any], now: datetime) -> datetime:
        given = options["exported_at"]
        if given is None:
            return min(now, datetime.fromtimestamp(_stat(options["users"]), UTC))
        try:
            exported_at = instant(given, tenant.zone)
        except Refused as error:
            raise CommandError(f"--exported-at: {refusal_message(error)} Nothing was imported.") from None
        if exported_at > now:
            raise CommandError(f"--exported-at: {given} is in the future. Nothing was imported.")
        return exported_at

    def _print(self, report: SyncReport, exported_at: datetime, *, dry_run: bool) -> None:
        write = self.stdout.write
        came_in = (
            "Nothing new." if not report.has_changed else "Imported, but not all." if report.problems else "Imported."
        )
        write("Dry run: nothing was changed." if dry_run else came_in)
        write(f"Exported at {exported_at.isoformat(timespec='seconds')}")
        write("\nHolders of a license:")
        for label, count in report.holders.items():
            write(f"  {count:>7}  {label}")
        write("")
        for name, what in _COUNTED.items():
            if count := report.counts[name]:
                write(f"  {count:>7}  {what}")
        self._print_money(report)
        for note in report.notes:
            write(f"\nNote: {problem_message(note).rstrip('.')}.")
        for conflict in report.conflicts[:_MAX_PROBLEMS_SHOWN]:
            write(f"\nConflict: line {conflict.line}: {problem_message(conflict)}")
        if report.problems:
            write(self.style.WARNING(f"\nRows left out: {report.numbers['problems']}"))
            for problem in report.problems[:_MAX_PROBLEMS_SHOWN]:
                write(f"  {problem.path}, line {problem.line}: {problem_message(problem)}")

    def _print_money(self, report: SyncReport) -> None:
        write = self.stdout.write
        if report.money:
            write("\nMoney of the charges file:")
        for currency, money in sorted(report.money.items()):
            charged, paid, left_out = (
                Money(n, currency).amount for n in (money.charged, money.paid, money.charged_left_out)
            )
            if money.charges:
                charges = "1 charge" if money.charges == 1 else f"{money.charges:,} charges"
                write(f"  {currency}: {charges} came in, charged {charged}, paid {paid}")
            if money.left_out:
                charges = "1 charge was" if money.left_out == 1 else f"{money.left_out:,} charges were"
                write(f"  {currency}: {charges} left out, charged {left_out}")


def _opener(path: Path) -> Source:
    def opened() -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}. Nothing was imported.") from None

    return opened


def _stat(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}. Nothing was imported.") from None


def _shown_on(bar: Any) -> Any:
    def show(done: int, of: int) -> None:
        bar.total = of
        bar.update(done - bar.n)

    return show


_COUNTED = {
    "users_created": "users created",
    "users_changed": "users changed",
    "licenses_assigned": "licenses assigned",
    "licenses_removed": "licenses taken away",
    "charges_recorded": "charges recorded",
    "provider_ids": "ids at the provider written down",
    "soft_deleted": "soft-deleted users, not counted",
    "unlicensed": "users without a license",
    "merged": "rows with a principal name seen before, merged",
    "kept_removed": "licenses removed here after the export, left removed",
    "not_in_file": "licenses of users who are not in the file",
}
