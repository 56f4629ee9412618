"""What a network is made of: its layers in order, with channels, stride and receptive field.

One forward pass on the `meta` device (shapes only, no arithmetic) is watched operation by operation, and each feature
map carries its receptive field along. torch.fx would give shapes, but no receptive fields, and cannot trace a forward
pass that depends on its data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from dreamer.field import RULES, Field, Trail

HEIGHT, WIDTH = 224, 352  # the pass' picture, px: two sides that no channel count is likely to mimic

_STRANGERS = 8  # tokens at most that belong to no patch: a class token, registers


@dataclass(frozen=True)
class Layer:
    """One layer that gives a feature map (B, C, h, w), or a vector (B, C) for the whole picture.

    `rows` and `columns` are the fields along y and x; both are None behind an operation, named by `whole`, that looks
    at the whole picture. `calls`: how often the module runs in a pass; the last call counts. `channels_last`: the
    module gives (B, h, w, C). `patch`: it gives tokens (B, n, C), the last of which are patches of so many pixels a
    side, row by row; 0 where it gives a map. `memory`: bytes per input pixel (float32) that a pass up to here writes.
    """

    name: str
    channels: int
    rows: Field | None
    columns: Field | None
    whole: str
    calls: int
    channels_last: bool
    patch: int
    memory: float

    def reaching(self, positions: int) -> Layer:
        """The same where each position looks at so many others around it, in each direction."""
        rows, columns = (field and field.window(2 * positions + 1, 1, positions) for field in (self.rows, self.columns))
        return replace(self, rows=rows, columns=columns)


@dataclass(frozen=True)
class Anatomy:
    """The layers in the order in which they finish, and the (convolution, batch norm) pairs that may be folded."""

    layers: Mapping[str, Layer]
    foldable: tuple[tuple[str, str], ...]


def anatomy(module: nn.Module) -> Anatomy:
    """Watch one pass of `module` over a picture of 224x352 px; errors of its forward pass come through."""
    watch = _Watch(module)
    with torch.no_grad(), watch.hooked(), watch:
        image = torch.empty(1, 3, HEIGHT, WIDTH, device="meta")
        watch.follow(image, Trail(Field(), Field(), (2, 3)))
        functional_call(module, meta_parameters(module), (image,))
    return Anatomy(watch.layers, watch.foldable())


def meta_parameters(module: nn.Module) -> dict[str, Tensor]:
    """Stand-ins on the `meta` device for every parameter and buffer: a pass with them computes shapes alone."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}


def grid(tokens: int, height: int, width: int, patch: int) -> tuple[int, int] | None:
    """The rows and columns of the patches among a picture's tokens; None where there are no such patches."""
    for rounded in (math.ceil, math.floor):
        rows, columns = int(rounded(height / patch)), int(rounded(width / patch))
        if 0 <= tokens - rows * columns <= _STRANGERS:
            return rows, columns
    return None


class _Watch(TorchFunctionMode):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.layers: dict[str, Layer] = {}
        self._trails: dict[int, Trail] = {}
        self._alive: list[Tensor] = []  # an id means something only while its tensor lives
        self._running: list[str] = []
        self._convolved: dict[int, str] = {}  # a convolution's output -> the module that made it
        self._uses: dict[int, int] = {}
        self._pairs: list[tuple[int, str]] = []  # a convolution's output, the batch norm that read it
        self._floats = 0

    def follow(self, tensor: Tensor, trail: Trail) -> None:
        self._trails[id(tensor)] = trail
        self._alive.append(tensor)

    def foldable(self) -> tuple[tuple[str, str], ...]:
        return tuple((self._convolved[key], norm) for key, norm in self._pairs if self._uses[key] == 1)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        handles = []
        for name, module in self.module.named_modules():
            if name:
                handles.append(module.register_forward_pre_hook(self._enters(name)))
                handles.append(module.register_forward_hook(self._leaves(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enters(self, name: str) -> Callable[[nn.Module, Any], None]:
        return lambda module, args: self._running.append(name)

    def _leaves(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leave(module: nn.Module, args: Any, output: Any) -> None:
            self._running.pop()
            before = self.layers.pop(name, None)
            if not isinstance(output, Tensor) or min(output.shape) == 0:
                return
            trail = self._trails.get(id(output), Trail(None, None, (2, 3), "something unknown"))
            tokens = output.ndim == 3 and trail.patch > 0 and grid(output.shape[1], HEIGHT, WIDTH, trail.patch)
            if output.ndim in (2, 4) or tokens:
                last = output.ndim == 4 and _channels_last(output)
                self.layers[name] = Layer(
                    name,
                    output.shape[-1 if last or tokens else 1],
                    trail.rows,
                    trail.columns,
                    trail.whole,
                    1 + (before.calls if before else 0),
                    last,
                    trail.patch if tokens else 0,
                    4 * self._floats / (HEIGHT * WIDTH),
                )

        return leave

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        results = [item for item in _flat((output,)) if isinstance(item, Tensor)]
        sources = [item for item in _flat((args, kwargs)) if id(item) in self._trails]
        if not results or not sources:
            return output
        name = func.__name__.strip("_")
        for source in sources:
            self._uses[id(source)] = self._uses.get(id(source), 0) + 1
        if name == "batch_norm" and id(sources[0]) in self._convolved and self._running:
            self._pairs.append((id(sources[0]), self._running[-1]))
        trail = self._trail(name, args, kwargs, sources, results[0])
        for result in results:
            self.follow(result, trail)
            self._floats += result.numel()
        if name == "conv2d" and self._running:
            self._convolved[id(output)] = self._running[-1]
        return output

    def _trail(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], sources: list[Tensor], result: Tensor
    ) -> Trail:
        trails = [self._trails[id(source)] for source in sources]
        first = trails[0]
        ended = next((trail for trail in trails if trail.rows is None), None)
        rule = RULES.get(name)
        moved = rule(first, sources[0], result, args, kwargs) if rule else None
        if ended:
            return ended if moved is None else ended.moved(moved.axes)
        if moved is None:
            return first.ended(name)
        for other in trails[1:]:
            if not (other.rows and other.columns and moved.rows and moved.columns):
                return first.ended(name)
            if other.rows.stride != moved.rows.stride or other.columns.stride != moved.columns.stride:
                return first.ended(name)
            moved = replace(moved, rows=moved.rows | other.rows, columns=moved.columns | other.columns)
        return moved


def _flat(items: Any) -> Iterator[Any]:
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, (tuple, list, dict)):
            yield from _flat(item)
        else:
            yield item


def _channels_last(output: Tensor) -> bool:
    """Whether a map is (B, h, w, C): then axes 1 and 2, not 2 and 3, have the picture's proportions."""
    _, one, two, three = output.shape
    wanted = HEIGHT / WIDTH
    return abs(one / two / wanted - 1) < abs(two / three / wanted - 1)
