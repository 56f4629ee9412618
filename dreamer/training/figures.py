"""Figures: matched filters (templates) of whole motifs at a layer.

A head's direction describes any one position of a motif, for which texture is often enough; a figure also describes
which part of the motif is where. It is the layer's features of a drawing of the motif minus the mean over the motifs.
There are several of each motif, of different drawings and sizes, so that no two that grow are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.composite import World
from dreamer.motifs.portrait import portraits
from dreamer.networks.reverie import FIGURE_CELLS, FIGURE_RANK
from dreamer.training.stream import SIZE

_SIDE = 8 * FIGURE_CELLS  # px: side of a drawing, so that the layer's map of it has a figure's size
# Half a drawing's side in units of the motif's plane, whose unit disc an object fills: two figures of a motif fill
# theirs, the others are smaller.
_HALVES = (1.05, 1.05, 1.25, 1.5)
_DRAWN = 24  # drawings for each figure, of which one is chosen
_APART = 0.35  # penalty on a drawing for its likeness to each that was chosen before
_SAMPLES = 64  # pictures for the statistics of the scores

See = Callable[[Tensor], Tensor]
"""From pictures (B, 3, H, W) in [0, 1] to a layer's normalised features (B, C, h, w)."""


@torch.no_grad()
def figures(see: See, world: World) -> dict[str, Tensor]:
    """Make the figures of all names of a world, in its order: basis, weight and bias, as in `Network.figures`.

    Over pictures of the world, the figures' scores have mean 0 and standard deviation 1.
    """
    answers = torch.stack([_typical([see(pictures) for pictures in kinds]) for kinds in _drawings(world)])
    answers = F.normalize((answers - answers.mean(0)).flatten(2), dim=2).view_as(answers)
    names, kinds, channels = answers.shape[:3]
    places = answers.movedim(2, -1).reshape(-1, channels)
    # All filters are projected onto the same few directions of the layer, which saves most of their size and time.
    basis = torch.linalg.svd(places, full_matrices=False).Vh[:FIGURE_RANK]
    weight = torch.einsum("kvchw,rc->kvrhw", answers, basis)
    pictures = world.draw(_SAMPLES, SIZE, torch.Generator().manual_seed(2**31)).image
    seen = F.conv2d(see(pictures), basis[:, :, None, None])
    found = F.conv2d(seen, weight.flatten(0, 1), padding=FIGURE_CELLS // 2).transpose(0, 1).flatten(1)
    mean, std = found.mean(1).view(names, kinds), found.std(1).clamp_min(1e-6).view(names, kinds)
    return {"basis": basis, "weight": weight / std[..., None, None, None], "bias": -mean / std}


def _drawings(world: World) -> Iterable[list[Tensor]]:
    """For each name, the pictures (B, 3, S, S) in [0, 1] of each of its figures."""
    for motif in world.motifs:
        yield [
            portraits(motif, _DRAWN, _SIDE, torch.Generator().manual_seed(seed), half)
            for seed, half in enumerate(_HALVES, 1)
        ]
    if world.found:
        for number in range(len(world.found.names)):
            yield [world.found.whole(number, _SIDE)] * len(_HALVES)


def _typical(answers: Sequence[Tensor]) -> Tensor:
    """The typical features of each of V batches (B, C, h, w): most like their mean, unlike those chosen before.

    The mean itself is of no whole motif: a snake is curved differently each time. Returns (V, C, h, w).
    """
    chosen: list[Tensor] = []
    for features in answers:
        each = F.normalize(features.flatten(1))
        alike = each @ F.normalize(features.mean(0).flatten(), dim=0)
        for other in chosen:
            alike = alike - _APART * (each @ F.normalize(other.flatten(), dim=0))
        chosen.append(features[alike.argmax()])
    return torch.stack(chosen)
