"""A network to dream with: a frozen network and everything that belongs to it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamer.anatomy import HEIGHT, WIDTH, Anatomy, Layer, anatomy, grid, meta_parameters
from dreamer.errors import NetworkError, did_you_mean

LARGEST_FIGURE = 11
"""Positions that a figure may be wide: tiles are cut so that the largest fits."""
_LARGEST_PROBE = 1024  # px: networks that need more than this are not told what they need


@dataclass(frozen=True, eq=False)
class Network:
    """A frozen network with its preprocessing: the module sees (image - mean) / std, image in [0, 1].

    Layers are the module's own dotted names. `defaults` are recipe words that suit the network (step, noise, jitter,
    objectives); `statistics` gives a layer's channel mean and standard deviation, each (C,); `heads` a layer's linear
    read-outs (weight (K, C), bias (K,)) to `labels`; `figures` a layer's filters that find the first K labels whole
    (basis (R, C), weight (K, R, k, k), bias (K,)), of normalised features' shares in the directions of the basis, k odd
    and at most LARGEST_FIGURE; `channels` the numbers of a layer's channels that have a name. `weights` is the SHA-256
    of the weights' file.
    """

    name: str
    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    source: str
    default_layer: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    heads: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    figures: Mapping[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    weights: str = ""

    def __post_init__(self) -> None:
        self.module.eval().requires_grad_(False)

    @cached_property
    def anatomy(self) -> Anatomy:
        """The layers, and what may be folded."""
        return anatomy(self.module)

    def layers(self) -> tuple[Layer, ...]:
        """Every layer, in the order in which the forward pass finishes them."""
        return tuple(self.anatomy.layers.values())

    def layer(self, name: str) -> Layer:
        """The layer of that name; raises NetworkError with the nearest names."""
        try:
            return self.anatomy.layers[name]
        except KeyError:
            guess = did_you_mean(name, self.anatomy.layers)
            hint = f"`dreamer networks layers {self.name}` lists them"
            raise NetworkError(f"{self.name} has no layer {name!r}; {hint}{guess}") from None

    def features(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """What the layers answer to `image` (B, 3, H, W) in [0, 1]: {layer: (B, C, h, w)}, differentiable.

        The pass stops at the deepest layer. A vector layer comes as (B, C, 1, 1). Raises NetworkError for an unknown
        layer; a picture that is too small for the network raises what the network raises.
        """
        wanted = {name: self.layer(name) for name in layers}
        weight = next(self.module.parameters(), image)
        mean, std = (image.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        seen = ((image - mean) / std).to(weight.dtype).contiguous(memory_format=torch.channels_last)
        with _captured(self.module, wanted) as found:
            self.module(seen)
        return {name: _as_map(found[name], layer, image) for name, layer in wanted.items()}

    def sizes(self, height: int, width: int, layers: Iterable[str]) -> dict[str, tuple[int, int]]:
        """The layers' (h, w) for a picture of that size, without computing; NetworkError when it is too small."""
        wanted = {name: self.layer(name) for name in layers}
        try:
            maps = self._shapes(height, width, wanted)
        except (RuntimeError, ValueError, AssertionError) as error:
            need = self.smallest(wanted)
            what = f"needs at least {need} pixels a side" if need else f"cannot look at it ({error})"
            raise NetworkError(
                f"{width}x{height} pixels are too small for {self.name} at {', '.join(wanted)}, which {what}"
            ) from error
        return {name: (shape[2], shape[3]) for name, shape in maps.items()}

    def smallest(self, layers: Iterable[str]) -> int | None:
        """The smallest square picture, in pixels a side, that the network can look at up to these layers."""
        wanted = {name: self.layer(name) for name in layers}
        low, high = 1, _LARGEST_PROBE
        while low < high:
            middle = (low + high) // 2
            try:
                self._shapes(middle, middle, wanted)
                high = middle
            except (RuntimeError, ValueError, AssertionError):
                low = middle + 1
        return low if low < _LARGEST_PROBE else None

    def differentiable(self, layers: Iterable[str]) -> bool:
        """Whether a gradient comes back from these layers, found without computing."""
        wanted = {name: self.layer(name) for name in layers}
        image = torch.empty(1, 3, HEIGHT, WIDTH, device="meta", dtype=self._dtype)
        with torch.enable_grad(), _captured(self.module, wanted) as found:
            functional_call(self.module, meta_parameters(self.module), (image.requires_grad_(),))
        return all(output.requires_grad for output in found.values())

    def prepared(self, layers: Iterable[str], device: torch.device, dtype: torch.dtype) -> Network:
        """A copy that computes the same at these layers, faster: batch norm folded, channels last, on the device.

        Batch norm is never folded across one of these layers, whose meaning it would change.
        """
        module = copy.deepcopy(self.module)
        for convolution, norm in self.anatomy.foldable:
            if not any(_between(name, convolution, norm) for name in layers):
                before: Any = module.get_submodule(convolution)
                after: Any = module.get_submodule(norm)
                fused = fuse_conv_bn_eval(before, after)
                module.set_submodule(convolution, fused)
                module.set_submodule(norm, nn.Identity())
        module.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
        known: dict[str, Any] = {
            group: {name: tuple(part.to(device) for part in parts) for name, parts in layers.items()}
            for group, layers in (("statistics", self.statistics), ("heads", self.heads), ("figures", self.figures))
        }
        copied = replace(self, module=module, **known)
        copied.__dict__["anatomy"] = self.anatomy
        return copied

    @property
    def _dtype(self) -> torch.dtype:
        return next((weight.dtype for weight in self.module.parameters()), torch.float32)

    def _shapes(self, height: int, width: int, wanted: Mapping[str, Layer]) -> dict[str, torch.Size]:
        image = torch.empty(1, 3, height, width, device="meta", dtype=self._dtype)
        with torch.no_grad(), _captured(self.module, wanted) as found:
            functional_call(self.module, meta_parameters(self.module), (image,))
        maps = {name: _as_map(found[name], layer, image).shape for name, layer in wanted.items()}
        if any(min(shape) < 1 for shape in maps.values()):
            raise ValueError("nothing is left of it")
        return maps


class _DeepEnough(Exception):
    """Every wanted layer has answered: the rest of the network need not run."""


@contextmanager
def _captured(module: nn.Module, wanted: Mapping[str, Layer]) -> Iterator[dict[str, Tensor]]:
    """Collect the wanted layers' outputs of the pass inside the block, and end it at the deepest; leave no hook."""
    found: dict[str, Tensor] = {}
    left = {name: layer.calls for name, layer in wanted.items()}

    def hook(name: str) -> Any:
        def keep(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            found[name] = output
            left[name] -= 1
            if left[name] == 0:
                del left[name]
                if not left:
                    raise _DeepEnough
            # What follows works on a copy: an in-place activation must not change what was asked for.
            return output.clone()

        return keep

    handles = [module.get_submodule(name).register_forward_hook(hook(name)) for name in wanted]
    try:
        yield found
    except _DeepEnough:
        pass
    finally:
        for handle in handles:
            handle.remove()


def _as_map(output: Tensor, layer: Layer, image: Tensor) -> Tensor:
    if output.ndim == 2:
        return output[:, :, None, None]
    if layer.patch:
        cells = grid(output.shape[1], image.shape[-2], image.shape[-1], layer.patch)
        if cells is None:
            raise NetworkError(f"{layer.name} gives {output.shape[1]} tokens, which are no patches of this picture")
        patches = output[:, -math.prod(cells) :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], *cells)
    return output.permute(0, 3, 1, 2) if layer.channels_last else output


def _between(layer: str, convolution: str, norm: str) -> bool:
    """Whether the layer ends after the convolution and before its batch norm."""
    return _holds(layer, convolution) and not _holds(layer, norm)


def _holds(layer: str, module: str) -> bool:
    return module == layer or module.startswith(layer + ".")
