"""Copies of a module, and passes over them: dreamer may change a copy, and the module stays as its owner left it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from dreamer.errors import NetworkError, quoted
from dreamer.networks.without_compiler import without_compiler

Result = TypeVar("Result")

_QUICK_PIXELS, _QUICK_WEIGHTS = 200_000, 8_000_000  # at most
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def frozen(module: nn.Module) -> nn.Module:
    """A copy that computes what `module` does in evaluation mode, over the same weights; nothing can be learnt in it.

    Wrappers that compute nothing themselves (`torch.compile`, `DataParallel`) are taken off, since layers are named
    without them.

    Raises NetworkError for a module that cannot be copied.
    """
    while isinstance(inner := getattr(module, "_orig_mod", None) or _parallel(module), nn.Module):
        module = inner
    if not isinstance(module, nn.Module):
        raise NetworkError(f"module: expected a torch module, not {quoted(module)}")
    if isinstance(module, torch.jit.ScriptModule):
        raise NetworkError("a scripted module has no layers that can be looked at; pass the module it was made of")
    with torch.inference_mode(False):
        return copied(module, _shared).eval()


def is_quick(module: nn.Module, height: int, width: int) -> bool:
    """Whether a pass over a picture of that size is computed sooner than torch imports what `meta` needs, sympy."""
    return height * width <= _QUICK_PIXELS and sum(weight.numel() for weight in module.parameters()) <= _QUICK_WEIGHTS


def skeleton(module: nn.Module, quick: bool) -> nn.Module:
    """A copy for passes that are made for their shapes alone; without its owner's hooks.

    Its weights are on the `meta` device, where nothing is computed, or the module's own where a pass is quick (see
    `is_quick`). Hooks of torch's own stay, since some of them compute weights.
    """
    bare = copied(module, _shared if quick else lambda tensor: torch.empty_like(tensor, device="meta"))
    for part in bare.modules():
        for hooks in (getattr(part, name) for name in _HOOKS):
            for key in [key for key, hook in hooks.items() if not _is_torchs(hook)]:
                del hooks[key]
    return bare


def computed_if_needed(module: nn.Module, bare: nn.Module, run: Callable[[nn.Module], Result]) -> Result:
    """Return `run(bare)`, of a module's skeleton, or `run(module)` where the pass is impossible on the "meta" device.

    A pass that depends on its data cannot be made without computing.
    """
    try:
        with without_compiler():
            return run(bare)
    except Exception as error:  # a module may raise anything
        if not isinstance(error, NotImplementedError) and "meta" not in str(error).lower():
            raise
        return run(module)


def blank(module: nn.Module, height: int, width: int) -> Tensor:
    """A grey picture (1, 3, height, width) of the type and on the device that a module computes with."""
    weight = next((weight for weight in module.parameters() if weight.is_floating_point()), torch.empty(()))
    return torch.full((1, 3, height, width), 0.1, dtype=weight.dtype, device=weight.device)


def _shared(tensor: Tensor) -> Tensor:
    """A tensor that shares the values and has no graph; the values of an inference tensor are copied."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def _parallel(module: nn.Module) -> nn.Module | None:
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return module.module if isinstance(module, parallel) else None


def copied(module: nn.Module, change: Callable[[Tensor], Tensor] = torch.clone) -> nn.Module:
    """A deep copy in which every tensor is changed instead of copied, and every hook is the same.

    Raises NetworkError for a module that cannot be copied.
    """
    known: dict[int, Any] = {}
    for part in module.modules():
        # A module has a dozen empty dicts, which take deepcopy more time than all else.
        empty = (held for held in vars(part).values() if type(held) in (dict, OrderedDict) and not held)
        known |= {id(held): type(held)() for held in empty}
        for value in (*part._parameters.values(), *part._buffers.values(), *vars(part).values()):
            if isinstance(value, Tensor):
                same = change(value)
                known[id(value)] = nn.Parameter(same, requires_grad=False) if isinstance(value, nn.Parameter) else same
        known |= {id(hook): hook for name in _HOOKS for hook in getattr(part, name).values()}
    try:
        return copy.deepcopy(module, known)
    except Exception as error:  # a module may hold anything
        why = f"{type(error).__name__}: {error}"
        raise NetworkError(
            f"this {type(module).__name__} cannot be copied, so it cannot be looked at ({why})"
        ) from error


def _is_torchs(hook: Any) -> bool:
    home = getattr(hook, "__module__", None) or type(hook).__module__
    return home.partition(".")[0] == "torch"
