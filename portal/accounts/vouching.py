"""A host vouches for one of its people: sessions of the portal without an account (createPortalSession)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest

from common.errors import EmailInvalid, NotFound, NumberOutOfRange
from common.languages import DEFAULT_LANGUAGE
from portal.accounts.errors import OneTenantMissing, ReturnUrlRefused, RoleTooHigh
from subscriptions.errors import IdempotencyKeyReused
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import clean_text, require
from subscriptions.selectors.lists import visible
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, Role, Scope
from tenants.models import PartnerToken, PortalSession, Tenant, VouchedPerson
from tenants.requests import from_request
from tenants.vouching import LONGEST, access_text, caller_of_session, code, exceeds, new_session, origin_of, redeem

SHORTEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a host says of a person, as it came; ``language``: one that we speak, or empty."""

    tenant_id: int | None
    tenant_external_id: str | None
    person_external_id: str
    name: str
    email: str
    phone: str
    role: Role
    language: str
    return_url: str
    seconds: int
    subscription_external_id: str


@dataclass(frozen=True, slots=True)
class Vouched:
    """A session with its texts, which nobody can read from the row."""

    session: PortalSession
    access_token: str
    code: str


def create_portal_session(*, caller: Caller, wish: Wish, idempotency_key: str, now: datetime) -> Vouched:
    """Vouch for a person of one tenant; a call that is repeated with its key is answered with the same session.

    Raises NotFound, NotPermitted, RoleTooHigh, ReturnUrlRefused, IdempotencyKeyReused, InputInvalid.
    """
    assert caller.token_id  # the access table lets nobody else in
    with one_transaction():
        tenant = _tenant(caller, wish.tenant_id, wish.tenant_external_id)
        token = PartnerToken.objects.select_for_update(no_key=True).get(pk=caller.token_id)
        given = {"wish": asdict(wish), "partner": caller.partner}
        call = IdempotentCall.of(tenant.pk, "createPortalSession", idempotency_key, now, **given)
        if known := call.answered():
            return _with_texts(PortalSession.objects.filter(pk=known["session"]).first())
        _check(wish, token)
        person = _person(tenant, token, wish, now)
        lasts = timedelta(seconds=wish.seconds)
        session = new_session(person=person, token=token, role=wish.role, lasts=lasts, now=now)
        session.return_url = wish.return_url
        session.subscription_external_id = clean_text(
            wish.subscription_external_id, "subscriptionExternalId", limit=100
        )
        session.save()
        call.remember({"session": session.pk})
        data = {"session": session.pk, "role": session.role, "expires_at": session.expires_at}
        _audit(Action.PORTAL_SESSION_CREATED, caller, person, data, now)
        return _with_texts(session)


def end_portal_sessions(
    *, caller: Caller, person_external_id: str, tenant_external_id: str | None, now: datetime
) -> int:
    """End what this partner's tokens made for a person, in one tenant or in all that it sees; how many.

    Raises NotFound for a tenant that it does not see.
    """
    with one_transaction():
        external_id = clean_text(person_external_id, "personExternalId", limit=255, required=True)
        people = visible(VouchedPerson.objects.filter(partner=caller.partner, external_id=external_id), caller)
        if tenant_external_id is not None:
            people = people.filter(tenant=_tenant(caller, None, tenant_external_id))
        count = 0
        for person in people.order_by("tenant_id"):
            ended = person.sessions.filter(ended_at=None, expires_at__gt=now).update(ended_at=now)
            if ended:
                _audit(Action.PORTAL_SESSION_ENDED, caller, person, {"sessions": ended}, now)
            count += ended
        return count


def enter_portal(*, text: str, request: HttpRequest, now: datetime) -> tuple[PortalSession, str] | None:
    """Use the one-time address: the session, and the text of its page's cookie; None where it is over or was used."""
    with one_transaction():
        entered = redeem(text, now)
        caller = caller_of_session(entered[1], now) if entered else None
        if entered is None or caller is None:
            return None
        session, _ = entered
        data = {"session": session.pk}
        _audit(Action.PORTAL_SESSION_ENTERED, from_request(caller, request), session.person, data, now)
        return entered


def _check(wish: Wish, token: PartnerToken) -> None:
    if exceeds(wish.role, Role(token.max_role)):
        raise RoleTooHigh("role", role=token.max_role)
    least, limit = int(SHORTEST.total_seconds()), int(LONGEST.total_seconds())
    if not least <= wish.seconds <= limit:
        raise NumberOutOfRange("expiresIn", least=least, limit=limit)
    if wish.return_url and origin_of(wish.return_url) not in token.return_origins:
        raise ReturnUrlRefused("returnUrl")


def _tenant(caller: Caller, tenant_id: int | None, external_id: str | None) -> Tenant:
    """The one that is named, by one of both. Raises OneTenantMissing, NotFound, NotPermitted."""
    if (tenant_id is None) == (external_id is None):
        raise OneTenantMissing("tenantExternalId")
    rows = visible(Tenant.objects.all(), caller, "pk")
    if external_id is None:
        field, found = "tenantId", rows.filter(pk=tenant_id or 0).first()
    else:
        field = "tenantExternalId"
        found = rows.filter(external_id=clean_text(external_id, field, limit=100, required=True)).first()
    if found is None:
        raise NotFound(field)
    require(caller, Scope.SESSIONS, found.pk)
    return found


def _person(tenant: Tenant, token: PartnerToken, wish: Wish, now: datetime) -> VouchedPerson:
    """As the host calls them now. The token is locked, so that two at once make one."""
    external_id = clean_text(wish.person_external_id, "person", "externalId", limit=255, required=True)
    email = clean_text(wish.email, "person", "email", limit=254, required=True)
    try:
        validate_email(email)
    except ValidationError:
        raise EmailInvalid("person", "email") from None
    values = {
        "token": token,
        "name": clean_text(wish.name, "person", "displayName", limit=200, required=True),
        "email": email,
        "phone": clean_text(wish.phone, "person", "phone", limit=20),
        "language": wish.language,
        "seen_at": now,
    }
    person, _ = VouchedPerson.objects.update_or_create(
        tenant=tenant, partner=token.partner, external_id=external_id, defaults=values
    )
    return person


def _with_texts(session: PortalSession | None) -> Vouched:
    """Raises IdempotencyKeyReused where they cannot be said again: the session is forgotten, or its key is gone."""
    texts = (access_text(session), code(session)) if session else (None, None)
    if session is None or texts[0] is None or texts[1] is None:
        raise IdempotencyKeyReused("idempotencyKey")
    return Vouched(session, texts[0], texts[1])


def _audit(action: Action, caller: Caller, person: VouchedPerson, data: Mapping[str, object], now: datetime) -> None:
    record(
        tenant_id=person.tenant_id,
        at=now,
        action=action,
        subject=f"VouchedPerson:{person.pk}",
        caller=caller,
        language=person.language or DEFAULT_LANGUAGE,
        data=data,
        personal={"name": person.name, "email": person.email},
    )
