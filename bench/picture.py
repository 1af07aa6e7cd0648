"""A bar chart as SVG, for the docs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

_LEFT, _WIDTH, _ROW = 210, 420, 26


def bars(path: Path, title: str, groups: Mapping[str, Mapping[str, float]], unit: str) -> None:
    """Write one group of bars per entry; in each the longest bar is the largest value."""
    lines, y = [], 30
    for name, values in groups.items():
        lines.append(f'<text x="0" y="{y}" font-weight="bold">{escape(name)}</text>')
        highest = max(values.values())
        for label, value in values.items():
            y += _ROW
            width = max(1, round(_WIDTH * value / highest))
            color = "#6d28d9" if label == "Wayout" else "#9ca3af"
            lines += [
                f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{escape(label)}</text>',
                f'<rect x="{_LEFT}" y="{y - 14}" width="{width}" height="18" fill="{color}"/>',
                f'<text x="{_LEFT + width + 6}" y="{y}">{value:.1f} {unit}</text>',
            ]
        y += _ROW + 14
    size = f'width="{_LEFT + _WIDTH + 90}" height="{y}"'
    body = "\n".join(lines)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="14" role="img">\n'
        f'<title>{escape(title)}</title>\n<rect {size} fill="#fff"/>\n{body}\n</svg>\n'
    )
