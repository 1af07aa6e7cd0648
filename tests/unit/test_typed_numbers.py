"""Numbers that people type: plain digits, and nothing that only a programming language reads as a number."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from django import forms
from django.core.management import CommandError, call_command
from django.utils import translation

from billing.errors import MoneyInvalid
from billing.formatting import read_money
from billing.money import Money
from common.whole_numbers import WholeNumberField, whole_number, whole_number_argument

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(path.parent for path in ROOT.glob("*/apps.py"))
SOURCES = [path for app in APPS for path in app.rglob("*.py") if "migrations" not in path.parts]
# Python reads all of these.
NO_NUMBERS = ["1_0", "１２", "٣", "1e1", "0x10", "²", "NaN", "Infinity", "--1", "1 0", "", "9" * 5000]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("language", ["en", "bg"])
def test_no_amount(text: str, language: str) -> None:
    with translation.override(language), pytest.raises(MoneyInvalid):
        read_money(text.replace("1 0", "1-0"), "EUR")


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "1,172.80"), ("en", "+1172.80"), ("en", "1172,80"), ("bg", "1 172,80"), ("bg", "1172.8")],
)
def test_amounts_as_pages_write_them(language: str, text: str) -> None:
    with translation.override(language):
        assert read_money(text, "EUR") == Money(117280, "EUR")


@pytest.mark.parametrize("text", [*NO_NUMBERS, "-1", "+1", "1.0", str(2**63)])
def test_no_whole_number(text: str) -> None:
    assert whole_number(text) is None
    with pytest.raises(ArgumentTypeError, match="is not a whole number"):
        whole_number_argument(text)


@pytest.mark.parametrize("text", [text for text in NO_NUMBERS if text])
def test_no_number_in_a_form(text: str) -> None:
    with pytest.raises(forms.ValidationError):
        WholeNumberField().clean(text)


def test_numbers_in_a_form() -> None:
    assert [WholeNumberField().clean(text) for text in ("10", " 10 ", "-3", 7)] == [10, 10, -3, 7]
    assert WholeNumberField(required=False).clean("") is None
    with pytest.raises(forms.ValidationError):
        WholeNumberField(min_value=0).clean("-3")


@pytest.mark.parametrize(
    "typed", [("partner_token", "--overlap", "1_0"), ("work", "--pause", "1_0"), ("work", "--pause", "inf")]
)
def test_no_number_for_a_command(typed: tuple[str, str, str]) -> None:
    name, option, value = typed
    with pytest.raises(CommandError, match=f"{option}: '{value}' is not"):
        call_command(name, f"{option}={value}")


def test_nothing_else_reads_numbers_that_were_typed() -> None:
    ways = re.compile(r"type=(int|float)\b|\.isdecimal\(|\.isnumeric\(|forms\.(Integer|Float|Decimal)Field\(")
    odd = [f"{path.name}: {found.group()}" for path in SOURCES for found in ways.finditer(path.read_text())]
    assert not odd
