"""What ``manage.py check --database default``, and every server and worker that starts, say of subscriptions on record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError, connection
from django.utils import timezone

from billing.providers import billing_providers, default_provider
from billing.selectors import stops_without_id
from common.starting import warns_at_start
from subscriptions.models import Subscription
from subscriptions.policy.facts import Channel, Status

_GOING_ON = (Status.ACTIVE, Status.SUSPENDED, Status.CANCELING)


@warns_at_start
def missing_ids() -> Iterator[str]:
    """A provider bills what it can be told of by no id: nobody will stop it. Three queries at most, of this start."""
    if Subscription._meta.db_table not in connection.introspection.table_names():
        return
    billing = billing_providers()
    names = [*billing, *([""] if default_provider() in billing else [])]
    without = Subscription.objects.in_status(_GOING_ON, timezone.now()).filter(
        channel=Channel.DIRECT, canceled_mode=None, agreement__provider__in=names, agreement__external_id=""
    )
    going_on, canceled = without.count(), stops_without_id().count()
    if going_on or canceled:
        yield (
            f"Nobody at a provider can be told that a subscription ends whose id there is not on record: {going_on} that go"
            f" on, {canceled} that were canceled and are billed on. Bring the ids in with the charges file (columns provider"
            " and provider_id), or write each down in Admin > Billing agreements."
        )


@register(Tags.database)
def check_ids(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Not of a database that is away or is about to be migrated."""
    if "default" not in (databases or ()):
        return []
    try:
        return [Warning(text, id="subscriptions.W001") for text in missing_ids()]
    except DatabaseError:
        return []
