"""Tables: aligned in a terminal, tab-separated in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from dreamer.cli.streams import echo, is_terminal, line


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header; a pipe gets the rows alone."""
    cells = [[line(str(cell)) for cell in row] for row in rows]
    if not is_terminal(sys.stdout):
        for row in cells:
            echo("\t".join(row))
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in ([name.upper() for name in header], *cells):
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
