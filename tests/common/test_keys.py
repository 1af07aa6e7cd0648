"""What was made with an older key is found as long as the settings name it."""

from __future__ import annotations

from typing import Any

import pytest

from common.keys import Unreadable, decrypt, digest, digests, encrypt, is_digest_of, key_id, key_of, keys, reencrypt


def test_a_digest_says_its_key_and_is_found_under_each(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = "one", [], []
    old = digest("phones", "1 +359888123456")
    assert old == digests("phones", "1 +359888123456")[0]
    assert len(old) == 73
    assert old.startswith(f"{key_id('one')}:")
    assert "one" not in old
    assert digest("names", "1 +359888123456") != old != digest("phones", "2 +359888123456")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = "three", ["two"], ["one"]
    assert list(keys().values()) == ["three", "two", "one"]
    assert digest("phones", "1 +359888123456") != old in digests("phones", "1 +359888123456")
    assert is_digest_of(old, "phones", "1 +359888123456")
    assert not is_digest_of(old, "phones", "1 +359888123457")

    settings.WAYOUT_DIGEST_KEYS = []
    assert old not in digests("phones", "1 +359888123456")
    assert not is_digest_of(old, "phones", "1 +359888123456")


def test_what_is_encrypted_is_read_with_its_key_and_made_anew_with_another(settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = "one", [], []
    old = encrypt("door", "Отвори")
    assert key_of(old) == key_id("one")
    assert encrypt("door", "Отвори") != old
    assert decrypt("door", old) == "Отвори"

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "two", ["one"]
    new = reencrypt("door", old)
    assert key_of(new) == key_id("two")
    assert reencrypt("door", new) == new

    settings.SECRET_KEY_FALLBACKS = []
    assert decrypt("door", new) == "Отвори"
    for purpose, text in (("door", old), ("window", new), ("door", new[:-4] + "AAA="), ("door", ""), ("door", "я:я")):
        with pytest.raises(Unreadable):
            decrypt(purpose, text)
