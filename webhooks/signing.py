"""The secrets that partners check our messages with, kept encrypted so that another key of ours changes none of them.

A secret is computed from a salt and the key of that moment, as the version before does, which may run beside this one; then
it is kept by its salt. What that version makes meanwhile has only the salt, and the key that was the only one then.
"""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from common.keys import Unreadable, decrypt, encrypt, key_of, keys, oldest_id, reencrypt
from webhooks.models import Endpoint

_PURPOSE = "wayout.webhook"


def new_secret() -> tuple[str, str, str]:
    """A salt, its secret as partners keep it (whsec_ and base64), and the same as it is kept here."""
    salt = secrets.token_hex(16)
    secret = computed(salt, settings.SECRET_KEY)
    return salt, secret, encrypt(_PURPOSE, secret)


def computed(salt: str, key: str) -> str:
    """The secret that belongs to a salt under a key."""
    digest = salted_hmac("wayout.webhook", salt, secret=key, algorithm="sha256").digest()
    return f"whsec_{base64.b64encode(digest).decode()}"


def kept(endpoint: Endpoint, salt: str) -> str:
    """The secret of a salt as it is kept, or is to be from now on."""
    found: str = endpoint.secrets.get(salt, "")
    return found or encrypt(_PURPOSE, computed(salt, keys()[oldest_id()]))


def secrets_of(endpoint: Endpoint, now: datetime) -> list[str]:
    """What to sign with now: the secret, and while it is being rotated the old one. Raises Unreadable for the former."""
    current, *previous = [kept(endpoint, salt) for salt in _salts(endpoint, now)]
    found = [decrypt(_PURPOSE, current)]
    for old in previous:
        try:
            found.append(decrypt(_PURPOSE, old))
        except Unreadable:
            continue
    return found


def why_unreadable(endpoint: Endpoint) -> str:
    """The id of the key that is missing where nothing can be signed for an endpoint; "" where it can."""
    encrypted = kept(endpoint, endpoint.salt)
    try:
        decrypt(_PURPOSE, encrypted)
    except Unreadable:
        return key_of(encrypted)
    return ""


def count_by_key(now: datetime) -> Counter[str]:
    """How many secrets need each key, by its id; "" for those that are not encrypted yet. Reads every endpoint."""
    endpoints = Endpoint.objects.only("salt", "previous_salt", "previous_until", "secrets").iterator()
    return Counter(key_of(endpoint.secrets.get(salt, "")) for endpoint in endpoints for salt in _salts(endpoint, now))


def reencrypt_each(now: datetime) -> Iterator[int]:
    """Keep the secrets of every endpoint under the current key, each in a transaction of its own; how many of each.

    What cannot be read stays as it is, and is counted as what needs its key.
    """
    for pk in Endpoint.objects.order_by("pk").values_list("pk", flat=True).iterator():
        yield _reencrypt(pk, now)


@transaction.atomic
def _reencrypt(pk: int, now: datetime) -> int:
    endpoint = Endpoint.objects.select_for_update().filter(pk=pk).first()
    if endpoint is None:
        return 0
    before: dict[str, str] = endpoint.secrets
    after: dict[str, str] = {}
    for salt in _salts(endpoint, now):
        after[salt] = kept(endpoint, salt)
        try:
            after[salt] = reencrypt(_PURPOSE, after[salt])
        except Unreadable:
            continue
    if after != before:
        Endpoint.objects.filter(pk=endpoint.pk).update(secrets=after)
    return sum(before.get(salt) != encrypted for salt, encrypted in after.items())


def _salts(endpoint: Endpoint, now: datetime) -> list[str]:
    rotating = endpoint.previous_until and now < endpoint.previous_until
    return [endpoint.salt, *([endpoint.previous_salt] if rotating else [])]
