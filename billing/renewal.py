"""Tell the provider what it should stop billing, and that it should go on after all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from billing.ending import Ending
from billing.errors import ProviderBillsNothing, ProviderIdMalformed, ProviderIdTaken
from billing.models import Agreement, EndingTerms
from billing.outages import retry_later
from billing.providers import billing_providers, default_provider, is_subscription_id, provider, subscription_id_example
from billing.providers.base import ProviderRefused, ProviderUnavailable
from outbox.queue import enqueue_anew
from outbox.registry import PermanentFailure, handles
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller

TELL = "agreement.tell"
# What the provider was told while nobody knows whether it heard.
UNKNOWN = ""


def set_ending(
    *, agreement: Agreement, ending: Ending, final_at: datetime, terms: EndingTerms | None, now: datetime
) -> None:
    """Say, inside the caller's transaction, how an agreement ends; the provider hears it after the commit.

    ``final_at``: when the undo closes. A stop that the provider cannot take back is only told then. ``terms``: by what
    facts are priced that arrive from now on; None where it goes on. What names no provider yet stays from now on with
    the one of today, whatever the setting says later.
    """
    agreements = Agreement.objects.filter(pk=agreement.pk)
    agreements.filter(provider="").update(provider=default_provider())
    agreements.update(ending=ending, ends_for_good_at=final_at)
    EndingTerms.objects.filter(agreement=agreement).delete()
    if terms:
        terms.agreement = agreement
        terms.save(force_insert=True)
    _tell_soon(agreement.pk, now)


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
    before = {"provider": agreement.provider, "external_id": agreement.external_id, "told": agreement.told}
    agreement.provider, agreement.external_id, agreement.told = provider, external_id, Ending.NONE.value
    try:
        with transaction.atomic():
            agreement.save(update_fields=["provider", "external_id", "told"])
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
    if agreement.ending != Ending.NONE:
        _tell_soon(agreement.pk, now)
    return True


def tell_again(*, agreement: Agreement, now: datetime) -> None:
    """The provider bills on although it was told to stop: say it once more, in the caller's transaction."""
    Agreement.objects.filter(pk=agreement.pk).update(told=Ending.NONE)
    _tell_soon(agreement.pk, now)


@handles(TELL)
def tell(payload: dict[str, int], now: datetime) -> datetime | None:
    """Bring the provider to where the agreement is now, whatever was told or lost before."""
    agreement = Agreement.objects.get(pk=payload["agreement"])
    if not agreement.external_id:
        return None
    wanted = wanted_of(agreement, now)
    if agreement.told != wanted.now:
        _say(agreement, wanted.now, now)
    return wanted.next_at


def _say(agreement: Agreement, ending: Ending, now: datetime) -> None:
    """Tell the provider, and write down that it heard.

    It is unknown from before the call until it answered, so that whoever comes after a worker that died says it again.
    Whatever was decided during the call is told afterwards: somebody else may have found nothing to say meanwhile.
    """
    same = Agreement.objects.filter(pk=agreement.pk, external_id=agreement.external_id)
    same.update(told=UNKNOWN)
    try:
        via = provider(agreement.provider)
        say = {Ending.NONE: via.go_on, Ending.AT_PERIOD_END: via.stop_at_period_end, Ending.NOW: via.stop_now}[ending]
        say(agreement.external_id)
    except ProviderUnavailable as error:
        raise retry_later(error, agreement.provider, now) from error
    except ProviderRefused as error:
        same.update(told=agreement.told)
        raise PermanentFailure(str(error)) from error
    with transaction.atomic():
        now_on_record = same.select_for_update(no_key=True).first()
        if now_on_record is None:
            return
        same.update(told=ending)
        if wanted_of(now_on_record, now).now is not ending:
            _tell_soon(agreement.pk, now)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the provider should be told now, and when it should hear something else."""

    now: Ending
    next_at: datetime | None = None


def wanted_of(agreement: Agreement, now: datetime) -> Wanted:
    """NOW is only told when the undo has closed; until then a stop that can be taken back."""
    ending, final_at = Ending(agreement.ending), agreement.ends_for_good_at
    if ending is Ending.NOW and final_at and now < final_at:
        return Wanted(Ending.AT_PERIOD_END, final_at)
    return Wanted(ending)


def _tell_soon(agreement_id: int, now: datetime) -> None:
    enqueue_anew(kind=TELL, payloads={f"{TELL}:{agreement_id}": {"agreement": agreement_id}}, now=now)
