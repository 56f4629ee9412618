"""State shared by all pictures of one network on one device."""

from __future__ import annotations

from functools import partial

import torch

from dreamer.engine.precision import bfloat16_suffices
from dreamer.image import Photo
from dreamer.networks.network import Network
from dreamer.networks.prepare import bfloat16_pays
from dreamer.pipeline.bind import Guide, IngredientBinder
from dreamer.pipeline.demand import Demand, demand_of

_SMALL = 250_000  # pixels: with fewer, to find out whether bfloat16 suffices takes longer than it saves


class Session:
    """What all pictures of one network on one device share, each made when it is first needed, and then kept."""

    def __init__(self, network: Network, device: str, guide: Photo | None = None) -> None:
        self.network = network
        self.guide = Guide(guide, network, device) if guide else None
        self._device = torch.device(device)
        self._prepared: dict[tuple[tuple[str, ...], torch.dtype], Network] = {}
        self._sufficing: dict[tuple[str, ...], bool] = {}
        self._demands: dict[tuple[int, int, int], tuple[IngredientBinder, Demand]] = {}

    def prepared(self, layers: tuple[str, ...], precision: torch.dtype) -> Network:
        """The network made fast for these layers."""
        if (layers, precision) not in self._prepared:
            self._prepared[layers, precision] = self.network.prepared(layers, self._device, precision)
        return self._prepared[layers, precision]

    def precision(self, wanted: str, layers: tuple[str, ...], pixels: int) -> str:
        """The precision `wanted`; for "auto", bfloat16 if it is faster for so many pixels and exact at these layers."""
        if wanted != "auto":
            return wanted
        if pixels < _SMALL or not bfloat16_pays(self._device.type):
            return "float32"
        if layers not in self._sufficing:
            self._sufficing[layers] = bfloat16_suffices(partial(self.prepared, layers), layers, self._device)
        return "bfloat16" if self._sufficing[layers] else "float32"

    def demand(self, binder: IngredientBinder, height: int, width: int) -> Demand:
        """What a recipe makes of pictures of this size, which takes as long to find out as some steps do."""
        key = id(binder.recipe), height, width
        if key not in self._demands:
            self._demands[key] = binder, demand_of(binder, height, width)  # the recipe lives on, and so its id is its
        return self._demands[key][1]
