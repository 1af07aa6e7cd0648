"""What became of something billed without us: it ended at the provider, or will not renew there."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import Agreement
from billing.outages import retry_later
from billing.providers import provider as provider_called
from billing.providers.base import Ended, ProviderRefused, ProviderUnavailable
from billing.renewal import LOOK, look_soon, wanted_of
from billing.renewal_stop import RenewalStop
from billing.selectors import lock_agreement
from outbox.mail import queue_staff_mail
from outbox.queue import enqueue
from outbox.registry import Lane, PermanentFailure, handles

# Done in an app above, which locks what it is about before the agreement.
STOPPED = "agreement.stopped_elsewhere"


def record_change(*, provider: str, external_id: str, now: datetime) -> bool:
    """Ask for a look at what a provider bills under this id; False where that is no agreement of ours.

    Its word in an event may be an old one that came late, so the provider is asked what is true now.
    """
    with transaction.atomic(durable=True):
        found = list(Agreement.objects.filter(provider=provider, external_id=external_id).values_list("pk", flat=True))
        if found:
            look_soon(found, now)
        return bool(found)


@handles(LOOK, Lane.MONEY)
def look(payload: dict[str, int], now: datetime) -> None:
    """Ask the provider, and take what it did without us. What we told it, or are about to, is no news."""
    agreement = Agreement.objects.get(pk=payload["agreement"])
    try:
        via = provider_called(agreement.provider)
        said, ended = via.renewal_stop(agreement.external_id), via.ended(agreement.external_id)
    except ProviderUnavailable as error:
        raise retry_later(error, agreement.provider, now) from error
    except ProviderRefused as error:
        raise PermanentFailure(str(error)) from error
    with transaction.atomic(durable=True):
        _take(lock_agreement(agreement.pk), said, ended, now)


def _take(agreement: Agreement, said: RenewalStop, ended: Ended | None, now: datetime) -> None:
    if agreement.renewal_stop != RenewalStop.NONE:
        _mail_staff_of_early_end(agreement, said, now)
        return
    is_told = agreement.confirmed_stop == wanted_of(agreement, now).now
    # Nothing that we are about to tell brings back what is over.
    if said is agreement.stopped_elsewhere or not (is_told or said is RenewalStop.NOW):
        return
    if agreement.stopped_elsewhere == RenewalStop.NOW:
        # A late or repeated word never revives.
        return
    agreement.stopped_elsewhere = said.value
    agreement.confirmed_stop = wanted_of(agreement, now).now
    agreement.save(update_fields=["stopped_elsewhere", "confirmed_stop"])
    at = min(ended.at, now) if ended else now
    payload = {"agreement": agreement.pk, "stop": said.value, "at": at.isoformat()}
    enqueue(
        kind=STOPPED, key=f"{STOPPED}:{agreement.pk}:{said}:{now.isoformat()}", run_at=now, now=now,
        payload={**payload, "reason": ended.reason if ended else ""},
    )  # fmt: skip


def _mail_staff_of_early_end(agreement: Agreement, said: RenewalStop, now: datetime) -> None:
    """Access was promised until the end of the period; whoever bills has ended it before."""
    if said is RenewalStop.NOW and agreement.renewal_stop == RenewalStop.AT_PERIOD_END:
        terms = agreement.stop_terms
        if now < terms.effective_at:
            values = {"provider": agreement.provider, "id": agreement.external_id, "until": terms.effective_at.date()}
            queue_staff_mail(key=f"early:{agreement.pk}:{terms.decided_at}", sentence=_EARLY, values=values, now=now)


_EARLY = _("%(provider)s has ended %(id)s already; access was promised until %(until)s. Look at both.")
