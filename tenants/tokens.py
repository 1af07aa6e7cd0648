"""Partner tokens: made once, kept as a hash, recognized at the door.

A token reads ``wyo_<env>_<id><secret><checksum>``: the id finds the row, the checksum tells a typo from a
token of somebody else without asking the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.conf import settings

from tenants.callers import Caller, CallerKind, Scope
from tenants.models import PartnerToken, Tenant, User

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CHECKSUM_LENGTH = 10, 32, 7
_TOKEN = re.compile(rf"wyo_([a-z]+)_([0-9a-z]{{{_ID_LENGTH}}})[0-9a-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}}")
# Writing "last used" on every request would turn each read into a write.
_LAST_USED_PRECISION = timedelta(minutes=1)


def issue_token(
    *,
    name: str,
    scopes: Iterable[Scope],
    tenants: Collection[Tenant],
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[PartnerToken, str]:
    """Make a token; returns it with its text, which exists nowhere else from then on."""
    token = PartnerToken(
        name=name, scopes=sorted(scope.value for scope in scopes), expires_at=expires_at, created_by=created_by
    )
    text = mint(token)
    token.save()
    token.tenants.set(tenants)
    return token, text


def mint(token: PartnerToken) -> str:
    """Give an unsaved token its id and secret; returns the text to show once."""
    token.key_id = _random(_ID_LENGTH)
    body = f"wyo_{settings.WAYOUT_ENVIRONMENT}_{token.key_id}{_random(_SECRET_LENGTH)}"
    text = body + _checksum(body)
    token.digest = _digest(text)
    return text


def caller_of_token(text: str, now: datetime) -> Caller | None:
    """The caller behind the text of a token, or None when it is wrong, expired or revoked."""
    match = _TOKEN.fullmatch(text)
    if not match or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    token = PartnerToken.objects.filter(key_id=match[2]).first()
    if token is None or not hmac.compare_digest(token.digest, _digest(text)):
        return None
    if token.revoked_at or (token.expires_at and token.expires_at <= now):
        return None
    if token.last_used_at is None or now - token.last_used_at >= _LAST_USED_PRECISION:
        PartnerToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Caller(
        kind=CallerKind.PARTNER,
        id=token.pk,
        name=token.name,
        scopes=frozenset(Scope(scope) for scope in token.scopes),
        tenant_ids=frozenset(token.tenants.values_list("pk", flat=True)),
    )


def revoke_token(token: PartnerToken, now: datetime) -> bool:
    """End a token at once; False when it was revoked before."""
    return bool(PartnerToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now))


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
