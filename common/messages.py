"""What went wrong, and what to do next, in the active language."""

from __future__ import annotations

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
        return ngettext(sentence.one, sentence.many, values[sentence.by]) % values
    return gettext(sentence) % values
