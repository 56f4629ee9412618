"""Weights as they are shipped: batch norm folded, half precision, with all that belongs to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from dreamer.image import write_atomically
from dreamer.motifs.composite import World
from dreamer.training.album import Album
from dreamer.training.stream import SIZE
from dreamer.training.trainee import LAYERS, Trainee, folded

_LOOKED_AT = 512  # pictures, for the statistics of the channels


def export(
    path: Path, trainee: Trainee, world: World, width: float, story: Mapping[str, object], album: Album | None
) -> None:
    """Write a .safetensors file that `dreamer.networks.reverie` reads; raises WriteError.

    `story` tells how the training went. What the network dreams of unasked are the things of the album.
    """
    tensors = dict(folded(trainee.body, width).state_dict())
    for name, (weight, bias) in trainee.read_outs().items():
        tensors[f"heads.{name}.weight"], tensors[f"heads.{name}.bias"] = weight, bias
    tensors["presence.weight"], tensors["presence.bias"] = trainee.presence.weight, trainee.presence.bias
    for name, (mean, std) in statistics(trainee, world).items():
        tensors[f"statistics.{name}.mean"], tensors[f"statistics.{name}.std"] = mean, std
    about = {
        "name": "reverie",
        "licence": "MIT",
        "width": str(width),
        "input": "RGB in [0, 1] minus 0.5",
        "motifs": json.dumps([*world.names, "nothing"]),
        "training": json.dumps(story),
    }
    if album:
        about["dreams"] = json.dumps(album.names)
    halves = {key: value.detach().half().contiguous().cpu() for key, value in tensors.items()}
    write_atomically(path, save(halves, about))


@torch.no_grad()
def statistics(trainee: Trainee, world: World) -> dict[str, tuple[Tensor, Tensor]]:
    """{layer: (mean, standard deviation)} of every channel, each (C,), over pictures of the world."""
    trainee.eval()
    device = trainee.presence.weight.device
    sums: dict[str, Tensor] = {}
    pictures = world.draw(_LOOKED_AT, SIZE, torch.Generator().manual_seed(2**31))
    count = 0
    for part in torch.split(pictures.image, 64):
        count += len(part)
        for name, seen in trainee.features(part.to(device)).items():
            moments = torch.stack([seen.mean((2, 3)).sum(0), seen.square().mean((2, 3)).sum(0)])
            sums[name] = sums.get(name, torch.zeros_like(moments)) + moments
    means = {name: sums[name] / count for name in LAYERS}
    return {name: (mean, (square - mean**2).clamp_min(1e-8).sqrt()) for name, (mean, square) in means.items()}
