"""What was removed here and is still assigned where licenses are held: counted again, and never silently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from common.chunks import chunks
from common.languages import DEFAULT_LANGUAGE
from subscriptions.directory.catalog import Context
from subscriptions.events import publish_contradicted
from subscriptions.models import DirectoryUser, License, Subscription
from tenants.actions import Action
from tenants.audit import record
from tenants.people import SYSTEM


class Contradicted(NamedTuple):
    """A license that was removed here, and by its source is held."""

    license_id: int
    subscription: Subscription
    user_id: int


def record_contradictions(context: Context, found: Iterable[Contradicted]) -> None:
    """Mark them for the operator's list; on the trail and as an event, one of each for a subscription."""
    by_subscription: dict[int, list[Contradicted]] = defaultdict(list)
    for one in found:
        by_subscription[one.subscription.pk].append(one)
    for of_one in by_subscription.values():
        licenses, users = [one.license_id for one in of_one], [one.user_id for one in of_one]
        for some in chunks(licenses):
            License.objects.filter(pk__among=some).update(contradicted_at=context.now)
        event = record(
            tenant_id=context.tenant.pk,
            at=context.now,
            action=Action.REMOVAL_CONTRADICTED,
            subject=f"Subscription:{of_one[0].subscription.pk}",
            caller=SYSTEM,
            language=DEFAULT_LANGUAGE,
            data={"licenses": licenses, "source": context.source.name, "as_of": context.as_of},
        )
        named = DirectoryUser.objects.filter(pk__in=users[:_MAX_NAMED]).order_by("pk").values_list("pk", "external_id")
        publish_contradicted(of_one[0].subscription, len(of_one), list(named), event.position, context.now)


# So many users stand in one event; their number is of all.
_MAX_NAMED = 100
