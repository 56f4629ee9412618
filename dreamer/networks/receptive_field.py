"""Receptive fields, and what each operation of a network does to them.

Position i of a layer sees the input pixels i * stride + first ... i * stride + last. Convolution, pooling and padding
change the field (Araujo, Norris, Sim 2019), elementwise operations keep it, and every other operation is taken to look
at the whole picture: no layer behind it has a receptive field, and its name is kept as the reason.

`RULES` knows torch's own operations by name. A function that calls `torch.overrides.handle_torch_function` counts as
one operation, and brings its rule along with the decorator `receptive_field_rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's positions along one axis, in input pixels.

    `stride` is the distance between two neighbours' fields (timm's `reduction`). `reach` is how much further a position
    beside the border may look when padding mirrors the picture.
    """

    stride: int = 1
    first: int = 0
    last: int = 0
    reach: int = 0

    @property
    def size(self) -> int:
        """The number of pixels that a position sees, along one side."""
        return self.last - self.first + 1

    def window(self, kernel: int, stride: int, padding: int, dilation: int = 1) -> ReceptiveField:
        """The field after a convolution or pooling over this layer.

        Args:
            kernel: Positions that the window covers.
            stride: Positions from one window to the next.
            padding: Positions added on both sides.
            dilation: Positions from one tap of the window to the next.

        Returns:
            The field, in input pixels.
        """
        first = self.first - padding * self.stride
        last = self.last + (dilation * (kernel - 1) - padding) * self.stride
        return ReceptiveField(self.stride * stride, first, last, self.reach)

    def padded(self, before: int, after: int, mirrored: bool) -> ReceptiveField:
        """The field after padding.

        Args:
            before: Positions added at the start.
            after: Positions added at the end.
            mirrored: Whether they are filled from the picture; a constant is seen from nowhere.

        Returns:
            The field, in input pixels.
        """
        shift = before * self.stride
        reach = self.reach + 2 * max(before, after) * self.stride * mirrored
        return ReceptiveField(self.stride, self.first - shift, self.last - shift, reach)

    def __or__(self, other: ReceptiveField) -> ReceptiveField:
        """The smallest field that covers both."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        return ReceptiveField(self.stride, first, last, max(self.reach, other.reach))


@dataclass(frozen=True)
class TracedTensor:
    """The trace of a tensor: its receptive fields along y and x, and which of its axes are y and x.

    Both fields are None behind an operation that looks at the whole picture; `whole` is then its name, and `patch` the
    stride of the fields before it, in input pixels.
    """

    rows: ReceptiveField | None
    columns: ReceptiveField | None
    axes: tuple[int, int]
    whole: str = ""
    patch: int = 0

    def ended(self, operation: str) -> TracedTensor:
        """The tensor behind an operation that looks at the whole picture."""
        patch = self.rows.stride if self.rows else self.patch
        return TracedTensor(None, None, self.axes, self.whole or operation, patch)

    def moved(self, axes: tuple[int, int]) -> TracedTensor:
        """The tensor with y and x at other axes."""
        return replace(self, axes=axes)

    def changed(self, rows: FieldChange, columns: FieldChange) -> TracedTensor | None:
        """The tensor with changed fields; None where it has none, or is no map (B, C, h, w)."""
        if self.rows is None or self.columns is None or self.axes != (2, 3):
            return None
        return replace(self, rows=rows(self.rows), columns=columns(self.columns))


FieldChange = Callable[[ReceptiveField], ReceptiveField]

Rule = Callable[[TracedTensor, Tensor, Tensor, tuple[Any, ...], dict[str, Any]], "TracedTensor | None"]
"""(what is known of the first tensor, it, the result, the call's args and kwargs) -> what is known of the result.

None: the result looks at the whole picture.
"""


def receptive_field_rule(rule: Rule) -> Callable[[F], F]:
    """Decorate a function that dispatches through `__torch_function__` with what it does to receptive fields."""

    def mark(operation: F) -> F:
        operation.__dict__["receptive_field_rule"] = rule
        return operation

    return mark


def rule_of(operation: Callable[..., Any]) -> Rule | None:
    """The rule that an operation brings along, or the one for torch's operation of its name; None for others."""
    own: Rule | None = getattr(operation, "receptive_field_rule", None)
    return own or RULES.get(operation_name(operation))


def operation_name(operation: Callable[..., Any]) -> str:
    """The name of an operation, the same in place or not: `add` for `torch.add`, `Tensor.add_` and `Tensor.__add__`."""
    return operation.__name__.strip("_")


def padded_window(kernel: int, stride: int, padding: tuple[int, int], *, mirrored: bool) -> Rule:
    """The rule of an operation that pads a map and slides a square window over it.

    Args:
        kernel: Positions a side that the window covers.
        stride: Positions from one window to the next.
        padding: Positions added before and after, along each axis.
        mirrored: Whether they mirror the map.

    Returns:
        The rule, for `receptive_field_rule`.
    """

    def change(field: ReceptiveField) -> ReceptiveField:
        return field.padded(*padding, mirrored).window(kernel, stride, 0)

    return lambda traced, source, result, args, kwargs: traced.changed(change, change)


def _elementwise(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    return traced if result.ndim == source.ndim else None


def _sliding(*names: str) -> Rule:
    """The rule of a convolution or pooling whose positional arguments have these names."""

    def rule(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
        given = dict(zip(names, args, strict=False)) | kwargs
        kernel = given["weight"].shape[-2:] if "weight" in given else given["kernel_size"]
        stride = given.get("stride") or (1 if "weight" in given else kernel)
        (high, wide), (down, across), (apart_y, apart_x) = map(_pair, (kernel, stride, given.get("dilation", 1)))
        padding = given.get("padding", 0)
        if isinstance(padding, str):
            same = padding == "same"
            padding = (apart_y * (high - 1) // 2 * same, apart_x * (wide - 1) // 2 * same)
        above, before = _pair(padding)
        return traced.changed(
            lambda rows: rows.window(high, down, above, apart_y),
            lambda columns: columns.window(wide, across, before, apart_x),
        )

    return rule


def _pad(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    given = dict(zip(("input", "pad", "mode"), args, strict=False)) | kwargs
    left, right, top, bottom, *more = [*given["pad"], 0, 0, 0, 0][:8]
    mode = given.get("mode", "constant")
    if any(more) or source.ndim != 4 or mode == "circular":
        return None
    mirrored = mode != "constant"
    return traced.changed(
        lambda rows: rows.padded(top, bottom, mirrored), lambda columns: columns.padded(left, right, mirrored)
    )


def _permute(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    order = kwargs.get("dims", args[1:])
    order = [int(d) % source.ndim for d in (order[0] if len(order) == 1 and not isinstance(order[0], int) else order)]
    return traced.moved((order.index(traced.axes[0]), order.index(traced.axes[1])))


def _transpose(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    given = dict(zip(("input", "dim0", "dim1"), args, strict=False)) | kwargs
    one, two = given["dim0"] % source.ndim, given["dim1"] % source.ndim
    swap = {one: two, two: one}
    return traced.moved((swap.get(traced.axes[0], traced.axes[0]), swap.get(traced.axes[1], traced.axes[1])))


def _view(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    """A reshape that leaves y and x where they are, the last two axes (a channel shuffle does)."""
    last = (source.ndim - 2, source.ndim - 1)
    if traced.axes != last or result.ndim < 4 or result.shape[-2:] != source.shape[-2:]:
        return None
    return traced.moved((result.ndim - 2, result.ndim - 1))


def _along(position: int, default: int) -> Rule:
    """The rule of an operation along one axis (cat, chunk, softmax): local unless that axis is y or x.

    The axis is the argument `dim`, or the one at `position`; `default` where it is not given.
    """

    def rule(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
        dim = kwargs.get("dim", args[position] if len(args) > position else default)
        return None if dim is None or dim % source.ndim in traced.axes else traced

    return rule


def _over_last(traced: TracedTensor, source: Tensor, result: Tensor, args: Any, kwargs: Any) -> TracedTensor | None:
    """linear and layer_norm act over the last axes only."""
    shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else None)
    covered = len(shape) if isinstance(shape, (tuple, list, torch.Size)) else 1
    return None if any(axis >= source.ndim - covered for axis in traced.axes) else traced


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    """torch's one number for both axes, or one for each, as two."""
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


_ELEMENTWISE = """relu relu6 hardtanh silu hardswish hardsigmoid sigmoid gelu elu leaky_relu prelu selu celu mish
    tanh softplus add iadd radd sub isub rsub mul imul rmul div truediv itruediv pow square clamp neg abs exp log sqrt
    dropout dropout2d feature_dropout stochastic_depth batch_norm local_response_norm contiguous clone to float half
    bfloat16 type detach maximum minimum lerp where""".split()

RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("cat", "concat"), _along(1, 0)),
    **dict.fromkeys(("chunk", "split"), _along(2, 0)),
    **dict.fromkeys(("linear", "layer_norm"), _over_last),
    "softmax": _along(1, -1),
    "conv2d": _sliding("input", "weight", "bias", "stride", "padding", "dilation"),
    "max_pool2d": _sliding("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool2d": _sliding("input", "kernel_size", "stride", "padding"),
    "pad": _pad,
    "permute": _permute,
    "transpose": _transpose,
}
"""The rules of torch's own operations, by `operation_name`."""
