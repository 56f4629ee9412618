"""A dream several times side by side, as a fabric or a wallpaper shows it: what --repeat writes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import click

from dreamer import __version__
from dreamer.cli.options import option
from dreamer.cli.values import ParamType
from dreamer.errors import UsageError
from dreamer.files import write_atomically

MOST = 50
"""Largest number of copies in each direction."""

Times = tuple[int, int]
"""Numbers of copies across and down."""


class TimesType(ParamType):
    """A number of copies across and one down, as in 3x2."""

    name = "times"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Times:
        """Return both numbers, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,3})x(\d{1,3})", str(value).strip().lower())
        across, down = (int(found[1]), int(found[2])) if found else (0, 0)
        if not (1 <= across <= MOST and 1 <= down <= MOST and across * down > 1):
            self.fail(f"expected copies across and down, up to {MOST}, as in 3x3, not {value!r}", param, ctx)
        return across, down


repeat_option = option(
    "--repeat",
    type=TimesType(),
    metavar="NxM",
    help="Also write the dream N times across and M times down, beside it.",
)


def place_of(output: Path, times: Times) -> Path:
    """The path of a dream's repeated picture."""
    return output.with_stem(f"{output.stem}-{times[0]}x{times[1]}")


def check_size(width: int, height: int, times: Times, max_pixels: int) -> None:
    """Raise UsageError for more pixels than are allowed."""
    across, down = times
    if (pixels := width * across * height * down) > max_pixels:
        raise UsageError(
            f"--repeat {across}x{down}: {width * across}x{height * down} are {pixels / 1e6:.1f} million pixels, and "
            f"the limit is {max_pixels / 1e6:.1f} million; repeat it less often, lower --size, or raise --max-pixels"
        )


def write_repeated(dream: Path, times: Times, *, replace: bool, keep_gps: bool, max_pixels: int) -> Path:
    """Write the picture of a dream several times side by side, its recipe inside; returns where."""
    import numpy as np

    from dreamer.image import encode, format_for, load, read_recipe

    across, down = times
    one = load(dream, max_pixels=max_pixels)
    alpha = None if one.alpha is None else np.tile(one.alpha, (down, across))
    many = dataclasses.replace(one, pixels=np.tile(one.pixels, (down, across, 1)), alpha=alpha)
    noted = {"recipe": read_recipe(dream) or "", "software": f"dreamer {__version__}"}
    data = encode(many, many.pixels, format_for(one, dream), keep_gps=keep_gps, **noted)
    return write_atomically(place_of(dream, times), data, replace=replace)
