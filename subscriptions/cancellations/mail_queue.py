"""Ask for mail about a cancellation, to the person and the billing contact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

from django.conf import settings

from billing.models import Refund
from common.languages import DEFAULT_LANGUAGE
from outbox.queue import enqueue
from subscriptions.models import Cancellation
from tenants.models import User, VouchedPerson

MAIL = "mail.cancellation"


class Occasion(StrEnum):
    CANCELED = "CANCELED"
    UNDONE = "UNDONE"
    REFUNDED = "REFUNDED"
    REFUND_LATE = "REFUND_LATE"
    REPRICED = "REPRICED"


def queue_mail(occasion: Occasion, cancellation: Cancellation, now: datetime) -> None:
    """Put one mail per recipient into the outbox, in the caller's transaction; once per event."""
    at = now if occasion is Occasion.REPRICED else cancellation.requested_at
    _queue(
        occasion, cancellation, f"{cancellation.pk}.{at.isoformat()}", _recipients(cancellation, occasion), None, now
    )


def queue_refund_mail(occasion: Occasion, refund: Refund, now: datetime) -> None:
    """The same about money, once per occasion and instant; staff hear too of what is late."""
    for cancellation in refund.cancellations.select_related(
        "tenant", "requested_by_user", "requested_by_vouched", "customer"
    ):
        recipients = dict(_recipients(cancellation, occasion))
        if occasion is Occasion.REFUND_LATE:
            recipients |= dict.fromkeys(settings.WAYOUT_STAFF_EMAIL, DEFAULT_LANGUAGE)
        _queue(occasion, cancellation, f"{refund.pk}.{now.isoformat()}", recipients.items(), refund, now)


def _queue(
    occasion: Occasion,
    cancellation: Cancellation,
    about: str,
    recipients: Iterable[tuple[str, str]],
    refund: Refund | None,
    now: datetime,
) -> None:
    for number, (address, language) in enumerate(dict(recipients).items()):
        enqueue(
            kind=MAIL,
            key=f"{MAIL}:{occasion}:{about}:{number}",
            payload={
                "occasion": occasion.value,
                "cancellation": cancellation.pk,
                "refund": refund.pk if refund else None,
                "to": address,
                "language": language,
            },
            run_at=now,
            now=now,
            at_most_once=True,
        )


def _recipients(cancellation: Cancellation, occasion: Occasion) -> Iterator[tuple[str, str]]:
    """Address and language; the person's own comes last, so that it wins where both are one address."""
    tenant, person = cancellation.tenant, cancellation.requested_by_user or cancellation.requested_by_vouched
    if tenant.billing_contact_email:
        yield tenant.billing_contact_email.lower(), tenant.billing_contact_language or tenant.language
    if not cancellation.by_staff:
        yield from _of_person(person, cancellation.language)
    elif not tenant.billing_contact_email and occasion is not Occasion.CANCELED:
        # For whom staff canceled; that it is, the mail about their call says.
        yield from _of_person(cancellation.customer, cancellation.customer_language)


def _of_person(person: User | VouchedPerson | None, language: str) -> Iterator[tuple[str, str]]:
    if person and person.email:
        yield person.email.lower(), person.language or language
