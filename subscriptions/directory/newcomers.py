"""A customer that nobody here knows yet, brought by a token of the installation."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from common.languages import DEFAULT_LANGUAGE
from subscriptions.directory.document import Section, TenantRow
from subscriptions.directory.faults import Fault, Problem
from subscriptions.directory.reading import BodyRefused, Document, lines_of
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import Tenant


def tenant_of(whom: Tenant | str, start: bytes, *, is_ndjson: bool, caller: Caller, now: datetime) -> Tenant:
    """The tenant, or a new one of that external id, within a transaction: by the name and domain that ``start`` says.

    Raises BodyRefused where they are not said there, or the domain is another customer's.
    """
    if isinstance(whom, Tenant):
        return whom
    row = _said(start, is_ndjson=is_ndjson)
    if row is None or not row.name or not row.domain:
        raise BodyRefused(Problem(Fault.TENANT_UNKNOWN, Section.TENANT))
    domain = row.domain.casefold()
    if Tenant.objects.filter(domain=domain).exists():
        raise BodyRefused(Problem(Fault.DOMAIN_TAKEN, "tenant.domain", data={"value": domain}))
    tenant = Tenant.objects.create(external_id=whom, name=row.name, domain=domain)
    record(
        tenant_id=tenant.pk, at=now, action=Action.TENANT_ADDED, subject=f"Tenant:{tenant.pk}", caller=caller,
        language=DEFAULT_LANGUAGE, data={"external_id": whom, "name": row.name, "domain": domain},
    )  # fmt: skip
    return tenant


def _said(start: bytes, *, is_ndjson: bool) -> TenantRow | None:
    """What the beginning of a document says of its tenant."""
    try:
        for found in Document(lines_of([start]), is_ndjson, ZoneInfo("UTC")).rows():
            if not isinstance(found, Problem) and isinstance(found[1], TenantRow):
                return found[1]
    except BodyRefused:
        # Whoever reads all of it says what is wrong.
        pass
    return None
