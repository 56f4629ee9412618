"""Export reverie's weights: batch norm folded in, half precision, with heads, statistics, figures and labels."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from dreamer.files import write_atomically
from dreamer.motifs.composite import World
from dreamer.networks.reverie import BACKGROUND, FIGURE_LAYER
from dreamer.training.figures import figures
from dreamer.training.stream import SIZE
from dreamer.training.trainee import Trainee, fold_batch_norm, labels_at

_SAMPLES = 512  # pictures for the statistics of the channels
# A channel is named after a motif whose mean activation is at least this many standard deviations above its mean ...
_CLEAR = 1.0
_CLEARER = 1.25  # ... and this many times that of any other motif
_MAX_ALIKE = 3  # channels that are named after the same motif


@dataclass(frozen=True)
class Channels:
    """A layer's channels: mean and standard deviation, each (C,), and the numbers of the named ones."""

    mean: Tensor
    std: Tensor
    names: Mapping[str, int]

    def normal(self, features: Tensor) -> Tensor:
        """Features (B, C, h, w) normalised to mean 0 and standard deviation 1 in each channel, on the CPU."""
        return (features.cpu() - self.mean[:, None, None]) / self.std[:, None, None]


def export(
    path: Path, trainee: Trainee, world: World, width: float, info: Mapping[str, object], *, replace: bool = True
) -> Path:
    """Write a .safetensors file that `dreamer.networks.reverie` reads.

    Where the world has classes from photos, the network dreams of these by default.

    Args:
        path: The file to write.
        trainee: Put into evaluation mode.
        world: The motifs and classes that it has learnt.
        width: Multiplier of the trainee's channels.
        info: Record of the training, for the file's metadata; JSON values.
        replace: Whether a file may be replaced.

    Returns:
        Where the file is; see `files.write_atomically`.

    Raises:
        WriteError: The file cannot be written.
    """
    trainee.eval()
    tensors = dict(fold_batch_norm(trainee.body, width).state_dict())
    for name, (weight, bias) in trainee.read_outs().items():
        tensors[f"heads.{name}.weight"], tensors[f"heads.{name}.bias"] = weight, bias
    device = next(trainee.parameters()).device
    layers = channels(lambda image: trainee.features(image.to(device)), world)
    for name, known in layers.items():
        tensors[f"statistics.{name}.mean"], tensors[f"statistics.{name}.std"] = known.mean, known.std
    whole = layers[FIGURE_LAYER]
    found = figures(lambda image: whole.normal(trainee.features(image.to(device))[FIGURE_LAYER]), world)
    for name, part in found.items():
        tensors[f"figures.{FIGURE_LAYER}.{name}"] = part
    about = {
        "soft": "1",
        "motifs": json.dumps([*world.names, BACKGROUND]),
        "channels": json.dumps({name: known.names for name, known in layers.items()}),
    }
    if world.found:
        about["dreams"] = json.dumps(world.found.names)
    return write(path, "reverie", width, tensors, info, replace=replace, **about)


def write(
    path: Path,
    name: str,
    width: float,
    tensors: Mapping[str, Tensor],
    story: Mapping[str, object],
    *,
    replace: bool = True,
    **about: str,
) -> Path:
    """Write a .safetensors file in half precision.

    Args:
        path: Of the file.
        name: Of what it holds.
        width: By how much the usual channels are multiplied.
        tensors: By key.
        story: A record of the training, of what JSON can hold.
        replace: Whether a file may be replaced.
        **about: More metadata.

    Returns:
        Where the file is; see `files.write_atomically`.

    Raises:
        WriteError: The file cannot be written.
    """
    halves = {key: value.detach().half().contiguous().cpu() for key, value in tensors.items()}
    known = {"name": name, "licence": "MIT", "width": str(width), "input": "RGB in [0, 1] minus 0.5"}
    return write_atomically(path, save(halves, {**known, **about, "training": json.dumps(story)}), replace=replace)


@torch.no_grad()
def channels(see: Callable[[Tensor], Mapping[str, Tensor]], world: World) -> dict[str, Channels]:
    """Measure the channels of layers over pictures of the world: {layer: Channels}.

    `see` returns the layers' features {layer: (B, C, h, w)} of pictures (B, 3, H, W) in [0, 1]. A channel is named
    after the motif that excites it clearly, and clearly more than any other; the clearest is `eye`, the next `eye-2`.
    """
    pictures = world.draw(_SAMPLES, SIZE, torch.Generator().manual_seed(2**31))
    motif, many = world.motif_of[pictures.kind], len(world.names) + 1
    # By layer: the sums of its features where each motif is, (motifs + 1, C), of their squares, and how many there are.
    sums: defaultdict[str, list[Any]] = defaultdict(lambda: [0, 0, 0])
    for image, labels in zip(torch.split(pictures.image, 64), torch.split(motif, 64), strict=True):
        for name, seen in see(image).items():
            seen = seen.cpu()
            there = F.one_hot(labels_at(labels, seen), many).float()
            new = torch.einsum("bhwk,bchw->kc", there, seen), seen.square().sum((0, 2, 3)), there.sum((0, 1, 2))
            sums[name] = [old + part for old, part in zip(sums[name], new, strict=True)]
    found = {}
    for name, (total, squares, counts) in sums.items():
        places = counts.sum()
        mean = total.sum(0) / places
        std = (squares / places - mean**2).clamp_min(1e-8).sqrt()
        excited = (total / counts.clamp_min(1)[:, None] - mean) / std
        found[name] = Channels(mean, std, _named(excited[:-1], world.names))
    return found


def _named(excited: Tensor, motifs: tuple[str, ...]) -> dict[str, int]:
    """Name channels by their mean activations on each motif, (motifs, C), in standard deviations."""
    best, next_best = excited.topk(2, 0).values
    clear = (best > _CLEAR) & (best > _CLEARER * next_best)
    names: dict[str, int] = {}
    for number in best.argsort(descending=True).tolist():
        own = motifs[int(excited[:, number].argmax())]
        alike = sum(name.removeprefix(own)[:1] in ("", "-") for name in names if name.startswith(own))
        if clear[number] and alike < _MAX_ALIKE:
            names[own if not alike else f"{own}-{alike + 1}"] = number
    return names
