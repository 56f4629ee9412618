"""Read a `Zoom` from a dict, as options and finished clips give it, and keyframes from TOML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from dreamer.errors import RecipeError, UsageError, argument, collect_problems, either, quoted, reported_together
from dreamer.limits import KEYFRAMES_BYTES
from dreamer.recipes.drives import Drive, drives_from
from dreamer.recipes.options import Option, read_all
from dreamer.recipes.parsing import read_toml
from dreamer.videos.sound.driven import driven_by
from dreamer.videos.sound.song import Song
from dreamer.videos.zoom.zoom import DEPTH, Direction, Ease, Keyframe, Mode, Zoom

MAX_KEYFRAMES = 10_000
_RATE = re.compile(r"(?=.{1,20}$)[0-9]+(\.[0-9]+)?(/[0-9]+)?")
_BEAT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)b")
_MAX_DENOMINATOR = 1_001_000  # largest denominator of a frame rate, which keeps its text short
_MOTION: dict[str, Any] = {"rate": float, "angle": float, "centre": tuple[float, ...], "pan": tuple[float, ...]}
_MOTION |= dict.fromkeys(DEPTH, float)
_ZOOM = _MOTION | {"seconds": float, "ease": Ease, "direction": Direction, "loop": bool, "mode": Mode}
_KEYFRAME = _MOTION | {"time": float, "strength": float, "preset": str, "layer": str}
_ZOOM_OPTIONS, _KEYFRAME_OPTIONS = (
    {name: Option(name, kind, None) for name, kind in kinds.items()} for kinds in (_ZOOM, _KEYFRAME)
)


def zoom_from(words: Mapping[str, Any], song: Song | None = None, folder: Path | None = None) -> Zoom:
    """The zoom from a dict of `Zoom`'s fields.

    Args:
        words: The fields; `keyframes` and `drives` are lists of dicts.
        song: What is heard, for drives and for times in beats.
        folder: In which the tables of drives are looked for, if not the working one.

    Raises:
        UsageError: Names every mistake.
    """
    words = dict(words)
    values: dict[str, Any] = {}
    drives: tuple[Drive, ...] = ()
    with reported_together() as problems:
        if (fps := words.pop("fps", None)) is not None:
            try:
                values["fps"] = frame_rate(fps)
            except (ValueError, ZeroDivisionError, OverflowError):
                how = "expected a number as in 30, 23.976 or 30000/1001"
                problems.append(f"fps: {quoted(fps)} is not a frame rate; {how}")
        with collect_problems(problems):
            values["keyframes"] = _keyframes(words.pop("keyframes", []), song, words.get("direction") == "out")
        with collect_problems(problems):
            drives = drives_from(words.pop("drives", []))
            values["drives"] = driven_by(drives, song, folder=folder)
        plain, wrong = read_all(words, _ZOOM_OPTIONS, "")
        unpaired = _unpaired(plain, "")
        zoom = Zoom(**values, **({} if unpaired else plain))
        problems += [*wrong, *unpaired, *zoom.problems()]
        if not problems:
            zoom = _with_sections(zoom, drives, song)
            problems += zoom.problems()
    return zoom


def _with_sections(zoom: Zoom, drives: Sequence[Drive], song: Song | None) -> Zoom:
    """The zoom with a keyframe at each section of the song, where its presets take turns."""
    presets = next((drive.presets for drive in drives if drive.to == "preset"), ())
    if not presets:
        return zoom
    if song is None:
        raise UsageError(f"drives: sections are heard in a song, and there is none; name it ({argument('audio')})")
    heard = [float(time) for time in song.sections if time < zoom.seconds]
    looks = [presets[number % len(presets)] for number in range(len(heard))]
    begins = [0.0, *(time for time in heard[1:])]
    if zoom.direction == "out":  # the inward motion begins with what is heard last
        last = float((zoom.frames - 1) / zoom.fps)
        begins, looks = [0.0, *(max(last - time, 0.0) for time in heard[:0:-1])], looks[::-1]
    keyframes = {key.time: key for key in zoom.keyframes}
    for time, look in zip(begins, looks, strict=True):
        keyframes[time] = replace(keyframes.get(time, Keyframe(time)), preset=look)
    return replace(zoom, keyframes=tuple(keyframes[time] for time in sorted(keyframes)))


def zoom_words(zoom: Zoom) -> dict[str, Any]:
    """The zoom as a dict that JSON can hold; the reverse of `zoom_from`."""
    words = {field.name: getattr(zoom, field.name) for field in fields(Zoom)}
    words = {name: value for name, value in words.items() if value is not None}
    keyframes = [{name: value for name, value in asdict(key).items() if value is not None} for key in zoom.keyframes]
    driven = {"drives": zoom.drives.words()} if words.pop("drives").driven else {}
    return {**words, "fps": str(zoom.fps), "keyframes": keyframes, **driven}


RATES = (Fraction(1, 10), Fraction(240))
"""Smallest and largest number of frames per second that can be asked for; of a zoom at least 1."""


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


def read_schedule(path: Path, kind: Literal["keyframes", "drives"] = "keyframes") -> Any:
    """The `keyframes`, or the `drives`, of a TOML file that may hold both, for `zoom_from`.

    Raises UsageError when it cannot be read or has none.
    """
    try:
        words = read_toml(path, KEYFRAMES_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    if unknown := [key for key in words if key not in ("keyframes", "drives")]:
        raise RecipeError(f"{path}: unknown key {unknown[0]}; {kind} are tables named [[{kind}]]")
    if not words.get(kind):
        needed = "a time for each" if kind == "keyframes" else "of, to, from and upto for each"
        raise RecipeError(f"{path}: there are no {kind}; add a table named [[{kind}]] with {needed}")
    return words[kind]


def _keyframes(tables: Any, song: Song | None, backwards: bool) -> tuple[Keyframe, ...]:
    """Keyframes from dicts, as TOML gives them; raises RecipeError with every mistake."""
    if not isinstance(tables, Sequence) or not all(isinstance(table, Mapping) for table in tables):
        how = either("dicts, as in [{'time': 5, 'rate': 2}]", "tables, as in [[keyframes]]")
        raise RecipeError(f"keyframes: expected a list of {how}")
    if len(tables) > MAX_KEYFRAMES:
        raise RecipeError(f"keyframes: {len(tables)} are too many; leave some out, the limit is {MAX_KEYFRAMES}")
    found = []
    with reported_together(RecipeError) as problems:
        for number, table in enumerate(tables):
            where = f"keyframes[{number}]"
            words = {key: value for key, value in table.items() if key != "regions"}
            beat = _BEAT.fullmatch(words["time"]) if isinstance(words.get("time"), str) else None
            late: list[str] = []
            if beat:
                with collect_problems(late):
                    words["time"] = _time_of(float(beat[1]), song, backwards)
            if late:
                problems += [f"{where}.time: {each}" for each in late]
                continue
            values, wrong = read_all(words, _KEYFRAME_OPTIONS, where)
            if "regions" in table:
                wrong.append(
                    f"{where}.regions: regions are the same throughout a zoom ({either('regions=[...]', '--region')}); "
                    "a keyframe's preset changes the look of those that have none of their own"
                )
            wrong += _unpaired(values, f"{where}.")
            if "time" not in table:
                wrong.append(f"{where}: it needs a time, in seconds, or in beats of a song, as in 16b")
            problems += wrong
            if not wrong:
                found.append(Keyframe(**values))
    return tuple(found)


def _time_of(beat: float, song: Song | None, backwards: bool) -> float:
    """The time of a beat in seconds; UsageError where there is none."""
    if song is None:
        raise UsageError(f"{beat:g}b is a beat of a song, and there is none; name it ({argument('audio')})")
    if backwards:
        forwards = argument("direction", "out")
        raise UsageError(f"{beat:g}b counts beats forwards, and the motion runs backwards ({forwards}); use seconds")
    return song.beat(beat)
