"""reverie in training: with batch norm, and with classifiers at the layers that one dreams with."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamer.errors import NetworkError
from dreamer.networks.network import Network
from dreamer.networks.reverie import BACKGROUND, Block, Reverie

LAYERS = ("m3a", "m3b", "m4a", "m4b", "m4c", "m5a")
"""Layers whose channels' statistics are exported."""
DENSE = ("m3b", "m4a", "m4b", "m4c", "m5a")
"""Layers with a dense head, which tells the motif at each position."""
FINE = ("m4c", "m5a")
"""Layers with a fine head, which tells a motif's styles apart as well: that takes forms, a motif often only texture."""
_EARLY = ("stem", "m3a", "m3b")
_SMOOTHING = 0.05
_WEIGHTS = {"m3b": 0.5, "m4a": 0.5}
_PRESENT = 0.03  # share of the picture that a motif must cover to count as present
_SHARP = 6.0  # of presence: 0 would take the mean over the positions, infinity the maximum


class Trainee(nn.Module):
    """Reverie with batch norm behind every convolution, and dense and fine heads.

    Args:
        motifs: How many motifs there are, the background not counted, which is the last class of each head.
        kinds: How many styles all motifs have together, likewise.
        width: Multiplies the channels.
    """

    def __init__(self, motifs: int, kinds: int, width: float = 1.0) -> None:
        super().__init__()
        self.body = _normed(Reverie(width, soft=True))
        sizes = {name: block.channels for name, block in self.body.named_children() if isinstance(block, Block)}
        self.dense = nn.ModuleDict({name: nn.Conv2d(sizes[name], motifs + 1, 1) for name in DENSE})
        self.fine = nn.ModuleDict({name: nn.Conv2d(sizes[name], kinds + 1, 1) for name in FINE})

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) in [0, 1] -> {layer: (B, C, h, w)}."""
        seen = self.body.seen((image - 0.5).contiguous(memory_format=torch.channels_last))
        found = {}
        for name, block in self.body.named_children():
            seen = block(seen)
            if name in LAYERS:
                found[name] = seen
        return found

    def read_outs(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The dense heads as matrices: {layer: (weight (K, C), bias (K,))}, the very tensors that learn."""
        own = self.dense.state_dict()
        return {name: (own[f"{name}.weight"][:, :, 0, 0], own[f"{name}.bias"]) for name in DENSE}

    def halves(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The parameters of the first blocks (edges, colours, textures), and all others."""
        early = [p for name in _EARLY for p in self.body.get_submodule(name).parameters()]
        known = set(map(id, early))
        return early, [p for p in self.parameters() if id(p) not in known]

    def loss(self, image: Tensor, kind: Tensor, second: Tensor, motif_of: Tensor) -> Tensor:
        """The cross-entropies of all heads, and that of which motifs are present at all, weighted.

        Args:
            image: (B, 3, S, S) in [0, 1].
            kind: The kind at each pixel, (B, S, S), as in motifs.composite.Pictures.
            second: The motif that counts as right there as well, (B, S, S).
            motif_of: The motif of each kind, (kinds + 1,).

        Returns:
            A scalar.
        """
        seen = self.features(image)
        motif = motif_of[kind]
        total = image.new_zeros(())
        for name, head in self.dense.items():
            scores = head(seen[name])
            wrong = _wrong(scores, motif) + _wrong(scores, second)
            total = total + _WEIGHTS.get(name, 1.0) * 0.5 * wrong
            deepest = scores
        for name, head in self.fine.items():
            total = total + 0.3 * _wrong(head(seen[name]), kind)
        found = presence(deepest).clamp(max=-1e-4)
        there = present(motif, second, found.shape[1])
        return total - (there * found + (1 - there) * torch.log(-found.expm1())).mean()


def presence(scores: Tensor) -> Tensor:
    """A dense head's scores (B, K + 1, h, w) -> (B, K), the log-probability that each motif is in the picture.

    A smooth maximum over the positions (Pinheiro, Collobert 2015); the background, the last class, is left out.
    """
    known = scores.float().log_softmax(1)[:, :-1].flatten(2)
    return ((known * _SHARP).logsumexp(2) - math.log(known.shape[2])) / _SHARP


def present(motif: Tensor, second: Tensor, motifs: int) -> Tensor:
    """Which motifs cover enough of each picture to count as present.

    Args:
        motif: The motif at each pixel, (B, S, S).
        second: The second motif there, (B, S, S); each map counts by itself.
        motifs: How many there are, without the background.

    Returns:
        (B, motifs), 1.0 or 0.0.
    """
    share = motif.new_zeros(len(motif), motifs + 1, dtype=torch.float32)
    for labels in (motif, second):
        flat = labels[:, ::2, ::2].flatten(1)
        share.scatter_add_(1, flat, torch.full(flat.shape, 1 / flat.shape[1], device=flat.device))
    return (share[:, :motifs] > _PRESENT).float()


def at(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (B, S, S) at the positions of a map (B, C, h, w), (B, h, w)."""
    return F.interpolate(labels[:, None].float(), size=like.shape[-2:], mode="nearest-exact")[:, 0].long()


def _wrong(scores: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(scores, at(labels, scores), label_smoothing=_SMOOTHING)


def _normed(reverie: Reverie) -> Reverie:
    """The same network with batch norm between every convolution and its ReLU."""
    for name, module in list(reverie.named_modules()):
        if isinstance(module, nn.Conv2d):
            kernel = module.kernel_size[0]
            bare = nn.Conv2d(module.in_channels, module.out_channels, kernel, padding=kernel // 2, bias=False)
            reverie.set_submodule(name, nn.Sequential(bare, nn.BatchNorm2d(module.out_channels)))
    return reverie


def folded(body: Reverie, width: float) -> Reverie:
    """A body of this width as it is exported: batch norm folded into the convolutions."""
    plain = Reverie(width, soft=body.soft)
    normed = copy.deepcopy(body).eval()
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.Conv2d):
            bare, norm = cast(Any, normed.get_submodule(name))
            plain.set_submodule(name, fuse_conv_bn_eval(bare, norm))
    return plain.to(next(body.parameters()).device)


@torch.no_grad()
def unfold(body: nn.Module, plain: nn.Module, pictures: Iterable[Tensor]) -> None:
    """Give a body with batch norm the weights of one without, so that it computes the same: the reverse of `folded`.

    Each batch norm gets the mean and standard deviation of its convolution's output, once as its statistics and once as
    its bias and weight.

    Args:
        body: With batch norm; its weights are replaced.
        plain: Without, of the same width.
        pictures: Batches (B, 3, H, W) in [0, 1], over which the outputs' mean and deviation are taken.

    Raises:
        RuntimeError: The two are of different widths.
    """
    moments: dict[str, list[Tensor]] = {}

    def watch(name: str, module: nn.Module, args: object, output: Tensor) -> None:
        values = torch.stack([output.mean((0, 2, 3)), output.square().mean((0, 2, 3))])
        moments.setdefault(name, []).append(values)

    convolutions = {name: module for name, module in plain.named_modules() if isinstance(module, nn.Conv2d)}
    with ExitStack() as stack:
        for name, convolution in convolutions.items():
            stack.enter_context(convolution.register_forward_hook(partial(watch, name)))
        for picture in pictures:
            plain(picture - 0.5)  # the ReLU behind each convolution works in place, but after its hook
    for name, convolution in convolutions.items():
        mean, square = torch.stack(moments[name]).mean(0)
        variance = (square - mean**2).clamp_min(1e-5)
        bare, norm = cast(Any, body.get_submodule(name))
        bare.weight.copy_(convolution.weight)
        norm.running_mean.copy_(mean - convolution.bias)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)


@torch.no_grad()
def inherit(trainee: Trainee, network: Network, names: Sequence[str], pictures: Iterable[Tensor]) -> None:
    """Begin training with a reverie's weights: its body, and the rows of its heads for the labels that stay.

    Args:
        trainee: Its weights are replaced.
        network: The reverie.
        names: The motifs that the trainee is to learn, in order, without the background.
        pictures: Batches (B, 3, H, W) in [0, 1], for `unfold`.

    Raises:
        NetworkError: The network is of another width than the trainee.
    """
    plain = copy.deepcopy(network.module)
    plain.soft = trainee.body.soft  # type: ignore[assignment]
    try:
        unfold(trainee.body, plain, pictures)
    except RuntimeError as error:
        raise NetworkError(f"{network.name} is of another width than the training's") from error
    rows = {name: row for row, name in enumerate([*names, BACKGROUND])}
    common = [(rows[name], row) for row, name in enumerate(network.labels) if name in rows]
    for layer, (own_weight, own_bias) in trainee.read_outs().items():
        for own, row in common if layer in network.heads else ():
            own_weight[own], own_bias[own] = (part[row] for part in network.heads[layer])


def accuracy(scores: Mapping[str, Tensor], motif: Tensor, second: Tensor) -> dict[str, tuple[float, float]]:
    """How often heads name the motif at a position, among the positions where only one is right.

    Args:
        scores: By layer, a head's scores (B, K, h, w).
        motif: The motif at each pixel, (B, S, S).
        second: The second motif there, (B, S, S).

    Returns:
        {layer: (share of all positions, mean over the motifs of each one's share)}.
    """
    found = {}
    for name, answer in scores.items():
        truth, other = at(motif, answer), at(second, answer)
        plain = truth == other
        right, truth = (answer.argmax(1) == truth)[plain].float(), truth[plain]
        sums = torch.zeros(answer.shape[1], device=right.device).scatter_add_(0, truth, right)
        counts = torch.bincount(truth, minlength=answer.shape[1])
        seen = counts > 0
        found[name] = (float(right.mean()), float((sums[seen] / counts[seen]).mean()))
    return found
