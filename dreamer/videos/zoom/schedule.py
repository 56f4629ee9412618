"""Read a `Zoom` from a dict, as options and finished clips give it, and keyframes from TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamer.errors import RecipeError, UsageError, collect_problems, either, quoted, reported_together
from dreamer.limits import KEYFRAMES_BYTES
from dreamer.recipes.options import Option, read_all
from dreamer.recipes.parsing import read_toml
from dreamer.videos.zoom.zoom import Direction, Ease, Keyframe, Mode, Zoom

_MAX_KEYFRAMES = 10_000
_RATE = re.compile(r"(?=.{1,20}$)[0-9]+(\.[0-9]+)?(/[0-9]+)?")
_MAX_DENOMINATOR = 1_001_000  # of a frame rate, which keeps its text short
_MOTION: dict[str, Any] = {"rate": float, "angle": float, "centre": tuple[float, ...], "pan": tuple[float, ...]}
_ZOOM = _MOTION | {"seconds": float, "ease": Ease, "direction": Direction, "loop": bool, "mode": Mode}
_KEYFRAME = _MOTION | {"time": float, "strength": float, "preset": str, "layer": str}
_ZOOM_OPTIONS, _KEYFRAME_OPTIONS = (
    {name: Option(name, kind, None) for name, kind in kinds.items()} for kinds in (_ZOOM, _KEYFRAME)
)


def zoom_from(words: Mapping[str, Any]) -> Zoom:
    """The zoom from a dict of `Zoom`'s fields; raises UsageError with every mistake."""
    words = dict(words)
    values: dict[str, Any] = {}
    with reported_together() as problems:
        if (fps := words.pop("fps", None)) is not None:
            try:
                values["fps"] = frame_rate(fps)
            except (ValueError, ZeroDivisionError, OverflowError):
                how = "expected a number as in 30, 23.976 or 30000/1001"
                problems.append(f"fps: {quoted(fps)} is not a frame rate; {how}")
        with collect_problems(problems):
            values["keyframes"] = _keyframes(words.pop("keyframes", []))
        plain, wrong = read_all(words, _ZOOM_OPTIONS, "")
        unpaired = _unpaired(plain, "")
        zoom = Zoom(**values, **({} if unpaired else plain))
        problems += [*wrong, *unpaired, *zoom.problems()]
    return zoom


def zoom_words(zoom: Zoom) -> dict[str, Any]:
    """The zoom as a dict that JSON can hold; the reverse of `zoom_from`."""
    words = {field.name: getattr(zoom, field.name) for field in fields(Zoom)}
    keyframes = [{name: value for name, value in asdict(key).items() if value is not None} for key in zoom.keyframes]
    return {**words, "fps": str(zoom.fps), "keyframes": keyframes}


RATES = (Fraction(1, 10), Fraction(240))
"""Frames per second, the fewest and the most, of what is asked for."""


def frame_rate(fps: Any) -> Fraction:
    """The exact frame rate; 23.976, 29.97 and 59.94 mean 24, 30 and 60 times 1000/1001.

    Only a few plain digits are allowed, as an exponent could make a number of any length. Raises ValueError and
    ZeroDivisionError.
    """
    text = str(fps)
    if isinstance(fps, bool) or not isinstance(fps, (int, float, Fraction, str)) or not _RATE.fullmatch(text):
        raise ValueError
    rate = Fraction(text).limit_denominator(_MAX_DENOMINATOR)
    near = round(rate * 1001 / 1000)
    television = Fraction(near * 1000, 1001)
    return television if near in (24, 30, 60) and abs(rate - television) < 0.005 else rate


def _unpaired(values: Mapping[str, Any], where: str) -> list[str]:
    """An error for each of centre and pan that does not have two numbers."""
    return [
        f"{where}{name}: expected two numbers, as in {either('(0.5, 0.5)', '0.5,0.5')}"
        for name in ("centre", "pan")
        if name in values and len(values[name]) != 2
    ]


def read_schedule(path: Path) -> Any:
    """The `keyframes` of a TOML file, for `zoom_from`; raises UsageError when it cannot be read or has none."""
    try:
        words = read_toml(path, KEYFRAMES_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if unknown := [key for key in words if key != "keyframes"]:
        raise RecipeError(f"{path}: unknown key {unknown[0]}; keyframes are tables named [[keyframes]]")
    if not words.get("keyframes"):
        raise RecipeError(f"{path}: there are no keyframes; add a table named [[keyframes]] with a time for each")
    return words["keyframes"]


def _keyframes(tables: Any) -> tuple[Keyframe, ...]:
    """Keyframes from dicts, as TOML gives them; raises RecipeError with every mistake."""
    if not isinstance(tables, Sequence) or not all(isinstance(table, Mapping) for table in tables):
        how = either("dicts, as in [{'time': 5, 'rate': 2}]", "tables, as in [[keyframes]]")
        raise RecipeError(f"keyframes: expected a list of {how}")
    if len(tables) > _MAX_KEYFRAMES:
        raise RecipeError(f"keyframes: {len(tables)} are too many; the limit is {_MAX_KEYFRAMES}")
    found = []
    with reported_together(RecipeError) as problems:
        for number, table in enumerate(tables):
            where = f"keyframes[{number}]"
            values, wrong = read_all({k: v for k, v in table.items() if k != "regions"}, _KEYFRAME_OPTIONS, where)
            if "regions" in table:
                wrong.append(
                    f"{where}.regions: regions are the same throughout a zoom ({either('regions=[...]', '--region')}); "
                    "a keyframe's preset changes the look of those that have none of their own"
                )
            wrong += _unpaired(values, f"{where}.")
            if "time" not in table:
                wrong.append(f"{where}: it needs a time, in seconds")
            problems += wrong
            if not wrong:
                found.append(Keyframe(**values))
    return tuple(found)
