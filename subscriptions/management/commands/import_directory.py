"""manage.py import_directory: bring in what an admin exported."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from billing.money import Money
from subscriptions.directory.files import read_charges, read_instant, read_products, read_users
from subscriptions.directory.imports import Files, import_directory
from subscriptions.directory.report import ImportReport
from subscriptions.directory.tables import FileUnreadable, Parsed, RowUnreadable, Source
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
        tenant = Tenant.objects.filter(domain=options["tenant"].casefold()).first()
        created = tenant is None
        tenant = tenant or Tenant(domain=options["tenant"].casefold(), name=options["tenant"])
        try:
            files = self._read(tenant, options)
            exported_at = self._exported_at(tenant, options, now)
            report = import_directory(
                tenant=tenant,
                files=files,
                exported_at=exported_at,
                complete=options["complete"],
                dry_run=options["dry_run"],
                now=now,
                progress=lambda rows, count: tqdm(rows, desc="users", unit=" rows", disable=None, total=count),
            )
        except FileUnreadable as error:
            raise CommandError(f"{error}. Nothing was imported.") from None
        if created and not options["dry_run"]:
            self.stdout.write(f"Created tenant {tenant.domain}; set its name, zone and language in the admin.")
        self._print(report, exported_at, dry_run=options["dry_run"])
        if left_out := len(report.problems):
            rows = "1 row was" if left_out == 1 else f"{left_out:,} rows were"
            raise CommandError(f"{rows} left out: see above.", returncode=LEFT_OUT)

    def _read(self, tenant: Tenant, options: dict[str, Any]) -> Files:
        users, products, charges = options["users"], options["products"], options["charges"]
        return Files(
            users=read_users(_opener(users), users.name),
            products=read_products(_opener(products), products.name) if products else Parsed(),
            charges=read_charges(_opener(charges), charges.name, tenant.zone) if charges else Parsed(),
        )

    def _exported_at(self, tenant: Tenant, options: dict[str, Any], now: datetime) -> datetime:
        given = options["exported_at"]
        if given is None:
            return min(now, datetime.fromtimestamp(options["users"].stat().st_mtime, UTC))
        try:
            exported_at = read_instant(given, tenant.zone)
        except RowUnreadable as error:
            raise CommandError(f"--exported-at: {error}. Nothing was imported.") from None
        if exported_at > now:
            raise CommandError(f"--exported-at: {given} is in the future. Nothing was imported.")
        return exported_at

    def _print(self, report: ImportReport, exported_at: datetime, *, dry_run: bool) -> None:
        write = self.stdout.write
        came_in = "Nothing new." if not report.changed else "Imported, but not all." if report.problems else "Imported."
        write("Dry run: nothing was changed." if dry_run else came_in)
        write(f"Exported at {exported_at.isoformat(timespec='seconds')}")
        write("\nHolders of a license:")
        for label, count in report.holders.items():
            write(f"  {count:>7}  {label}")
        counted = {
            "users created": report.users_created,
            "users changed": report.users_changed,
            "licenses assigned": report.licenses_assigned,
            "licenses taken away": report.licenses_removed,
            "charges recorded": report.charges_recorded,
            "ids at the provider written down": report.provider_ids,
            "soft-deleted users, not counted": report.soft_deleted,
            "users without a license": report.unlicensed,
            "rows with a principal name seen before, merged": report.merged,
            "licenses removed here after the export, left removed": report.kept_removed,
            "licenses of users who are not in the file": report.not_in_file,
        }
        write("")
        for what, count in counted.items():
            if count:
                write(f"  {count:>7}  {what}")
        self._print_money(report)
        for note in report.notes:
            write(f"\nNote: {note}.")
        if report.problems:
            write(self.style.WARNING(f"\nRows left out: {len(report.problems)}"))
            for problem in report.problems[:_MAX_PROBLEMS_SHOWN]:
                write(f"  {problem.file}, line {problem.line}: {problem.reason}")

    def _print_money(self, report: ImportReport) -> None:
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
