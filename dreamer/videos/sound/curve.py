"""Curves: a value from 0 to 1 at every moment, of a song or from a table of numbers."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dreamer.errors import RecipeError, UsageError, did_you_mean
from dreamer.limits import CURVE_BYTES, SONG_SECONDS
from dreamer.recipes.parsing import read_text
from dreamer.videos.sound.spectrum import STEP, Floats


@dataclass(frozen=True, eq=False)
class Curve:
    """Values (n,) in [0, 1], `STEP` seconds apart; `begin` is the time of the curve that is the clip's 0."""

    values: Floats
    begin: float = 0.0

    def at(self, times: Floats) -> Floats:
        """The values at times of the clip in seconds, (k,); the first and the last one hold beyond the ends."""
        place = np.clip((times + self.begin) / STEP, 0, len(self.values) - 1)
        low = np.minimum(place.astype(np.int64), max(len(self.values) - 2, 0))
        high = np.minimum(low + 1, len(self.values) - 1)
        found: Floats = self.values[low] + (self.values[high] - self.values[low]) * (place - low)
        return found

    def followed(self, attack: float, release: float) -> Curve:
        """The curve that rises to this one in `attack` seconds and falls in `release`, exponentially."""
        up, down = (1 - math.exp(-STEP / seconds) if seconds > 0 else 1.0 for seconds in (attack, release))
        found, now = [], float(self.values[0]) if len(self.values) else 0.0
        for value in self.values.tolist():
            now += (value - now) * (up if value > now else down)
            found.append(now)
        return replace(self, values=np.array(found))


def read_curve(path: Path, column: str = "") -> Curve:
    """The curve in a CSV file: lines of seconds and a value from 0 to 1.

    The first line may name the columns; then `column` chooses one of several, and is the second by itself.

    Raises:
        UsageError: The file cannot be read, or is no such table; names the line.
    """
    try:
        text = read_text(path, CURVE_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except RecipeError as error:
        raise UsageError(*error.problems) from None
    try:
        read = [*csv.reader(io.StringIO(text))]
    except csv.Error as error:  # as for a field of very many letters
        raise UsageError(f"{path}: this is no table of commas ({error}); write lines such as 1.5,0.8") from error
    rows = [(number, row) for number, row in enumerate(read, 1) if any(map(str.strip, row))]
    names = [name.strip() for name in rows[0][1]] if rows and _number(rows[0][1][0]) is None else []
    place = 1
    if column:
        if column not in names[1:]:
            raise UsageError(f"{path}: there is no column {column}{did_you_mean(column, names[1:])}")
        place = names.index(column, 1)
    points: list[tuple[float, float]] = []
    for number, row in rows[1:] if names else rows:
        time, value = (_number(row[at]) if at < len(row) else None for at in (0, place))
        if time is None or value is None:
            raise UsageError(f"{path}: line {number}: expected seconds and a number, as in 1.5,0.8")
        if not 0 <= value <= 1:
            raise UsageError(f"{path}: line {number}: {value:g} is not between 0 and 1; scale the values")
        if not 0 <= time <= SONG_SECONDS or (points and time <= points[-1][0]):
            raise UsageError(f"{path}: line {number}: the time {time:g} does not come after the one before; sort them")
        points.append((time, value))
    if not points:
        raise UsageError(f"{path}: there are no values; write a line for each, as in 1.5,0.8")
    times, values = np.array(points).T
    count = math.ceil(times[-1] / STEP) + 1
    return Curve(np.interp(np.arange(count) * STEP, times, values))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
