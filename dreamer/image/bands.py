"""Slices of rows, so that a large picture is converted to float one slice at a time."""

from __future__ import annotations

from collections.abc import Iterator


def bands(height: int, width: int, pixels: int = 1 << 18) -> Iterator[slice]:
    """The rows of a picture in slices of about `pixels` pixels, from the top."""
    rows = max(1, pixels // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
