"""What staff decide about sources: whose the rows are, and who holds which of several subscriptions of one product."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from subscriptions.directory.assignments import ending_last_first, take_away
from subscriptions.models import DirectoryGroup, DirectoryUser, FactSource, License, Subscription
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller


def hand_over(*, source: FactSource, to: FactSource, caller: Caller, language: str, now: datetime) -> int:
    """Make all rows of one source another's, of the same tenant: what that says is written from then on. How many."""
    assert source.tenant_id == to.tenant_id  # the form offers no other
    with transaction.atomic():
        count = 0
        for model in (Subscription, DirectoryUser, DirectoryGroup, License):
            count += model._default_manager.filter(source=source).update(source=to)
        record(
            tenant_id=source.tenant_id, at=now, action=Action.SOURCE_HANDED_OVER, subject=f"FactSource:{source.pk}",
            caller=caller, language=language, data={"from": source.name, "to": to.name, "rows": count},
            personal={"name": caller.name},
        )  # fmt: skip
        return count


def sharing(subscription: Subscription) -> Sequence[Subscription]:
    """The subscriptions that share holders with this one, itself included; the one that ends last comes first."""
    of_product = Subscription.objects.filter(
        tenant=subscription.tenant_id, plan=subscription.plan_id, shares_licenses=True
    )
    return ending_last_first(of_product)


def split_holders(*, subscription: Subscription, caller: Caller, language: str, now: datetime) -> dict[int, int]:
    """Let each who holds several subscriptions of one product directly hold one of them; how many each then has.

    Each is filled up to its seats, the one that ends last first; whoever is over stays in that one. From then on a source
    that knows products alone fills them in the same way.
    """
    with transaction.atomic():
        list(Subscription.objects.select_for_update(no_key=True).filter(tenant=subscription.tenant_id).order_by("pk"))
        among = sharing(subscription)
        held: dict[int, dict[int, int]] = defaultdict(dict)
        rows = License.objects.held().filter(subscription__in=among, is_direct=True).order_by("user_id")
        for pk, user, of in rows.values_list("pk", "user", "subscription"):
            held[user][of] = pk
        filled = dict.fromkeys((one.pk for one in among), 0)
        taken: list[int] = []
        for licenses in held.values():
            theirs = [one for one in among if one.pk in licenses]
            kept = next((one for one in theirs if filled[one.pk] < one.purchased_licenses), theirs[0])
            filled[kept.pk] += 1
            taken += [pk for of, pk in licenses.items() if of != kept.pk]
        take_away(taken, now)
        Subscription.objects.filter(pk__in=filled).update(shares_licenses=False, shares_split_at=now)
        record(
            tenant_id=subscription.tenant_id, at=now, action=Action.HOLDERS_SPLIT,
            subject=f"Subscription:{subscription.pk}", caller=caller, language=language,
            data={"holders": {str(pk): count for pk, count in filled.items()}}, personal={"name": caller.name},
        )  # fmt: skip
        return filled
