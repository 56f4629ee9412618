"""What a network is made of: its layers in order, with channels, stride and receptive field.

One forward pass on the `meta` device (shapes only, no arithmetic) is watched operation by operation. Each feature map
carries its receptive field along: position i of a layer sees the input pixels i * stride + first ... i * stride + last.
Convolution, pooling and padding change a field (Araujo, Norris, Sim 2019), elementwise operations pass it on, and
everything else looks at the whole picture: a layer behind such an operation has no field, and the reason is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

HEIGHT, WIDTH = 224, 352  # the pass' picture, px: two sides that no channel count is likely to mimic


@dataclass(frozen=True)
class Field:
    """A receptive field along one axis, in input pixels.

    `reach` is how much further a position beside the border may look when padding mirrors the picture.
    """

    stride: int = 1
    first: int = 0
    last: int = 0
    reach: int = 0

    @property
    def size(self) -> int:
        """How many pixels a position sees."""
        return self.last - self.first + 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> Field:
        """The field of a convolution or pooling over this layer."""
        first = self.first - padding * self.stride
        last = self.last + (dilation * (kernel - 1) - padding) * self.stride
        return Field(self.stride * stride, first, last, self.reach)

    def padded(self, before: int, after: int, mirrored: bool) -> Field:
        """The field after padding by `before` and `after` positions."""
        shift = before * self.stride
        reach = self.reach + 2 * max(before, after) * self.stride * mirrored
        return Field(self.stride, self.first - shift, self.last - shift, reach)

    def __or__(self, other: Field) -> Field:
        first, last = min(self.first, other.first), max(self.last, other.last)
        return Field(self.stride, first, last, max(self.reach, other.reach))


@dataclass(frozen=True)
class Layer:
    """One layer that gives a feature map (B, C, h, w), or a vector (B, C) for the whole picture.

    `rows` and `columns` are the fields along y and x; both are None behind an operation, named by `whole`, that looks
    at the whole picture. `calls`: how often the module runs in a pass; the last call counts. `channels_last`: the
    module gives (B, h, w, C). `memory`: bytes per input pixel (float32) that a pass up to here writes.
    """

    name: str
    channels: int
    rows: Field | None
    columns: Field | None
    whole: str
    calls: int
    channels_last: bool
    memory: float


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
        watch.follow(image, _Trail(Field(), Field(), (2, 3)))
        functional_call(module, meta_parameters(module), (image,))
    return Anatomy(watch.layers, watch.foldable())


def meta_parameters(module: nn.Module) -> dict[str, Tensor]:
    """Stand-ins on the `meta` device for every parameter and buffer: a pass with them computes shapes alone."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}


@dataclass(frozen=True)
class _Trail:
    """What is known of a tensor: its fields and which of its axes are y and x; `whole` names what ended them."""

    rows: Field | None
    columns: Field | None
    axes: tuple[int, int]
    whole: str = ""

    def ended(self, operation: str) -> _Trail:
        return _Trail(None, None, self.axes, self.whole or operation)

    def moved(self, axes: tuple[int, int]) -> _Trail:
        return replace(self, axes=axes)


class _Watch(TorchFunctionMode):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.layers: dict[str, Layer] = {}
        self._trails: dict[int, _Trail] = {}
        self._alive: list[Tensor] = []  # an id means something only while its tensor lives
        self._running: list[str] = []
        self._convolved: dict[int, str] = {}  # a convolution's output -> the module that made it
        self._uses: dict[int, int] = {}
        self._pairs: list[tuple[int, str]] = []  # a convolution's output, the batch norm that read it
        self._floats = 0

    def follow(self, tensor: Tensor, trail: _Trail) -> None:
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
            if isinstance(output, Tensor) and output.ndim in (2, 4) and min(output.shape) > 0:
                trail = self._trails.get(id(output), _Trail(None, None, (2, 3), "something unknown"))
                last = output.ndim == 4 and _channels_last(output)
                self.layers[name] = Layer(
                    name,
                    output.shape[3 if last else 1],
                    trail.rows,
                    trail.columns,
                    trail.whole,
                    1 + (before.calls if before else 0),
                    last,
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
    ) -> _Trail:
        trails = [self._trails[id(source)] for source in sources]
        first = trails[0]
        ended = next((trail for trail in trails if trail.rows is None), None)
        rule = _RULES.get(name)
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


_Rule = Callable[[_Trail, Tensor, Tensor, tuple[Any, ...], dict[str, Any]], "_Trail | None"]


def _elementwise(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    return trail if result.ndim == source.ndim else None


def _convolved(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    given = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation"), args, strict=False)) | kwargs
    kernel = given["weight"].shape[-2:]
    return _slide(trail, kernel, given.get("stride", 1), given.get("padding", 0), given.get("dilation", 1))


def _pooled(names: tuple[str, ...]) -> _Rule:
    def rule(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
        given = dict(zip(names, args, strict=False)) | kwargs
        kernel = given["kernel_size"]
        stride = given.get("stride") or kernel
        return _slide(trail, kernel, stride, given.get("padding", 0), given.get("dilation", 1))

    return rule


def _slide(trail: _Trail, kernel: Any, stride: Any, padding: Any, dilation: Any) -> _Trail | None:
    if trail.rows is None or trail.columns is None or trail.axes != (2, 3):
        return None
    kernel, stride, dilation = _pair(kernel), _pair(stride), _pair(dilation)
    if isinstance(padding, str):
        padding = [d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
    padding = _pair(padding)
    return replace(
        trail,
        rows=trail.rows.window(kernel[0], stride[0], padding[0], dilation[0]),
        columns=trail.columns.window(kernel[1], stride[1], padding[1], dilation[1]),
    )


def _pad(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    given = dict(zip(("input", "pad", "mode"), args, strict=False)) | kwargs
    left, right, top, bottom, *more = [*given["pad"], 0, 0, 0, 0][:8]
    if trail.rows is None or trail.columns is None or trail.axes != (2, 3) or any(more) or source.ndim != 4:
        return None
    if given.get("mode", "constant") == "circular":
        return None
    mirrored = given.get("mode", "constant") != "constant"
    rows, columns = trail.rows.padded(top, bottom, mirrored), trail.columns.padded(left, right, mirrored)
    return replace(trail, rows=rows, columns=columns)


def _permute(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    order = kwargs.get("dims", args[1:])
    order = [int(d) % source.ndim for d in (order[0] if len(order) == 1 and not isinstance(order[0], int) else order)]
    return trail.moved((order.index(trail.axes[0]), order.index(trail.axes[1])))


def _transpose(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    given = dict(zip(("input", "dim0", "dim1"), args, strict=False)) | kwargs
    one, two = given["dim0"] % source.ndim, given["dim1"] % source.ndim
    swap = {one: two, two: one}
    return trail.moved((swap.get(trail.axes[0], trail.axes[0]), swap.get(trail.axes[1], trail.axes[1])))


def _view(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    """A reshape that leaves y and x where they are, the last two axes (a channel shuffle does)."""
    last = (source.ndim - 2, source.ndim - 1)
    if trail.axes != last or result.ndim < 4 or result.shape[-2:] != source.shape[-2:]:
        return None
    return trail.moved((result.ndim - 2, result.ndim - 1))


def _along(position: int, default: int) -> _Rule:
    """An operation along one axis (cat, chunk, softmax): local unless that axis is y or x."""

    def rule(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
        dim = kwargs.get("dim", args[position] if len(args) > position else default)
        return None if dim is None or dim % source.ndim in trail.axes else trail

    return rule


def _over_last(trail: _Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> _Trail | None:
    """linear and layer_norm act over the last axes only."""
    shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else None)
    covered = len(shape) if isinstance(shape, (tuple, list, torch.Size)) else 1
    return None if any(axis >= source.ndim - covered for axis in trail.axes) else trail


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1]))


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


_ELEMENTWISE = """relu relu6 hardtanh silu hardswish hardsigmoid sigmoid gelu elu leaky_relu prelu selu celu mish
    tanh softplus add iadd radd sub isub rsub mul imul rmul div truediv itruediv pow square clamp neg abs exp log sqrt
    dropout dropout2d feature_dropout stochastic_depth batch_norm local_response_norm contiguous clone to float half
    bfloat16 type detach maximum minimum lerp where""".split()

_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    "conv2d": _convolved,
    "max_pool2d": _pooled(("input", "kernel_size", "stride", "padding", "dilation")),
    "avg_pool2d": _pooled(("input", "kernel_size", "stride", "padding")),
    "pad": _pad,
    "permute": _permute,
    "transpose": _transpose,
    "view": _view,
    "reshape": _view,
    "cat": _along(1, 0),
    "concat": _along(1, 0),
    "chunk": _along(2, 0),
    "split": _along(2, 0),
    "softmax": _along(1, -1),
    "linear": _over_last,
    "layer_norm": _over_last,
}
