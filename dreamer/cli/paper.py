"""Lengths and sheets of paper, as the command line names them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import click

from dreamer.cli.values import ParamType

_UNITS = {"mm": 0.1, "cm": 1.0, "in": 2.54, '"': 2.54}
_SHEETS = {"letter": (21.59, 27.94), "legal": (21.59, 35.56), "tabloid": (27.94, 43.18)}
_LONGEST = 10_000  # cm


class Paper(ParamType):
    """The sides of a sheet of paper in cm."""

    name = "paper"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return the two sides, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        with suppress(ValueError):
            width, height = (float(side.replace(",", ".")) for side in str(value).lower().split("x"))
            if 1 <= width <= _LONGEST and 1 <= height <= _LONGEST:
                return width, height
        self.fail(f"expected two sides in cm from 1 to {_LONGEST}, as in 120x80, not {value!r}", param, ctx)


class Sheet(Paper):
    """A sheet of paper by its name, as in A3, or by its sides in cm."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return the two sides in cm, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        name = str(value).lower()
        if re.fullmatch("a[0-6]", name):
            width, height = 841, 1189
            for _ in range(int(name[1])):
                width, height = height // 2, width
            return width / 10, height / 10
        if name in _SHEETS:
            return _SHEETS[name]
        with suppress(click.BadParameter):
            return super().convert(value, param, ctx)
        self.fail(f"expected A0 to A6, {', '.join(_SHEETS)}, or sides in cm, as in 30x45, not {value!r}", param, ctx)


class Length(ParamType):
    """A length with its unit, in cm."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the length in cm, or fail with a sentence."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]{1,6}(?:[.,][0-9]{1,6})?) ?(mm|cm|in|\")", str(value).lower())
        if found and 0 < (length := float(found[1].replace(",", ".")) * _UNITS[found[2]]) <= 10:
            return length
        self.fail(f"expected a length up to 10 cm with its unit, as in 3mm, not {value!r}", param, ctx)
