"""Receptive fields, and what each operation of a network does to them.

Position i of a layer sees the input pixels i * stride + first ... i * stride + last. Convolution, pooling and padding
change a field (Araujo, Norris, Sim 2019), elementwise operations pass it on, and everything else looks at the whole
picture: what lies behind such an operation has no field, and the operation's name is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


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
class Trail:
    """What is known of a tensor: its fields and which of its axes are y and x.

    `whole` names what ended the fields, and `patch` is their stride until then, in input pixels.
    """

    rows: Field | None
    columns: Field | None
    axes: tuple[int, int]
    whole: str = ""
    patch: int = 0

    def ended(self, operation: str) -> Trail:
        return Trail(None, None, self.axes, self.whole or operation, self.rows.stride if self.rows else self.patch)

    def moved(self, axes: tuple[int, int]) -> Trail:
        return replace(self, axes=axes)


Rule = Callable[[Trail, Tensor, Tensor, tuple[Any, ...], dict[str, Any]], "Trail | None"]


def _elementwise(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    return trail if result.ndim == source.ndim else None


def _convolved(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    given = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation"), args, strict=False)) | kwargs
    kernel = given["weight"].shape[-2:]
    return _slide(trail, kernel, given.get("stride", 1), given.get("padding", 0), given.get("dilation", 1))


def _pooled(names: tuple[str, ...]) -> Rule:
    def rule(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
        given = dict(zip(names, args, strict=False)) | kwargs
        kernel = given["kernel_size"]
        stride = given.get("stride") or kernel
        return _slide(trail, kernel, stride, given.get("padding", 0), given.get("dilation", 1))

    return rule


def _slide(trail: Trail, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Trail | None:
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


def _pad(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    given = dict(zip(("input", "pad", "mode"), args, strict=False)) | kwargs
    left, right, top, bottom, *more = [*given["pad"], 0, 0, 0, 0][:8]
    if trail.rows is None or trail.columns is None or trail.axes != (2, 3) or any(more) or source.ndim != 4:
        return None
    if given.get("mode", "constant") == "circular":
        return None
    mirrored = given.get("mode", "constant") != "constant"
    rows, columns = trail.rows.padded(top, bottom, mirrored), trail.columns.padded(left, right, mirrored)
    return replace(trail, rows=rows, columns=columns)


def _halved(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    """A mirroring blur of four positions, then every second one (dreamer.networks.halving)."""
    if trail.rows is None or trail.columns is None or trail.axes != (2, 3):
        return None
    rows, columns = (field.padded(1, 2, True).window(4, 2, 0) for field in (trail.rows, trail.columns))
    return replace(trail, rows=rows, columns=columns)


def _permute(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    order = kwargs.get("dims", args[1:])
    order = [int(d) % source.ndim for d in (order[0] if len(order) == 1 and not isinstance(order[0], int) else order)]
    return trail.moved((order.index(trail.axes[0]), order.index(trail.axes[1])))


def _transpose(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    given = dict(zip(("input", "dim0", "dim1"), args, strict=False)) | kwargs
    one, two = given["dim0"] % source.ndim, given["dim1"] % source.ndim
    swap = {one: two, two: one}
    return trail.moved((swap.get(trail.axes[0], trail.axes[0]), swap.get(trail.axes[1], trail.axes[1])))


def _view(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    """A reshape that leaves y and x where they are, the last two axes (a channel shuffle does)."""
    last = (source.ndim - 2, source.ndim - 1)
    if trail.axes != last or result.ndim < 4 or result.shape[-2:] != source.shape[-2:]:
        return None
    return trail.moved((result.ndim - 2, result.ndim - 1))


def _along(position: int, default: int) -> Rule:
    """An operation along one axis (cat, chunk, softmax): local unless that axis is y or x."""

    def rule(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
        dim = kwargs.get("dim", args[position] if len(args) > position else default)
        return None if dim is None or dim % source.ndim in trail.axes else trail

    return rule


def _over_last(trail: Trail, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> Trail | None:
    """linear and layer_norm act over the last axes only."""
    shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else None)
    covered = len(shape) if isinstance(shape, (tuple, list, torch.Size)) else 1
    return None if any(axis >= source.ndim - covered for axis in trail.axes) else trail


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (int(value[0]), int(value[-1]))


_ELEMENTWISE = """relu relu6 hardtanh silu hardswish hardsigmoid sigmoid gelu elu leaky_relu prelu selu celu mish
    tanh softplus add iadd radd sub isub rsub mul imul rmul div truediv itruediv pow square clamp neg abs exp log sqrt
    dropout dropout2d feature_dropout stochastic_depth batch_norm local_response_norm contiguous clone to float half
    bfloat16 type detach maximum minimum lerp where""".split()

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    "conv2d": _convolved,
    "max_pool2d": _pooled(("input", "kernel_size", "stride", "padding", "dilation")),
    "avg_pool2d": _pooled(("input", "kernel_size", "stride", "padding")),
    "pad": _pad,
    "halve": _halved,
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
