"""Tables of the page: every cell is text, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def line(cells: Sequence[Any], tag: str) -> str:
        # An empty cell heads nothing, and a screen reader would announce it.
        tags = [tag if cell != "" else "td" for cell in cells]
        cells = [f"<{tag}>{escape(shown(cell))}</{tag}>" for tag, cell in zip(tags, cells, strict=True)]
        return f"<tr>{''.join(cells)}</tr>"

    return f"<table>{line(header, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def shown(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)
