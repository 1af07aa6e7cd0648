"""Text that has to stay on one line: in a header, the name of a file, a row of a table. Pure."""

from __future__ import annotations

import re

# Line breaks of any kind, what no letter stands for, and halves of characters.
_NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def one_line(text: str) -> str:
    """The same words with a space for each break."""
    parts = (part.strip(" ") for part in _NO_TEXT.split(text))
    return " ".join(part for part in parts if part)
