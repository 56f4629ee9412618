"""reverie: the small network that ships inside, trained on pictures drawn by formula.

An Inception-like network built for its gradients: no strides, no skips, no max-pooling; every halving is a blur by
[1 3 3 1] (Zhang 2019), since strided convolutions and max-pooling leave a grid in the gradient (Odena 2016).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dreamer.errors import NetworkError
from dreamer.networks.blur_pool import BlurPool
from dreamer.networks.copies import copied
from dreamer.networks.network import Network
from dreamer.networks.pickled import StoredTensor
from dreamer.networks.randomness import Randomness
from dreamer.networks.weights import (
    check_shapes,
    file_hash,
    metadata,
    read_metadata,
    read_own,
    values,
    widened,
    width_of,
)

# Channels of a block's convolutions at width 1, as `Block` takes them; none is a halving.
_BLOCKS: dict[str, tuple[int, ...]] = {
    "m3a": (32, 48, 64, 12, 24, 16),
    "m3b": (48, 64, 96, 16, 40, 24),
    "halve3": (),
    "m4a": (64, 72, 112, 16, 40, 32),
    "m4b": (64, 80, 128, 20, 48, 32),
    "m4c": (64, 96, 144, 24, 56, 32),
    "halve4": (),
    "m5a": (96, 96, 160, 24, 64, 48),
}

FIGURE_LAYER, FIGURE_CELLS, FIGURE_RANK, FIGURE_KINDS = "m4a", 11, 96, 4
"""The layer of the figures (see `Network`), their side k in its positions, at most how many directions R, and how many
there are of each motif, V."""
BACKGROUND = "nothing"
"""The label of places without a motif, the last of the labels."""
_DEFAULT_LAYER = "m4b"
_DREAMT = (
    *("peacock", "succulent", "window", "butterfly", "sunflower", "watcher"),
    *("arch", "mandala", "petals", "eye", "nautilus"),
    *("snake", "rose", "eyeflower", "face"),
)
DEFAULTS: dict[str, Any] = {
    "octaves": {"step_size": 0.0105, "steps": 16, "taper": 0.57, "way": 0.9},
    "objectives": [{"name": "motif", "layer": FIGURE_LAYER, "names": [*_DREAMT], "some": 6}],
    "transforms": [{"name": "warp"}, {"name": "jitter", "pixels": 16}, {"name": "noise", "sigma": 0.03}],
    "gradient_filters": [{"name": "laplacian"}, {"name": "even", "amount": 0.65}, {"name": "chroma"}],
}
"""The parts of a recipe that suit the network. The motifs were chosen by eye; each seed has a few of them, and
each of those grows where the photo is like it."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "eyes": ("eye", "face", "eyeflower", "watcher", "peacock"),
    "animals": ("snake", "butterfly", "fish", "beetle", "wing", "feather", "fur", "face"),
    "flowers": ("rose", "petals", "sunflower", "succulent"),
    "plants": ("leaf", "fern", "mushroom", "tendril", "succulent"),
    "shells": ("nautilus", "scallop", "urchin", "starfish"),
    "sea": ("fish", "coral", "jellyfish", "starfish", "urchin", "tentacle", "wave", "bubbles"),
    "buildings": ("arch", "arcade", "column", "window", "pagoda", "dome", "stair", "masonry"),
    "patterns": ("spiral", "mandala", "lace", "knot", "star", "cells", "julia", "marble", "zebra"),
}
"""Motifs that people think of together."""


class Block(nn.Module):
    """An Inception block: four branches of different kernels side by side (Szegedy 2015).

    Args:
        inside: Channels that it is given.
        one: Channels of the branch 1x1.
        before_three: Channels within the branch 1x1 -> 3x3.
        three: Channels of that branch.
        before_five: Channels within the branch 1x1 -> 5x5.
        five: Channels of that branch.
        pool: Channels of the branch average 3x3 -> 1x1.
    """

    def __init__(
        self, inside: int, one: int, before_three: int, three: int, before_five: int, five: int, pool: int
    ) -> None:
        super().__init__()
        self.one = convolution(inside, one, 1)
        self.three = nn.Sequential(convolution(inside, before_three, 1), convolution(before_three, three, 3))
        self.five = nn.Sequential(convolution(inside, before_five, 1), convolution(before_five, five, 5))
        self.pool = _Pool(nn.AvgPool2d(3, 1, 1, count_include_pad=False), convolution(inside, pool, 1))
        self.channels = one + three + five + pool

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, channels, h, w)."""
        return torch.cat([self.one(seen), self.three(seen), self.five(seen), self.pool(seen)], 1)


class _Pool(nn.Sequential):
    """A mean and a convolution 1x1 with ReLU, done the other way round: it is the same, of fewer channels."""

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, pool, h, w)."""
        mix, rectify = self.get_submodule("1.0"), self.get_submodule("1.1")
        pooled: Tensor = rectify(self[0](mix(seen)))
        return pooled


def convolution(inside: int, outside: int, kernel: int) -> nn.Sequential:
    """A convolution that keeps the size, and ReLU.

    Args:
        inside: Channels that it is given.
        outside: Channels that it gives.
        kernel: Positions a side; odd.

    Returns:
        (B, inside, h, w) -> (B, outside, h, w).
    """
    return nn.Sequential(nn.Conv2d(inside, outside, kernel, padding=kernel // 2), nn.ReLU(inplace=True))


class Reverie(nn.Module):
    """The network up to m5a; `width` multiplies its channels. Batch norm is folded into the convolutions.

    With `soft` its input is blurred slightly, by [1 3 1] / 5 in both directions: its gradient is then less grainy, with
    a spectrum nearer to that of a natural picture.
    """

    def __init__(self, width: float = 1.0, soft: bool = False) -> None:
        super().__init__()
        self.soft = soft
        fine, seen = widened(width, 32, 64)
        self.stem = nn.Sequential(convolution(3, fine, 5), BlurPool(), convolution(fine, seen, 3), BlurPool())
        for name, sizes in _BLOCKS.items():
            block = Block(seen, *widened(width, *sizes)) if sizes else BlurPool()
            self.add_module(name, block)
            seen = block.channels if isinstance(block, Block) else seen

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W), RGB in [0, 1] minus 0.5 -> m5a's features (B, C, H / 16, W / 16), sides rounded up."""
        image = self.seen(image)
        for block in self.children():
            image = block(image)
        return image

    def seen(self, image: Tensor) -> Tensor:
        """The image as the first convolution gets it, of the same shape."""
        if not self.soft:
            return image
        taps = torch.tensor([1.0, 3.0, 1.0], dtype=image.dtype) / 5
        kernel = torch.eye(3, dtype=image.dtype)[:, :, None, None] * (taps[:, None] * taps)
        return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), kernel.to(image.device))


def weights_path() -> Path:
    """The file of the built-in weights."""
    return Path(str(files("dreamer.networks") / "reverie.safetensors"))


def reverie(weights: Path | None = None) -> Network:
    """The built-in network, with its own weights or those of a file; raises NetworkError when they do not fit.

    Its own are read once in a process; what is handed out is a copy.
    """
    if weights:
        return _read(weights)
    network = copy.copy(_built_in())
    vars(network)["module"] = copied(network.module)
    return network


@cache
def _built_in() -> Network:
    network = _read(weights_path())
    network.layers()  # so that every copy has them
    return network


def _read(path: Path) -> Network:
    """The network with the weights of a file."""
    stored = read_own(path)
    with Randomness(0):
        module = Reverie(width_of(path), soft="soft" in metadata(path))
    blocks = {name: block.channels for name, block in module.named_children() if isinstance(block, Block)}
    labels, dreams = read_metadata(path, "motifs", ["eye"]), read_metadata(path, "dreams", ["eye"])
    own = module.state_dict()
    check_shapes(stored, own | _besides(stored, blocks, len(labels)), f"{path} (reverie's weights)")
    tensors = {key: values(tensor) for key, tensor in stored.items()}
    module.load_state_dict({key: tensors[key] for key in own})
    figures = _layers(tensors, "figures", "basis", "weight", "bias")
    (dream,) = DEFAULTS["objectives"]
    dream = {**dream, "layer": FIGURE_LAYER if figures else _DEFAULT_LAYER}
    if dreams:
        del dream["some"]
        dream |= {"names": dreams, "texture": 0.0}  # most of what fills a whole photo is texture already
    return Network(
        name="reverie",
        module=module,
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
        licence="MIT",
        source="trained by the project on pictures drawn by formula",
        default_layer=_DEFAULT_LAYER,
        guide_layer="m5a",
        defaults={**DEFAULTS, "objectives": [dream]},
        statistics=_layers(tensors, "statistics", "mean", "std"),
        heads=_layers(tensors, "heads", "weight", "bias"),
        labels=tuple(labels),
        figures=figures,
        channels=_channels(path, blocks),
        weights=file_hash(path),
        background=BACKGROUND,
        groups={} if dreams else GROUPS,
    )


def _besides(tensors: dict[str, StoredTensor], blocks: dict[str, int], labels: int) -> dict[str, Tensor]:
    """The shapes, on the `meta` device, of what a file should hold besides the module.

    For each layer, those groups that the file holds any tensor of; such a group must be complete.

    Args:
        tensors: Those of the file, by name.
        blocks: The channels of each layer.
        labels: How many labels the file names.

    Returns:
        Empty tensors, by name.
    """
    wanted: dict[str, Tensor] = {}
    basis = tensors.get(f"figures.{FIGURE_LAYER}.basis")
    for name, channels in blocks.items():
        groups: dict[str, dict[str, tuple[int, ...]]] = {
            "heads": {"weight": (labels, channels), "bias": (labels,)},
            "statistics": {"mean": (channels,), "std": (channels,)},
        }
        if name == FIGURE_LAYER:
            whole = (max(0, labels - 1), FIGURE_KINDS)
            rank = min([channels, *(basis.shape[:1] if basis else [FIGURE_RANK])])
            weight = (*whole, rank, FIGURE_CELLS, FIGURE_CELLS)
            groups["figures"] = {"basis": (rank, channels), "weight": weight, "bias": whole}
        for group, shapes in groups.items():
            if any(key.startswith(f"{group}.{name}.") for key in tensors):
                wanted |= {f"{group}.{name}.{part}": torch.empty(size, device="meta") for part, size in shapes.items()}
    return wanted


def _layers(tensors: dict[str, Tensor], group: str, *parts: str) -> dict[str, Any]:
    """The parts of a group for each layer for which the file holds it."""
    layers = sorted({key.split(".")[1] for key in tensors if key.startswith(f"{group}.")})
    return {layer: tuple(tensors[f"{group}.{layer}.{part}"] for part in parts) for layer in layers}


def _channels(path: Path, blocks: dict[str, int]) -> dict[str, dict[str, int]]:
    """The numbers of the channels that have a name, by layer; raises NetworkError for a number that is too high."""
    named = read_metadata(path, "channels", {"m4b": {"eye": 0}})
    for layer, numbers in named.items():
        for name, number in numbers.items():
            if not 0 <= number < blocks.get(layer, 0):
                what = f"{name!r} is to be channel {number} of {layer}, which is not there"
                raise NetworkError(f"{path}: {what}; train it again")
    return named
