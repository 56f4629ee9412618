"""The options for parts of the picture with looks of their own: --invert, --region, --feather; and --wrap."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from dreamer.cli.options import Command, machine_options, option, together
from dreamer.cli.values import ParamType
from dreamer.recipes.masks import NOT

_TURNED = "dreamer.regions.turned"


class Percent(ParamType):
    """A number from 0 to `most`, with or without a percent sign."""

    name = "percent"

    def __init__(self, most: float) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail with a sentence."""
        with suppress(ValueError):
            if 0 <= (number := float(str(value).strip().removesuffix("%"))) <= self.most:
                return number
        self.fail(f"expected a number from 0 to {self.most:g}, as in 2%, not {value!r}", param, ctx)


def _turned(context: click.Context, parameter: click.Parameter, turned: bool) -> None:
    context.meta[_TURNED] = turned


def _regions(context: click.Context, parameter: click.Parameter, regions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the regions, with their masks inverted if --invert is given, which needs some."""
    if not context.meta.get(_TURNED):
        return regions
    if not regions:
        raise click.UsageError("--invert: there is no --region whose mask it could invert; add one", context)
    return tuple(text.removeprefix(NOT) if text.startswith(NOT) else NOT + text for text in regions)


region_options = together(
    option(
        "--invert",
        is_flag=True,
        is_eager=True,  # before the regions
        expose_value=False,
        callback=_turned,
        help="Invert the masks of all regions: black dreams, and white does not.",
    ),
    option(
        "--region",
        "--mask",
        "region",
        multiple=True,
        callback=_regions,
        metavar="MASK=LOOK",
        help="Give a part of the picture a look of its own (`keep`: nothing grows in it), and leave what is in no "
        "region as it is; may be repeated.",
    ),
    option(
        "--feather",
        type=Percent(20),
        metavar="PERCENT",
        help="Width of the soft edge of regions, of the short side. [2%]",
    ),
)
"""Parts of the picture with looks of their own."""


def dream_options(recipe: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return the options of the recipe, of its regions, and of the machine that dreams."""
    return together(recipe, region_options, machine_options)


wrap_option = option(
    "--wrap",
    type=click.Choice(["none", "x", "y", "both", "sphere"]),
    help="Join left to right (x), top to bottom (y), or both, without a seam; sphere: a 360-degree panorama. [none]",
)
