"""The pictures of a folder that excite each channel of some layers most, found in one pass over them.

As `dreamer.exemplars` does for one unit: one picture is in memory at a time, and only the best are remembered.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dreamer.errors import DreamerError
from dreamer.exemplars import Exemplar, seen_at
from dreamer.image import load, to_pil
from dreamer.network import Network

_SIDE = 320  # px: the long side of a picture when it is looked at
_SHARP = 1600  # px: of one that a crop is cut from

Best = dict[tuple[str, int], list[Exemplar]]  # by layer and channel


@dataclass(frozen=True)
class Crop:
    """What excites a channel: the name of a picture, what the channel answers, and a WebP file of what it saw."""

    name: str
    activation: float
    picture: bytes


def survey(
    folder: Path,
    names: Sequence[str],
    network: Network,
    wanted: Mapping[str, Sequence[int]],
    best: Best,
    *,
    count: int = 4,
    device: torch.device,
    max_pixels: int = 200_000_000,
    on_picture: Callable[[int, str], None] = lambda number, name: None,
) -> dict[str, str]:
    """Look at every picture of these names; `best` is filled with the `count` best of each wanted {layer: channels}.

    It holds what there is by then when somebody stops it. Returns which could not be looked at, and why.
    """
    prepared = network.prepared(wanted, device, torch.float32)
    skipped = {}
    for number, name in enumerate(names, 1):
        try:
            photo = load(folder / name, max_pixels=max_pixels)
            photo = photo.at_most(_SIDE)
            height, width = photo.height, photo.width
            network.sizes(height, width, wanted)
            with torch.no_grad():
                features = prepared.features(photo.image().to(device), wanted)
        except DreamerError as error:
            skipped[name] = str(error)
            continue
        for layer, channels in wanted.items():
            known = network.layer(layer)
            seen = features[layer][0, list(channels)].cpu().double()
            values, places = seen.flatten(1).max(1)
            for channel, value, place in zip(channels, values.tolist(), places.tolist(), strict=True):
                found = best.setdefault((layer, channel), [])
                if not value > 0 or (len(found) == count and -value >= found[-1].rank[0]):
                    continue
                y, x = divmod(place, seen.shape[2])
                found.append(Exemplar((-value,), name, seen_at(known, y, x, height, width)))
                found.sort()
                del found[count:]
        on_picture(number, name)
    return skipped


def cut(folder: Path, best: Best, side: int, max_pixels: int = 200_000_000) -> dict[tuple[str, int], list[Crop]]:
    """What each channel saw, `side` pixels wide and high at most; each picture is opened once."""
    by_name: dict[str, list[tuple[tuple[str, int], Exemplar]]] = {}
    for unit, exemplars in best.items():
        for exemplar in exemplars:
            by_name.setdefault(exemplar.name, []).append((unit, exemplar))
    cuts: dict[tuple[str, int], list[Crop]] = {unit: [] for unit in best}
    for name, uses in by_name.items():
        try:
            photo = load(folder / name, max_pixels=max_pixels)
        except DreamerError:
            continue  # it was there a moment ago
        photo = photo.at_most(_SHARP)
        picture = to_pil(photo.image().clamp(0, 1))
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
