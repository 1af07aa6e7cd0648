"""What stays on one line, whatever somebody put into a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.lines import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Office Suite", "Office Suite"),
        ("Office\r\nSuite\n", "Office Suite"),
        ("a \v\f b", "a b"),
        ("a\x1c\x85\u2028\u2029b", "a b"),
        ("\0\ud800", ""),
        ("5\u00a0356,00  лв.", "5\u00a0356,00  лв."),
    ],
)
def test_breaks_become_a_space(text: str, line: str) -> None:
    assert one_line(text) == line


@given(st.text())
def test_it_is_one_line_and_stays_so(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line
