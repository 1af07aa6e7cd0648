"""Whole numbers as people type them, and as addresses and programs have them. Reading money is billing's."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django import forms
from django.urls.converters import IntConverter

# What a column holds. SQLite cannot even be asked for more.
_LARGEST = 2**63 - 1
_DIGITS = len(str(_LARGEST))


def whole_number(text: str) -> int | None:
    """The number in plain digits: no sign, no underscore, no digits of other scripts. None for any other text."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    number = int(text)
    return number if number <= _LARGEST else None


def whole_number_argument(text: str) -> int:
    """The same, for a command: 1_0 is a mistake and not ten."""
    number = whole_number(text)
    if number is None:
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return number


class WholeNumberField(forms.IntegerField):
    """Django's own takes underscores, and digits of other scripts, for a number."""

    def to_python(self, value: Any) -> int | None:
        if isinstance(value, str) and value.strip() and whole_number(value.strip().removeprefix("-")) is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class RowKey(IntConverter):
    """``<key:pk>`` in an address: the number of a row, or 0, which no row has."""

    def to_python(self, value: str) -> int:
        return whole_number(value) or 0
