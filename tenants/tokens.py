"""Partner tokens: made once, kept as a hash, recognized at the entry point.

A token reads ``wyo_<env>_<id><secret><checksum>``: the id finds the row, the checksum tells a typo from a
token of somebody else without asking the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from common.errors import NotPermitted
from common.languages import DEFAULT_LANGUAGE
from common.prepared import PreparedQuery
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, CallerKind, Role, Scope, common_language, excluded
from tenants.errors import EndMissing, ScimTakesOneTenant, ScopesExclude, TenantsOrInstallation
from tenants.models import PartnerToken, PortalSession, Tenant, User

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 10, 32, 7
PREFIX = "wyo_"
_TOKEN = re.compile(rf"{PREFIX}[a-z]+_[0-9a-z]{{{_ID_LENGTH + _SECRET_LENGTH + _CHECKSUM_LENGTH}}}")
_BY_KEY_ID = PreparedQuery(
    "token by key id",
    lambda _, key_id: PartnerToken.objects.filter(key_id=key_id).values_list(
        "pk", "name", "digest", "partner", "scopes", "of_installation", "expires_at", "revoked_at", "last_used_at",
        "tenants__pk", "tenants__language",
    )
)  # fmt: skip
# Writing "last used" on every request would turn each read into a write.
_LAST_USED_PRECISION = timedelta(minutes=1)
WARNED_BEFORE = timedelta(days=14)


class TokenEnded(Exception):
    """The token was revoked or has expired: it has no successor."""


def create_token(
    *,
    name: str,
    scopes: Iterable[Scope],
    tenants: Collection[Tenant] = (),
    of_installation: bool = False,
    expires_at: datetime | None = None,
    partner: str = "",
    max_role: Role = Role.VIEWER,
    return_origins: Sequence[str] = (),
    caller: Caller,
    now: datetime,
) -> tuple[PartnerToken, str]:
    """Make a token; returns it with its text, which exists nowhere else from then on. On the tenants' audit trails.

    ``partner``: whose successor it is; empty: a new partner's. Raises what check_rights does, and NotPermitted where
    one ``of_installation`` is made by somebody who is no superuser.
    """
    scopes = frozenset(scopes)
    check_rights(scopes=scopes, tenants=len(tenants), of_installation=of_installation, expires_at=expires_at)
    if of_installation:
        _require_superuser(caller)
    with transaction.atomic():
        token = PartnerToken(
            name=name,
            scopes=sorted(scope.value for scope in scopes),
            of_installation=of_installation,
            max_role=max_role.value,
            return_origins=[*return_origins],
            expires_at=expires_at,
            partner=partner,
            created_at=now,
            created_by_id=caller.user_id,
        )
        text = mint(token)
        token.save()
        token.tenants.set(tenants)
        _audit(Action.TOKEN_CREATED, token, caller, now)
        return token, text


def check_rights(
    *, scopes: Collection[Scope], tenants: int, of_installation: bool, expires_at: datetime | None
) -> None:
    """Raise an InputInvalid for what no token may have; ``tenants``: of how many it is."""
    if pair := excluded(scopes):
        raise ScopesExclude("scopes", scope=pair[0], other=pair[1])
    if Scope.SCIM in scopes and (tenants != 1 or of_installation):
        raise ScimTakesOneTenant("tenants")
    if of_installation == bool(tenants):
        raise TenantsOrInstallation("tenants")
    if of_installation and expires_at is None:
        raise EndMissing("expires_at")


def _require_superuser(caller: Caller) -> None:
    """Whoever has a shell is one."""
    superusers = User.objects.filter(is_superuser=True, is_active=True)
    if caller.kind is not CallerKind.SYSTEM and not superusers.filter(pk=caller.user_id or 0).exists():
        raise NotPermitted


def rotate_token(*, token: PartnerToken, overlap: timedelta, caller: Caller, now: datetime) -> tuple[PartnerToken, str]:
    """Make a successor with the same name, scopes, tenants and end; the old one works on for ``overlap``, no longer.

    Sessions of people whom it vouched for end at once: the host makes new ones.
    Raises TokenEnded, and NotPermitted as create_token does.
    """
    with transaction.atomic():
        old = live_tokens(now).select_for_update().filter(pk=token.pk).first()
        if old is None:
            raise TokenEnded
        ends = old.expires_at
        old.expires_at = min(filter(None, (ends, now + overlap)))
        old.save(update_fields=["expires_at"])
        _end_sessions(old, now)
        _audit(Action.TOKEN_ROTATED, old, caller, now)
        return create_token(
            name=old.name,
            scopes=[Scope(scope) for scope in old.scopes],
            tenants=old.tenants.all(),
            of_installation=old.of_installation,
            max_role=Role(old.max_role),
            return_origins=old.return_origins,
            expires_at=ends,
            partner=old.partner,
            caller=caller,
            now=now,
        )


def revoke_token(*, token: PartnerToken, caller: Caller, now: datetime) -> bool:
    """End a token at once, with the sessions of people whom it vouched for; False when it was revoked before."""
    with transaction.atomic():
        if not PartnerToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            return False
        _end_sessions(token, now)
        _audit(Action.TOKEN_REVOKED, token, caller, now)
        return True


def is_well_formed(text: str) -> bool:
    """Whether the text is a whole token: its checksum tells a typo without asking the database."""
    return bool(_TOKEN.fullmatch(text)) and _checksum(text[:-_CHECKSUM_LENGTH]) == text[-_CHECKSUM_LENGTH:]


def key_id_of(text: str) -> str:
    """Which token the text says it is, whether or not there is one; empty for what is no whole token."""
    return text.rpartition("_")[2][:_ID_LENGTH] if is_well_formed(text) else ""


def mint(token: PartnerToken) -> str:
    """Give an unsaved token its id and secret; returns the text to show once."""
    token.key_id = _random(_ID_LENGTH)
    token.partner = token.partner or token.key_id
    body = f"{PREFIX}{settings.WAYOUT_ENVIRONMENT}_{token.key_id}{_random(_SECRET_LENGTH)}"
    text = body + _checksum(body)
    token.digest = _digest(text)
    return text


def caller_of_token(text: str, now: datetime) -> Caller | None:
    """The caller behind the text of a token, or None when it is wrong, expired or revoked."""
    found = key_id_of(text)
    rows = _BY_KEY_ID.find(found) if found else []
    if not rows:
        return None
    pk, name, digest, partner, scopes, of_installation, expires_at, revoked_at, last_used_at, *_ = rows[0]
    if not hmac.compare_digest(digest, _digest(text)) or revoked_at or (expires_at and expires_at <= now):
        return None
    if last_used_at is None or now - last_used_at >= _LAST_USED_PRECISION:
        PartnerToken.objects.filter(pk=pk).update(last_used_at=now)
    return Caller(
        kind=CallerKind.PARTNER,
        id=pk,
        name=name,
        scopes=frozenset(Scope(scope) for scope in scopes),
        tenant_ids=frozenset(tenant_id for *_, tenant_id, _ in rows if tenant_id),
        tenant_language=common_language(language for *_, tenant_id, language in rows if tenant_id),
        partner=partner,
        of_installation=of_installation,
    )


def live_tokens(now: datetime) -> QuerySet[PartnerToken]:
    """The tokens that work now."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    return PartnerToken.objects.filter(unexpired, revoked_at=None)


def is_live(token: PartnerToken, now: datetime) -> bool:
    """Whether one works now: live_tokens, of a row that is there."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def sees_tenant(token: PartnerToken, tenant_id: int) -> bool:
    """Whether it is of the tenant, or of all. One query at most."""
    return token.of_installation or token.tenants.filter(pk=tenant_id).exists()


def ending_tokens(now: datetime) -> QuerySet[PartnerToken]:
    """Those of the installation that end within two weeks and have no successor: somebody has to see to them."""
    successors = live_tokens(now).filter(partner=OuterRef("partner"), pk__gt=OuterRef("pk"))
    rows = live_tokens(now).filter(of_installation=True, expires_at__lte=now + WARNED_BEFORE)
    return rows.exclude(Exists(successors)).order_by("expires_at", "pk")


def trails_of(token: PartnerToken) -> Collection[int | None]:
    """On which trails it stands what becomes of a token: those of its tenants, or the installation's."""
    return [None] if token.of_installation else token.tenants.order_by("pk").values_list("pk", flat=True)


def _end_sessions(token: PartnerToken, now: datetime) -> None:
    PortalSession.objects.filter(token=token, ended_at=None).update(ended_at=now)


def _audit(action: Action, token: PartnerToken, caller: Caller, now: datetime) -> None:
    for trail in trails_of(token):
        record(
            tenant_id=trail,
            at=now,
            action=action,
            subject=f"PartnerToken:{token.pk}",
            caller=caller,
            language=DEFAULT_LANGUAGE,
            data={"token": token.key_id, "scopes": token.scopes, "expires_at": token.expires_at},
            personal={"name": caller.name},
        )


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
