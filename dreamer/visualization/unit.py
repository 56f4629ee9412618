"""Feature visualization: recipes for pictures that excite a unit (Erhan 2009; Olah, Mordvintsev, Schubert 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dreamer.errors import RecipeError, UsageError, argument, did_you_mean, either, many, quoted
from dreamer.image import Photo
from dreamer.ingredients.objectives.choice import label_rows
from dreamer.networks.network import Network
from dreamer.pipeline.build import Request
from dreamer.pipeline.pipeline import Pipeline
from dreamer.recipes.overrides import merged, with_changes
from dreamer.recipes.parsing import whole_number
from dreamer.recipes.recipe import DEFAULTS
from dreamer.recipes.registry import Registry
from dreamer.visualization.exemplars import channel_number

_ASCENT: dict[str, Any] = {
    "colour": 0.0,
    "redirect": 16,
    "transforms": [{"name": "standard"}],
    "gradient_filters": [{"name": "normalise"}],
    "canvas": {"name": "fourier"},
    "optimiser": {"name": "adam"},
}
FROM_NOTHING: Mapping[str, Any] = {
    **_ASCENT,
    "init": "canvas",
    "size": 224,
    "octaves": {"smallest": 40, "scale": 1.7, "steps": 32},
}
"""The default recipe of a visualization, as a dict.

Its first octave is small, so that the unit sees the whole picture: this gives one large thing, not many small ones.
"""
OVER_A_PHOTO: Mapping[str, Any] = {**_ASCENT, "size": 512, "octaves": {"steps": 32}}
"""The default recipe of a visualization over a photo."""
DIVERSITY = {"name": "diversity", "relative": True, "weight": 0.5}
"""The objective that keeps facets apart."""
_WITH_OCTAVES = ("fourier", "laplacian", "pixels")  # other canvases cannot represent an enlarged picture
_ONE_OCTAVE = {"octaves": {"count": 1, "steps": 256}}
_LOOKS: tuple[dict[str, Any], ...] = (
    {"name": "jitter", "pixels": 16, "border": "mirror"},
    {"name": "scale", "amount": 0.3, "about": 0.85},
    {"name": "rotate"},
    {"name": "noise", "sigma": 0.08},
)
_SUITED: Mapping[str, Mapping[str, Any]] = {
    "cppn": {"transforms": []},  # a CPPN is smooth by itself, and does worse with random transforms
    "stack": {
        "octaves": {"count": 1, "steps": 100},
        "transforms": _LOOKS,
        "optimiser": {"name": "sgd", "rate": 0.01, "momentum": 0.0},
    },
    "accent": {
        "octaves": {"count": 1, "steps": 48},
        "optimiser": {"name": "adam", "rate": 0.1},
    },
}
"""Recipe defaults by canvas, where they differ from a visualization's."""
_SUITED_OVER: Mapping[str, Mapping[str, Any]] = {
    "stack": {
        "octaves": {"count": 1, "steps": 60},
        "optimiser": {"name": "sgd", "rate": 0.003, "momentum": 0.0},
    },
    "accent": {"priors": [{"name": "l2_to_photo", "weight": 1.0}]},
}
"""Further recipe defaults by canvas, for a unit over a photo."""

_CUTOUT = "stack"  # the canvas of cut-outs by itself: its forms are whole, and end in clear edges
_MAX_SUGGESTIONS = 6  # names in an error


@dataclass(frozen=True)
class Unit:
    """The unit to visualize: at most one of a channel, a neuron, a class and a direction; without any, the whole layer.

    A channel is a number or a name; a neuron is (channel, row, column) of the layer's map, or (channel,) for the
    middle; a class (`label`) is a name or a number; a direction has a number for each channel.
    """

    channel: int | str | None = None
    neuron: tuple[int, ...] | None = None
    label: str | None = None
    direction: tuple[float, ...] | None = None

    @property
    def named(self) -> bool:
        """Whether a unit is given."""
        return self != Unit()

    def objectives(self, network: Network, layer: str | None, size: tuple[int, int]) -> list[dict[str, Any]]:
        """The unit as a recipe's objectives.

        Args:
            network: The network.
            layer: The unit's layer; by default the network's, and for a class the one that knows it.
            size: (height, width) of the picture.

        Raises:
            UsageError: The network has no such channel, place or class.
        """
        at = {"layer": layer or network.default_layer}
        if self.neuron is not None:
            if len(self.neuron) not in (1, 3):
                raise UsageError(f"neuron: expected a channel, or a channel, a row and a column, not {self.neuron}")
            index, *place = self.neuron
            channel_number(network, at["layer"], str(index), "neuron")
            return [{"name": "neuron", **at, "index": [index], **_shares(network, at["layer"], place, size)}]
        if self.direction is not None:
            count = network.layer(at["layer"]).channels
            if len(self.direction) != count:
                has = f"it has {len(self.direction)} numbers"
                raise UsageError(f"direction: {has}, and layer {at['layer']} of {network.name} has {count} channels")
            return [{"name": "direction", **at, "vector": list(self.direction)}]
        if self.channel is not None:
            text = str(self.channel)
            channel_number(network, at["layer"], text, "channel")
            return [{"name": "channel", **at, **channel_words(text), "normalise": False, "square": False}]
        assert self.label is not None
        if layer is None and network.figures:
            at["layer"] = next(iter(network.figures))
        if at["layer"] in network.heads:
            known = label_rows(network, at["layer"])
            if self.label not in known:
                raise RecipeError(
                    f"{network.name} has no class {quoted(self.label)}{_nearest(self.label, network, known)}"
                )
            return [{"name": "motif", **at, "names": [self.label], "texture": 0.0}]
        last = layer or logits(network)
        return [{"name": "logit", "layer": last, **_class(network, self.label)}]


def channel_words(text: str) -> dict[str, list[Any]]:
    """Options of an objective for a channel given by its number or its name."""
    number = whole_number(text)
    return {"names": [text]} if number is None else {"index": [number]}


def _shares(network: Network, layer: str, place: list[int], size: tuple[int, int]) -> dict[str, float]:
    """A (row, column) of the layer's map in shares of the picture's height and width."""
    if not place:
        return {}
    height, width = network.sizes(*size, [layer])[layer]
    row, column = place
    if row >= height or column >= width:
        raise UsageError(
            f"neuron: row {row}, column {column} is outside the map of {layer}; for this picture it has "
            f"rows 0 to {height - 1}, columns 0 to {width - 1}"
        )
    return {"y": (row + 0.5) / height, "x": (column + 0.5) / width}


def _class(network: Network, name: str) -> dict[str, list[Any]]:
    """Options for a class given by its name, in any case, or its number; raises RecipeError with the nearest names."""
    wanted, labels = name.strip().lower(), [label.lower() for label in network.labels]
    if wanted in labels:
        number = labels.index(wanted)
        named = labels.count(wanted) == 1 and wanted != str(number)
        return {"names": [network.labels[number]]} if named else {"index": [number]}
    index = whole_number(name)
    if index is not None and index < len(labels):
        return {"index": [index]}
    raise RecipeError(f"{network.name} has no class {quoted(name)}{_nearest(name, network, network.labels)}")


def _nearest(name: str, network: Network, labels: Iterable[str]) -> str:
    """The end of an error about an unknown class: classes that contain the name, else the most similar ones."""
    if network.fit and network.fit.classes:
        return f"; its weights file names no classes; give a number from 0 to {network.fit.classes - 1}"
    within = [label for label in labels if name.strip().lower() in label.lower()][:_MAX_SUGGESTIONS]
    if within:
        return f"; there are {', '.join(within)}"
    where = either("network.labels", f"dreamer networks show {network.name}")
    return did_you_mean(name, labels) or f"; `{where}` lists them"


def _objectives_of(network: Network, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objectives of a recipe's dict; by default the network's own."""
    found: list[dict[str, Any]] = merged(merged(DEFAULTS, network.defaults), words)["objectives"]
    return found


def _with_diversity(objectives: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The objectives, with one for diversity within a batch added where it is missing."""
    words = [dict(item) for item in objectives]
    return words if any(item.get("name") == "diversity" for item in words) else [*words, dict(DIVERSITY)]


def _default_recipe(canvas: str | None, *, over_a_photo: bool, facets: bool = False) -> Mapping[str, Any]:
    """The default recipe of a visualization on a canvas, over a photo or not, of one picture or of several facets."""
    words = OVER_A_PHOTO if over_a_photo else FROM_NOTHING
    if canvas not in (None, *_WITH_OCTAVES) and not over_a_photo:
        words = {**words, **_ONE_OCTAVE}
    words = {**words, "balance": False} if facets else words
    if canvas is not None:
        over = _SUITED_OVER.get(canvas, {}) if over_a_photo else {}
        words = {**words, **_SUITED.get(canvas, {}), **over, "canvas": {"name": canvas}}
    return words


def visualization(
    request: Request,
    registry: Registry,
    unit: Unit,
    *,
    photo: Photo | None = None,
    canvas: str | None = None,
    facets: bool = False,
    own_starts: bool = False,
) -> Pipeline:
    """Build the pipeline that visualizes a unit.

    Args:
        request: All other settings; its recipe overrides a visualization's defaults.
        registry: The names that the recipe may use.
        unit: The unit to visualize; without one, the recipe's objectives are used.
        photo: The photo to dream over; grey where it is None.
        canvas: Name of the requested canvas; by default `fourier`, of cut-outs `stack`.
        facets: Whether several pictures should differ from each other.
        own_starts: Whether each of these starts from pictures of its own, so that no diversity term is needed.

    Raises:
        UsageError: Every problem at once.
    """

    def aim(network: Network, words: Mapping[str, Any]) -> list[dict[str, Any]]:
        size = picture_size(photo, words)
        found = unit.objectives(network, request.layer, size) if unit.named else _objectives_of(network, words)
        return _with_diversity(found) if facets and not own_starts else found

    if canvas is None and with_changes(request.words, request.changes)[0].get("cutout") is True:
        canvas = _CUTOUT
    words = merged(_default_recipe(canvas, over_a_photo=photo is not None, facets=facets), request.words)
    pipeline = replace(request, words=words).build(registry, aim if unit.named or facets else None)
    if photo is None:
        side = pipeline.recipe.size
        if not side:
            raise RecipeError("size: a picture from nothing has no size of its own to keep; give a number of pixels")
        pipeline.plan(side, side)  # refuses one for which there is no room
    return pipeline


def picture_size(photo: Photo | None, words: Mapping[str, Any]) -> tuple[int, int]:
    """The (height, width) of the picture that a recipe's dict describes; wrong sizes are reported when it is read."""
    side = words.get("size")
    side = side if isinstance(side, int) and side > 0 else int(FROM_NOTHING["size"])
    if photo is None:
        return side, side
    share = min(1.0, side / max(photo.height, photo.width))
    return round(photo.height * share), round(photo.width * share)


def grey(height: int, width: int) -> Tensor:
    """The base of a visualization without a photo: middle grey, (1, 3, H, W)."""
    return torch.full((1, 3, height, width), 128 / 255)


def logits(network: Network) -> str:
    """The layer whose channels are the scores of the classes; raises RecipeError without one.

    It is the first of the last layers that have as many channels as there are labels: what follows it, as SqueezeNet's
    ReLU, could only hide part of the scores.
    """
    found = None
    for layer in reversed(network.layers()):
        if not network.labels or layer.channels != len(network.labels):
            break
        found = layer.name
    if found is None:
        why = ", as its weights file has none" if network.fit and network.fit.classes == 0 else ""
        if network.labels:
            why = f": it has {many(len(network.labels), 'label')}, and its last layer {network.layers()[-1].channels}"
        instead = f"{argument('channel')} or {argument('neuron')}"
        raise RecipeError(f"{network.name} has no layer of classes{why}; use {instead} instead")
    return found
