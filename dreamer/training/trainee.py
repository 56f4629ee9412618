"""Reverie in training: with batch norm, and with classifiers (heads) at the layers that dreams use."""

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
"""Layers with a dense head, which classifies the motif at each position."""
FINE = ("m4c", "m5a")
"""Layers with a fine head, which also tells a motif's styles apart, for which texture alone is not enough."""
_EARLY = ("stem", "m3a", "m3b")
_SMOOTHING = 0.05  # label smoothing
_WEIGHTS = {"m3b": 0.5, "m4a": 0.5}  # weights of dense heads in the loss; the others have 1
_PRESENT = 0.03  # share of the picture that a motif must cover to count as present
_SHARPNESS = 6.0  # sharpness of the smooth maximum in `presence`: 0 is the mean, infinity the maximum


class Trainee(nn.Module):
    """Reverie with batch norm behind every convolution, and dense and fine heads.

    Args:
        motifs: Number of motifs without the background, which is the last class of each head.
        kinds: Number of styles of all motifs together, likewise.
        width: Multiplier of the number of channels.
    """

    def __init__(self, motifs: int, kinds: int, width: float = 1.0) -> None:
        super().__init__()
        self.body = _with_batch_norm(Reverie(width, soft=True))
        sizes = {name: block.channels for name, block in self.body.named_children() if isinstance(block, Block)}
        self.dense = nn.ModuleDict({name: nn.Conv2d(sizes[name], motifs + 1, 1) for name in DENSE})
        self.fine = nn.ModuleDict({name: nn.Conv2d(sizes[name], kinds + 1, 1) for name in FINE})

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """The features {layer: (B, C, h, w)} of pictures (B, 3, H, W) in [0, 1]."""
        seen = self.body.seen((image - 0.5).contiguous(memory_format=torch.channels_last))
        found = {}
        for name, block in self.body.named_children():
            seen = block(seen)
            if name in LAYERS:
                found[name] = seen
        return found

    def read_outs(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The dense heads as {layer: (weight (K, C), bias (K,))}; the parameters' own tensors, not copies."""
        own = self.dense.state_dict()
        return {name: (own[f"{name}.weight"][:, :, 0, 0], own[f"{name}.bias"]) for name in DENSE}

    def early_and_late(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The parameters of the first blocks (edges, colours, textures), and all others."""
        early = [p for name in _EARLY for p in self.body.get_submodule(name).parameters()]
        known = set(map(id, early))
        return early, [p for p in self.parameters() if id(p) not in known]

    def loss(self, image: Tensor, kind: Tensor, second: Tensor, motif_of: Tensor) -> Tensor:
        """The weighted sum of all heads' cross-entropies and that of which motifs are present.

        Args:
            image: (B, 3, S, S) in [0, 1].
            kind: The kind at each pixel, (B, S, S), as in motifs.composite.Pictures.
            second: A second motif that counts as correct at each pixel, (B, S, S).
            motif_of: The motif of each kind, (kinds + 1,).

        Returns:
            A scalar.
        """
        seen = self.features(image)
        motif = motif_of[kind]
        total = image.new_zeros(())
        for name, head in self.dense.items():
            scores = head(seen[name])
            entropy = _cross_entropy(scores, motif) + _cross_entropy(scores, second)
            total = total + _WEIGHTS.get(name, 1.0) * 0.5 * entropy
            deepest = scores
        for name, head in self.fine.items():
            total = total + 0.3 * _cross_entropy(head(seen[name]), kind)
        found = presence(deepest).clamp(max=-1e-4)
        target = present(motif, second, found.shape[1])
        return total - (target * found + (1 - target) * torch.log(-found.expm1())).mean()


def presence(scores: Tensor) -> Tensor:
    """The log-probability (B, K) that each motif is in a picture, from a dense head's scores (B, K + 1, h, w).

    A smooth maximum over the positions (Pinheiro, Collobert 2015); the background, the last class, is left out.
    """
    known = scores.float().log_softmax(1)[:, :-1].flatten(2)
    return ((known * _SHARPNESS).logsumexp(2) - math.log(known.shape[2])) / _SHARPNESS


def present(motif: Tensor, second: Tensor, motifs: int) -> Tensor:
    """Find the motifs that cover enough of each picture to count as present.

    Args:
        motif: The motif at each pixel, (B, S, S).
        second: The second motif there, (B, S, S); each map counts by itself.
        motifs: Number of motifs without the background.

    Returns:
        (B, motifs), 1.0 or 0.0.
    """
    share = motif.new_zeros(len(motif), motifs + 1, dtype=torch.float32)
    for labels in (motif, second):
        flat = labels[:, ::2, ::2].flatten(1)
        share.scatter_add_(1, flat, torch.full(flat.shape, 1 / flat.shape[1], device=flat.device))
    return (share[:, :motifs] > _PRESENT).float()


def labels_at(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (B, S, S) sampled at the positions of a map (B, C, h, w): (B, h, w)."""
    return F.interpolate(labels[:, None].float(), size=like.shape[-2:], mode="nearest-exact")[:, 0].long()


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of scores (B, K, h, w) with labels (B, S, S), a scalar."""
    return F.cross_entropy(scores, labels_at(labels, scores), label_smoothing=_SMOOTHING)


def _with_batch_norm(reverie: Reverie) -> Reverie:
    """Insert a batch norm after every convolution of a network, which is changed in place."""
    for name, module in list(reverie.named_modules()):
        if isinstance(module, nn.Conv2d):
            kernel = module.kernel_size[0]
            bare = nn.Conv2d(module.in_channels, module.out_channels, kernel, padding=kernel // 2, bias=False)
            reverie.set_submodule(name, nn.Sequential(bare, nn.BatchNorm2d(module.out_channels)))
    return reverie


def fold_batch_norm(body: Reverie, width: float) -> Reverie:
    """Return a copy of a body of this width without batch norm, which is folded into the convolutions."""
    plain = Reverie(width, soft=body.soft)
    normed = copy.deepcopy(body).eval()
    for name, module in list(plain.named_modules()):
        if isinstance(module, nn.Conv2d):
            bare, norm = cast(Any, normed.get_submodule(name))
            plain.set_submodule(name, fuse_conv_bn_eval(bare, norm))
    return plain.to(next(body.parameters()).device)


@torch.no_grad()
def insert_batch_norm(body: nn.Module, plain: nn.Module, pictures: Iterable[Tensor]) -> None:
    """Copy weights into a body with batch norm so that it computes the same: the reverse of `fold_batch_norm`.

    Each batch norm gets the mean and standard deviation (C,) of its convolution's output (B, C, h, w), both as its
    statistics and as its bias and weight, so that they cancel.

    Args:
        body: With batch norm; its weights are replaced.
        plain: Without batch norm, of the same width.
        pictures: Batches (B, 3, H, W) in [0, 1], over which the mean and standard deviation are measured.

    Raises:
        RuntimeError: The two have different widths.
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
            plain(picture - 0.5)  # the ReLU after each convolution works in place, but only after the hook
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
def load_pretrained(trainee: Trainee, network: Network, names: Sequence[str], pictures: Iterable[Tensor]) -> None:
    """Copy a trained reverie's weights into a trainee: its body, and the head rows of the labels they share.

    Args:
        trainee: Its weights are replaced, of the heads {layer: (weight (K, C), bias (K,))} only the shared rows.
        network: The trained reverie.
        names: The K - 1 motifs of the trainee in order, without the background, which is the last row.
        pictures: Batches (B, 3, H, W) in [0, 1], for `insert_batch_norm`.

    Raises:
        NetworkError: The network has another width than the trainee.
    """
    plain = copy.deepcopy(network.module)
    plain.soft = trainee.body.soft  # type: ignore[assignment]
    try:
        insert_batch_norm(trainee.body, plain, pictures)
    except RuntimeError as error:
        raise NetworkError(
            f"{network.name} has another width than this training; use the same --width, or other weights"
        ) from error
    rows = {name: row for row, name in enumerate([*names, BACKGROUND])}
    common = [(rows[name], row) for row, name in enumerate(network.labels) if name in rows]
    for layer, (own_weight, own_bias) in trainee.read_outs().items():
        for own, row in common if layer in network.heads else ():
            own_weight[own], own_bias[own] = (part[row] for part in network.heads[layer])


def accuracy(scores: Mapping[str, Tensor], motif: Tensor, second: Tensor) -> dict[str, tuple[float, float]]:
    """The accuracy of heads at positions where only one motif is correct.

    Args:
        scores: A head's scores (B, K, h, w) for each layer.
        motif: The motif at each pixel, (B, S, S).
        second: The second motif at each pixel, (B, S, S).

    Returns:
        {layer: (accuracy over all positions, mean over the motifs of the accuracy on each)}.
    """
    found = {}
    for name, answer in scores.items():
        truth, other = labels_at(motif, answer), labels_at(second, answer)
        plain = truth == other
        right, truth = (answer.argmax(1) == truth)[plain].float(), truth[plain]
        sums = torch.zeros(answer.shape[1], device=right.device).scatter_add_(0, truth, right)
        counts = torch.bincount(truth, minlength=answer.shape[1])
        seen = counts > 0
        found[name] = (float(right.mean()), float((sums[seen] / counts[seen]).mean()))
    return found
