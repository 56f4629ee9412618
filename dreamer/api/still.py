"""Dreams over photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack, overload

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import Changes, DreamSettings
from dreamer.api.notebook import watched
from dreamer.api.request import photo_of, request
from dreamer.api.values import AnyNetwork, Result, Returns, check_returns, given, network_of
from dreamer.engine.device import Machine
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import Interrupted
from dreamer.image import Photo, Picture, load
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline
from dreamer.recipes.preset import Preset

Given = TypeVar("Given")


@overload
def dream(photo: Picture, *, returns: Literal["pil"] = "pil", **settings: Unpack[DreamSettings]) -> Image.Image: ...
@overload
def dream(photo: Picture, *, returns: Literal["tensor"], **settings: Unpack[DreamSettings]) -> Tensor: ...
@overload
def dream(photo: Picture, *, returns: Literal["array"], **settings: Unpack[DreamSettings]) -> NDArray[Any]: ...
@plain_modes()
def dream(
    photo: Picture,
    *,
    preset: str | Path | Preset | None = None,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    **changes: Unpack[Changes],
) -> Result:
    """Dream over a photo.

    Args:
        photo: A path, a PIL image, an array, a tensor, bytes or an open file; of any mode and size.
        preset: A name of `dreamer presets list`, a TOML file, or a Preset.
        network: A name of `dreamer networks list`, a Network, a torch module that takes ImageNet's preprocessing, or
            several of them by names; by itself the preset's, else reverie.
        weights: A file with the named network's weights, .safetensors or .pth.
        layer: Where all objectives look, whatever the preset says.
        guide: A picture whose features are to grow.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: Of the network: `auto`, `float32` or `bfloat16`.
        tile: Side of the tiles in pixels, 0 for none; by itself it follows from free memory.
        fetch: Whether absent weights of the named network may be downloaded.
        steps: Number of steps in each octave.
        returns: "pil" for an image with the photo's alpha and profile, in 8 bits; "tensor" for (3, H, W), float32 in
            [0, 1]; "array" for (H, W, C) in the photo's own depth.
        on_step: Called with a `Step` after each step; its `picture()` is the picture so far. By itself a bar shows
            the progress in a notebook, and nothing elsewhere.
        **changes: A recipe's keys, as in `strength=0.5` or `octaves={"scale": 1.3}`. Where a list of ingredients is
            wanted, names and functions may stand in it, too; a recipe with functions cannot be repeated elsewhere.

    Returns:
        The dream.

    Raises:
        DreamerError: The photo cannot be read, or the recipe has mistakes, all of which are named.
        Interrupted: Ctrl-C, or a notebook's stop button; its `picture` is the unfinished dream.
    """
    check_returns(returns)
    source, followed = load(photo), photo_of(guide)
    machine = Machine(device, precision, -1 if tile is None else tile)
    asked, names = request(preset, changes, network_of(network), weights, layer, fetch, machine, followed, steps)
    pipeline = asked.build(names)
    return dreamt(pipeline, pipeline.sized(source), on_step, lambda dream: given(dream.sheet(), returns))


def dreamt(
    pipeline: Pipeline, photo: Photo, on_step: Callable[[Step], None] | None, given: Callable[[Dream], Given]
) -> Given:
    """What is given of a dream over a photo; of an unfinished one, Interrupted carries it."""
    try:
        with watched(on_step) as watching:
            return given(pipeline.dream(photo, on_step=watching))
    except Interrupted as stop:
        raise Interrupted(given(stop.picture)) from None
