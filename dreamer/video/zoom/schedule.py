"""A zoom in words: options as people, programs and finished clips give them, and keyframes as TOML."""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

from dreamer.errors import RecipeError, UsageError
from dreamer.recipes.options import Option, read_all
from dreamer.video.zoom.zoom import Direction, Ease, Keyframe, Mode, Zoom

_LARGEST, _MOST = 1_000_000, 10_000  # bytes of a file, keyframes
_RATE = re.compile(r"(?=.{1,20}$)[0-9]+(\.[0-9]+)?(/[0-9]+)?")
_FINEST = 1_001_000  # the largest denominator of a frame rate: in words it then stays short, too
_MOTION: Mapping[str, Option] = {
    "rate": Option("rate", float, None),
    "angle": Option("angle", float, None),
    "centre": Option("centre", tuple[float, ...], None),
    "pan": Option("pan", tuple[float, ...], None),
}
_OF_ZOOM: Mapping[str, Option] = {
    **_MOTION,
    "seconds": Option("seconds", float, None),
    "ease": Option("ease", Ease, None),
    "direction": Option("direction", Direction, None),
    "loop": Option("loop", bool, None),
    "mode": Option("mode", Mode, None),
}
_OF_KEYFRAME: Mapping[str, Option] = {
    **_MOTION,
    "time": Option("time", float, None),
    "strength": Option("strength", float, None),
    "preset": Option("preset", str, None),
    "layer": Option("layer", str, None),
}


def zoom_from(words: Mapping[str, Any]) -> Zoom:
    """The zoom that the words spell, a `Zoom`'s fields by name; raises UsageError with every mistake."""
    words = dict(words)
    values: dict[str, Any] = {}
    problems: list[str] = []
    if (fps := words.pop("fps", None)) is not None:
        try:
            values["fps"] = _rate(fps)
        except (ValueError, ZeroDivisionError, OverflowError):
            problems.append(f"fps: {reprlib.repr(fps)} is no number of frames, as in 30, 23.976 or 30000/1001")
    try:
        values["keyframes"] = _keyframes(words.pop("keyframes", []))
    except RecipeError as error:
        problems += error.problems
    plain, wrong = read_all(words, _OF_ZOOM, "")
    unpaired = _unpaired(plain, "")
    zoom = Zoom(**values, **({} if unpaired else plain))
    problems += [*wrong, *unpaired, *zoom.problems()]
    if problems:
        raise UsageError(*problems)
    return zoom


def zoom_words(zoom: Zoom) -> dict[str, Any]:
    """The zoom in words that JSON can hold."""
    words = {field.name: getattr(zoom, field.name) for field in fields(Zoom)}
    keyframes = [{name: value for name, value in asdict(key).items() if value is not None} for key in zoom.keyframes]
    return {**words, "fps": str(zoom.fps), "keyframes": keyframes}


def _rate(fps: Any) -> Fraction:
    """Frames per second exactly; 23.976, 29.97 and 59.94 are what film people mean by them.

    Raises ValueError, and ZeroDivisionError. Plain digits only, and few: an exponent makes a number of any length.
    """
    text = str(fps)
    if isinstance(fps, bool) or not isinstance(fps, (int, float, Fraction, str)) or not _RATE.fullmatch(text):
        raise ValueError
    rate = Fraction(text).limit_denominator(_FINEST)
    near = round(rate * 1001 / 1000)
    return (
        Fraction(near * 1000, 1001)
        if near in (24, 30, 60) and 0 < abs(rate - near * Fraction(1000, 1001)) < 0.005
        else rate
    )


def _unpaired(values: Mapping[str, Any], where: str) -> list[str]:
    return [
        f"{where}{name}: two numbers are wanted, as in 0.5,0.5"
        for name in ("centre", "pan")
        if name in values and len(values[name]) != 2
    ]


def read_schedule(path: Path) -> Any:
    """The `keyframes` of a TOML file, as `zoom_from` takes them; raises UsageError for a file that is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{path}: no list of keyframes is larger than {_LARGEST // 1000} kB")
    try:
        words = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: this is not TOML ({error})") from error
    if unknown := [key for key in words if key != "keyframes"]:
        raise RecipeError(f"{path}: unknown key {unknown[0]}; keyframes are tables named [[keyframes]]")
    if not words.get("keyframes"):
        raise RecipeError(f"{path}: there are no keyframes in it; each is a table named [[keyframes]] with a time")
    return words["keyframes"]


def _keyframes(tables: Any) -> tuple[Keyframe, ...]:
    """Keyframes from dicts, as TOML gives them; raises RecipeError with every mistake."""
    if not isinstance(tables, Sequence) or not all(isinstance(table, Mapping) for table in tables):
        raise RecipeError("keyframes: a list of tables is wanted, as in [[keyframes]]")
    if len(tables) > _MOST:
        raise RecipeError(f"keyframes: {len(tables)} are more than {_MOST}")
    found, problems = [], []
    for number, table in enumerate(tables):
        where = f"keyframes[{number}]"
        values, wrong = read_all(table, _OF_KEYFRAME, where)
        wrong += _unpaired(values, f"{where}.")
        if "time" not in table:
            wrong.append(f"{where}: it needs a time, in seconds")
        problems += wrong
        if not wrong:
            found.append(Keyframe(**values))
    if problems:
        raise RecipeError(*problems)
    return tuple(found)
