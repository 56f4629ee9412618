"""Dreams over photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack, overload

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import Changes, DreamSettings
from dreamer.api.notebook import watched
from dreamer.api.regions import OneRegion
from dreamer.api.request import photo_and_pipeline
from dreamer.api.values import AnyNetwork, Device, Precision, Result, Returns, Snapshots, given, plain
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, RecipeError, UsageError, quoted
from dreamer.image import Photo, Picture
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import reduced
from dreamer.recipes.arguments import check, is_number
from dreamer.recipes.preset import Preset

Given = TypeVar("Given")


@overload
def dream(
    photo: Picture, *, keep: None = None, returns: Literal["pil"] = "pil", **settings: Unpack[DreamSettings]
) -> Image.Image: ...
@overload
def dream(
    photo: Picture, *, keep: None = None, returns: Literal["tensor"], **settings: Unpack[DreamSettings]
) -> Tensor: ...
@overload
def dream(
    photo: Picture, *, keep: None = None, returns: Literal["array"], **settings: Unpack[DreamSettings]
) -> NDArray[Any]: ...
@overload
def dream(
    photo: Picture, *, keep: Sequence[int], returns: Literal["pil"] = "pil", **settings: Unpack[DreamSettings]
) -> dict[int, Image.Image]: ...
@overload
def dream(
    photo: Picture, *, keep: Sequence[int], returns: Literal["tensor"], **settings: Unpack[DreamSettings]
) -> dict[int, Tensor]: ...
@overload
def dream(
    photo: Picture, *, keep: Sequence[int], returns: Literal["array"], **settings: Unpack[DreamSettings]
) -> dict[int, NDArray[Any]]: ...
@plain_modes()
def dream(
    photo: Picture,
    *,
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
    keep: Sequence[int] | None = None,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    **changes: Unpack[Changes],
) -> Result | dict[int, Any]:
    """Dream over a photo.

    Args:
        photo: A path, a PIL image, an array, a tensor, bytes or an open file; of any mode and size.
        preset: A name of `dreamer presets list`, a TOML file, a picture made by dreamer, or a Preset.
        network: A name of `dreamer networks list`, a Network, a torch module that takes ImageNet's preprocessing, or
            several of them by names; by default the preset's, else reverie.
        weights: A file with the named network's weights, .safetensors or .pth.
        layer: Where all objectives look, whatever the preset says.
        guide: A picture whose features are to grow.
        regions: Parts of the picture with looks of their own, (mask, look) each, the later above the earlier ones;
            outside of them nothing grows. A mask is a picture (white dreams, black does not) or words, as in "top",
            "left:30%", "centre", "ellipse:0.5,0.4,0.3,0.5", "colour:#88aadd" or "not:top"; a look is a preset's name,
            whose objectives grow there, "keep" for nothing, or {"objectives": [...], "strength": 0.5}.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`, or torch's.
        precision: Of the network: `auto`, `float32` or `bfloat16`, or torch's.
        tile: Side of the tiles in pixels, 0 for none; by default it follows from free memory.
        fetch: Whether absent weights of the named network may be downloaded.
        steps: Number of steps in each octave.
        max_pixels: The largest picture that is read and dreamt over.
        keep: Steps, counted from 1 over all octaves, after which the picture is returned as well. (What stays of the
            photo is `spare`, the command line's --keep.)
        returns: "pil" for an image with the photo's alpha and profile, in 8 bits; "tensor" for (3, H, W), float32 in
            [0, 1]; "array" for (H, W, C) in the photo's own depth, uint8 or uint16, which floats become.
        on_step: Called with a `Step` after each step; its `picture()` is the picture so far. By itself a bar shows
            the progress in a notebook, and nothing elsewhere.
        **changes: A recipe's keys, as in `strength=0.5` or `octaves={"scale": 1.3}`. Where a list of ingredients is
            wanted, names and functions may stand in it, too; a recipe with functions cannot be repeated elsewhere.

    Returns:
        The dream; with `keep`, {step: the picture after it}, which ends with the dream.

    Raises:
        DreamerError: The photo cannot be read, or the recipe has mistakes, all of which are named.
        Interrupted: Ctrl-C, or a notebook's stop button; its `picture` is the unfinished dream.
    """
    check(returns=returns, on_step=on_step, max_pixels=max_pixels)
    named = (network, weights, layer, guide, regions, device, precision, tile, fetch, steps, max_pixels)
    source, pipeline = photo_and_pipeline(photo, preset, changes, *named)
    sized, whole = pipeline.sized(source), (source.height, source.width)
    with reduced(pipeline, (sized.height, sized.width), whole):
        return dreamt(pipeline, sized, on_step, lambda dream: given(dream.sheet(), returns), keep)


def dreamt(
    pipeline: Pipeline,
    photo: Photo,
    on_step: Callable[[Step], None] | None,
    given: Callable[[Dream], Given],
    snapshots: Sequence[int] | None,
    on_dream: Callable[[Dream], None] = lambda dream: None,
) -> Given | dict[int, Given]:
    """Dream over a photo and return what `given` makes of the dream; with `snapshots`, {step: picture} of these steps.

    `on_dream` is called with the finished dream.

    Interrupted carries the same of the unfinished dream. Raises UsageError for a step that does not exist.
    """
    plan = pipeline.plan(photo.height, photo.width)
    count = sum(octave.steps for octave in plan.octaves)
    steps = _snapshot_steps(snapshots, count)
    taken: Snapshots[Given] = Snapshots()
    done = 0

    def finished(dream: Dream) -> Given | Snapshots[Given]:
        picture = given(dream)
        return picture if snapshots is None else Snapshots({**taken, done: picture})

    try:
        with watched(on_step) as watching:

            def counted(step: Step) -> None:
                nonlocal done
                done = min(done + 1, count)  # after these a panorama's poles have steps of their own
                watching(step)

            def take(number: int, dream: Dream) -> None:
                taken[number] = given(dream)

            dream = pipeline.dream(photo, plan=plan, on_step=counted, snapshots=steps, on_snapshot=take)
            on_dream(dream)
            return finished(dream)
    except Interrupted as stop:
        raise Interrupted(finished(stop.picture)) from None


def _snapshot_steps(snapshots: Sequence[int] | None, count: int) -> set[int]:
    """The steps before the last one whose pictures are asked for; raises UsageError for none of the `count` steps."""
    steps: Any = None
    with suppress(RecipeError):
        steps = [] if snapshots is None else plain(snapshots)
    if not isinstance(steps, list) or not all(type(step) is int and 1 <= step <= count for step in steps):
        share: Any = snapshots
        spare = f"; what stays of the photo is spare={share}" if is_number(share) and 0 <= share <= 1 else ""
        wanted = f"numbers of steps from 1 to {count}, as in (1, {count})"
        raise UsageError(f"keep: expected {wanted}, not {quoted(snapshots)}{spare}")
    return {*steps} - {count}
