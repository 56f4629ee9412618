"""Exemplars for an atlas: pictures are ranked for all channels of some layers in one pass, and cut for the page."""

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
from dreamer.visualization import exemplars
from dreamer.visualization.exemplars import SIZE, Exemplar
from dreamer.visualization.ranker import Answer, Match

COUNT = 4
"""The number of pictures shown for each channel."""
Best = dict[tuple[str, int], list[Exemplar]]
"""The best exemplars of each (layer, channel)."""


@dataclass(frozen=True)
class Channels:
    """Ranks pictures for many channels at once.

    `wanted` has the channels' numbers for each layer. Pictures that do not excite a channel are not ranked for it.
    """

    network: Network
    wanted: Mapping[str, Sequence[int]]

    @property
    def named(self) -> list[tuple[str, int]]:
        """The (layer, channel) of each unit, in the order of the answers."""
        return [(layer, channel) for layer, channels in self.wanted.items() for channel in channels]

    @property
    def units(self) -> int:
        """The number of channels."""
        return len(self.named)

    def answer(self, image: Tensor) -> list[Match | None]:
        """For each channel, the rank of a picture (1, 3, H, W) and the receptive field of its highest activation.

        Raises UsageError for a picture that is too small.
        """
        height, width = image.shape[-2:]
        self.network.sizes(height, width, self.wanted)
        with torch.no_grad():
            features = self.network.features(image, self.wanted)
        matches: list[Match | None] = []
        for layer, channels in self.wanted.items():
            known, seen = self.network.layer(layer), features[layer][0, list(channels)].cpu().double()
            exemplars.check_finite(seen)
            values, places = seen.flatten(1).max(1)
            for value, place in zip(values.tolist(), places.tolist(), strict=True):
                y, x = divmod(place, seen.shape[2])
                field = known.place(y, x, height, width)
                matches.append(((-value,), field) if value > 0 else None)
        return matches

    def shown(self, photo: Photo) -> Tensor:
        """The photo, with a long side of at most `SIZE` pixels: (1, 3, H, W) in [0, 1]."""
        return photo.at_most(SIZE).image()

    def on(self, device: torch.device) -> Answer:
        """The method `answer` on a device, with the network prepared for speed."""
        return replace(self, network=self.network.prepared(self.wanted, device, torch.float32)).answer

    def identity(self) -> dict[str, Any]:
        """Everything that decides the ranks, to recognise notes of the same search."""
        wanted = {layer: list(channels) for layer, channels in self.wanted.items()}
        return {"network": self.network.name, "weights": self.network.weights_hash, "wanted": wanted, "size": SIZE}


@dataclass(frozen=True)
class Crop:
    """A crop that excites a channel: the picture's name, the activation, and a WebP file of the receptive field."""

    name: str
    activation: float
    picture: bytes


def cut_crops(folder: Path, best: Best, side: int, max_pixels: int = 200_000_000) -> dict[tuple[str, int], list[Crop]]:
    """Cut the receptive fields of exemplars from their pictures, each opened once, to at most `side` pixels a side."""
    by_name: dict[str, list[tuple[tuple[str, int], Exemplar]]] = {}
    for unit, chosen in best.items():
        for exemplar in chosen:
            by_name.setdefault(exemplar.name, []).append((unit, exemplar))
    cuts: dict[tuple[str, int], list[Crop]] = {unit: [] for unit in best}
    for name, uses in by_name.items():
        try:
            picture = exemplars.load_for_crops(folder, name, max_pixels)
        except DreamerError:
            continue  # deleted or changed since the search
        for unit, exemplar in uses:
            left, top, right, bottom = np.multiply(exemplar.place, (*picture.size, *picture.size))
            x, y = int(left), int(top)
            crop = picture.crop((x, y, max(x + 1, round(right)), max(y + 1, round(bottom))))
            crop.thumbnail((side, side), Image.Resampling.LANCZOS)
            file = io.BytesIO()
            crop.save(file, "WEBP", quality=78, method=4)
            cuts[unit].append(Crop(name, -exemplar.rank[0], file.getvalue()))
    return {unit: sorted(found, key=lambda one: -one.activation) for unit, found in cuts.items()}
