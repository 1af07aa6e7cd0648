"""What a field offers, read from a table when it is asked for: ``choices=partial(choices_of, CallOutcome)``.

A migration keeps that call and not what it gave, so another row makes no migration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from django.utils.translation import gettext_lazy

# Characters of a column that keeps a code: longer than any there is, so that the next one needs no migration.
MAX_CODE = 40


class _Labeled(Protocol):
    @property
    def value(self) -> Any: ...

    label: str


def choices_of(codes: Iterable[_Labeled]) -> list[tuple[str, Any]]:
    """Code and label of each, translated where it is shown."""
    return [(code.value, gettext_lazy(code.label)) for code in codes]
