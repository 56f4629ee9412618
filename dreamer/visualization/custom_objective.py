"""Objectives that are functions of a Python program's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from dreamer.engine.objective import WeightedObjective
from dreamer.engine.step import StepContext
from dreamer.errors import UsageError, many
from dreamer.networks.network import Network

Features = Mapping[str, Tensor]
"""Features (B, C, h, w) by the layer's name."""


def custom_objective(
    objective: Callable[[Features], Tensor], network: Network, height: int, width: int, pictures: int = 1
) -> WeightedObjective:
    """Make an objective of a Python function.

    Args:
        objective: From {layer: features (B, C, h, w)} to a score: a scalar, one per picture (B,), or a map (B, h, w).
            Called once on zeros, to find out which layers it uses.
        network: The network.
        height: Of the picture, in pixels.
        width: Likewise.
        pictures: The number of pictures, B.

    Raises:
        UsageError: The function uses no layer, or does not return a score that depends on the features.
    """
    probe = _Probe(network, height, width, pictures)
    result = objective(probe)
    if not probe.used:
        raise UsageError("the objective uses no layer; read one from its argument, as in f['features.10']")
    if not isinstance(result, Tensor) or not result.requires_grad:
        raise UsageError("the objective must return a tensor that depends on the features, as in f[layer][:, 3].mean()")
    maps = {tuple(features.shape[-2:]) for features in probe.used.values()}
    shape = tuple(result.shape)
    if shape not in ((), (pictures,)) and not (len(shape) == 3 and shape[0] == pictures and shape[1:] in maps):
        raise UsageError(
            f"the objective must return a score, one for each of {many(pictures, 'picture')}, or a map (B, h, w) "
            f"of them; it returned a tensor of shape {shape}"
        )
    name, layers = getattr(objective, "__name__", "objective"), tuple(probe.used)

    def score(features: Features, context: StepContext) -> Tensor:
        try:
            return objective(features)
        except IndexError as error:
            height, width = context.step.size
            raise UsageError(
                f"the objective asks for what an octave of {width}x{height} pixels lacks ({error}); smaller octaves "
                "have smaller maps: octaves={'count': 1} dreams at one size alone"
            ) from error

    return WeightedObjective(name, 1.0, layers[0], score, layers=layers)


class _Probe(Mapping[str, Tensor]):
    """Features of zeros for every layer; remembers which layers were read."""

    def __init__(self, network: Network, height: int, width: int, pictures: int) -> None:
        self._network, self._size, self._pictures = network, (height, width), pictures
        self.used: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.used:
            channels = self._network.layer(name).channels
            size = self._network.sizes(*self._size, [name])[name]
            self.used[name] = torch.zeros(self._pictures, channels, *size, requires_grad=True)
        return self.used[name]

    def __contains__(self, name: object) -> bool:
        return name in self._network.anatomy.layers

    def __iter__(self) -> Iterator[str]:
        return iter(self._network.anatomy.layers)

    def __len__(self) -> int:
        return len(self._network.anatomy.layers)
