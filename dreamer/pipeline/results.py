"""Checks of an ingredient's result, at each call of one that is not dreamer's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.canvas import Canvas
from dreamer.errors import PluginError, quoted
from dreamer.networks.randomness import Randomness


def checked(function: Callable[..., Any], kind: str, who: str) -> Callable[..., Any]:
    """An ingredient's function that raises PluginError, beginning with `who`, where what it gives is no such thing."""

    def called(given: Any, **named: Any) -> Any:
        result = function(given, **named)
        if kind == "transforms" and callable(result):
            return checked(result, kind, who)
        if expected := _expected(kind, given, result):
            found = f"a tensor {tuple(result.shape)}" if isinstance(result, Tensor) else quoted(result)
            raise PluginError(f"{who}: it must give {expected}, and it gave {found}")
        return result

    return called


def _expected(kind: str, given: Any, result: Any) -> str:
    """The result that was expected instead, as a phrase; empty for one that fits."""
    if kind == "canvases":
        if not isinstance(result, Canvas):
            return "a dreamer.Canvas(parameters, paint)"
        able = [isinstance(each, Tensor) and each.is_leaf and each.requires_grad for each in result.parameters]
        if not able or not all(able):
            return "a canvas of one parameter or more, tensors with .requires_grad_()"
        with torch.no_grad(), Randomness(0):
            painted = result.paint()
        fits = isinstance(painted, Tensor) and painted.shape == given.shape
        return "" if fits else f"a canvas whose paint() gives a tensor {tuple(given.shape)}, as of its first argument"
    if kind == "optimisers":
        return "" if callable(getattr(result, "step", None)) else "an optimiser, with a function step(closure)"
    needs_slope = torch.is_grad_enabled() and getattr(given, "requires_grad", False)
    depends = isinstance(result, Tensor) and (result.requires_grad or not needs_slope)
    if kind == "objectives":
        return "" if depends else "scores, (B, h, w) or one for each picture, that depend on the features"
    if kind == "priors":
        return "" if depends and result.numel() == 1 else "one number that depends on the picture, (), as from .mean()"
    if kind == "transforms":
        fits = depends and result.ndim == 4 and result.shape[1] == given.shape[1]
        such = "a picture (B, C, H, W) that depends on the given one"
        return "" if fits else f"{such}, or a function that gives such a picture"
    fits = isinstance(result, Tensor) and result.shape == given.shape
    return "" if fits else f"a tensor of the same shape, {tuple(given.shape)}"
