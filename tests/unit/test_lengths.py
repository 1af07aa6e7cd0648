"""Lengths of time in words."""

from __future__ import annotations

import pytest
from django.utils import translation

from common.formatting import format_length


@pytest.mark.parametrize(
    ("hours", "english", "bulgarian"),
    [
        (720, "30 days", "30 дни"), (24, "1 day", "1 ден"), (36, "36 hours", "36 часа"), (12.0, "12 hours", "12 часа"),
        (1, "1 hour", "1 час"), (1.5, "90 minutes", "90 минути"), (0.25, "15 minutes", "15 минути"),
    ],
)  # fmt: skip
def test_a_length_is_said_in_the_largest_unit_that_fits(hours: float, english: str, bulgarian: str) -> None:
    for language, words in (("en", english), ("bg", bulgarian)):
        with translation.override(language):
            assert format_length(hours * 3600) == words
