"""The pictures that excite each channel of some layers most: how they are ranked in one pass, and cut for a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dreamer.errors import DreamerError
from dreamer.image import Photo
from dreamer.networks.network import Network
from dreamer.visualization.exemplars import SIZE, Answer, Exemplar, Match, check_finite, seen_at, sharp

COUNT = 4
"""How many pictures are shown of each channel."""
Best = dict[tuple[str, int], list[Exemplar]]
"""By layer and channel."""


@dataclass(frozen=True)
class Channels:
    """Ranks pictures for many channels, {layer: their numbers}, at once; for those that it excites at all."""

    network: Network
    wanted: Mapping[str, Sequence[int]]

    @property
    def named(self) -> list[tuple[str, int]]:
        """The layer and the number of each, in the order of the answers."""
        return [(layer, channel) for layer, channels in self.wanted.items() for channel in channels]

    @property
    def units(self) -> int:
        """How many channels there are."""
        return len(self.named)

    def answer(self, image: Tensor) -> list[Match | None]:
        """For each channel, how a picture (1, 3, H, W) is ranked and what the place of its highest activation sees.

        Raises UsageError for a picture that is too small.
        """
        height, width = image.shape[-2:]
        self.network.sizes(height, width, self.wanted)
        with torch.no_grad():
            features = self.network.features(image, self.wanted)
        matches: list[Match | None] = []
        for layer, channels in self.wanted.items():
            known, seen = self.network.layer(layer), features[layer][0, list(channels)].cpu().double()
            check_finite(seen)
            values, places = seen.flatten(1).max(1)
            for value, place in zip(values.tolist(), places.tolist(), strict=True):
                y, x = divmod(place, seen.shape[2])
                matches.append(((-value,), seen_at(known, y, x, height, width)) if value > 0 else None)
        return matches

    def shown(self, photo: Photo) -> Tensor:
        """The photo, no larger than `SIZE`."""
        return photo.at_most(SIZE).image()

    def on(self, device: torch.device) -> Answer:
        """The same on a device, its network made fast."""
        return replace(self, network=self.network.prepared(self.wanted, device, torch.float32)).answer

    def identity(self) -> dict[str, Any]:
        """What decides the answers, to tell one search from another."""
        wanted = {layer: list(channels) for layer, channels in self.wanted.items()}
        return {"network": self.network.name, "weights": self.network.weights, "wanted": wanted, "size": SIZE}


@dataclass(frozen=True)
class Crop:
    """What excites a channel: the name of a picture, what the channel answers, and a WebP file of what it saw."""

    name: str
    activation: float
    picture: bytes


def cut(folder: Path, best: Best, side: int, max_pixels: int = 200_000_000) -> dict[tuple[str, int], list[Crop]]:
    """What each channel saw, `side` pixels wide and high at most; each picture is opened once."""
    by_name: dict[str, list[tuple[tuple[str, int], Exemplar]]] = {}
    for unit, exemplars in best.items():
        for exemplar in exemplars:
            by_name.setdefault(exemplar.name, []).append((unit, exemplar))
    cuts: dict[tuple[str, int], list[Crop]] = {unit: [] for unit in best}
    for name, uses in by_name.items():
        try:
            picture = sharp(folder, name, max_pixels)
        except DreamerError:
            continue  # it was there a moment ago
        for unit, exemplar in uses:
            left, top, right, bottom = np.multiply(exemplar.place, (*picture.size, *picture.size))
            crop = picture.crop(
                (int(left), int(top), max(int(left) + 1, round(right)), max(int(top) + 1, round(bottom)))
            )
            crop.thumbnail((side, side), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            crop.save(file, "WEBP", quality=78, method=4)
            cuts[unit].append(Crop(name, -exemplar.rank[0], file.getvalue()))
    return {unit: sorted(found, key=lambda one: -one.activation) for unit, found in cuts.items()}
