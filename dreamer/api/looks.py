"""Walks over a photo from look to look, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import WalkChanges, WalkSettings
from dreamer.api.frames import frames_given
from dreamer.api.regions import OneRegion
from dreamer.api.request import build_beside, guide_and_network, machine_of, request
from dreamer.api.values import AnyNetwork, Device, Precision, Result, Returns, plain
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import UsageError, collect_problems, quoted, reported_together
from dreamer.image import Picture, load
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.pipeline import Pipeline
from dreamer.recipes.arguments import check
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.walk import MOST_LOOKS
from dreamer.videos.walk.walk import FPS, SECONDS, STABILITY, Walk, frame_count, settled
from dreamer.videos.zoom.scene import SIZE
from dreamer.videos.zoom.schedule import RATES, frame_rate

AnyLook = str | Path | Preset | Mapping[str, Any]
"""A preset's name, a TOML file, a picture or clip made by dreamer, a Preset, or a recipe's words."""


@overload
def walk(
    looks: Sequence[AnyLook], photo: Picture, *, returns: Literal["pil"] = "pil", **settings: Unpack[WalkSettings]
) -> Iterator[Image.Image]: ...
@overload
def walk(
    looks: Sequence[AnyLook], photo: Picture, *, returns: Literal["tensor"], **settings: Unpack[WalkSettings]
) -> Iterator[Tensor]: ...
@overload
def walk(
    looks: Sequence[AnyLook], photo: Picture, *, returns: Literal["array"], **settings: Unpack[WalkSettings]
) -> Iterator[NDArray[Any]]: ...
@plain_modes()
def walk(
    looks: Sequence[AnyLook],
    photo: Picture,
    *,
    seconds: float = SECONDS,
    fps: float | str | Fraction = FPS,
    loop: bool = False,
    stability: float = STABILITY,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    regions: Sequence[OneRegion] | None = None,
    size: int | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    max_pixels: int = MAX_PIXELS,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    **changes: Unpack[WalkChanges],
) -> Iterator[Result]:
    """Walk over a photo from look to look, frame by frame, as `dreamer walk` does.

    Args:
        looks: At least two presets, TOML files, pictures or clips made by dreamer, or recipes as dicts.
        photo: As for `dream`.
        seconds: Length of the walk.
        fps: Frames per second.
        loop: Whether it comes back to the first look, so that the end meets the start.
        stability: How much of a frame's dream the next one keeps, from 0 to 1.
        regions: As for `dream`; they hold for all looks.
        size: Long side of the frames in pixels; by default the photo's, at most 1280.
        **changes: A recipe's keys, which change all looks alike. All others are as for `dream`.

    Returns:
        An iterator of the frames, as `returns` says, arrays in 8 bits; each is made when it is asked for.

    Raises:
        DreamerError: At once, with every mistake.
        Interrupted: As for `dream`, while a frame is made; its `picture` is what is being dreamt.
    """
    with reported_together() as problems:
        with collect_problems(problems):
            check(returns=returns, on_step=on_step, max_pixels=max_pixels, size=size, stability=stability)
        with collect_problems(problems):
            check(seconds=seconds, loop=loop)
        with collect_problems(problems):
            rate = rate_of(fps)
        with collect_problems(problems):
            check(looks=looks)
            if not 2 <= len(looks) <= MOST_LOOKS:
                problems.append(f"looks: a walk has 2 to {MOST_LOOKS}, and there are {len(looks)}")
    machine, built = machine_of(device, precision, tile), list[Pipeline]()
    names = [str(look) if isinstance(look, (str, Path)) else f"looks[{k}]" for k, look in enumerate(looks)]
    with reported_together() as problems:
        with collect_problems(problems):
            source = load(photo, max_pixels=max_pixels)
        _, looked_at = guide_and_network(None, network, max_pixels, problems)
        for number, look in enumerate(looks):
            with collect_problems(problems):
                if not isinstance(look, (str, Path, Preset, Mapping)):
                    what = f"expected a preset, a file or a dict, not {quoted(look)}"
                    raise UsageError(f"looks[{number}]: {what}")
                preset, own = (None, merged(plain(look), changes)) if isinstance(look, Mapping) else (look, changes)
                asked, known = request(
                    preset, own, looked_at, weights, None, fetch, machine, None, steps, max_pixels, regions
                )
                built.append(build_beside(asked, known, problems))
    image = source.resized(size or min(SIZE, max(source.width, source.height))).image()
    ready = settled(built, image, names=names)
    made = Walk(image, ready, frame_count(seconds, rate), loop, stability, on_step or (lambda step: None))

    def pictures() -> Iterator[Tensor]:
        for dreamt in made.dreams(MemoryStore()):
            yield torch.from_numpy(dreamt.frame).permute(2, 0, 1)[None] / 255

    return frames_given(pictures(), returns)


def rate_of(fps: float | str | Fraction) -> Fraction:
    """Frames per second as a fraction; raises UsageError."""
    try:
        rate = frame_rate(fps)
    except (ValueError, ZeroDivisionError, OverflowError):
        rate = Fraction(0)
    if not RATES[0] <= rate <= RATES[1]:
        raise UsageError(f"fps: {quoted(fps)} is not a frame rate from 0.1 to 240, as in 30 or 23.976")
    return rate
