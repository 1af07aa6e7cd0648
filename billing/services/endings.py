"""Tell the provider what it should stop billing, and that it should go on after all."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from billing.models import Agreement, Ending
from billing.providers import provider
from billing.providers.base import ProviderUnavailable
from outbox.effects import Again, handles, put, wake

TELL = "agreement.tell"


def set_ending(*, agreement: Agreement, ending: Ending, final_at: datetime, now: datetime) -> None:
    """Say, inside the caller's transaction, how an agreement ends; the provider hears it after the commit.

    ``final_at``: when the undo closes. A stop that the provider cannot take back is only told then.
    """
    Agreement.objects.filter(pk=agreement.pk).update(ending=ending, ends_for_good_at=final_at)
    key = f"{TELL}:{agreement.pk}"
    put(kind=TELL, key=key, payload={"agreement": agreement.pk}, run_at=now, now=now)
    wake(key=key, now=now)


@handles(TELL)
def tell(payload: dict[str, int], now: datetime) -> datetime | None:
    """Bring the provider to where the agreement is now, whatever was told or lost before."""
    agreement = Agreement.objects.get(pk=payload["agreement"])
    if not agreement.external_id:
        return None
    wanted, next_at = Ending(agreement.ending), None
    if wanted is Ending.NOW and agreement.ends_for_good_at and now < agreement.ends_for_good_at:
        wanted, next_at = Ending.AT_PERIOD_END, agreement.ends_for_good_at
    via = provider(settings.WAYOUT_PROVIDER)
    say = {Ending.NONE: via.go_on, Ending.AT_PERIOD_END: via.stop_at_period_end, Ending.NOW: via.stop_now}[wanted]
    if agreement.told != wanted:
        try:
            say(agreement.external_id)
        except ProviderUnavailable as error:
            raise Again(str(error), error.after) from error
        Agreement.objects.filter(pk=agreement.pk).update(told=wanted)
    return next_at
