"""The list of what was tried names tests that there are, and changes that can be made."""

from __future__ import annotations

import pytest

from tests.hostile.changes import LIST, ROOT, Change, changes

EVERY = list(changes())


def test_every_line_is_read() -> None:
    assert len(EVERY) == LIST.read_text().count("::test_")


@pytest.mark.parametrize("change", EVERY, ids=lambda change: change.what)
def test_it_still_fits_the_code(change: Change) -> None:
    path, _, name = change.test.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text()
    assert (ROOT / change.path).read_text().count(change.old) == 1
