"""A section of an atlas: one layer of a network, and what is known of each of its channels that is shown."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dreamer.engine.device import Machine
from dreamer.errors import UsageError, collect_problems
from dreamer.networks.network import Network
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline, Say
from dreamer.recipes.registry import Registry
from dreamer.visualization.atlas.channel_images import SIZE, STEPS, words
from dreamer.visualization.atlas.exemplar_crops import Crop
from dreamer.visualization.exemplars import channel_names, channel_number

_RANGE = re.compile(r"(\d+)-(\d+)")


@dataclass
class LayerSection:
    """A layer's channels by number, their names, and what is known of them by now.

    `plates` are each channel's picture, a WebP file; `made` is what decides them, as a hash: plates of another page are
    taken over where it is the same.
    """

    layer: str
    channels: tuple[int, ...]
    names: dict[int, str] = field(default_factory=dict)
    made: str = ""
    plates: dict[int, bytes] = field(default_factory=dict)
    crops: dict[int, list[Crop]] = field(default_factory=dict)

    @property
    def left(self) -> list[int]:
        """The channels that have no plate yet."""
        return [channel for channel in self.channels if channel not in self.plates]

    def so_far(self) -> LayerSection:
        """The same with those channels alone that have a plate."""
        channels = tuple(channel for channel in self.channels if channel in self.plates)
        return replace(self, channels=channels)


def chosen(network: Network, layer: str, wish: str | None) -> LayerSection:
    """The section of a layer: all its channels, or those of a wish, numbers, ranges and names, as in 0-31,40,eye.

    Raises UsageError for each that the layer has not.
    """
    names = {number: name for name, number in channel_names(network, layer).items()}
    if wish is None:
        return LayerSection(layer, tuple(range(network.layer(layer).channels)), names)
    numbers: set[int] = set()
    problems: list[str] = []
    for part in (part.strip() for part in wish.split(",")):
        ends = _RANGE.fullmatch(part)
        with collect_problems(problems):
            first, last = (
                channel_number(network, layer, end, "--channels") for end in (ends.groups() if ends else (part, part))
            )
            numbers.update(range(first, last + 1))
            if first > last:
                raise UsageError(f"--channels {part}: the second number is the smaller one")
    if problems:
        raise UsageError(*problems)
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
    say: Say,
) -> list[tuple[LayerSection, Pipeline]]:
    """The sections of an atlas, each with the pipeline that makes its channels' pictures.

    Args:
        network: The network whose atlas it is.
        registry: Every name that a recipe may use.
        layers: A section each.
        channels: Which channels, as `chosen` understands them; None for all.
        size: Side of a channel's picture, in pixels.
        steps: Of each picture's ascent.
        seed: Another one gives other pictures.
        machine: Where to compute.
        say: Told a sentence for a person.

    Raises:
        UsageError: An unknown layer or channel; every problem at once.
    """
    found = []
    problems: list[str] = []
    for layer in dict.fromkeys(layers):
        with collect_problems(problems):
            section = chosen(network, layer, channels)
            recipe = words(layer, size=size, steps=steps, seed=seed)
            pipeline = build(recipe, registry, network=network, machine=machine, say=say)
            found.append((replace(section, made=made(pipeline)), pipeline))
    if problems:
        raise UsageError(*problems)
    return found


def made(pipeline: Pipeline) -> str:
    """What decides a layer's plates, the channels apart, as a hash."""
    words = {key: value for key, value in pipeline.to_dict().items() if key not in ("objectives", "pictures")}
    text = json.dumps([pipeline.network.name, pipeline.network.weights, pipeline.layers, words], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
