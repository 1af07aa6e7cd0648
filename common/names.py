"""Names that people are known by, such as an address: which two are one, and which only look alike.

Two are one when nothing but the case of A to Z differs. Databases disagree on more than that (PostgreSQL takes a Turkish ı
for an I), and so does a program that lower-cases before it compares (the Kelvin sign is then a k).
"""

from __future__ import annotations

import unicodedata
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def is_plain(name: str) -> bool:
    """Whether a name is written in letters that stand for themselves: not full-width, no ligatures, no long s."""
    return unicodedata.is_normalized("NFKC", name)


def validate_plain(name: str) -> None:
    """Raise ValidationError unless ``name`` is plain."""
    if not is_plain(name):
        raise ValidationError(_("Some of these characters only look like others. Type plain ones."), code="not_plain")


class LowerAscii(models.Func):
    """A to Z in lower case, and everything else as it is."""

    function = "LOWER"
    output_field = models.TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL lower-cases by the rules of a language unless it is told otherwise."""
        return self.as_sql(compiler, connection, template='%(function)s(%(expressions)s COLLATE "C")', **context)


class SameName(models.Lookup):
    """``__iexact`` of a column of names, as this module understands it."""

    lookup_name = "iexact"

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Both sides alike, so that an index on LowerAscii serves it."""
        sides = (compiler.compile(LowerAscii(side)) for side in (self.lhs, models.Value(self.rhs)))
        (left, left_params), (right, right_params) = sides
        return f"{left} = {right}", (*left_params, *right_params)
