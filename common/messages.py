"""What went wrong, and what to do next, in the active language."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext

from common.errors import ExpectedError, Plural


def error_message(error: ExpectedError) -> str:
    """The sentence of an error, for the API, the pages and the admin alike."""
    said = error.sentence
    if isinstance(said, Plural):
        return ngettext(said.one, said.many, getattr(error, said.by)) % vars(error)
    return gettext(said) % vars(error)
