"""The motion of `dreamer zoom`, read from its options, from a clip to repeat and from files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.options import option, together
from dreamer.cli.provenance import motion_in, provenance_in
from dreamer.cli.sound import Hearing, song_in
from dreamer.cli.values import FILE
from dreamer.errors import UsageError
from dreamer.files.suffixes import is_file_name
from dreamer.recipes.drives import ZOOM_DANCE

if TYPE_CHECKING:
    from dreamer.image import Photo
    from dreamer.videos.sound.song import Song
    from dreamer.videos.sound.spectrum import Floats
    from dreamer.videos.zoom.path import Path as Way
    from dreamer.videos.zoom.zoom import Zoom

DEPTH = ("dolly", "orbit", "parallax")
"""Settings of a zoom that move the camera in depth."""
_MOTION = ("seconds", "fps", "rate", "angle", "centre", "pan", "ease", "direction", "loop", "mode", *DEPTH)
FOLLOW = "follow"
"""The --centre that looks for its own way."""

motion_options = together(
    option("--seconds", metavar="SECONDS", help="Length of the clip. [10]"),
    option("--fps", metavar="N", help="Frames per second; a fraction such as 30000/1001 is possible. [30]"),
    option("--rate", metavar="FACTOR", help="Magnification per second. [1.3]"),
    option("--angle", metavar="DEGREES", help="Rotation of the view per second. [0]"),
    option(
        "--centre",
        metavar="X,Y|follow",
        help="Point to zoom into, from 0,0 (top left) to 1,1; or go where the dream is strongest. [0.5,0.5]",
    ),
    option("--pan", metavar="X,Y", help="Movement of the view per second, in units of its long side. [0,0]"),
    option("--ease", metavar="none|in|out|both", help="Start slowly, end slowly, or both. [none]"),
    option("--direction", metavar="in|out", help="Zoom in, or out: the same clip reversed. [in]"),
    option("--loop", is_flag=True, default=None, help="Make the end meet the start, for an endless loop."),
    option("--mode", metavar="keyframes|feedback", help="Sharp and cheap, or the classic frame by frame. [keyframes]"),
    option("--keyframes", metavar="FILE", type=FILE, help="Change settings over time: a .toml file."),
)


def motion_of(options: dict[str, Any]) -> dict[str, Any]:
    """Take the motion out of a command's options: those that were given."""
    return {name: value for name in _MOTION if (value := options.pop(name)) is not None}


def plan_of(params: Mapping[str, Any]) -> Zoom:
    """The motion that all parameters of the command ask for. Raises UsageError with every mistake."""
    hearing = Hearing(params["dance"], params["drives"], params["chart"])
    motion = motion_of(dict(params))
    return planned(params["recipe"], motion, params["keyframes"], hearing, params["audio"], lambda sentence: None)[0]


def planned(
    recipe: str | None,
    options: Mapping[str, Any],
    keyframes: Path | None,
    hearing: Hearing,
    audio: Path | None,
    notify: Callable[[str], None],
) -> tuple[Zoom, Song | None]:
    """The motion by the options and the song, else that of the clip to repeat; and the song, if there is one."""
    from dreamer.videos.zoom.schedule import read_schedule, zoom_from

    words = dict(motion_in(Path(recipe))) if recipe else {}
    words |= options
    if keyframes:
        words["keyframes"] = read_schedule(keyframes)
    if words.get("centre") == FOLLOW:
        del words["centre"]
    words["drives"] = hearing.tables(words.get("drives"), ZOOM_DANCE)
    keys = words.get("keyframes")
    beats = isinstance(keys, list) and any(isinstance(key, dict) and isinstance(key.get("time"), str) for key in keys)
    wanted = bool(words["drives"]) or beats
    song = hearing.song(audio, wanted, song_in(recipe), notify)
    try:
        plan = zoom_from(words, song, hearing.folder)
    except UsageError as error:
        where = f"{keyframes}: " if keyframes else ""
        raise UsageError(*(where + each if each.startswith("keyframes") else each for each in error.problems)) from None
    files = [number for number, key in enumerate(plan.keyframes) if is_file_name(key.preset or "")]
    if files and not (keyframes or hearing.drives):  # a stranger's clip must not open files here
        why = "a clip may name a preset, but not a file; use --keyframes for that"
        raise UsageError(*(f"{recipe}: keyframes[{number}].preset: {why}" for number in files))
    return plan, song


def frame_side(photo: Photo, asked: int | None, recipe: str | None, notify: Callable[[str], None]) -> int:
    """The long side of the frames: as given, else that of the repeated clip, else the photo's, but at most SIZE.

    A given size may be larger than the photo, since a zoom magnifies anyway; a clip, which may be a stranger's, cannot
    ask for that.
    """
    from dreamer.videos.zoom.scene import SIZE

    whole = max(photo.width, photo.height)
    if asked is None and recipe and any(motion_in(Path(recipe), kind) for kind in ("zoom", "loop")):
        size = provenance_in(Path(recipe)).recipe.get("size")
        if isinstance(size, int) and size >= 16:
            asked = min(size, whole)
            if size > whole:
                notify(
                    f"the frames are {whole} pixels long, as the photo is, and not {size}; --size {size} enlarges them"
                )
    return min(whole, SIZE) if asked is None else asked or whole


def kept_way(note: Any, seconds: float) -> list[tuple[float, tuple[float, float]]]:
    """The way of a camera that follows, as an interrupted clip notes it; empty where that is missing or damaged."""
    if not isinstance(note, list) or not all(isinstance(point, list) and len(point) == 3 for point in note):
        return []
    if not all(type(number) in (int, float) for point in note for number in point):
        return []
    sound = all(0 <= time <= seconds and 0 <= x <= 1 and 0 <= y <= 1 for time, x, y in note)
    return [(float(time), (float(x), float(y))) for time, x, y in note] if sound else []


def moves(plan: Zoom, way: Way, strength: float) -> dict[str, Floats]:
    """The motion of a clip as curves by name, one value for each frame; `strength` is the recipe's."""
    import numpy as np

    times = np.array([plan.time(number) for number in range(plan.frames)])
    speed, places = plan.speed(times), [way.at(time) for time in times.tolist()]
    found = {
        "magnification (log)": np.array([math.log(1 / abs(place.factor)) for place in places]),
        "rate": speed.rate,
        "angle a second": speed.angle,
        "centre, x": speed.centre[0],
        "centre, y": speed.centre[1],
        "pan, x": speed.pan[0],
        "pan, y": speed.pan[1],
        "strength": np.array([plan.strength(time, strength) for time in times.tolist()]),
    }
    return {name: values for name, values in found.items() if np.ptp(values)}
