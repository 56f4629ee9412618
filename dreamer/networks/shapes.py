"""The sizes of a network's maps, found without computing them, or by computing little."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor, nn

from dreamer.networks.capture import as_map, captured
from dreamer.networks.copies import blank, computed_if_needed, is_quick, skeleton
from dreamer.networks.layers import HEIGHT, WIDTH, Layer, NetworkLayers, inspect_layers

_LARGEST_PROBE = 1024  # px: `smallest` looks no further


class Shapes:
    """Passes over a module that are made for their shapes; the module itself stays free for other threads."""

    def __init__(self, module: nn.Module, input_size: int | None) -> None:
        self._module, self._input_size = module, input_size
        self._skeletons: dict[bool, nn.Module] = {}
        # A pass may take as long as a step.
        self._sizes: dict[tuple[int | str, ...], dict[str, tuple[int, int]]] = {}
        self._differentiable: dict[tuple[str, ...], bool] = {}

    @cached_property
    def layers(self) -> NetworkLayers:
        """The layers by name, and the batch norms that may be folded."""
        return inspect_layers(self._module, self._input_size, self._skeleton(HEIGHT, WIDTH))

    @torch.no_grad()
    def sizes(self, height: int, width: int, wanted: Mapping[str, Layer]) -> dict[str, tuple[int, int]]:
        """The maps' sizes (h, w); raises what the module raises where the picture is too small, or ValueError."""
        if (known := self._sizes.get((height, width, *wanted))) is not None:
            return dict(known)
        maps = self._outputs(height, width, wanted)
        if any(output.numel() == 0 for output in maps.values()):
            raise ValueError("its map would be empty")
        found = {name: (output.shape[2], output.shape[3]) for name, output in maps.items()}
        self._sizes[(height, width, *wanted)] = found
        return dict(found)

    def smallest(self, wanted: Mapping[str, Layer]) -> int | None:
        """The smallest square picture, in pixels a side, that gives these maps; None if that is a very large one."""
        low, high = 1, _LARGEST_PROBE
        while low < high:
            middle = (low + high) // 2
            try:
                self.sizes(middle, middle, wanted)
                high = middle
            except (RuntimeError, ValueError, AssertionError):
                low = middle + 1
        return low if low < _LARGEST_PROBE else None

    @torch.enable_grad()
    def differentiable(self, wanted: Mapping[str, Layer]) -> bool:
        """Whether these maps are differentiable in the picture."""
        names = (*wanted,)
        if names not in self._differentiable:
            outputs = self._outputs(HEIGHT, WIDTH, wanted).values()
            self._differentiable[names] = all(output.requires_grad for output in outputs)
        return self._differentiable[names]

    def _outputs(self, height: int, width: int, wanted: Mapping[str, Layer]) -> dict[str, Tensor]:
        """The layers' maps for a picture of some size, of which only the shape and the graph mean anything."""
        side = max((layer.side for layer in wanted.values()), default=0)

        def run(module: nn.Module) -> dict[str, Tensor]:
            image = blank(module, side or height, side or width)
            if torch.is_grad_enabled():  # within torch.func nothing may ask for a gradient
                image.requires_grad_()
            with captured(module, wanted) as found:
                module(image)
            return {name: as_map(found[name], layer, image) for name, layer in wanted.items()}

        return computed_if_needed(self._module, self._skeleton(height, width), run)

    def _skeleton(self, height: int, width: int) -> nn.Module:
        quick = is_quick(self._module, height, width)
        if quick not in self._skeletons:
            self._skeletons[quick] = skeleton(self._module, quick)
        return self._skeletons[quick]
