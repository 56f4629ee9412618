"""Figures: matched filters (templates) of whole motifs at a layer.

A head's direction describes any one position of a motif, for which texture is often enough; a figure also describes
which part of the motif is where. It is the layer's features of a drawing of the motif minus the mean over the motifs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.motifs.composite import World
from dreamer.motifs.portrait import portraits
from dreamer.networks.reverie import FIGURE_CELLS, FIGURE_RANK
from dreamer.training.stream import SIZE

_SIDE = 8 * FIGURE_CELLS  # px: side of a drawing, so that the layer's map of it has a figure's size
_HALF = 1.05  # half a drawing's side in units of the motif's plane, whose unit disc an object fills
_DRAWN = 32  # drawings of each motif, of which one is chosen
_SAMPLES = 64  # pictures for the statistics of the scores

See = Callable[[Tensor], Tensor]
"""From pictures (B, 3, H, W) in [0, 1] to a layer's normalised features (B, C, h, w)."""


@torch.no_grad()
def figures(see: See, world: World) -> dict[str, Tensor]:
    """Make the figures of all names of a world, in its order: basis, weight and bias, as in `Network.figures`.

    Over pictures of the world, the figures' scores have mean 0 and standard deviation 1.
    """
    answers = torch.stack([_most_typical(see(pictures)) for pictures in _drawings(world)])
    answers = F.normalize((answers - answers.mean(0)).flatten(1)).view_as(answers)
    channels = answers.shape[1]
    places = answers.permute(0, 2, 3, 1).reshape(-1, channels)
    # All filters are projected onto the same few directions of the layer, which saves most of their size and time.
    basis = torch.linalg.svd(places, full_matrices=False).Vh[:FIGURE_RANK]
    weight = torch.einsum("kchw,rc->krhw", answers, basis)
    pictures = world.draw(_SAMPLES, SIZE, torch.Generator().manual_seed(2**31)).image
    seen = F.conv2d(see(pictures), basis[:, :, None, None])
    found = F.conv2d(seen, weight, padding=FIGURE_CELLS // 2).transpose(0, 1).flatten(1)
    std = found.std(1).clamp_min(1e-6)
    return {"basis": basis, "weight": weight / std[:, None, None, None], "bias": -found.mean(1) / std}


def _drawings(world: World) -> Iterable[Tensor]:
    """Pictures (B, 3, S, S) in [0, 1] of each name."""
    for motif in world.motifs:
        yield portraits(motif, _DRAWN, _SIDE, torch.Generator().manual_seed(1), _HALF)
    if world.found:
        for number in range(len(world.found.names)):
            yield world.found.whole(number, _SIDE)


def _most_typical(answers: Tensor) -> Tensor:
    """Of the features (B, C, h, w) of a motif's pictures, those most similar to their mean, (C, h, w).

    The mean itself is of no whole motif: a snake is curved differently each time.
    """
    alike = F.normalize(answers.flatten(1)) @ answers.mean(0).flatten()
    return answers[alike.argmax()]
