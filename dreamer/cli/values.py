"""The types of the values that options take: what is wrong with a value is told in a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.units.storage import is_address, shown

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
    Choice = click.Choice[str]
else:
    ParamType, Choice = click.ParamType, click.Choice

_DIGITS = 9  # digits of a number at most: no picture needs more, and Python refuses to read some thousands


class _File(click.Path):
    """The name of a file or folder, as a Path, and no address."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with a sentence: what makes a path of an address names another file."""
        if isinstance(value, str) and is_address(value):
            self.fail(f"{shown(value)} is an address, and a file of this machine is wanted", param, ctx)
        return super().convert(value, param, ctx)


class _Device(Choice):
    """A kind of device, or one of several graphics cards."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the device's name; whether it is there is asked once torch is loaded."""
        numbered = re.fullmatch(r"cuda:[0-9]{1,3}", value)
        return value if numbered else super().convert(value, param, ctx)


class Number(click.types.FloatParamType):
    """A number, also in percent of `whole`: of 1, 60% is 0.6."""

    def __init__(self, whole: float) -> None:
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail with a sentence."""
        number: float = super().convert(_without_percent(value, self.whole), param, ctx)
        return number


def _without_percent(value: Any, whole: float) -> Any:
    """The part of the whole that a percentage is; any other value as it is."""
    with suppress(ValueError):
        if isinstance(value, str) and value.strip().endswith("%"):
            return float(value.strip()[:-1]) * whole / 100
    return value


class FiniteRange(click.FloatRange):
    """A `click.FloatRange` without NaN, which passes every comparison, and without infinities."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or fail with a sentence."""
        number: float = super().convert(_without_percent(value, 1) if self.max == 1 else value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Pixels(ParamType):
    """A number of pixels, from `least`, or one of the `words` that stand for a number."""

    name = "pixels"

    def __init__(self, words: dict[str, int], least: int) -> None:
        self.words, self.least = words, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of pixels, or fail with a sentence."""
        if isinstance(value, int):
            return value
        if value in self.words:
            return self.words[value]
        if value.isdecimal() and len(value) <= _DIGITS and int(value) >= self.least:
            return int(value)
        choices = " or ".join([*self.words, f"a number of pixels from {self.least}"])
        self.fail(f"expected {choices}, not {value!r}", param, ctx)


class Numbers(ParamType):
    """Whole numbers from 0 that `fit`, separated by commas; `expected` describes them in an error."""

    def __init__(self, name: str, expected: str, fit: Callable[[tuple[int, ...]], bool]) -> None:
        self.name, self.expected, self.fit = name, expected, fit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        numbers = tuple(int(part) for part in parts if part.isdecimal() and len(part) <= _DIGITS)
        if len(numbers) < len(parts) or not self.fit(numbers):
            self.fail(f"expected {self.expected}, not {value!r}", param, ctx)
        return numbers


class Seeds(ParamType):
    """Whole numbers, separated by commas, or ranges of them, as in 1-10; at most `most` altogether."""

    name = "seeds"

    def __init__(self, most: int) -> None:
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers, or fail with a sentence."""
        if isinstance(value, tuple):
            return value
        found: list[int] = []
        for part in str(value).split(","):
            ends = re.fullmatch(r"\s*(-?\d{1,19})(?:-(\d{1,19}))?\s*", part)
            first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, -1)
            if last < first:
                self.fail(f"expected a whole number, or several as in 1-10 or 3,7, not {value!r}", param, ctx)
            if len(found) + last - first >= self.most:
                self.fail(f"at most {self.most} seeds fit on a sheet; give fewer", param, ctx)
            found += range(first, last + 1)
        return tuple(dict.fromkeys(found))


FILE = _File(path_type=Path)
DEVICE = _Device(["auto", "cpu", "cuda", "mps"])
PRECISION = click.Choice(["auto", "float32", "bfloat16"])
INIT = click.Choice(["photo", "noise", "grey", "canvas"])
SEED = click.IntRange(0, 2**63 - 1)
THREADS = click.IntRange(1, 1024)
"""A number of CPU threads, up to more than any machine has; with some ten thousand, libraries abort the process."""
STEPS = Numbers("n,m", "step numbers such as 10,20,40", all)
