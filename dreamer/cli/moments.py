"""Moments and frame rates, as people type them."""

from __future__ import annotations

import re
from contextlib import suppress
from fractions import Fraction
from typing import Any

import click

from dreamer.cli.values import ParamType

_MOMENT = re.compile(r"(?:(?:([0-9]{1,4}):)?([0-9]{1,2}):)?([0-9]{1,9}(?:\.[0-9]{1,9})?)")


class Moment(ParamType):
    """A moment of a clip: seconds, or minutes and seconds, or hours as well."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Return the seconds, or fail with a sentence."""
        if isinstance(value, Fraction):
            return value
        found = _MOMENT.fullmatch(value)
        hours, minutes, seconds = (Fraction(part or 0) for part in (found.groups() if found else (0, 60, 0)))
        if minutes >= 60 or (found and found[2] and seconds >= 60):
            self.fail(f"expected seconds or a time such as 83.5, 1:23.5 or 1:02:30, not {value!r}", param, ctx)
        return 3600 * hours + 60 * minutes + seconds


class Rate(ParamType):
    """A number of frames a second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Return the exact rate, or fail with a sentence."""
        rate = value if isinstance(value, Fraction) else rate_in(value)
        if rate is None:
            self.fail(f"expected 0.1 to 240, as in 25, 23.976 or 30000/1001, not {value!r}", param, ctx)
        return rate


def rate_in(text: str) -> Fraction | None:
    """The exact rate that a text says; None unless it is one from 0.1 to 240."""
    from dreamer.videos.zoom.schedule import RATES, frame_rate

    with suppress(ValueError, ZeroDivisionError, OverflowError):
        if RATES[0] <= (rate := frame_rate(text)) <= RATES[1]:
            return rate
    return None


MOMENT, RATE = Moment(), Rate()
