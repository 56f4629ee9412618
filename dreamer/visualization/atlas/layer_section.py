"""A section of an atlas: the channels of one layer that are shown."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from dreamer.engine.device import Machine
from dreamer.errors import UsageError, collect_problems, reported_together
from dreamer.networks.network import Network
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Notify, Pipeline
from dreamer.recipes.registry import Registry
from dreamer.visualization.atlas.channel_images import SIZE, STEPS, channel_recipe
from dreamer.visualization.atlas.exemplar_crops import Crop
from dreamer.visualization.exemplars import channel_names, channel_number

_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass
class LayerSection:
    """A layer's channels or concepts by number, with their names, images and exemplars so far.

    `images` has a WebP file for each channel, a square of `side` pixels; `recipe_hash` is a hash of everything that
    decides them: images from another page are reused where it is the same. `maps` has WebP files of where a concept is
    seen in pictures; `directions` (N, C) are the concepts, counted from 1.
    """

    layer: str
    channels: tuple[int, ...]
    names: dict[int, str] = field(default_factory=dict)
    recipe_hash: str = ""
    images: dict[int, bytes] = field(default_factory=dict)
    crops: dict[int, list[Crop]] = field(default_factory=dict)
    side: int = SIZE
    maps: dict[int, list[bytes]] = field(default_factory=dict)
    directions: Tensor | None = None

    @property
    def missing(self) -> list[int]:
        """The channels that have no image yet."""
        return [channel for channel in self.channels if channel not in self.images]

    def so_far(self) -> LayerSection:
        """The section with only the channels that have an image."""
        channels = tuple(channel for channel in self.channels if channel in self.images)
        return replace(self, channels=channels)


def select_channels(network: Network, layer: str, selection: str | None) -> LayerSection:
    """The section of a layer with all its channels, or those of a selection such as "0-31,40,eye".

    Raises UsageError that names each number, range or name that the layer does not have.
    """
    names = {number: name for name, number in channel_names(network, layer).items()}
    if selection is None:
        return LayerSection(layer, tuple(range(network.layer(layer).channels)), names)
    numbers: set[int] = set()
    with reported_together() as problems:
        for part in (part.strip() for part in selection.split(",")):
            with collect_problems(problems):
                ends = _RANGE.fullmatch(part)
                pair = ends.groups() if ends else (part, part)
                first, last = (channel_number(network, layer, end, "--channels") for end in pair)
                numbers.update(range(first, last + 1))
                if first > last:
                    raise UsageError(f"--channels {part}: the range ends before it starts; swap the numbers")
    return LayerSection(layer, tuple(sorted(numbers)), names)


def sections_of(
    network: Network,
    registry: Registry,
    layers: Sequence[str],
    channels: str | None,
    *,
    size: int = SIZE,
    steps: int = STEPS,
    seed: int = 0,
    machine: Machine,
    notify: Notify,
) -> list[tuple[LayerSection, Pipeline]]:
    """Make the sections of an atlas, each with the pipeline that draws its channel images.

    Args:
        network: The network of the atlas.
        registry: The names that a recipe may use.
        layers: The layers, one section each.
        channels: A selection of channels for `select_channels`; None for all.
        size: Side of a channel image in pixels.
        steps: Number of steps for each image.
        seed: Random seed.
        machine: Where to compute.
        notify: Called with messages for the person.

    Raises:
        UsageError: An unknown layer or channel; every problem at once.
    """
    found = []
    with reported_together() as problems:
        for name in dict.fromkeys(layers):
            with collect_problems(problems):
                layer = network.layer(name).name
                section = select_channels(network, layer, channels)
                recipe = channel_recipe(layer, size=size, steps=steps, seed=seed)
                pipeline = build(recipe, registry, network=network, machine=machine, notify=notify)
                found.append((replace(section, recipe_hash=recipe_hash(pipeline), side=size), pipeline))
    return found


def recipe_hash(pipeline: Pipeline) -> str:
    """A hash of everything that decides a layer's channel images, whichever channels they are."""
    recipe = {key: value for key, value in pipeline.to_dict().items() if key not in ("objectives", "pictures")}
    text = json.dumps([pipeline.network.name, pipeline.network.weights_hash, pipeline.layers, recipe], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
