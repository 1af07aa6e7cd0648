"""manage.py verify_audit: whether every tenant's audit trail holds, and the installation's."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from tenants.audit import verify
from tenants.models import Tenant


class Command(BaseCommand):
    """Walk the chains; print every break and exit 1 when there is one."""

    help = "Verify the audit trail: finds changed, removed and reordered events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", help="domain of one tenant (default: all)")

    def handle(self, **options: Any) -> None:
        tenants = Tenant.objects.order_by("pk")
        if options["tenant"]:
            tenants = tenants.filter(domain=options["tenant"])
            if not tenants:
                raise CommandError(f"There is no tenant {options['tenant']}.")
        trails: list[tuple[int | None, str]] = [(tenant.pk, tenant.domain) for tenant in tenants]
        if not options["tenant"]:
            trails.append((None, "installation"))
        broken = 0
        for tenant_id, name in tqdm(trails, desc="trails", disable=None):
            for found in verify(tenant_id):
                broken += 1
                self.stdout.write(f"{name}, event {found.position}: {found.problem}")
        if broken:
            raise CommandError(f"The audit trail does not hold: {broken} breaks.")
        self.stdout.write(f"The audit trail holds: {tenants.count()} tenants.")
