"""Maps of the places at which a layer's channels are active on a photo, small enough for a page."""

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

SIDE = 512  # px: the long side at which the network sees the photo
_SHOWN = 1024  # px: the long side of the photo on the page
_MAX_CELLS = 96  # cells a side: finer maps are averaged
STRONGEST = 5


@dataclass(frozen=True)
class ActivationMaps:
    """The activations of a layer's channels on a photo, (C, h, w), each channel scaled from 0 to 255.

    `low` and `high` (C,) are the activations that 0 and 255 stand for. `strongest` (5, h, w) holds, for each position,
    the indices of the five most active channels, strongest first, and `values` (5, h, w) their exact activations.
    """

    maps: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    strongest: NDArray[np.uint16]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, seen: NDArray[np.float32]) -> ActivationMaps:
        """The maps of activations (C, h, w)."""
        low, high = seen.min((1, 2)), seen.max((1, 2))
        span = np.where(high > low, high - low, 1)[:, None, None]
        maps = np.rint((seen - low[:, None, None]) / span * 255).astype(np.uint8)
        strongest = np.argsort(-seen, axis=0, kind="stable")[:STRONGEST]
        values = np.take_along_axis(seen, strongest, 0)
        return cls(maps, low, high, strongest.astype(np.uint16), values)


@dataclass(frozen=True)
class Activations:
    """A photo for the page (name, size in pixels, JPEG file), and the features (C, h, w) of each layer on it."""

    name: str
    width: int
    height: int
    picture: bytes
    features: dict[str, NDArray[np.float32]]

    def maps(self, layer: str, channels: Sequence[int]) -> ActivationMaps:
        """The activation maps of some of a layer's channels."""
        return ActivationMaps.of(self.features[layer][list(channels)])


def activations_on(
    photo: Photo, name: str, network: Network, layers: Sequence[str], device: torch.device
) -> Activations:
    """Measure the activations of layers on a photo. Raises NetworkError when it is too small."""
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
    """A map (B, C, h, w), averaged down to at most `_MAX_CELLS` cells a side."""
    height, width = seen.shape[-2:]
    share = _MAX_CELLS / max(height, width)
    size = (max(1, round(height * share)), max(1, round(width * share)))
    return seen if share >= 1 else F.adaptive_avg_pool2d(seen, size)
