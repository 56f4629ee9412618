"""Concepts: what occurs again and again in somebody's pictures, as directions of a layer (Collins 2018; Olah 2018).

A few positions of each picture are drawn, so that a folder may hold any number; their features are factorised without
negative numbers. Which pictures show a concept most is then searched for as exemplars are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.factors import factorised, shares_in
from dreamer.errors import DreamerError, UsageError
from dreamer.image import Photo, load, resize
from dreamer.networks.concept_file import Concepts
from dreamer.networks.network import Network
from dreamer.visualization.atlas.channel_images import webp
from dreamer.visualization.exemplars import SIZE, check_finite
from dreamer.visualization.ranker import Answer, Match

CROPS = 9
"""The number of pictures shown for each concept."""
_POSITIONS, _EACH = 40_000, 256  # most positions of all pictures together, and of one
_NUMBERS = 12_000_000  # most numbers of all positions together; several times as many are in memory at once
_MAP, _MAPS = 256, 3  # px: the long side of a heat map; how many there are for each concept
_GLOW = (1.0, 0.77, 0.24)


def identity(network: Network, layer: str, folder: Path, names: Sequence[str], count: int, seed: int) -> str:
    """A hash of all that decides what is found, but for the pictures' content."""
    words = [network.name, network.weights_hash, layer, str(folder.resolve()), list(names), count, seed]
    return hashlib.sha256(json.dumps(words).encode(errors="surrogateescape")).hexdigest()[:32]


def find_concepts(
    folder: Path,
    names: Sequence[str],
    network: Network,
    layer: str,
    *,
    count: int,
    seed: int = 0,
    device: torch.device,
    max_pixels: int = 200_000_000,
    on_picture: Callable[[int], None] = lambda done: None,
) -> tuple[Concepts, dict[str, str]]:
    """Find the concepts of pictures.

    Args:
        folder: Where the pictures are.
        names: Their names, relative to the folder.
        network: The network.
        layer: Where it is looked at; of its features what is below 0 counts as 0.
        count: How many concepts.
        seed: Of the draws.
        device: Where the network computes.
        max_pixels: Larger pictures are skipped.
        on_picture: Called with the number of pictures that are done.

    Returns:
        The concepts, the most frequent first, and why pictures were skipped, by name.

    Raises:
        UsageError: Too little can be seen in the pictures.
    """
    prepared = network.prepared([layer], device, torch.float32)
    most = min(_POSITIONS, _NUMBERS // network.layer(layer).channels)
    used = names[:: -(-len(names) // most)]
    each = min(_EACH, max(1, most // len(used)))
    found: list[Tensor] = []
    skipped: dict[str, str] = {}
    for number, name in enumerate(used):
        try:
            seen = _features(prepared, layer, load(folder / name, max_pixels=max_pixels), device)
            random = torch.Generator().manual_seed(seed + number)
            found.append(seen.flatten(1).T[torch.randperm(seen[0].numel(), generator=random)[:each]].clone())
        except DreamerError as error:
            skipped[name] = str(error)
        on_picture(number + 1)
    values = torch.cat(found) if found else torch.empty(0, 1)
    if len(values) < count or not values.any():
        few = f"{len(names) - len(skipped)} of its {len(names)} pictures can be used" if skipped else "nothing fires"
        raise UsageError(f"{folder}: too little is seen to find {count} concepts in it at {layer}: {few}")
    scale = values.square().mean(0).sqrt()
    scale = scale.clamp(min=1e-3 * float(scale.max()))
    shares, factors = factorised(values / scale, count)
    factors = factors[shares.sum(0).argsort(descending=True, stable=True)]
    # Of what all have in common there is as much everywhere; what is climbed is what one has before the others.
    directions = F.normalize((factors - factors.mean(0)) / scale, dim=1) if count > 1 else factors / scale
    return Concepts(network.name, network.weights_hash, layer, directions, factors, scale), skipped


def _features(network: Network, layer: str, photo: Photo, device: torch.device) -> Tensor:
    """A layer's features of a photo, (C, h, w), at least 0; raises DreamerError for a photo that it cannot see."""
    image = photo.at_most(SIZE).image().to(device)
    network.sizes(image.shape[-2], image.shape[-1], [layer])
    with torch.no_grad():
        seen = network.features(image, [layer])[layer][0].float().cpu()
    check_finite(seen)
    return seen.clamp(min=0)


def _shares(concepts: Concepts, seen: Tensor) -> Tensor:
    """The share of each concept at each place, (N, h, w), of features (C, h, w)."""
    values = seen.flatten(1).T / concepts.scale
    return shares_in(values, concepts.factors).T.reshape(len(concepts), *seen.shape[1:])


@dataclass(frozen=True)
class ConceptRanker:
    """Ranks pictures for all concepts at once: by the place where there is most of one."""

    network: Network
    concepts: Concepts

    @property
    def units(self) -> int:
        """The number of concepts."""
        return len(self.concepts)

    def answer(self, image: Tensor) -> list[Match | None]:
        """For each concept, the rank of a picture (1, 3, H, W) and the receptive field of its best place."""
        layer, (height, width) = self.concepts.layer, image.shape[-2:]
        self.network.sizes(height, width, [layer])
        with torch.no_grad():
            seen = self.network.features(image, [layer])[layer][0].float().cpu()
        check_finite(seen)
        shares, known = _shares(self.concepts, seen.clamp(min=0)), self.network.layer(layer)
        values, places = shares.flatten(1).max(1)
        matches: list[Match | None] = []
        for value, place in zip(values.tolist(), places.tolist(), strict=True):
            y, x = divmod(place, shares.shape[2])
            matches.append(((-value,), known.place(y, x, height, width)) if value > 0 else None)
        return matches

    def shown(self, photo: Photo) -> Tensor:
        """The photo, with a long side of at most `SIZE` pixels: (1, 3, H, W) in [0, 1]."""
        return photo.at_most(SIZE).image()

    def on(self, device: torch.device) -> Answer:
        """The method `answer` on a device, with the network prepared for speed."""
        network = self.network.prepared([self.concepts.layer], device, torch.float32)
        return replace(self, network=network).answer

    def identity(self) -> dict[str, Any]:
        """Everything that decides the ranks, to recognise notes of the same search."""
        numbers = hashlib.sha256(self.concepts.to_bytes()).hexdigest()
        return {"network": self.network.name, "weights": self.network.weights_hash, "concepts": numbers, "size": SIZE}


def heat_maps(
    folder: Path,
    shown: Sequence[Sequence[str]],
    network: Network,
    concepts: Concepts,
    *,
    device: torch.device,
    max_pixels: int = 200_000_000,
) -> list[list[bytes]]:
    """For each concept WebP files of pictures that are bright where it is seen; each picture is opened once.

    Args:
        folder: Where the pictures are.
        shown: For each concept names of pictures, of which the first three count.
        network: The network.
        concepts: The concepts.
        device: Where the network computes.
        max_pixels: Larger pictures are left out.
    """
    prepared = network.prepared([concepts.layer], device, torch.float32)
    wanted: dict[str, list[int]] = {}
    for number, names in enumerate(shown):
        for name in names[:_MAPS]:
            wanted.setdefault(name, []).append(number)
    maps: dict[tuple[int, str], bytes] = {}
    for name, numbers in wanted.items():
        try:
            photo = load(folder / name, max_pixels=max_pixels)
            shares = _shares(concepts, _features(prepared, concepts.layer, photo, device))
        except DreamerError:
            continue  # deleted or changed since the search
        image = photo.at_most(_MAP).image()
        for number in numbers:
            heat = shares[number] / shares[number].max().clamp(min=1e-9)
            maps[number, name] = webp(_glowing(image, heat[None, None]))
    return [[maps[k, name] for name in names[:_MAPS] if (k, name) in maps] for k, names in enumerate(shown)]


def _glowing(image: Tensor, heat: Tensor) -> Tensor:
    """An image (1, 3, H, W) that is dark where a map (1, 1, h, w) in [0, 1] is 0."""
    heat = resize(heat, (image.shape[-2], image.shape[-1])).clamp(0, 1)
    glow = image.new_tensor(_GLOW)[:, None, None]
    return (image * (0.18 + 0.82 * heat)).lerp(glow, 0.25 * heat.square()).clamp(0, 1)
