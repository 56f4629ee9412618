"""A network to dream with: a frozen module, its preprocessing, and what is known of its layers."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamer.errors import NetworkError
from dreamer.networks.layers import HEIGHT, WIDTH, Layer, NetworkLayers, grid, inspect_layers, meta_parameters
from dreamer.networks.names import layer_guess, other_names, understood
from dreamer.networks.state_dict import Fit

_LARGEST_PROBE = 1024  # px: `smallest` looks no further


@dataclass(frozen=True, eq=False)
class Network:
    """A frozen network with its preprocessing. Layers are the module's own dotted names.

    Attributes:
        name: What people and messages call it.
        module: Takes (B, 3, H, W), (image - mean) / std of an RGB image in [0, 1].
        mean: Of the preprocessing, for R, G and B.
        std: Of the preprocessing, for R, G and B.
        licence: Of the weights.
        source: Where the weights are from, a phrase.
        default_layer: The layer to dream with when a recipe names none.
        defaults: The parts of a recipe that suit the network (octaves, transforms, objectives), as a nested dict.
        statistics: By layer, the mean and standard deviation of its channels, each (C,).
        heads: By layer, a linear classifier of its positions: weight (K, C) and bias (K,), one row a label.
        labels: Names of the K classes; their numbers where a weights file does not name them.
        figures: By layer, matched filters of the first K labels' whole motifs: basis (R, C), weight (K, R, k, k) with
            k odd, and bias (K,). They are convolved with normalised features projected on the basis.
        channels: By layer, the numbers of its channels that have a name.
        weights: SHA-256 of the weights file, in hex; empty where there is none.
        background: The label of positions that show none of the others, which objectives do not offer by name; empty
            where there is none.
        fit: How a file's weights fit, where they are not the network's own.
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
    background: str = ""
    fit: Fit | None = None

    def __post_init__(self) -> None:
        self.module.eval().requires_grad_(False)

    @property
    def notices(self) -> tuple[str, ...]:
        """What to tell of the weights file."""
        return self.fit.notices if self.fit else ()

    @cached_property
    def anatomy(self) -> NetworkLayers:
        """The layers by name, and the batch norms that may be folded."""
        return inspect_layers(self.module)

    @cached_property
    def _other_names(self) -> dict[str, str]:
        return other_names(self.name, self.module, self.anatomy.layers)

    def layers(self) -> tuple[Layer, ...]:
        """Every layer, in the order in which the forward pass finishes them."""
        return tuple(self.anatomy.layers.values())

    def layer(self, name: str) -> Layer:
        """The layer of that name, its own or that of other programs.

        Raises NetworkError with the nearest names, or if weights up to there are absent.
        """
        layers = self.anatomy.layers
        own = name if name in layers else understood(name, layers, self._other_names)
        if own is None:
            guess = layer_guess(name, layers, self._other_names)
            hint = f"`dreamer networks layers {self.name}` lists them"
            raise NetworkError(f"{self.name} has no layer {name!r}; {hint}{guess}")
        layer, name = layers[own], own
        if self.fit and (absent := self._absent_up_to(name)):
            raise NetworkError(self.fit.problem(absent, f"does not fit up to {name}"))
        return layer

    def has(self, name: str) -> bool:
        """Whether there is a layer of that name, its own or that of other programs."""
        return name in self.anatomy.layers or bool(understood(name, self.anatomy.layers, self._other_names))

    def features(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Compute the layers' features, in one pass that stops at the deepest of them.

        Args:
            image: (B, 3, H, W), RGB in [0, 1].
            layers: Names of layers.

        Returns:
            {layer: (B, C, h, w)}, differentiable in the image; (B, C, 1, 1) for a layer that gives vectors.

        Raises:
            NetworkError: The network has no such layer. An image that is too small raises what the module raises.
        """
        wanted = {name: self.layer(name) for name in layers}
        weight = next(self.module.parameters(), image)
        mean, std = (image.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        seen = ((image - mean) / std).to(weight.dtype).contiguous(memory_format=torch.channels_last)
        with _captured(self.module, wanted) as found:
            self.module(seen)
        return {name: _as_map(found[name], layer, image) for name, layer in wanted.items()}

    def sizes(self, height: int, width: int, layers: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Find the size of the layers' maps for a picture of some size, without computing them.

        Args:
            height: Of the picture, px.
            width: Of the picture, px.
            layers: Names of layers.

        Returns:
            {layer: (h, w)}, in positions.

        Raises:
            NetworkError: The picture is too small, or the network has no such layer.
        """
        wanted = {name: self.layer(name) for name in layers}
        try:
            return self._shapes(height, width, wanted)
        except (RuntimeError, ValueError, AssertionError) as error:
            need = self.smallest(wanted)
            what = f"needs at least {need} pixels a side" if need else f"cannot look at it ({error})"
            raise NetworkError(
                f"{width}x{height} pixels are too small for {self.name} at {', '.join(wanted)}, which {what}"
            ) from error

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
        """Whether these layers' features are differentiable in the image, found without computing them."""
        wanted = {name: self.layer(name) for name in layers}
        with torch.enable_grad():
            return all(output.requires_grad for output in self._outputs(HEIGHT, WIDTH, wanted).values())

    def prepared(self, layers: Iterable[str], device: torch.device, dtype: torch.dtype) -> Network:
        """Copy the network, to compute the same at some layers faster: batch norm folded, memory channels last.

        Args:
            layers: Names of layers. No batch norm is folded across one of these, whose features it would change.
            device: Where the copy computes.
            dtype: Of its weights, and so its precision.

        Returns:
            The copy; statistics, heads and figures are on the device as well.
        """
        module, layers = copy.deepcopy(self.module), [self.layer(name).name for name in layers]
        for convolution, norm in self.anatomy.foldable:
            if not any(_holds(name, convolution) and not _holds(name, norm) for name in layers):
                before = cast(nn.Conv2d, module.get_submodule(convolution))
                after = cast(nn.BatchNorm2d, module.get_submodule(norm))
                module.set_submodule(convolution, fuse_conv_bn_eval(before, after))
                module.set_submodule(norm, nn.Identity())
        module.to(device=device, dtype=dtype).to(memory_format=torch.channels_last)
        copied = replace(
            self,
            module=module,
            statistics={at: (mean.to(device), std.to(device)) for at, (mean, std) in self.statistics.items()},
            heads={at: (weight.to(device), bias.to(device)) for at, (weight, bias) in self.heads.items()},
            figures={at: (b.to(device), w.to(device), bias.to(device)) for at, (b, w, bias) in self.figures.items()},
        )
        copied.__dict__["anatomy"] = self.anatomy
        return copied

    def _absent_up_to(self, name: str) -> list[str]:
        """The absent weights that a layer may depend on: those of modules that do not run after it."""
        order = {layer: number for number, layer in enumerate(self.anatomy.layers)}

        def first_use(module: str) -> int:
            inside = [layer for layer in order if not module or _holds(module, layer)]
            if not inside:
                return first_use(module.rpartition(".")[0])
            repeated = any(self.anatomy.layers[layer].calls > 1 for layer in inside)
            return 0 if repeated else min(order[layer] for layer in inside)

        assert self.fit
        return [key for key in self.fit.absent if first_use(key.rpartition(".")[0]) <= order[name]]

    def _outputs(self, height: int, width: int, wanted: Mapping[str, Layer]) -> dict[str, Tensor]:
        """The layers' maps for a picture of some size, on the `meta` device."""
        dtype = next((weight.dtype for weight in self.module.parameters()), torch.float32)
        image = torch.empty(1, 3, height, width, device="meta", dtype=dtype)
        with _captured(self.module, wanted) as found:
            parameters = meta_parameters(self.module)
            functional_call(self.module, parameters, (image.requires_grad_(torch.is_grad_enabled()),))
        return {name: _as_map(found[name], layer, image) for name, layer in wanted.items()}

    @torch.no_grad()
    def _shapes(self, height: int, width: int, wanted: Mapping[str, Layer]) -> dict[str, tuple[int, int]]:
        """The maps' sizes (h, w); raises what the module raises where the picture is too small, or ValueError."""
        maps = self._outputs(height, width, wanted)
        if any(output.numel() == 0 for output in maps.values()):
            raise ValueError("its map would be empty")
        return {name: (output.shape[2], output.shape[3]) for name, output in maps.items()}


def fitted(network: Network, fit: Fit) -> Network:
    """The network with another file's weights in it; raises NetworkError where they do not fit up to any layer."""
    labels = network.labels if fit.classes is None else tuple(map(str, range(fit.classes)))
    network = replace(network, labels=labels, fit=fit)
    if fit.absent and network._absent_up_to(next(iter(network.anatomy.layers))):
        raise NetworkError(fit.problem(fit.absent))
    return network


class _DeepEnough(Exception):
    """Raised in a hook once every wanted layer has run, so that the rest of the network is skipped."""


@contextmanager
def _captured(module: nn.Module, wanted: Mapping[str, Layer]) -> Iterator[dict[str, Tensor]]:
    """Collect the wanted layers' outputs of the pass inside the block, which ends at the deepest; leaves no hook."""
    found: dict[str, Tensor] = {}
    left = {name: layer.calls for name, layer in wanted.items()}

    def keep(name: str, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        found[name] = output
        left[name] -= 1
        if not any(left.values()):
            raise _DeepEnough
        # What follows works on a copy: an in-place activation must not change what was asked for.
        return output.clone()

    with suppress(_DeepEnough), ExitStack() as stack:
        for name, layer in wanted.items():
            stack.enter_context(module.get_submodule(layer.name).register_forward_hook(partial(keep, name)))
        yield found


def _as_map(output: Tensor, layer: Layer, image: Tensor) -> Tensor:
    """A layer's output for an image, (B, C), (B, n, C) or (B, h, w, C) too, as (B, C, h, w)."""
    if output.ndim == 2:
        return output[:, :, None, None]
    if layer.patch:
        cells = grid(output.shape[1], image.shape[-2], image.shape[-1], layer.patch)
        if cells is None:
            raise NetworkError(f"{layer.name} gives {output.shape[1]} tokens, which are no patches of this picture")
        patches = output[:, -math.prod(cells) :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], *cells)
    return output.permute(0, 3, 1, 2) if layer.channels_last else output


def _holds(layer: str, module: str) -> bool:
    """Whether a module is the layer or inside of it."""
    return module == layer or module.startswith(layer + ".")
