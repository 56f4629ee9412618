"""One pass over a module that collects what some of its layers give."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from torch import Tensor, nn

from dreamer.errors import NetworkError
from dreamer.networks.layers import Layer, grid


class _DeepEnough(Exception):
    """Raised in a hook once every wanted layer has run, so that the rest of the network is skipped."""


@contextmanager
def captured(module: nn.Module, wanted: Mapping[str, Layer]) -> Iterator[dict[str, Tensor]]:
    """Collect the wanted layers' outputs of the pass inside the block, which ends at the deepest; leaves no hook.

    Passes of other threads over the same module meet the hooks, too, and go on untouched.
    """
    found: dict[str, Tensor] = {}
    own = threading.get_ident()
    left = {name: layer.calls for name, layer in wanted.items()}

    def keep(name: str, module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if threading.get_ident() != own:
            return output
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


def as_map(output: Tensor, layer: Layer, image: Tensor) -> Tensor:
    """A layer's output for an image, (B, C), (B, n, C) or (B, h, w, C) too, as (B, C, h, w)."""
    if output.ndim == 2:
        return output[:, :, None, None]
    if layer.patch:
        cells = grid(output.shape[1], image.shape[-2], image.shape[-1], layer.patch)
        if cells is None:
            what = f"gives {output.shape[1]} tokens, which are no patches of this picture"
            raise NetworkError(f"{layer.name} {what}; choose another layer")
        patches = output[:, -math.prod(cells) :].transpose(1, 2)
        return patches.reshape(*patches.shape[:2], *cells)
    return output.permute(0, 3, 1, 2) if layer.channels_last else output
