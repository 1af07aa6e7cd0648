"""Folding of text so that search finds it whatever its case, composition or alphabet. Pure.

The database cannot do it: icontains misses Cyrillic on SQLite, and on PostgreSQL in the C locale.
"""

from __future__ import annotations

import unicodedata

# The official transliteration of Bulgarian (Transliteration Act of 2009, article 4).
_LATIN = {
    **dict(zip("абвгдезийклмнопрстуфхъьѝ", "abvgdeziyklmnoprstufhayi", strict=True)),
    "ж": "zh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "sht",
    "ю": "yu",
    "я": "ya",
}
_TABLE = str.maketrans(_LATIN)


def fold(text: str) -> str:
    """Compose (й pasted as two code points is one letter), drop case, collapse white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def search_key(*texts: str) -> str:
    """What is stored to be searched in: the folded texts, and their transliteration where it differs.

    So "Ivanov" finds "Иванов", and "българия" finds "България".
    """
    folded = fold(" ".join(texts))
    # The Act writes a final -ия as -ia.
    latin = " ".join(word[:-2] + "ia" if word.endswith("ия") else word for word in folded.split()).translate(_TABLE)
    return folded if latin == folded else f"{folded} {latin}"
