"""A network to dream with: a frozen module, its preprocessing, and what is known of its layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from dreamer.errors import NetworkError, either, quoted
from dreamer.image import resize
from dreamer.networks.capture import as_map, captured
from dreamer.networks.copies import blank, frozen
from dreamer.networks.layer_table import layer_table
from dreamer.networks.layers import Layer, NetworkLayers
from dreamer.networks.names import layer_guess, other_names, understood
from dreamer.networks.prepare import prepared
from dreamer.networks.shapes import Shapes
from dreamer.networks.state_dict import Fit, tensors_hash
from dreamer.recipes.arguments import check

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_SIDE = 224  # pixels of a usual picture, by which the layers with a map are told from those with a vector


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A frozen network with its preprocessing. Layers are the module's own dotted names.

    The module that is handed over stays as it is, in whichever mode. `module` is a frozen copy over the same weights:
    it sees what is learnt later, but not weights that are replaced by others, as by `.to()`.

    Attributes:
        name: Its name, for people and in messages.
        module: Takes (B, 3, H, W), (image - mean) / std of an RGB image in [0, 1].
        mean: Mean that the preprocessing takes away, for R, G and B.
        std: Standard deviation that the preprocessing divides by, for R, G and B.
        licence: Licence of the weights.
        source: Where the weights are from, a phrase.
        default_layer: The layer to dream with when a recipe names none.
        guide_layer: The layer by which a guide is followed; by default `default_layer`.
        defaults: The parts of a recipe that suit the network (octaves, transforms, objectives), as a nested dict.
        statistics: By layer, the mean and standard deviation of its channels, each (C,).
        heads: By layer, a linear classifier of its positions: weight (K, C) and bias (K,), one row a label.
        labels: Names of the K classes; numbers where a weights file does not name them.
        figures: By layer, V matched filters of each of the first K labels' whole motifs, for normalised features on a
            basis (R, C): weight (K, V, R, k, k) with k odd, and bias (K, V).
        channels: By layer, the numbers of its channels that have a name.
        groups: Labels, or names of channels, that people think of together, by the group's name.
        weights: SHA-256 of the weights file, in hex; empty where there is none.
        background: The label, if any, of positions that show none of the others; objectives do not offer it by name.
        input_size: The only side in pixels that the module takes, if it takes one alone; it is found out for the usual
            sizes. Layers that take any size are looked at with any; for the others pictures are resized to it.
        fit: How a file's weights fit, where they are not its own.
    """

    name: str
    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    licence: str
    source: str
    default_layer: str
    guide_layer: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    heads: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    figures: Mapping[str, tuple[Tensor, Tensor, Tensor]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weights: str = ""
    background: str = ""
    input_size: int | None = None
    fit: Fit | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "module", frozen(self.module))

    @classmethod
    def wrap(
        cls,
        module: nn.Module,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        labels: Sequence[str] = (),
        input_size: int | None = None,
        default_layer: str | None = None,
        name: str | None = None,
    ) -> Network:
        """Make a network of any module that looks at pictures.

        Args:
            module: Takes (B, 3, H, W), (image - mean) / std of an RGB image in [0, 1]. It stays as it is.
            mean: Mean that the preprocessing takes away, for R, G and B; by default ImageNet's.
            std: Standard deviation that it divides by, for R, G and B; by default ImageNet's.
            labels: Names of the classes, in the order of the module's outputs.
            input_size: The only side in pixels that the module takes, where it is none of the usual ones.
            default_layer: The layer to dream with when none is named; by default the last that gives a map.
            name: Its name in messages; by default that of the module's class.

        Raises:
            NetworkError: The module cannot be copied, or cannot take a picture.
            UsageError: Another argument is not what it can be.
        """
        name = type(module).__name__ if name is None else name
        check(name=name, mean=mean, std=std, labels=labels, input_size=input_size, default_layer=default_layer)
        network = cls(
            name,
            module,
            _three(mean),
            _three(std),
            licence="its owner's",
            source="a module of the caller's",
            default_layer=default_layer or "",
            labels=tuple(map(str, labels)),
            input_size=input_size,
        )
        if default_layer is not None:
            network.layer(default_layer)
            return network
        return replace(network, default_layer=network._last_map())

    def __repr__(self) -> str:
        return f"<Network {self.name}: {len(self.layers())} layers, {self.default_layer} by default>"

    def _repr_html_(self) -> str:
        """The layers as a table, in a notebook."""
        return layer_table(repr(self)[1:-1], self.layers())

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about the weights file."""
        return self.fit.notices if self.fit else ()

    @cached_property
    def weights_hash(self) -> str:
        """The SHA-256 of the weights, in hex: of their file, or where there is none of the tensors themselves."""
        return self.weights or tensors_hash(self.module)

    @property
    def anatomy(self) -> NetworkLayers:
        """The layers by name, and the batch norms that may be folded."""
        return self._shapes.layers

    @cached_property
    def _shapes(self) -> Shapes:
        return Shapes(self.module, self.input_size)

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
        check(layer_=name)
        layers = self.anatomy.layers
        own = name if name in layers else understood(name, layers, self._other_names)
        if own is None:
            guess = layer_guess(name, layers, self._other_names)
            hint = f"`{either('network.layers()', f'dreamer networks layers {self.name}')}` lists them"
            raise NetworkError(f"{self.name} has no layer {quoted(name)}; {hint}{guess}")
        if self.fit and (absent := self.fit.absent_up_to(own, layers)):
            raise NetworkError(self.fit.problem(absent, f"does not fit up to {own}"))
        return layers[own]

    def _last_map(self) -> str:
        """The last layer with more than one position, but for a pooling to a size of its own. Raises NetworkError."""
        layers, modules = self.anatomy.layers, dict(self.module.named_modules())
        side = _side(layers) or _SIDE
        for name, (height, width) in reversed(self.sizes(side, side, layers).items()):
            if height * width > 1 and not isinstance(modules[name], (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)):
                return name
        raise NetworkError(f"{self.name} has no layer that gives a map of its picture; use another")

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
            NetworkError: The network has no such layer, or `image` is too small or of another shape or type.
        """
        if not isinstance(image, Tensor) or image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
            what = f"{tuple(image.shape)}, {image.dtype}" if isinstance(image, Tensor) else quoted(image)
            raise NetworkError(f"image: expected a tensor (B, 3, H, W) of floats in [0, 1], not {what}")
        wanted = self._wanted(layers)
        side = _side(wanted)
        if side and image.shape[-2:] != (side, side):
            image = resize(image, (side, side))
        mean, std = (image.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        seen = ((image - mean) / std).to(self._dtype)
        with suppress(RuntimeError):  # within torch.vmap a tensor has no such format
            seen = seen.contiguous(memory_format=torch.channels_last)
        try:
            with captured(self.module, wanted) as found:
                self.module(seen)
        except (RuntimeError, ValueError):
            self.sizes(image.shape[-2], image.shape[-1], wanted)  # which says what is too small
            raise
        return {name: as_map(found[name], layer, image) for name, layer in wanted.items()}

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
        check(height=height, width=width)
        wanted = self._wanted(layers)
        try:
            return self._shapes.sizes(height, width, wanted)
        except (RuntimeError, ValueError, AssertionError) as error:
            need = self.smallest(wanted)
            what = f"needs at least {need} pixels a side" if need else f"cannot look at it ({error})"
            raise NetworkError(
                f"{width}x{height} pixels are too small for {self.name} at {', '.join(wanted)}, which {what}"
            ) from error

    def smallest(self, layers: Iterable[str]) -> int | None:
        """The smallest square picture, in pixels a side, that the network can look at up to these layers."""
        return self._shapes.smallest(self._wanted(layers))

    def differentiable(self, layers: Iterable[str]) -> bool:
        """Whether these layers' features are differentiable in the image, found without computing them."""
        return self._shapes.differentiable(self._wanted(layers))

    def prepared(self, layers: Iterable[str], device: torch.device, dtype: torch.dtype) -> Network:
        """Copy the network, to compute the same at some layers faster: batch norm folded, memory channels last.

        Args:
            layers: Names of layers. No batch norm is folded across one of these, whose features it would change.
            device: Where the copy computes.
            dtype: Of its weights, and so its precision.

        Returns:
            The copy; statistics, heads and figures are on the device as well.
        """
        return prepared(self, layers, device, dtype)

    def _wanted(self, layers: Iterable[str]) -> dict[str, Layer]:
        check(layers=layers)
        return {name: self.layer(name) for name in layers}

    @cached_property
    def _dtype(self) -> torch.dtype:
        """The data type that the module computes in."""
        return blank(self.module, 1, 1).dtype


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def _side(wanted: Mapping[str, Layer]) -> int:
    """The only side that one of the layers takes; 0 where each takes any."""
    return max((layer.side for layer in wanted.values()), default=0)
