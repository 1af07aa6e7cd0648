"""Tell the provider what it should stop billing, and that it should go on after all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from billing.errors import ProviderBillsNothing, ProviderIdMalformed, ProviderIdTaken
from billing.models import Agreement, RenewalStopTerms
from billing.outages import retry_later
from billing.providers import billing_providers, default_provider, is_subscription_id, provider, subscription_id_example
from billing.providers.base import ProviderRefused, ProviderUnavailable
from billing.renewal_stop import UNDO_GRACE, RenewalStop
from outbox.queue import enqueue_anew
from outbox.registry import Lane, PermanentFailure, handles
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller

CONFIRM_STOP = "agreement.confirm_stop"
# Done beside what else providers do without us: elsewhere.py.
LOOK = "agreement.look"
# What the provider was told while nobody knows whether it heard.
UNKNOWN = ""


def set_renewal_stop(
    *,
    agreement: Agreement,
    renewal_stop: RenewalStop,
    final_at: datetime,
    terms: RenewalStopTerms | None,
    now: datetime,
) -> None:
    """Say, inside the caller's transaction, how an agreement ends; the provider hears it after the commit.

    ``final_at``: when the undo closes. A stop that the provider cannot take back is only told then. ``terms``: by what
    facts are priced that arrive from now on; None where it goes on. What names no provider yet stays from now on with
    the one of today, whatever the setting says later.
    """
    agreements = Agreement.objects.filter(pk=agreement.pk)
    agreements.filter(provider="").update(provider=default_provider())
    agreements.update(renewal_stop=renewal_stop, ends_for_good_at=final_at)
    RenewalStopTerms.objects.filter(agreement=agreement).delete()
    if terms:
        terms.agreement = agreement
        terms.save(force_insert=True)
    _confirm_soon(agreement.pk, now)


def set_provider_id(
    *, agreement: Agreement, provider: str, external_id: str, caller: Caller, language: str, now: datetime
) -> bool:
    """Write down who bills an agreement, under which id; False where that is on record already. Within a transaction.

    Whoever bills is told at once what was decided before anybody knew the id. Raises ProviderIdInvalid for a provider
    that bills nothing here, an id that is none of its own, and one that another agreement has.
    """
    if provider not in billing_providers():
        raise ProviderBillsNothing(provider=provider, known=", ".join(billing_providers()))
    if not is_subscription_id(provider, external_id):
        example = subscription_id_example(provider)
        raise ProviderIdMalformed(provider=provider, external_id=external_id, example=example)
    agreement.refresh_from_db(from_queryset=Agreement.objects.select_for_update(no_key=True))
    if (agreement.provider, agreement.external_id) == (provider, external_id):
        return False
    before = {
        "provider": agreement.provider,
        "external_id": agreement.external_id,
        "confirmed_stop": agreement.confirmed_stop,
    }
    agreement.provider, agreement.external_id = provider, external_id
    agreement.confirmed_stop = agreement.stopped_elsewhere = RenewalStop.NONE.value
    try:
        with transaction.atomic():
            agreement.save(update_fields=["provider", "external_id", "confirmed_stop", "stopped_elsewhere"])
    except IntegrityError:
        raise ProviderIdTaken(external_id=external_id) from None
    record(
        tenant_id=agreement.account.tenant_id,
        at=now,
        action=Action.AGREEMENT_PROVIDER_SET,
        subject=f"Agreement:{agreement.pk}",
        caller=caller,
        language=language,
        data={"before": before, "provider": provider, "external_id": external_id},
        personal={"name": caller.name, "email": caller.email},
    )
    if agreement.renewal_stop != RenewalStop.NONE:
        _confirm_soon(agreement.pk, now)
    return True


def confirm_stop_again(*, agreement: Agreement, now: datetime) -> None:
    """The provider bills on although it was told to stop: say it once more, in the caller's transaction.

    Whether it heard is unknown: taken for not told, an undo that comes before would have nothing to take back.
    """
    Agreement.objects.filter(pk=agreement.pk).update(confirmed_stop=UNKNOWN)
    _confirm_soon(agreement.pk, now)


@handles(CONFIRM_STOP, Lane.MONEY)
def confirm_stop(payload: dict[str, int], now: datetime) -> datetime | None:
    """Bring the provider to where the agreement is now, whatever was told or lost before."""
    agreement = Agreement.objects.get(pk=payload["agreement"])
    if not agreement.external_id:
        return None
    wanted = wanted_of(agreement, now)
    if agreement.confirmed_stop != wanted.now:
        _ask_provider(agreement, wanted.now, now)
    return wanted.next_at


def _ask_provider(agreement: Agreement, renewal_stop: RenewalStop, now: datetime) -> None:
    """Tell the provider, and write down that it heard.

    It is unknown from before the call until it answered, so that whoever comes after a worker that died says it again.
    Whatever was decided during the call is told afterwards: somebody else may have found nothing to say meanwhile.
    """
    same = Agreement.objects.filter(pk=agreement.pk, external_id=agreement.external_id)
    same.update(confirmed_stop=UNKNOWN)
    try:
        via = provider(agreement.provider)
        say = {
            RenewalStop.NONE: via.go_on,
            RenewalStop.AT_PERIOD_END: via.stop_at_period_end,
            RenewalStop.NOW: via.stop_now,
        }[renewal_stop]
        say(agreement.external_id)
    except ProviderUnavailable as error:
        raise retry_later(error, agreement.provider, now) from error
    except ProviderRefused as error:
        same.update(confirmed_stop=agreement.confirmed_stop)
        if renewal_stop is RenewalStop.NONE:
            # It may have ended there meanwhile, which is no failure of ours.
            look_soon([agreement.pk], now)
            return
        raise PermanentFailure(str(error)) from error
    with transaction.atomic():
        now_on_record = same.select_for_update(no_key=True).first()
        if now_on_record is None:
            return
        same.update(confirmed_stop=renewal_stop, confirmed_at=now)
        if wanted_of(now_on_record, now).now is not renewal_stop:
            _confirm_soon(agreement.pk, now)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the provider should be told now, and when it should hear something else."""

    now: RenewalStop
    next_at: datetime | None = None


def wanted_of(agreement: Agreement, now: datetime) -> Wanted:
    """NOW is only told when the undo has closed by any clock; until then a stop that can be taken back."""
    renewal_stop, final_at = RenewalStop(agreement.renewal_stop), agreement.ends_for_good_at
    if renewal_stop is RenewalStop.NOW and final_at and now < final_at + UNDO_GRACE:
        return Wanted(RenewalStop.AT_PERIOD_END, final_at + UNDO_GRACE)
    if renewal_stop is RenewalStop.NONE:
        # What the provider's own dashboard stopped, an undo here does not set going.
        return Wanted(RenewalStop(agreement.stopped_elsewhere))
    return Wanted(renewal_stop)


def look_soon(agreement_ids: Iterable[int], now: datetime) -> None:
    """Have the provider asked what has become of what it bills, in the caller's transaction, if there is one."""
    enqueue_anew(kind=LOOK, payloads={f"{LOOK}:{pk}": {"agreement": pk} for pk in agreement_ids}, now=now)


def _confirm_soon(agreement_id: int, now: datetime) -> None:
    enqueue_anew(kind=CONFIRM_STOP, payloads={f"{CONFIRM_STOP}:{agreement_id}": {"agreement": agreement_id}}, now=now)
