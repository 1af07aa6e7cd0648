"""The installation's keys: one that all is made with from now on, and older ones for what was made before.

A text made by hand with a key says which: ``<key id>:<text>``. Django's own signatures (sessions, quotes) try
WAYOUT_SECRET_KEY and its fallbacks; digests are looked up under every key; what is encrypted can be made anew under the
current one (``manage.py rotate_keys``).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac


class Unreadable(Exception):
    """No key that the settings name reads an encrypted text, or somebody changed it."""


def key_id(key: str) -> str:
    """What a key is called in rows and in sentences: eight letters that tell nothing of it."""
    return hashlib.sha256(f"wayout.key-id {key}".encode()).hexdigest()[:8]


def keys() -> Mapping[str, str]:
    """Every key that the settings name, by its id; the current one first, the oldest last."""
    older = [*settings.SECRET_KEY_FALLBACKS, *settings.WAYOUT_DIGEST_KEYS]
    return {key_id(key): key for key in (settings.SECRET_KEY, *older)}


def current_id() -> str:
    """The id of the key that all is made with."""
    return key_id(settings.SECRET_KEY)


def oldest_id() -> str:
    """Whose key it is that made what says none: a version that knew one key made it, before there were others."""
    return list(keys())[-1]


def key_of(made: str) -> str:
    """The id of the key that a text was made with."""
    return made.partition(":")[0]


def digest(purpose: str, text: str) -> str:
    """A keyed hash of ``text`` under the current key, 73 letters; another ``purpose`` gives another hash."""
    return digests(purpose, text)[0]


def digests(purpose: str, text: str) -> list[str]:
    """The same under each key, the current one first: whoever looks for one looks for all of them."""
    return [f"{name}:{_hmac(purpose, text, key)}" for name, key in keys().items()]


def is_digest_of(found: str, purpose: str, text: str) -> bool:
    """Whether ``found`` was made of ``text``, by a key that the settings still name."""
    key = keys().get(key_of(found))
    return key is not None and constant_time_compare(found.partition(":")[2], _hmac(purpose, text, key))


def encrypt(purpose: str, text: str) -> str:
    """``text`` so that it can be read back by decrypt and by nobody without the key; 150 letters and more."""
    return f"{current_id()}:{_cipher(purpose, settings.SECRET_KEY).encrypt(text.encode()).decode()}"


def decrypt(purpose: str, encrypted: str) -> str:
    """What encrypt was given. Raises Unreadable."""
    key = keys().get(key_of(encrypted))
    if key is None:
        raise Unreadable(f"The key {key_of(encrypted)} is not named in the settings.")
    try:
        return _cipher(purpose, key).decrypt(encrypted.partition(":")[2].encode()).decode()
    except InvalidToken:
        raise Unreadable(f"Somebody changed what was encrypted with the key {key_of(encrypted)}.") from None


def reencrypt(purpose: str, encrypted: str) -> str:
    """The same under the current key; as it is where that made it. Raises Unreadable."""
    return encrypted if key_of(encrypted) == current_id() else encrypt(purpose, decrypt(purpose, encrypted))


def _hmac(purpose: str, text: str, key: str) -> str:
    return salted_hmac(purpose, text, secret=key, algorithm="sha256").hexdigest()


def _cipher(purpose: str, key: str) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=f"wayout.encrypt {purpose}".encode()).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
