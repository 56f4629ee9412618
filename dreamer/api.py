"""dreamer for Python programs: what the command line does, with paths or PIL images in and PIL images out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from torch import Tensor

from dreamer.engine.device import Machine
from dreamer.engine.step import Step
from dreamer.errors import Interrupted, RecipeError
from dreamer.image import Photo, Picture, load, pictures_in, size_at, to_pil
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
from dreamer.visualization.unit import Features, Unit, custom_objective, grey, visualization


def dream(
    photo: Picture,
    *,
    preset: str | Path | Preset | None = None,
    network: str | Network | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    **changes: Any,
) -> Image.Image:
    """Dream over a photo.

    Args:
        photo: A path, a PIL image, an array (H, W, 3), a tensor (3, H, W), bytes, or an open file; see `image.load`.
        preset: A name of `dreamer presets list`, a TOML file, or a Preset.
        network: A name of `dreamer networks list`, or a Network; by itself the preset's, else reverie.
        weights: A file with the named network's weights, .safetensors or .pth.
        layer: Where all objectives look, whatever the preset says.
        guide: A picture whose features are to grow.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: Of the network: `auto`, `float32` or `bfloat16`.
        tile: Side of the tiles in pixels, 0 for none; by itself it follows from free memory.
        fetch: Whether absent weights of the named network may be downloaded.
        on_step: Called with a `Step` after each step.
        **changes: A recipe's keys, as in `strength=0.5` or `octaves={"steps": 20}`.

    Returns:
        The dream, with the photo's alpha and profile; in 8 bits, since PIL has no 16-bit colour.

    Raises:
        DreamerError: The photo cannot be read, or the recipe has mistakes, all of which are named.
        Interrupted: Ctrl-C, or a notebook's stop button; its `picture` is the unfinished dream, a PIL image.
    """
    source = load(photo)
    machine = Machine(device, precision, -1 if tile is None else tile)
    pipeline = _request(preset, changes, network, weights, layer, fetch, machine, guide).build(registry())
    return _dreamt(pipeline, pipeline.sized(source), on_step).sheet().to_pil()


def visualize(
    network: str | Network,
    objective: str | RecipeDict | list[RecipeDict] | Callable[[Features], Tensor] | None = None,
    *,
    layer: str | None = None,
    channel: int | str | None = None,
    neuron: Sequence[int] | None = None,
    direction: Sequence[float] | None = None,
    photo: Picture | None = None,
    preset: str | Path | Preset | None = None,
    weights: str | Path | None = None,
    guide: Picture | None = None,
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
    """Show what a unit of a network wants to see, from nothing or over a photo.

    Args:
        network: A name of `dreamer networks list`, or a Network.
        objective: The name of a class ("lion") or of an objective ("deepdream"); an objective as a recipe has it,
            {"name": "channel", "index": [3]}, or a list of such; or a function of {layer: features (B, C, h, w)} that
            gives a score, larger for what is wanted. Without it, one of the next three.
        layer: Where the unit is; by itself the network's default layer, or that of its classes.
        channel: A channel's number or name.
        neuron: (channel,) in the middle, or (channel, row, column) of the layer's map.
        direction: A number for each of the layer's channels.
        photo: What to dream over instead of grey.
        canvas: How the picture is parameterized, by name or as a recipe has it; likewise `optimiser`.
        steps: Of the optimiser, in each octave.
        count: How many pictures to make at once.
        facets: How many pictures to make that differ; with a `folder` each begins with some of its pictures.
        tile: As for `dream`, but none by itself.
        **changes: A recipe's keys, as in `size=320`. All others are as for `dream`.

    Returns:
        `count` or `facets` pictures, each of the photo's size, or square.

    Raises:
        DreamerError: The unit does not exist, or the recipe has mistakes, all of which are named.
        Interrupted: As for `dream`; its `picture` is a sheet of the unfinished pictures.
    """
    place = None if neuron is None else tuple(neuron)
    unit = Unit(channel, place, direction=None if direction is None else direction_of(direction))
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
        raise RecipeError("objective, channel, neuron, direction: give one of them, not several")
    if (facets and photo is not None) or (folder and not facets):
        raise RecipeError("facets start from noise or a folder: give no photo with them, and no folder without")
    source = None if photo is None else load(photo)
    request = _request(preset, {}, network, weights, layer, fetch, Machine(device, precision, tile), guide)
    own = {key: words for key, words in own.items() if words is not None}
    request = replace(request, words=merged(merged(request.words, own), changes))
    name = own["canvas"].get("name") if "canvas" in own else None
    pipeline = visualization(
        request, names, unit, photo=source, canvas=name, facets=bool(facets), own_starts=folder is not None
    )
    side = pipeline.recipe.size
    source = pipeline.sized(load(to_pil(grey(side, side))) if source is None else source)
    if callable(objective):
        pipeline = replace(pipeline, own=custom_objective(objective, pipeline.network, source.height, source.width))
    if folder:
        with TemporaryDirectory() as kept:
            pictures = pictures_in(Path(folder))
            begun = facets_of(pipeline, Path(folder), pictures, notes=Path(kept) / "notes")
        pipeline = replace(pipeline, starts=begun.starts)
    dream = _dreamt(pipeline, source, on_step)
    return [replace(dream, change=change[None]).to_pil() for change in dream.change]


def zoom(
    photo: Picture,
    *,
    preset: str | Path | Preset | None = None,
    network: str | Network | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[int, Step], None] = lambda number, step: None,
    **changes: Any,
) -> Iterator[Image.Image]:
    """Fall into a photo: the frames of `dreamer zoom`, one by one.

    Args:
        photo: As for `dream`.
        size: Long side of the frames in pixels; by itself the photo's, at most 1280.
        on_step: Called with the number of the keyframe that is being dreamt, and a `Step`.
        **changes: A zoom's options, as in `seconds=10, fps=30, rate=1.3, angle=5, centre=(0.3, 0.5), loop=True` or
            `keyframes=[{"time": 5, "rate": 2}]`, and a recipe's keys. All others are as for `dream`.

    Returns:
        An iterator of the frames, as PIL images; each is made when it is asked for.

    Raises:
        DreamerError: At once, with every mistake.
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
    scene = Scene(source.image(), motion, frame, lambda t: looks[motion.look(t)], MemoryStore(), SPACING, on_step)
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
    guide: Picture | None = None,
    device: str = "auto",
    precision: str = "auto",
    tile: int | None = None,
    fetch: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    **changes: Any,
) -> Iterator[Image.Image]:
    """Dream over a clip: the frames of `dreamer video`, one by one.

    Args:
        clip: A file that `dreamer video` can read.
        stability: How much of a frame's dream the next one keeps, from 0 to 1. All others are as for `dream`.

    Returns:
        An iterator of the frames, upright, as PIL images; each is made when it is asked for.

    Raises:
        DreamerError: Before the first frame, for a clip that cannot be read and with every mistake of the recipe.
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


def _dreamt(pipeline: Pipeline, photo: Photo, on_step: Callable[[Step], None]) -> Dream:
    try:
        return pipeline.dream(photo, on_step=on_step)
    except Interrupted as stop:
        raise Interrupted(stop.picture.sheet().to_pil()) from None


def _request(
    preset: str | Path | Preset | None,
    changes: Mapping[str, Any],
    network: str | Network | None,
    weights: str | Path | None,
    layer: str | None,
    fetch: bool,
    machine: Machine,
    guide: Picture | None,
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
