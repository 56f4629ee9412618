"""dreamer for Python programs: what the command line does, with paths or PIL images in and PIL images out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from dreamer.engine.device import Machine
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, RecipeError
from dreamer.image import Photo, eight_bits, load, pictures_in, size_at, to_pil
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.pipeline.build import Request
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.pipeline import Pipeline
from dreamer.plugins.loading import being_loaded, load_plugins
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset, find_preset
from dreamer.recipes.recipe import RecipeDict
from dreamer.recipes.registry import Registry
from dreamer.video.clip.reader import frames, probe
from dreamer.video.clip.state import MemoryStore
from dreamer.video.film.film import STABILITY, Film
from dreamer.video.zoom.frames import frames_of
from dreamer.video.zoom.scene import SIZE, SPACING, Scene, settled_looks
from dreamer.video.zoom.schedule import zoom_from
from dreamer.video.zoom.zoom import Zoom
from dreamer.visualization.direction_file import direction_of
from dreamer.visualization.facets import facets as facets_of
from dreamer.visualization.unit import Features, Unit, grey, own_term, visualization


def dream(
    photo: str | Path | Image.Image,
    *,
    preset: str | Path | Preset | None = None,
    network: str | Network | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: str | Path | Image.Image | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    **changes: Any,
) -> Image.Image:
    """Dream over a photo: a path or a PIL image in, a PIL image with its alpha and profile out.

    `network` is a name, or a Network: of `load_network`, or made by hand. `changes` are a recipe's keys, as in
    `strength=0.5` or `octaves={"steps": 20}`. PIL has no 16-bit colour: that comes out in 8 bits. `tile` is a side in
    pixels, 0 for none; by itself it follows from free memory. A network whose weights are absent is downloaded only
    with `fetch=True`. `on_step` gets a `Step` each time.

    Raises DreamerError, and Interrupted when somebody presses Ctrl-C or a notebook's stop button: its
    `picture` is the PIL image of what had been dreamt by then.
    """
    source = load(photo)
    machine = Machine(device, precision, -1 if tile is None else tile)
    pipeline = _request(preset, changes, network, weights, layer, fetch, machine, guide).build(registry())
    return _pil(_dreamt(pipeline, pipeline.sized(source), on_step).sheet())


def visualize(
    network: str | Network,
    objective: str | RecipeDict | list[RecipeDict] | Callable[[Features], Tensor] | None = None,
    *,
    layer: str | None = None,
    channel: int | str | None = None,
    neuron: Sequence[int] | None = None,
    direction: Sequence[float] | None = None,
    photo: str | Path | Image.Image | None = None,
    preset: str | Path | Preset | None = None,
    weights: str | Path | None = None,
    guide: str | Path | Image.Image | None = None,
    canvas: str | Mapping[str, Any] | None = None,
    optimiser: str | Mapping[str, Any] | None = None,
    steps: int | None = None,
    count: int = 1,
    facets: int | None = None,
    folder: str | Path | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int = 0,
    fetch: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    **changes: Any,
) -> list[Image.Image]:
    """The picture that a unit of a network wants to see, from nothing or over a photo, or `count` of them.

    `objective` is the name of a class ("lion") or of an objective ("deepdream"), an objective's words, as in
    {"name": "channel", "index": [3]}, or a list of such, or a Python function of {layer: features (B, C, h, w)} that
    gives a score to climb. Instead of it, `channel`, `neuron` (channel, row, column) or `direction` say what is meant
    at `layer`. `canvas` and `optimiser` are a name, or their words; `changes` are a recipe's keys, as in `size=320`.
    `facets` are so many pictures that differ; with a `folder` each begins with some of its pictures.

    Raises DreamerError, and Interrupted with what there was by then.
    """
    unit = Unit(
        channel,
        None if neuron is None else tuple(neuron),
        direction=None if direction is None else direction_of(direction),
    )
    own: dict[str, Any] = {
        "canvas": {"name": canvas} if isinstance(canvas, str) else canvas,
        "optimiser": {"name": optimiser} if isinstance(optimiser, str) else optimiser,
        "octaves": None if steps is None else {"steps": steps},
        "pictures": facets or count,
        "init": "grey" if folder else None,
    }
    names = registry()
    if isinstance(objective, str) and objective in names.ingredients["objectives"].names():
        objective = {"name": objective}
    if isinstance(objective, str):
        unit = replace(unit, label=objective)
    elif isinstance(objective, (Mapping, list)):
        own["objectives"] = [objective] if isinstance(objective, Mapping) else objective
    if len([part for part in (objective, channel, neuron, direction) if part is not None]) > 1:
        raise RecipeError("objective, channel, neuron and direction exclude each other: each says what is to be seen")
    if (facets and photo is not None) or (folder and not facets):
        raise RecipeError("facets begin with nothing, or with pictures of a folder; a photo or a folder alone has none")
    source = None if photo is None else load(photo)
    request = _request(preset, {}, network, weights, layer, fetch, Machine(device, precision, tile), guide)
    own = {key: words for key, words in own.items() if words is not None}
    request = replace(request, words=merged(merged(request.words, own), changes))
    name = own["canvas"].get("name") if "canvas" in own else None
    pipeline = visualization(
        request, names, unit, photo=source, canvas=name, facets=bool(facets), begun=folder is not None
    )
    side = pipeline.recipe.size
    source = pipeline.sized(load(to_pil(grey(side, side))) if source is None else source)
    if callable(objective):
        pipeline = replace(pipeline, own=own_term(objective, pipeline.network, source.height, source.width))
    if folder:
        pipeline = replace(pipeline, starts=_begun(pipeline, Path(folder)))
    dream = _dreamt(pipeline, source, on_step)
    return [_pil(replace(dream, change=change[None])) for change in dream.change]


def zoom(
    photo: str | Path | Image.Image,
    *,
    preset: str | Path | Preset | None = None,
    network: str | Network | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: str | Path | Image.Image | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[int, Step], None] = lambda number, step: None,
    **changes: Any,
) -> Iterator[Image.Image]:
    """Fall into a photo: the frames of `dreamer zoom`, one by one, as PIL images.

    `changes` are a zoom's words, as in `seconds=10, fps=30, rate=1.3, angle=5, centre=(0.3, 0.5), loop=True` or
    `keyframes=[{"time": 5, "rate": 2}]`, and a recipe's keys, as for `dream`. The long side has `size` pixels; by
    itself the photo's, at most 1280. `on_step` gets the number of the keyframe that is being dreamt, and a `Step`.

    Raises DreamerError, for what is wrong with the words at once.
    """
    source = load(photo)
    moving = {field.name for field in fields(Zoom)}
    motion = zoom_from({key: value for key, value in changes.items() if key in moving})
    recipe = {key: value for key, value in changes.items() if key not in moving}
    machine = Machine(device, precision, -1 if tile is None else tile)
    looks = {
        (look, at): _request(
            preset if look is None else look, recipe, network, weights, at or layer, fetch, machine, guide
        ).build(registry())
        for look, at in motion.looks()
    }
    side = size or min(SIZE, max(source.width, source.height))
    frame = size_at(source.height, source.width, side)
    looks = settled_looks(looks, source, frame)
    scene = Scene(
        source.image(),
        motion,
        frame,
        lambda time: looks[motion.look(time)],
        MemoryStore(),
        SPACING,
        on_step,
    )
    fall = frames_of(scene)

    def pictures() -> Iterator[Image.Image]:
        for number in range(motion.frames):
            picture = to_pil(fall.frame(number))
            fall.checkpoint(number)
            yield picture

    return pictures()


def video(
    clip: str | Path,
    *,
    stability: float = STABILITY,
    preset: str | Path | Preset | None = None,
    network: str | Network | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: str | Path | Image.Image | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    **changes: Any,
) -> Iterator[Image.Image]:
    """Dream over a clip: the frames of `dreamer video`, one by one, as PIL images, upright.

    `stability` is how much of a frame's dream the next one keeps, 0 to 1; the others are as for `dream`. Raises
    DreamerError before the first frame for a clip that cannot be read and for what is wrong with the words.
    """
    source = probe(Path(clip))
    machine = Machine(device, precision, -1 if tile is None else tile)
    pipeline = _request(preset, changes, network, weights, layer, fetch, machine, guide).build(registry())
    film = Film.of(pipeline, source.height, source.width, stability=stability, on_step=on_step)
    return (Image.fromarray(dreamt.frame) for dreamt in film.dreams(frames(source)))


def load_network(name: str, weights: str | Path | None = None, *, fetch: bool = False) -> Network:
    """The network of that name, with a file's weights (.safetensors, .pth) or its own.

    Absent weights are downloaded only with `fetch=True`. Raises NetworkError.
    """
    return load_from(registry().networks, name, Path(weights) if weights else None, fetch=fetch)


def registry() -> Registry:
    """Every name that is known here; to a plugin that asks while it is being loaded, those registered so far."""
    return being_loaded() or loaded_registry()


@cache
def loaded_registry() -> Registry:
    """The built-ins and every plugin, loaded once and kept for the rest of the process."""
    return load_plugins()[0]


def _begun(pipeline: Pipeline, folder: Path) -> Tensor:
    """What facets begin with, from a folder's pictures."""
    names = pictures_in(folder)
    with TemporaryDirectory() as kept:
        return facets_of(pipeline, folder, names, notes=Path(kept) / "notes").starts


def _dreamt(pipeline: Pipeline, photo: Photo, on_step: Callable[[Step], None]) -> Dream:
    try:
        return pipeline.dream(photo, on_step=on_step)
    except Interrupted as stop:
        raise Interrupted(_pil(stop.picture.sheet())) from None


def _request(
    preset: str | Path | Preset | None,
    changes: Mapping[str, Any],
    network: str | Network | None,
    weights: str | Path | None,
    layer: str | None,
    fetch: bool,
    machine: Machine,
    guide: str | Path | Image.Image | None,
) -> Request:
    words = find_preset(registry(), preset).words if preset is not None else {}
    return Request(
        merged(words, changes),
        network=network,
        weights=Path(weights) if weights else None,
        layer=layer,
        fetch=fetch,
        guide=load(guide) if guide is not None else None,
        machine=machine,
    )


def _pil(dream: Dream) -> Image.Image:
    pixels = dream.photo.with_change(dream.change)
    planes = eight_bits(pixels if dream.photo.alpha is None else np.dstack([pixels, dream.photo.alpha]))
    picture = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    if dream.photo.profile:
        picture.info["icc_profile"] = dream.photo.profile
    return picture
