"""A section of an atlas: one layer of a network, and what is known of each of its channels that is shown."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace

from dreamer.errors import UsageError, collect_problems
from dreamer.networks.network import Network
from dreamer.pipeline.pipeline import Pipeline
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


def made(pipeline: Pipeline) -> str:
    """What decides a layer's plates, the channels apart, as a hash."""
    words = {key: value for key, value in pipeline.to_dict().items() if key not in ("objectives", "pictures")}
    text = json.dumps([pipeline.network.name, pipeline.network.weights, pipeline.layers, words], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
