"""Codes with what belongs to them: every member of such an enum is one row of a table. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


def N_(sentence: str) -> str:  # noqa: N802 (what gettext calls it everywhere)
    """Mark a sentence for the catalogs. It is translated where it is shown, by gettext of what stands in the row."""
    return sentence


class CodeTable(StrEnum):
    """A table: its head are the annotations, and each member is a row, beginning with the code.

    ::

        class Weekday(CodeTable):
            label: str
            is_open: bool

            MON = "MON", N_("Monday"), True
            SUN = "SUN", N_("Sunday"), False

    The code alone is the value: what is stored, and what is on the wire. A row that is not as long as the head raises
    ValueError when the module is imported.
    """

    def __new__(cls, code: str, *_columns: Any) -> Self:
        """The code alone is the value."""
        member = str.__new__(cls, code)
        member._value_ = code
        return member

    def __init__(self, _code: str, *columns: Any) -> None:
        for name, column in zip(type(self).__annotations__, columns, strict=True):
            setattr(self, name, column)
