"""Zooms into photos, and dreams over clips, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import Changes, VideoSettings, ZoomChanges, ZoomSettings
from dreamer.api.names import registry
from dreamer.api.regions import OneRegion
from dreamer.api.request import build_beside, guide_and_network, machine_of, request
from dreamer.api.values import AnyNetwork, Device, Precision, Result, Returns, frame_given, plain
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, collect_problems, reported_together
from dreamer.image import Picture, load, size_at
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.depths import depth_of
from dreamer.pipeline.pipeline import Pipeline
from dreamer.recipes.arguments import check
from dreamer.recipes.drives import FILM_DANCE, FILM_TARGETS, ZOOM_DANCE, Drive, drives_from
from dreamer.recipes.preset import Preset
from dreamer.videos.clip.reader import frames, probe
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.film.film import STABILITY, Film
from dreamer.videos.film.looks import sections_by
from dreamer.videos.sound.driven import check_dance, driven_by
from dreamer.videos.sound.song import heard_in
from dreamer.videos.zoom.depth.relief import relief_of
from dreamer.videos.zoom.following import FOLLOW, followed
from dreamer.videos.zoom.frames import frames_of, pictures
from dreamer.videos.zoom.scene import SIZE, SPACING, Look, Scene, settled_looks
from dreamer.videos.zoom.schedule import zoom_from
from dreamer.videos.zoom.zoom import Zoom


@overload
def zoom(
    photo: Picture, *, returns: Literal["pil"] = "pil", **settings: Unpack[ZoomSettings]
) -> Iterator[Image.Image]: ...
@overload
def zoom(photo: Picture, *, returns: Literal["tensor"], **settings: Unpack[ZoomSettings]) -> Iterator[Tensor]: ...
@overload
def zoom(photo: Picture, *, returns: Literal["array"], **settings: Unpack[ZoomSettings]) -> Iterator[NDArray[Any]]: ...
@plain_modes()
def zoom(
    photo: Picture,
    *,
    preset: str | Path | Preset | None = None,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    regions: Sequence[OneRegion] | None = None,
    size: int | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    max_pixels: int = MAX_PIXELS,
    returns: Returns = "pil",
    on_step: Callable[[int, Step], None] | None = None,
    audio: str | Path | None = None,
    dance: bool = False,
    depth: Picture | None = None,
    **changes: Unpack[ZoomChanges],
) -> Iterator[Result]:
    """Fall into a photo: the frames of `dreamer zoom`, one by one.

    Args:
        photo: As for `dream`.
        regions: As for `dream`; they are parts of the photo, and move with it.
        size: Long side of the frames in pixels; by default the photo's, at most 1280.
        on_step: Called with the number of the keyframe that is being dreamt, and a `Step`.
        audio: A file with the music that drives the zoom.
        dance: Move with it, as `--dance` does.
        depth: How near each part of the photo is, so that the camera can move in depth: a picture as for `dream`, in
            which bright is near; "photo" for what a phone put into the photo; or the name of a plugin's depth. "not:"
            before a path or a name turns it round.
        **changes: A zoom's options, as in `seconds=10, fps=30, rate=1.3, angle=5, centre=(0.3, 0.5), loop=True`,
            `keyframes=[{"time": 5, "rate": 2}]`, `drives=[{"of": "bass", "to": "rate", "from": 1.1, "upto": 1.9}]` or
            `centre="follow"`, and a recipe's keys. All others are as for `dream`.

    Returns:
        An iterator of the frames, as `returns` says, arrays in 8 bits; each is made when it is asked for.

    Raises:
        DreamerError: At once, with every mistake.
        Interrupted: As for `dream`, while a frame is made; its `picture` is what is being dreamt.
    """
    check(returns=returns, on_step_=on_step, max_pixels=max_pixels, size=size, audio=audio, dance=dance)
    machine = machine_of(device, precision, tile)
    moving = {field.name for field in fields(Zoom)}
    words = {key: plain(value) for key, value in changes.items() if key in moving}
    follows = words.get("centre") == FOLLOW and bool(words.pop("centre"))
    if dance:
        words.setdefault("drives", [drive.words() for drive in ZOOM_DANCE])
    recipe = {key: value for key, value in changes.items() if key not in moving}
    needed, looks = list[Look]([(None, None)]), dict[Look, Pipeline]()
    with reported_together() as problems:
        guided, looked_at = guide_and_network(guide, network, max_pixels, problems)
        with collect_problems(problems):
            source = load(photo, max_pixels=max_pixels)
        with collect_problems(problems):
            song = heard_in(Path(audio)) if audio else None
            if dance:
                check_dance(song)
            motion = zoom_from(words, song)
            motion = motion.in_depth(depth is not None)
            needed = motion.looks()
        for look, at in needed:
            with collect_problems(problems):
                own = preset if look is None else look
                asked, names = request(
                    own, recipe, looked_at, weights, at or layer, fetch, machine, guided, steps, max_pixels, regions
                )
                asked = replace(asked, beside=(*asked.beside, *moving))
                looks[look, at] = build_beside(asked, names, problems)
    side = size or min(SIZE, max(source.width, source.height))
    frame = size_at(source.height, source.width, side)
    told = on_step or (lambda number, step: None)
    looks = settled_looks(looks, source, frame)
    if follows:
        motion = followed(source, still := motion, lambda t: looks[still.look(t)], frame)
    relief = None
    if depth is not None:
        found = depth_of(depth, source, photo, registry(), max_pixels)
        relief = relief_of(motion, found.nearness, (source.height, source.width))
    scene = Scene(source.image(), motion, frame, lambda t: looks[motion.look(t)], MemoryStore(), SPACING, told, relief)
    return frames_given(pictures(frames_of(scene), range(motion.frames)), returns)


@overload
def video(
    clip: str | Path, *, returns: Literal["pil"] = "pil", **settings: Unpack[VideoSettings]
) -> Iterator[Image.Image]: ...
@overload
def video(clip: str | Path, *, returns: Literal["tensor"], **settings: Unpack[VideoSettings]) -> Iterator[Tensor]: ...
@overload
def video(
    clip: str | Path, *, returns: Literal["array"], **settings: Unpack[VideoSettings]
) -> Iterator[NDArray[Any]]: ...
@plain_modes()
def video(
    clip: str | Path,
    *,
    stability: float = STABILITY,
    preset: str | Path | Preset | None = None,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    regions: Sequence[OneRegion] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    max_pixels: int = MAX_PIXELS,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    audio: str | Path | None = None,
    dance: bool = False,
    drives: Sequence[Mapping[str, Any]] = (),
    every: int = 1,
    start: float | None = None,
    end: float | None = None,
    **changes: Unpack[Changes],
) -> Iterator[Result]:
    """Dream over a clip: the frames of `dreamer video`, one by one.

    Args:
        clip: A file that `dreamer video` can read.
        stability: How much of a frame's dream the next one keeps, from 0 to 1.
        regions: As for `dream`. A mask that is a picture belongs to the first frame and rides on the motion, from there
            and again from each cut; a folder has a mask for each frame; a colour is found in every frame.
        audio: A file with the music that drives the dream, if not the clip itself.
        dance: Let the dream move with the music, as `--dance` does.
        drives: What the music moves, as in `[{"of": "bass", "to": "strength", "from": 0.2, "upto": 1}]`.
        every: One frame in so many is dreamt over, and the dream is moved along in between.
        start: Begin there, in seconds from the clip's first frame; by default with that.
        end: End there, likewise; by default with the last frame.
        **changes: A recipe's keys. All others are as for `dream`.

    Returns:
        An iterator of the frames, upright, as `returns` says, arrays in 8 bits; each is made when it is asked for.

    Raises:
        DreamerError: Before the first frame, for a clip that cannot be read and with every mistake of the recipe.
        Interrupted: As for `dream`, while a frame is made; its `picture` is what is being dreamt.
    """
    check(returns=returns, on_step=on_step, max_pixels=max_pixels, stability=stability, clip=clip)
    check(audio=audio, dance=dance, every=every, start=start, end=end)
    part = {"start": _exactly(start), "end": _exactly(end)}
    machine = machine_of(device, precision, tile)
    moves, looks = tuple[Drive, ...](), dict[str | None, Pipeline]()
    with reported_together() as problems:
        guided, looked_at = guide_and_network(guide, network, max_pixels, problems)
        with collect_problems(problems):
            moves = drives_from(plain(drives), FILM_TARGETS) or (FILM_DANCE if dance else ())
        with collect_problems(problems):
            source = probe(Path(clip), max_pixels=max_pixels, **part)
            song = heard_in(Path(audio or clip)) if moves and (audio or source.has_audio) else None
            if dance:
                check_dance(song)
        for look in (None, *(name for drive in moves for name in drive.presets)):
            with collect_problems(problems):
                own = preset if look is None else look
                asked, names = request(
                    own, changes, looked_at, weights, layer, fetch, machine, guided, steps, max_pixels, regions
                )
                looks[look] = build_beside(asked, names, problems)
    begin = 0.0 if audio else float(source.begin)
    film = Film.of(
        looks[None],
        source.height,
        source.width,
        stability=stability,
        on_step=on_step or (lambda step: None),
        every=every,
        drives=driven_by(moves, song, begin),
        sections=sections_by(moves, song, begin, {name: look for name, look in looks.items() if name}),
    )
    if film.regions:
        film.regions.check(source.frames)
    made = (torch.from_numpy(dreamt.frame).permute(2, 0, 1)[None] / 255 for dreamt in film.dreams(frames(source)))
    return frames_given(made, returns)


def _exactly(seconds: float | None) -> Fraction | None:
    """Seconds as they are written, so that 0.1 is a tenth and no later than the frame there."""
    return None if seconds is None else Fraction(str(seconds))


def frames_given(made: Iterator[Tensor], returns: Returns) -> Iterator[Result]:
    """The frames as `returns` says; what is being dreamt when Ctrl-C is pressed becomes one as well."""
    while True:
        try:
            with plain_modes():
                frame = next(made, None)
        except Interrupted as stop:
            raise Interrupted(frame_given(stop.picture, returns)) from None
        if frame is None:
            return
        yield frame_given(frame, returns)
