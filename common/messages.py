"""What went wrong, and what to do next, in the active language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from common.errors import ExpectedError, Plural


def error_message(error: ExpectedError) -> str:
    """The sentence of an error, for the API, the pages and the admin alike."""
    return say(error.sentence, vars(error))


def say(sentence: str | Plural, values: Mapping[str, Any]) -> str:
    """A sentence that was marked by ``N_`` or ``Plural``, with its placeholders."""
    if isinstance(sentence, Plural):
        return fill(ngettext(sentence.one, sentence.many, values[sentence.by]), values)
    return fill(gettext(sentence), values)


def fill(sentence: str, values: Mapping[str, Any]) -> str:
    """A translated sentence with its placeholders, and one full stop where a value brings its own: 2026 г."""
    return (
        _BEFORE_STOP.sub(lambda found: found[1] if str(values[found[2]]).endswith(".") else found[0], sentence) % values
    )


_BEFORE_STOP = re.compile(r"(%\((\w+)\)s)\.")
