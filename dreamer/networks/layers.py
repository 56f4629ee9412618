"""The layers of a network in order, each with its channels, stride and receptive field.

One forward pass, of a large network on the `meta` device (shapes only, no arithmetic), is traced operation by
operation, and each tensor carries its receptive field along. torch.fx gives shapes but no fields, and cannot trace a
forward pass that depends on its data; timm's models declare their strides by hand.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dreamer.errors import NetworkError
from dreamer.networks.copies import blank, computed_if_needed, is_quick, skeleton
from dreamer.networks.receptive_field import ReceptiveField, TracedTensor, operation_name, rule_of

HEIGHT, WIDTH = 224, 352
"""Size of the traced picture in pixels: two sides that no channel count is likely to equal."""

_USUAL = (224, 32, 64, 256, 299, 384, 512, 28, 96, 128, 48, 160, 192, 331, 448, 518)  # px, sides of input
_OTHER_TOKENS = 8  # most tokens that belong to no patch: a class token, registers


@dataclass(frozen=True)
class Layer:
    """One layer that gives a feature map (B, C, h, w), or a vector (B, C) for the whole picture.

    Attributes:
        name: The module's dotted name.
        channels: C.
        rows: Receptive field along y, in input pixels; None behind an operation that looks at the whole picture.
        columns: The same along x.
        whole: The name of that operation, or empty.
        calls: How often the module runs in a pass; the last call counts.
        channels_last: Whether the module gives (B, h, w, C).
        patch: Side in pixels of the patches that the last of its tokens (B, n, C) stand for, row by row; 0 for a map.
        memory: Bytes per input pixel (float32) that a pass up to here writes.
        side: The only side in pixels of a picture that the layer takes; 0 where it takes any.
    """

    name: str
    channels: int
    rows: ReceptiveField | None
    columns: ReceptiveField | None
    whole: str
    calls: int
    channels_last: bool
    patch: int
    memory: float
    side: int = 0

    def reaching(self, positions: int) -> Layer:
        """The layer with the fields that its positions have together with so many around them, in each direction."""
        rows, columns = (field and field.window(2 * positions + 1, 1, positions) for field in (self.rows, self.columns))
        return replace(self, rows=rows, columns=columns)

    def place(self, y: int, x: int, height: int, width: int) -> tuple[float, float, float, float]:
        """The part of a picture of `height` x `width` px that position (y, x) sees; all of it where that is not known.

        (left, top, right, bottom) in shares of the picture's width and height.
        """
        top, bottom, left, right = 0, height, 0, width
        if self.rows and self.columns:
            top, bottom = _within(y, self.rows, height)
            left, right = _within(x, self.columns, width)
        return left / width, top / height, right / width, bottom / height


@dataclass(frozen=True)
class NetworkLayers:
    """A network's layers by name, in the order in which they finish.

    `foldable` are the names of a convolution and its batch norm, where the batch norm may be folded into it.
    """

    layers: Mapping[str, Layer]
    foldable: tuple[tuple[str, str], ...]


def inspect_layers(module: nn.Module, side: int | None = None, bare: nn.Module | None = None) -> NetworkLayers:
    """Trace a pass of `module` over a picture.

    Where the pass cannot be made without computing, because it depends on its data, it is computed.

    Args:
        module: Takes a picture (1, 3, H, W).
        side: The only side in pixels that it takes, where it takes one alone. If it is not given but needed, it is
            looked for among the usual ones.
        bare: The module's skeleton, if there is one already.

    Returns:
        The layers; of those behind an operation that takes one size alone, `side` says which.

    Raises:
        NetworkError: The module cannot take a picture of any size that was tried; with what it raised.
    """
    bare = bare or skeleton(module, is_quick(module, HEIGHT, WIDTH))
    tracer, error = _traced(module, bare, HEIGHT, WIDTH)
    if error is None:
        return NetworkLayers(tracer.layers, tracer.foldable())
    for size in [side] if side else _USUAL:
        fixed, why = _traced(module, bare, size, size)
        if why is None:
            whole = f"the network, which takes {size}x{size} pixels alone,"
            behind = {
                name: replace(layer, side=size, rows=None, columns=None, whole=whole)
                for name, layer in fixed.layers.items()
                if name not in tracer.layers
            }
            return NetworkLayers(tracer.layers | behind, fixed.foldable())
    if tracer.layers and not side:
        return NetworkLayers(tracer.layers, tracer.foldable())
    error = why if side else error
    raised = f"({type(error).__name__}: {error})"
    if side:
        raise NetworkError(f"the module cannot take a picture (1, 3, {side}, {side}) {raised}") from error
    how = "say which with input_size, or wrap it in a module that takes RGB pictures"
    raise NetworkError(f"the module cannot take a picture (1, 3, H, W) of any usual size; {how} {raised}") from error


def _traced(module: nn.Module, bare: nn.Module, height: int, width: int) -> tuple[_LayerTracer, Exception | None]:
    """A tracer after a pass, and the error that ended the pass early."""
    tracers = []

    def run(module: nn.Module) -> _LayerTracer:
        tracers.append(tracer := _LayerTracer(module, height, width))
        with torch.no_grad(), tracer.hooked(), tracer:
            image = blank(module, height, width)
            tracer.follow(image, TracedTensor(ReceptiveField(), ReceptiveField(), (2, 3)))
            module(image)
        return tracer

    try:
        return computed_if_needed(module, bare, run), None
    except Exception as error:
        return tracers[-1], error


def grid(tokens: int, height: int, width: int, patch: int) -> tuple[int, int] | None:
    """Find the rows and columns of the patches among a picture's tokens.

    Args:
        tokens: How many there are, those that belong to no patch included.
        height: Of the picture, px.
        width: Of the picture, px.
        patch: Side of a patch, px.

    Returns:
        (rows, columns), or None where the tokens are no such patches.
    """
    for rounded in (math.ceil, math.floor):
        rows, columns = int(rounded(height / patch)), int(rounded(width / patch))
        if 0 <= tokens - rows * columns <= _OTHER_TOKENS:
            return rows, columns
    return None


class _LayerTracer(TorchFunctionMode):
    """Follows every tensor that depends on the picture through the operations that run inside of it."""

    def __init__(self, module: nn.Module, height: int, width: int) -> None:
        super().__init__()
        self.module, self.height, self.width = module, height, width
        self._thread = threading.get_ident()
        self.layers: dict[str, Layer] = {}
        self._traced: dict[int, TracedTensor] = {}
        self._alive: list[Tensor] = []  # an id means something only while its tensor lives
        self._running: list[str] = []
        self._convolved: dict[int, str] = {}  # a convolution's output -> the module that made it
        self._uses: Counter[int] = Counter()
        self._pairs: list[tuple[int, str]] = []  # a convolution's output, the batch norm that read it
        self._floats = 0

    def follow(self, tensor: Tensor, traced: TracedTensor) -> None:
        self._traced[id(tensor)] = traced
        self._alive.append(tensor)

    def foldable(self) -> tuple[tuple[str, str], ...]:
        return tuple((self._convolved[key], norm) for key, norm in self._pairs if self._uses[key] == 1)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        with ExitStack() as stack:
            for name, module in self.module.named_modules():
                if name:
                    stack.enter_context(module.register_forward_pre_hook(partial(self._enter, name)))
                    stack.enter_context(module.register_forward_hook(partial(self._leave, name)))
            yield

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            self._running.append(name)

    def _leave(self, name: str, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        self._running.pop()
        before = self.layers.pop(name, None)
        if not isinstance(output, Tensor) or min(output.shape) == 0:
            return
        traced = self._traced.get(id(output), TracedTensor(None, None, (2, 3), "something unknown"))
        tokens = output.ndim == 3 and traced.patch > 0 and grid(output.shape[1], self.height, self.width, traced.patch)
        if output.ndim in (2, 4) or tokens:
            last = output.ndim == 4 and _channels_last(output, self.height / self.width)
            self.layers[name] = Layer(
                name,
                channels=output.shape[-1 if last or tokens else 1],
                rows=traced.rows,
                columns=traced.columns,
                whole=traced.whole,
                calls=1 + (before.calls if before else 0),
                channels_last=last,
                patch=traced.patch if tokens else 0,
                memory=4 * self._floats / (self.height * self.width),
            )

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        results = [item for item in _flat((output,)) if isinstance(item, Tensor)]
        sources = [item for item in _flat((args, kwargs)) if id(item) in self._traced]
        if not results or not sources:
            return output
        name = operation_name(func)
        self._uses.update(map(id, sources))
        if name == "batch_norm" and id(sources[0]) in self._convolved and self._is_plain(nn.BatchNorm2d):
            self._pairs.append((id(sources[0]), self._running[-1]))
        traced = self._after(func, args, kwargs, sources, results[0])
        for result in results:
            self.follow(result, traced)
            self._floats += result.numel()
        if name == "conv2d" and self._is_plain(nn.Conv2d):
            self._convolved[id(output)] = self._running[-1]
        return output

    def _is_plain(self, kind: type[nn.Module]) -> bool:
        """Whether the module that runs does what `kind` does and no more, as a batch norm of timm's that ends in an
        activation, or a convolution that normalises its weights."""
        return bool(self._running) and type(self.module.get_submodule(self._running[-1])).forward is kind.forward

    def _after(
        self, operation: Callable[..., Any], args: Any, kwargs: Any, sources: list[Tensor], result: Tensor
    ) -> TracedTensor:
        """The trace of an operation's result; with several sources, it sees what any of them does."""
        name, rule = operation_name(operation), rule_of(operation)
        known = [self._traced[id(source)] for source in sources]
        first = known[0]
        ended = next((traced for traced in known if traced.rows is None), None)
        if ended:
            return ended
        moved = None
        with suppress(Exception):  # a call in a form that the rule does not know may do anything
            moved = rule(first, sources[0], result, args, kwargs) if rule else None
        if moved is None:
            return first.ended(name)
        for other in known[1:]:
            pairs = ((moved.rows, other.rows), (moved.columns, other.columns))
            both = [one | two for one, two in pairs if one and two and one.stride == two.stride]
            if len(both) < 2:
                return first.ended(name)
            moved = replace(moved, rows=both[0], columns=both[1])
        return moved


def _within(position: int, field: ReceptiveField, side: int) -> tuple[int, int]:
    """The part of a position's receptive field that lies within the picture: [start, stop), never empty."""
    start = position * field.stride
    begin = min(max(0, start + field.first), side - 1)
    return begin, max(begin + 1, min(side, start + field.last + 1))


def _flat(items: Any) -> Iterator[Any]:
    """Every item of nested tuples, lists and dicts."""
    for item in items.values() if isinstance(items, dict) else items:
        if isinstance(item, (tuple, list, dict)):
            yield from _flat(item)
        else:
            yield item


def _channels_last(output: Tensor, wanted: float) -> bool:
    """Whether a map is (B, h, w, C): then axes 1 and 2, not 2 and 3, have the picture's proportions, `wanted`."""
    _, one, two, three = output.shape
    return abs(one / two / wanted - 1) < abs(two / three / wanted - 1)
