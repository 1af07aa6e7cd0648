"""Amounts as staff read them: money in the language of the page, and not minor units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from billing.formatting import format_money
from billing.money import Money


def as_money(name: str, description: Any, money: Callable[[Any], Money]) -> Any:
    """A field of a page, to be named among its ``fields``: what ``money`` says of the row."""

    @admin.display(description=description)
    def shown(row: Any) -> str:
        return format_money(money(row))

    # The page's styles, and Django's, know it by that.
    shown.__name__ = name
    return shown
