"""Whom to call: numbers, the list of those that asked not to be called, and forgetting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils.translation import get_supported_language_variant

from common.errors import ChoiceInvalid
from common.keys import digests
from common.languages import DEFAULT_LANGUAGE
from desk.codes import OPEN_STATUSES, CloseReason
from desk.errors import DoNotCall, NumberGivenTooOften, NumberUnanswered
from desk.events import CallEvent, publish_callback
from desk.models import CallbackAttempt, CallbackDesk, CallbackRequest, OptOut
from desk.phones import Phone, read_phone
from desk.selectors import desk
from desk.services.cases import audit_call, subject_of
from outbox.each import each_by_itself
from subscriptions.idempotency import one_transaction
from subscriptions.inputs import clean_text
from subscriptions.models import Subscription
from tenants.actions import Action
from tenants.audit import erase_personal_data, events_about
from tenants.callers import Caller
from tenants.people import SYSTEM

LONGEST_NOTE = 500
LONGEST_NAME = 200
_MAX_A_DAY = 3
_DAY = timedelta(days=1)
_LONGEST_PHONE = 50


def read_language(code: str) -> str:
    """A language that is spoken here. Raises InputInvalid."""
    try:
        return get_supported_language_variant(code)
    except LookupError:
        raise ChoiceInvalid("language") from None


def given_phone(text: str, subscription: Subscription, settings: CallbackDesk) -> Phone:
    """The number that was typed. Raises InputInvalid for none, and what read_phone raises."""
    typed = clean_text(text, "phone", limit=_LONGEST_PHONE, required=True)
    return read_phone(typed, subscription.tenant.phone_region, settings.regions)


def set_phone(request: CallbackRequest, phone: Phone, as_typed: str, now: datetime) -> None:
    """Take the number, unless this tenant gave it for three other requests within a day, or it is the one that was wrong."""
    if request.pk and request.phone == phone.e164 and request.phone_extension == phone.extension:
        if request.number_is_wrong:
            raise NumberUnanswered("phone")
        return
    if is_opted_out(request.tenant_id, phone.e164):
        raise DoNotCall("phone")
    theirs = CallbackRequest.objects.filter(tenant=request.tenant_id)
    same = theirs.filter(phone=phone.e164, phone_given_at__gt=now - _DAY).exclude(pk=request.pk)
    given = sorted(same.values_list("phone_given_at", flat=True))
    if len(given) >= _MAX_A_DAY:
        raise NumberGivenTooOften("phone", retry_after=(given[-_MAX_A_DAY] + _DAY - now).total_seconds())
    request.phone, request.phone_extension = phone.e164, phone.extension
    if request.number_is_wrong:
        request.last_outcome = ""
    request.phone_is_valid, request.phone_as_typed, request.phone_given_at = phone.is_valid, as_typed.strip(), now


def opt_out_digests(tenant_id: int, phone: str) -> Mapping[str, str]:
    """How the opt-out list knows a number, by the id of the key, the current one first. Another one for every tenant."""
    return dict(made.split(":") for made in digests("wayout.opt_out", f"{tenant_id} {phone}"))


def is_opted_out(tenant_id: int, phone: str) -> bool:
    """Whether the number asked this tenant's desk not to call, under whichever key."""
    return OptOut.objects.filter(digest__in=opt_out_digests(tenant_id, phone).values()).exists()


def opt_outs_by_key() -> Counter[str]:
    """How many numbers on the list need each key, by its id; "" for those of the version before. Reads the whole list."""
    return Counter(dict(OptOut.objects.values_list("key_id").annotate(Count("pk")).order_by()))


def never_call(request: CallbackRequest, now: datetime) -> None:
    """Put the number on the list, and the request aside, and tell partners. The caller saves it."""
    if not is_opted_out(request.tenant_id, request.phone):
        key_id, digest = next(iter(opt_out_digests(request.tenant_id, request.phone).items()))
        OptOut.objects.get_or_create(digest=digest, defaults={"key_id": key_id, "asked_at": now})
    reason = CloseReason.ASKED_NOT_TO_CALL
    request.status, request.close_reason = reason.status.value, reason.value
    request.closed_at, request.next_attempt_at = now, None
    publish_callback(CallEvent.CALLBACK_CLOSED, request, now)


def lift(tenant_id: int, phone: str, *, may_lift: bool) -> None:
    """Take a number off the list. Raises DoNotCall where it is on it and may not come off."""
    if may_lift:
        OptOut.objects.filter(digest__in=opt_out_digests(tenant_id, phone).values()).delete()
    elif is_opted_out(tenant_id, phone):
        raise DoNotCall("phone")


def erase_contact(*, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Forget name, number and notes of a closed request; False for an open one or one that was erased."""
    with one_transaction():
        closed = CallbackRequest.objects.filter(pk=callback_id, erased_at=None).exclude(status__in=OPEN_STATUSES)
        erased = closed.update(contact_name="", phone="", phone_extension="", phone_as_typed="", note="", erased_at=now)
        if erased:
            CallbackAttempt.objects.filter(request=callback_id).update(note="")
            request = CallbackRequest.objects.get(pk=callback_id)
            positions = erase_personal_data(events_about(request.tenant_id, subject_of(callback_id)))
            audit_call(Action.CALLBACK_ERASED, caller, request, language, now, erased=positions)
        return bool(erased)


def erase_old_contacts(now: datetime) -> int:
    """Forget the contacts of requests that closed long enough ago."""
    limit = now - timedelta(days=desk().keep_contact_days)
    old = CallbackRequest.objects.filter(closed_at__lte=limit, erased_at=None).order_by("closed_at", "pk")[:500]

    def erase(request: CallbackRequest) -> bool:
        return erase_contact(caller=SYSTEM, callback_id=request.pk, language=DEFAULT_LANGUAGE, now=now)

    return each_by_itself(old, erase, work="erase_old_contacts", now=now)
