"""Invitations: staff name an address, and whoever reads its mail gets a role there, once, within three days.

The link is made when it is mailed; the row has its hash. Before it is used nothing exists of an account.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from common.errors import RateLimited
from common.formatting import active_language, format_datetime
from outbox.mail import deliver
from outbox.queue import enqueue
from outbox.registry import Lane, handles
from portal.accounts.errors import InvitationEnded, InvitationWaiting
from portal.accounts.mail import on_site
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import Invitation, Membership, Tenant, User
from tenants.people import caller_of_person, people_with_address
from tenants.requests import from_request
from tenants.vouching import hashed

MAIL = "mail.invitation"
_TEMPLATE = "account/email/invitation"
LASTS = timedelta(hours=72)
KEPT_FOR = timedelta(days=30)
# How many invitations, within how long; and how many mails of one.
PER_STAFF, STAFF_WINDOW = 30, timedelta(hours=1)
PER_TENANT, TENANT_WINDOW = 50, timedelta(days=1)
MAX_SENDS = 5


def invite_admin(*, invitation: Invitation, by: User, site: str, caller: Caller, now: datetime) -> None:
    """Save an invitation that a form has filled in, and have its link mailed.

    Whether there is such an account is not looked at. Raises InvitationWaiting, RateLimited.
    """
    with transaction.atomic():
        Tenant.objects.select_for_update().get(pk=invitation.tenant_id)
        others = Invitation.objects.filter(tenant=invitation.tenant_id, email__iexact=invitation.email)
        if _open(others).filter(expires_at__gt=now).exists():
            raise InvitationWaiting("email")
        _check_rate(Invitation.objects.filter(invited_by=by), PER_STAFF, STAFF_WINDOW, now)
        _check_rate(Invitation.objects.filter(tenant=invitation.tenant_id), PER_TENANT, TENANT_WINDOW, now)
        invitation.invited_by, invitation.created_at, invitation.expires_at = by, now, now + LASTS
        invitation.save()
        _record(Action.INVITATION_CREATED, invitation, caller, now)
        _ask_for_mail(invitation, site, now)


def send_again(*, invitation: Invitation, site: str, caller: Caller, now: datetime) -> None:
    """Mail a new link, also of one that expired; the one before does not work from now on.

    Raises InvitationEnded, RateLimited.
    """
    with transaction.atomic():
        anew = {"digest": None, "expires_at": now + LASTS, "sends": F("sends") + 1}
        found = _open(Invitation.objects.filter(pk=invitation.pk))
        if not found.filter(sends__lt=MAX_SENDS).update(**anew):
            raise RateLimited(retry_after=LASTS.total_seconds()) if found.exists() else InvitationEnded
        invitation.refresh_from_db()
        _record(Action.INVITATION_SENT_AGAIN, invitation, caller, now)
        _ask_for_mail(invitation, site, now)


def withdraw_invitation(*, invitation: Invitation, caller: Caller, now: datetime) -> None:
    """Its link does not work from now on. Raises InvitationEnded."""
    with transaction.atomic():
        if not _open(Invitation.objects.filter(pk=invitation.pk)).update(withdrawn_at=now, digest=None):
            raise InvitationEnded
        _record(Action.INVITATION_WITHDRAWN, invitation, caller, now)


def invitation_of(key: str, now: datetime) -> Invitation | None:
    """The one whose link it is, while that works."""
    found = Invitation.objects.select_related("tenant").filter(digest=hashed(key), expires_at__gt=now)
    return _open(found).first()


def account_of(invitation: Invitation) -> User | None:
    """Whoever has this very address already."""
    return people_with_address(invitation.email).filter(is_active=True).first()


def new_account(invitation: Invitation) -> User:
    """What is to be the account, not saved."""
    return User(
        email=invitation.email,
        first_name=invitation.first_name,
        last_name=invitation.last_name,
        language=invitation.language,
    )


def accept_invitation(*, invitation: Invitation, person: User, request: HttpRequest, now: datetime) -> bool:
    """Use the link up, and give ``person`` the role: who has the address, or a new account with a password.

    False where somebody was faster: the link was used, or the address has an account meanwhile.
    """
    try:
        with transaction.atomic():
            is_new = person.pk is None
            if account_of(invitation) != (None if is_new else person):
                return False
            used = _open(Invitation.objects.filter(pk=invitation.pk, digest=invitation.digest, expires_at__gt=now))
            if not used.update(accepted_at=now, digest=None):
                return False
            if is_new:
                person.username = _username(person.email)
                person.save()
            Invitation.objects.filter(pk=invitation.pk).update(accepted_by=person)
            caller = from_request(caller_of_person(person), request)
            if is_new:
                _say_new(person, caller, now)
            _give_role(invitation, person, caller, now)
            _record(Action.INVITATION_ACCEPTED, invitation, caller, now, person=person.pk)
    except IntegrityError:
        return False
    return True


def forget_invitations(now: datetime) -> int:
    """Drop those that ended a month ago; the trail has what came of them."""
    old = now - KEPT_FOR
    ended = Q(accepted_at__lt=old) | Q(withdrawn_at__lt=old) | Q(expires_at__lt=old)
    return Invitation.objects.filter(ended).delete()[0]


@handles(MAIL, Lane.MAIL)
def send_invitation(payload: dict[str, Any], now: datetime) -> None:
    """Make the link and mail it; nothing where the invitation ended, or another mail of it was asked for."""
    asked = Invitation.objects.filter(pk=payload["invitation"], sends=payload["number"], expires_at__gt=now)
    invitation = _open(asked).select_related("tenant").first()
    if invitation is None:
        return
    key, until = secrets.token_urlsafe(32), now + LASTS
    if not _open(asked).update(digest=hashed(key), expires_at=until):
        return
    with on_site(payload["site"], invitation.language) as context:
        context |= {
            "tenant": invitation.tenant.name,
            "role": invitation.get_role_display(),
            "link": payload["site"] + reverse("invitation", args=[key]),
            "until": format_datetime(until, invitation.tenant.zone),
        }
        message = get_adapter().render_mail(_TEMPLATE, invitation.email, context)
    deliver(message)


def _open(rows: QuerySet[Invitation]) -> QuerySet[Invitation]:
    return rows.filter(accepted_at=None, withdrawn_at=None)


def _check_rate(rows: QuerySet[Invitation], limit: int, window: timedelta, now: datetime) -> None:
    recent = list(
        rows.filter(created_at__gt=now - window).order_by("-created_at").values_list("created_at", flat=True)[:limit]
    )
    if len(recent) == limit:
        raise RateLimited(retry_after=(recent[-1] + window - now).total_seconds())


def _ask_for_mail(invitation: Invitation, site: str, now: datetime) -> None:
    payload = {"invitation": invitation.pk, "number": invitation.sends, "site": site}
    key = f"{MAIL}:{invitation.pk}:{invitation.sends}"
    enqueue(kind=MAIL, key=key, payload=payload, run_at=now, now=now, at_most_once=True)


def _username(address: str) -> str:
    """The address, where a user name can be that and nobody has it."""
    try:
        User._meta.get_field("username").run_validators(address)
        taken = len(address) > 150 or User.objects.filter(username__iexact=address).exists()
    except ValidationError:
        taken = True
    return f"person-{secrets.token_hex(8)}" if taken else address


def _give_role(invitation: Invitation, person: User, caller: Caller, now: datetime) -> None:
    membership, made = Membership.objects.update_or_create(
        user=person, tenant=invitation.tenant, defaults={"role": invitation.role, "is_active": True}
    )
    record(
        tenant_id=invitation.tenant_id,
        at=now,
        action=Action.MEMBERSHIP_GIVEN if made else Action.MEMBERSHIP_CHANGED,
        subject=f"Membership:{membership.pk}",
        caller=caller,
        language=active_language(),
        data={"person": person.pk, "role": membership.role, "active": True},
    )


def _say_new(person: User, caller: Caller, now: datetime) -> None:
    record(
        tenant_id=None,
        at=now,
        action=Action.USER_ADDED,
        subject=f"User:{person.pk}",
        caller=caller,
        language=active_language(),
        data={"invited": True},
        personal={"username": person.username, "email": person.email},
    )


def _record(action: Action, invitation: Invitation, caller: Caller, now: datetime, **data: Any) -> None:
    record(
        tenant_id=invitation.tenant_id,
        at=now,
        action=action,
        subject=f"Invitation:{invitation.pk}",
        caller=caller,
        language=active_language(),
        data={"role": invitation.role, **data},
        personal={"name": caller.name, "email": invitation.email},
    )
