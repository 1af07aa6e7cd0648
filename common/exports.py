"""CSV for spreadsheets, in which no cell is ever a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

from django.http import HttpResponse

from common.lines import one_line

# Spreadsheets take the full-width ones for the same.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def csv_response(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> HttpResponse:
    """A file ``name`` in UTF-8 with a byte order mark, so that every spreadsheet reads its letters."""
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(header)
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return response


def _cell(value: object) -> str:
    """Numbers stay numbers; text is one line, and quoted where a spreadsheet would run it."""
    text = "" if value is None else one_line(str(value))
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, (int, float)) else text
