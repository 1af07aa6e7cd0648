"""manage.py verify_audit: whether every tenant's audit trail holds, and the installation's."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from tenants.anchors import anchor_heads, check_anchors
from tenants.audit import accept_older
from tenants.models import Tenant
from tenants.verification import OLDER, verify

# The exit code where there is nothing to compare with: whoever watches tells it from a trail that was changed.
_NO_ANCHORS = 2


class Command(BaseCommand):
    """Walk the chains; print every break and exit 1 when there is one."""

    help = "Verify the audit trail: finds changed, removed and reordered events, and chains that were made anew."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="domain of one tenant (default: all)")
        parser.add_argument(
            "--anchors", metavar="FILE", help="ends that were noted before, or a log that has them among others"
        )
        parser.add_argument("--anchor", action="store_true", help="note all ends now, if the trail holds")
        parser.add_argument(
            "--accept-older",
            action="store_true",
            help="after an update: accept, if all else holds, what processes of the version before wrote meanwhile",
        )

    def handle(self, **options: Any) -> None:
        tenants = Tenant.objects.order_by("pk")
        if options["tenant"]:
            tenants = tenants.filter(domain=options["tenant"].casefold())
            if not tenants:
                raise CommandError(f"There is no tenant {options['tenant']}.")
        trails: list[tuple[int | None, str]] = [(tenant.pk, tenant.domain) for tenant in tenants]
        if not options["tenant"]:
            trails.append((None, "installation"))
        broken, older = self._walk(trails, accepts_older=options["accept_older"])
        if options["anchors"]:
            broken += self._check_anchors(options["anchors"], dict(trails), only=bool(options["tenant"]))
        if broken:
            raise CommandError(f"The audit trail does not hold. Breaks: {broken}.")
        for tenant_id, position in older.items():
            accept_older(tenant_id, position)
        self.stdout.write(f"The audit trail holds. Chains: {len(trails)}.")
        if options["accept_older"]:
            self.stdout.write(f"Chains of which events of the older format were accepted: {len(older)}.")
        if options["anchor"]:
            self.stdout.write(f"Ends noted: {anchor_heads(timezone.now(), anew=True)}.")

    def _walk(self, trails: list[tuple[int | None, str]], *, accepts_older: bool) -> tuple[int, dict[int | None, int]]:
        """How many breaks there are; and, if they are to be accepted, the last event of the older format by chain."""
        broken, older = 0, {}
        for tenant_id, name in tqdm(trails, desc="trails", disable=None):
            for found in verify(tenant_id, accepts_older=accepts_older):
                if accepts_older and found.problem == OLDER:
                    older[tenant_id] = found.position
                else:
                    broken += 1
                self.stdout.write(f"{name}, event {found.position}: {found.problem}")
        return broken, older

    def _check_anchors(self, path: str, names: dict[int | None, str], *, only: bool) -> int:
        """How many do not hold; ``only``: of the tenants that have a name here."""
        seen = held = broken = 0
        try:
            with Path(path).open(errors="replace") as lines:
                for slips in check_anchors(lines):
                    wrong = [slip for slip in slips if not only or slip.position == 0 or slip.tenant_id in names]
                    for slip in wrong:
                        name = names.get(slip.tenant_id, f"tenant {slip.tenant_id}, which is gone")
                        where = f"{name}, event {slip.position}: " if slip.position else ""
                        self.stdout.write(f"{path}, line {slip.line}: {where}{slip.problem}")
                    seen, held, broken = seen + 1, held + (not wrong), broken + len(wrong)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=_NO_ANCHORS) from None
        if not seen:
            raise CommandError(f"{path} has no anchors.", returncode=_NO_ANCHORS)
        self.stdout.write(f"{path}: lines that hold: {held}.")
        return broken
