"""Drives with their curves: what moves a clip at each moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dreamer.errors import UsageError, argument, collect_problems, either, reported_together
from dreamer.recipes.drives import Drive, Target, drives_from
from dreamer.videos.sound.curve import Curve, read_curve
from dreamer.videos.sound.song import Song
from dreamer.videos.sound.spectrum import STEP, Floats

_BEYOND = 1.0  # seconds of a curve after the clip's end, so that an end that is rounded has them, too


@dataclass(frozen=True, eq=False)
class Driven:
    """A drive and the curve that it follows, with attack and release."""

    drive: Drive
    curve: Curve

    def at(self, times: Floats) -> Floats:
        """The driven value at times in seconds of the clip, (k,): (k,), (2, k) for a pan; the logarithm of a rate."""
        ends = [tuple(map(math.log, end)) if self.drive.to == "rate" else end for end in self._ends]
        begin, upto = (np.array(end)[:, None] for end in ends)
        found: Floats = begin + (upto - begin) * self.curve.at(times)
        return found if len(found) > 1 else found[0]

    def told(self, seconds: float) -> dict[str, object]:
        """The drive with what its curve is in the first seconds of the clip, as JSON can hold it."""
        begin = self.curve.begin
        values = self.curve.values[: max(2, math.ceil((begin + seconds + _BEYOND) / STEP))]
        return {"drive": self.drive.words(), "begin": begin, "values": values.tolist()}

    @property
    def _ends(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.drive.begin, self.drive.upto


@dataclass(frozen=True)
class Drives:
    """The drives of a clip; `sha256` is that of the song's file, empty where only tables drive it."""

    driven: tuple[Driven, ...] = ()
    sha256: str = ""

    def get(self, to: str) -> Driven | None:
        """The drive of a setting, if it has one."""
        return next((each for each in self.driven if each.drive.to == to), None)

    def number(self, to: Target, time: float) -> float | None:
        """The value of a setting at a time of the clip in seconds; None where nothing drives it."""
        driven = self.get(to)
        return None if driven is None else float(driven.at(np.array([time]))[0])

    def colour_gain(self, time: float, colour: float) -> float:
        """The factor on the colours of a dream that was made with this `colour`, the recipe's, at a time."""
        held = self.number("colour", time)
        return 1.0 if held is None or colour >= 1 else min((1 - held) / (1 - colour), _MOST_COLOUR)

    def words(self) -> list[dict[str, object]]:
        """The drives as TOML and JSON can hold them."""
        return [each.drive.words() for each in self.driven]

    def told(self, seconds: float) -> list[dict[str, object]]:
        """The drives with what their curves are in the first seconds of the clip, as JSON can hold it, for `retold`."""
        return [each.told(seconds) for each in self.driven]


_MOST_COLOUR = 2.0
STILL = Drives()
"""No drives."""


def driven_by(drives: Iterable[Drive], song: Song | None, begin: float = 0.0, folder: Path | None = None) -> Drives:
    """Drives with the curves that they name; those to `preset` are left out.

    Args:
        drives: From `recipes.drives`.
        song: What is heard, if there is sound.
        begin: The time in the song at which the clip begins, in seconds.
        folder: In which tables are looked for; the working one by itself.

    Raises:
        UsageError: A curve of a song is named where there is none, or a table cannot be read; every problem at once.
    """
    found = []
    with reported_together() as problems:
        for drive in drives:
            if drive.to == "preset":
                continue
            with collect_problems(problems):
                curve = replace(_curve(drive, song, folder or Path()), begin=begin)
                found.append(Driven(drive, curve.followed(drive.attack, drive.release)))
    return Drives(tuple(found), song.sha256 if song else "")


def check_dance(song: Song | None) -> None:
    """Raises UsageError where there is no song to dance to."""
    if song is None:
        name = either("audio='song.mp3'", "--audio FILE")
        raise UsageError(f"{argument('dance')}: there is no sound to dance to; name a song ({name})")


def retold(tables: Iterable[Mapping[str, Any]]) -> Drives:
    """Drives as `Drives.told` has them, to the last bit: neither song nor table is needed again."""
    known = [(drives_from([table["drive"]])[0], table) for table in tables]
    return Drives(tuple(Driven(drive, Curve(np.array(each["values"]), each["begin"])) for drive, each in known))


def _curve(drive: Drive, song: Song | None, folder: Path) -> Curve:
    if drive.file:
        return read_curve(folder / drive.file[0], drive.file[1])
    if song is None:
        raise UsageError(f"drives: {drive.of} is heard in a song, and there is none; name it ({argument('audio')})")
    return song.curve(drive.of)
