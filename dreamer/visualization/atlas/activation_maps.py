"""Where the channels of a layer fire on a photo, small enough for a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dreamer.image import Photo, to_pil
from dreamer.networks.network import Network

SIDE = 512  # px: the long side of the photo that the network looks at
_SHOWN = 1024  # px: of the one on the page
_FINEST = 96  # cells: finer maps are averaged
STRONGEST = 5


@dataclass(frozen=True)
class ActivationMaps:
    """The activations of a layer's channels on a photo, (C, h, w): each channel from 0 to 255 between its own ends.

    `low` and `high` are those ends, (C,). `strongest` holds, for each place, the five channels that answer most, as
    places in this list, strongest first, (5, h, w), and `values` what they answer: these are exact.
    """

    maps: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    strongest: NDArray[np.uint16]
    values: NDArray[np.float32]

    @classmethod
    def measured(cls, seen: NDArray[np.float32]) -> ActivationMaps:
        """Of activations (C, h, w)."""
        low, high = seen.min((1, 2)), seen.max((1, 2))
        span = np.where(high > low, high - low, 1)[:, None, None]
        maps = np.rint((seen - low[:, None, None]) / span * 255).astype(np.uint8)
        strongest = np.argsort(-seen, axis=0, kind="stable")[:STRONGEST]
        values = np.take_along_axis(seen, strongest, 0)
        return cls(maps, low, high, strongest.astype(np.uint16), values)


@dataclass(frozen=True)
class Activations:
    """A photo for the page: its name, size in pixels, and a JPEG file of it; and what the layers answered to it."""

    name: str
    width: int
    height: int
    picture: bytes
    features: dict[str, NDArray[np.float32]]

    def heat(self, layer: str, channels: Sequence[int]) -> ActivationMaps:
        """Of some of a layer's channels."""
        return ActivationMaps.measured(self.features[layer][list(channels)])


def look(photo: Photo, name: str, network: Network, layers: Sequence[str], device: torch.device) -> Activations:
    """A photo looked at. Raises NetworkError when it is too small."""
    small = photo.at_most(SIDE)
    network.sizes(small.height, small.width, layers)
    prepared = network.prepared(layers, device, torch.float32)
    with torch.no_grad():
        features = prepared.features(small.image().to(device), layers)
    maps = {layer: _coarse(seen)[0].cpu().numpy() for layer, seen in features.items()}
    shown = photo.at_most(_SHOWN)
    file = io.BytesIO()
    to_pil(shown.image().clamp(0, 1)).save(file, "JPEG", quality=84)
    return Activations(name, shown.width, shown.height, file.getvalue(), maps)


def _coarse(seen: Tensor) -> Tensor:
    """A map (B, C, h, w) of at most so many cells a side: finer ones are averaged."""
    height, width = seen.shape[-2:]
    share = _FINEST / max(height, width)
    return (
        seen
        if share >= 1
        else F.adaptive_avg_pool2d(seen, (max(1, round(height * share)), max(1, round(width * share))))
    )
