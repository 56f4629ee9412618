"""Visualizations of a network's units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Unpack, overload

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dreamer.api.changes import UnitChanges, UnitSettings
from dreamer.api.names import registry
from dreamer.api.request import machine_of, photo_of, request, warned
from dreamer.api.still import dreamt
from dreamer.api.values import AnyNetwork, Device, Pictures, Precision, Returns, given, network_of, numbers_of, plain
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import RecipeError, collect_problems, quoted, reported_together
from dreamer.files.suffixes import pictures_in
from dreamer.image import Picture, load, to_pil
from dreamer.networks.network import Network
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.dream import Dream
from dreamer.recipes.arguments import check
from dreamer.recipes.parsing import whole_number
from dreamer.recipes.preset import Preset
from dreamer.recipes.recipe import RecipeDict
from dreamer.visualization.custom_objective import Features, custom_objective
from dreamer.visualization.direction_file import direction_of
from dreamer.visualization.facets import facets as facets_of
from dreamer.visualization.silence import silence
from dreamer.visualization.unit import Unit, grey, visualization

_MOST = 1 << 31  # of channels, rows and columns
Objective = str | RecipeDict | list[RecipeDict] | Callable[[Features], Tensor] | None


@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: None = None,
    returns: Literal["pil"] = "pil",
    **settings: Unpack[UnitSettings],
) -> list[Image.Image]: ...
@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: None = None,
    returns: Literal["tensor"],
    **settings: Unpack[UnitSettings],
) -> list[Tensor]: ...
@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: None = None,
    returns: Literal["array"],
    **settings: Unpack[UnitSettings],
) -> list[NDArray[Any]]: ...
@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: Sequence[int],
    returns: Literal["pil"] = "pil",
    **settings: Unpack[UnitSettings],
) -> dict[int, list[Image.Image]]: ...
@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: Sequence[int],
    returns: Literal["tensor"],
    **settings: Unpack[UnitSettings],
) -> dict[int, list[Tensor]]: ...
@overload
def visualize(
    network: AnyNetwork,
    objective: Objective = ...,
    *,
    keep: Sequence[int],
    returns: Literal["array"],
    **settings: Unpack[UnitSettings],
) -> dict[int, list[NDArray[Any]]]: ...
@plain_modes()
def visualize(
    network: AnyNetwork,
    objective: Objective = None,
    *,
    layer: str | None = None,
    channel: int | str | None = None,
    neuron: int | Sequence[int] | None = None,
    direction: Sequence[float] | NDArray[Any] | Tensor | None = None,
    photo: Picture | None = None,
    preset: str | Path | Preset | None = None,
    weights: str | Path | None = None,
    guide: Picture | None = None,
    canvas: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    optimiser: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    steps: int | None = None,
    count: int = 1,
    facets: int | None = None,
    folder: str | Path | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int = 0,
    fetch: bool = False,
    max_pixels: int = MAX_PIXELS,
    keep: Sequence[int] | None = None,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    **changes: Unpack[UnitChanges],
) -> list[Image.Image] | list[Tensor] | list[NDArray[Any]] | dict[int, list[Any]]:
    """Show what a unit of a network wants to see, from nothing or over a photo.

    Args:
        network: A torch module that takes ImageNet's preprocessing, a Network (see `Network.wrap`), a name of
            `dreamer networks list`, or several of them by names: {"a": net, "b": other} has layers a.layer3, b.layer3.
        objective: The name of a layer, before one of the next three, or with a channel's number ("layer3:12"); of a
            class ("lion"); or of an objective ("deepdream"). An objective as a recipe has it, {"name": "channel",
            "index": [3]}, or a list of such. Or a function of {layer: features (B, C, h, w)} that gives a score, larger
            for what is wanted.
        layer: Where the unit is; by default the network's default layer, or that of its classes.
        channel: A channel's number or name.
        neuron: A channel, in the middle, or (channel, row, column) of the layer's map.
        direction: A number for each of the layer's channels, (C,).
        photo: What to dream over instead of grey.
        canvas: How the picture is parameterized: a name, a function, or as a recipe has it; likewise `optimiser`.
        steps: Of the optimiser, in each octave.
        count: How many pictures to make at once.
        facets: How many pictures to make that differ; with a `folder` each begins with some of its pictures.
        tile: As for `dream`, but none by itself.
        **changes: A recipe's keys, as in `size=320`; with `cutout=True` what the unit does not need is transparent. All
            others are as for `dream`.

    Returns:
        `count` or `facets` pictures, each of the photo's size, or square; cut-outs have alpha as a fourth channel. With
        `keep`, {step: the pictures after it}, which ends with the finished ones.

    Warns:
        UserWarning: The unit does not fire, so that the pictures are chance.

    Raises:
        DreamerError: The unit does not exist, or the recipe has mistakes, all of which are named.
        Interrupted: As for `dream`; its `picture` is a list of the unfinished pictures.
    """
    check(returns=returns, on_step=on_step, layer=layer, max_pixels=max_pixels)
    check(count=count, facets=facets, folder=folder)
    if len([part for part in (channel, neuron, direction) if part is not None]) > 1:
        raise RecipeError("channel, neuron, direction: give one of them, not several")
    if facets and count != 1:
        raise RecipeError("count, facets: each is the number of pictures; leave one of them out")
    if (facets and photo is not None) or (folder and not facets):
        raise RecipeError("facets start from noise or a folder: give no photo with them, and no folder without")
    looked_at = network_of(network)
    unit, layer, objectives = _aimed(looked_at, objective, layer, _unit(channel, neuron, direction))
    own: dict[str, Any] = {
        "canvas": canvas,
        "optimiser": optimiser,
        "objectives": objectives,
        "pictures": facets or count,
        "init": "grey" if folder else None,
    }
    source = followed = None
    with reported_together() as problems:
        with collect_problems(problems):
            source = photo_of(photo, max_pixels)
        with collect_problems(problems):
            followed = photo_of(guide, max_pixels)
    given_words = {**{key: words for key, words in own.items() if words is not None}, **changes}
    machine = machine_of(device, precision, tile)
    asked, names = request(preset, given_words, looked_at, weights, layer, fetch, machine, followed, steps, max_pixels)
    pipeline = visualization(
        asked,
        names,
        unit,
        photo=source,
        canvas=_name_in(asked.words["canvas"]) if canvas is not None else None,
        facets=bool(facets),
        own_starts=folder is not None,
    )
    side = pipeline.recipe.size
    source = pipeline.sized(load(to_pil(grey(side, side))) if source is None else source)
    if callable(objective):
        size, pictures = (source.height, source.width), pipeline.recipe.pictures
        pipeline = replace(pipeline, own=custom_objective(objective, pipeline.network, *size, pictures))
    if folder:
        with TemporaryDirectory() as kept:
            begun = facets_of(pipeline, Path(folder), pictures_in(Path(folder)), notes=Path(kept) / "notes")
        pipeline = replace(pipeline, starts=begun.starts)

    def told(dream: Dream) -> None:
        if sentence := "" if callable(objective) else silence(pipeline, dream):
            warned(sentence)

    def shown(dream: Dream) -> Pictures:
        return Pictures(given(one, returns) for one in dream.singly())

    return dreamt(pipeline, source, on_step, shown, keep, told)


def _name_in(words: object) -> str | None:
    """The name in an ingredient's words; what else is wrong with them is found when they are read."""
    return words.get("name") if isinstance(words, Mapping) else None


def _nearly_a_layer(name: str, network: Network) -> bool:
    """Whether a name must be a misspelt layer's: there are no classes for it to be one of."""
    return not network.labels and bool(get_close_matches(name, network.anatomy.layers, 1, 0.75))


def _unit(channel: int | str | None, neuron: Any, direction: Any) -> Unit:
    """The unit that is named by one of the three."""
    place = None if neuron is None else plain(neuron)
    place = (place,) if isinstance(place, int) else place
    if place is not None and not (isinstance(place, (list, tuple)) and all(type(part) is int for part in place)):
        raise RecipeError(f"neuron: expected a channel, or a channel, a row and a column, not {quoted(neuron)}")
    if any(not 0 <= part < _MOST for part in place or ()):
        raise RecipeError(f"neuron: channels, rows and columns are counted from 0, not {quoted(neuron)}")
    values = None if direction is None else numbers_of("direction", direction)
    channel = plain(channel)
    if not (channel is None or isinstance(channel, str) or type(channel) is int):
        raise RecipeError(f"channel: expected its number or its name, not {quoted(channel)}")
    if isinstance(channel, int) and not 0 <= channel < _MOST:
        raise RecipeError(f"channel: channels are counted from 0, not {quoted(channel)}")
    vector = None if values is None else direction_of(values)
    return Unit(channel, None if place is None else tuple(place), direction=vector)


def _aimed(
    network: str | Network | None, objective: Any, layer: str | None, unit: Unit
) -> tuple[Unit, str | None, list[Any] | None]:
    """The unit, its layer and the objectives, which the first argument may name in several ways."""
    if objective is None:
        return unit, layer, None
    if isinstance(objective, nn.Module) or not (callable(objective) or isinstance(objective, (str, Mapping, list))):
        raise RecipeError(f"objective: expected a name, a dict, a list or a function, not {quoted(objective)}")
    if isinstance(objective, str):
        own = network if isinstance(network, Network) else None
        known = registry().ingredients["objectives"].names()
        if unit.named:  # what is no layer either, as a misspelt one, is told where the layer is looked up
            names_layer = own is None or own.has(objective) or objective not in (*known, *own.labels)
        else:
            names_layer = own is not None and objective in own.anatomy.layers
        if layer is None and names_layer:
            return unit, objective, None
        if not unit.named:
            place, _, number = objective.rpartition(":")
            if layer is None and place and number.isdecimal() and not (own and objective in own.labels):
                return replace(unit, channel=whole_number(number)), place, None
            if objective in known:
                return unit, layer, [{"name": objective}]
            if layer is None and own and _nearly_a_layer(objective, own):
                return unit, objective, None
            return replace(unit, label=objective), layer, None
    if unit.named:
        raise RecipeError("objective, channel, neuron, direction: give one of them, not several")
    if callable(objective):
        check(objective=objective)
        if layer is not None:
            raise RecipeError("layer: a function reads its layers itself, as in f['layer3']; leave it out")
        return unit, None, None
    return unit, layer, [objective] if isinstance(objective, Mapping) else objective
