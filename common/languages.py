"""The languages, listed once. Pure.

A language is a row here and two files, a catalog in ``portal/locale`` and one in ``frontend/src/locales``; ``make
schema`` tells the element.
"""

from __future__ import annotations

from common.codes import CodeTable


class Language(CodeTable):
    """What customers are spoken to in: pages, mails, calls, the element.

    ``label``: what it calls itself, which is not translated. ``locale``: how Babel writes its dates.
    """

    label: str
    locale: str

    EN = "en", "English", "en_GB"  # the day first
    BG = "bg", "Български", "bg"


# What the admin can be read in.
STAFF_LANGUAGES = (Language.EN, Language.BG)
# Where nobody says another; and what is done without anybody is written down in it.
DEFAULT_LANGUAGE = Language.EN.value
# Characters of a column that keeps a code.
MAX_LANGUAGE = 8


def language_choices() -> list[tuple[str, str]]:
    """What a field offers."""
    return [(language.value, language.label) for language in Language]
