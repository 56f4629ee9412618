"""Finds tensors that an ingredient makes on the CPU, without a graphics card: by trying it on the device "meta"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from dreamer.recipes.registry import IngredientKind
from dreamer.testing.cases import Case, Fixtures

_MAY_MIX = frozenset(
    {
        *(Tensor.__getitem__, Tensor.__setitem__, Tensor.copy_, Tensor.to, Tensor.type_as),
        torch._has_compatible_shallow_copy_type,  # by which a module is brought elsewhere
    }
)
"""Functions that take tensors of two devices on a graphics card, too."""


class _Mixed(Exception):
    """A function was called with tensors of two devices; its text is the function's name."""


class _OneDevice(TorchFunctionMode):
    """Within it, torch's functions refuse tensors of two devices; a number as a tensor may be anywhere."""

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in _MAY_MIX:
            devices = {tensor.device for tensor in _tensors([*args, *(kwargs or {}).values()]) if tensor.ndim}
            if len(devices) > 1:
                raise _Mixed(getattr(func, "__name__", "a function of torch's").strip("_"))
        return func(*args, **(kwargs or {}))


def made_on_the_cpu(ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> str:
    """The name of torch's function that meets a tensor of the CPU's beside the ingredient's own; empty if none does.

    What needs values, and so cannot be tried on "meta", is taken to be right.
    """
    there = Case(case.tensor.to("meta"), options=case.options)
    try:
        with torch.no_grad(), _OneDevice():
            result = fixtures.call(ingredient, there.tensor.clone(), there)
            result = result.paint() if hasattr(result, "paint") else result
        return "return" if isinstance(result, Tensor) and result.ndim and not result.is_meta else ""
    except _Mixed as mixed:
        return str(mixed)
    except Exception:
        return ""


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
