"""The contracts of canvases and optimisers, checked on small pictures and on a quadratic loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dreamer.engine.canvas import Canvas, is_gradient_free
from dreamer.recipes.registry import IngredientKind
from dreamer.testing.cases import Case, Fixtures
from dreamer.testing.contracts import Problems, check_device

_STEPS = 40  # steps of an optimiser
_NEAR = 1e-3


def check_canvas(kind: str, ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Make a canvas of one picture and check what it paints; its exceptions are not caught."""
    image = case.tensor.clone()
    canvas = fixtures.call(ingredient, image, case)
    if not torch.equal(image, case.tensor):
        yield "image kept", f"changes its image in place{case.where}; work on a copy, as in image.clone()"
    if not isinstance(canvas, Canvas):
        yield "shape", f"returns a {type(canvas).__name__}{case.where}; expected a dreamer.Canvas(parameters, paint)"
        return
    loose = [p for p in canvas.parameters if not (isinstance(p, Tensor) and p.is_leaf and p.requires_grad)]
    if loose or not canvas.parameters:
        yield "parameters", f"has parameters that cannot be optimised{case.where}; use tensors with .requires_grad_()"
        return
    shown = canvas.paint()
    picture = shown.detach() if isinstance(shown, Tensor) else None
    if picture is None or picture.shape != image.shape or picture.dtype != image.dtype:
        shape = type(shown).__name__ if picture is None else tuple(picture.shape)
        yield "shape", f"paints {shape}{case.where}; expected {tuple(image.shape)} of {image.dtype}"
        return
    yield from check_device(ingredient, case, fixtures, "image is, as with device=image.device")
    if not picture.isfinite().all():
        yield "finite", f"paints NaN or Inf{case.where}"
        return
    if not -_NEAR <= float(picture.min()) <= float(picture.max()) <= 1 + _NEAR:
        yield "range", f"leaves the range 0 to 1{case.where}; end with .sigmoid()"
    again = fixtures.call(ingredient, case.tensor.clone(), case)
    if not torch.equal(picture, canvas.paint()) or not torch.equal(picture, again.paint()):
        yield ("deterministic", f"paints another picture under the same seed{case.where}; use torch's random functions")
    up = torch.linspace(-1, 1, picture.numel()).view_as(picture)
    slopes = torch.autograd.grad((shown * up).sum(), canvas.parameters, allow_unused=True)
    if not any(slope is not None and slope.any() for slope in slopes):
        yield "differentiable", f"no gradient reaches its parameters{case.where}"
    elif not all(slope is None or slope.isfinite().all() for slope in slopes):
        yield "differentiable", f"its gradient has NaN or Inf{case.where}"


def check_optimiser(kind: str, ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Run an optimiser on a quadratic loss and check that it makes it smaller; its exceptions are not caught."""
    count = 2 if case.options else _STEPS
    losses, reached = _minimise(ingredient, case, count)
    if not reached.isfinite().all():
        yield "finite", f"changes its parameters to NaN or Inf{case.where}"
        return
    if not case.options and not losses[-1] < losses[0]:
        yield "climbs", f"does not make the loss smaller: {losses[0]:.3g} became {losses[-1]:.3g} in {_STEPS} steps"
    if not torch.equal(reached, _minimise(ingredient, case, count)[1]):
        yield "deterministic", f"has another result under the same seed{case.where}; use torch's random functions"


def _minimise(ingredient: IngredientKind, case: Case, count: int) -> tuple[list[float], Tensor]:
    """Minimise mean (p - target)^2 for `count` steps; returns the losses before and after, and the parameters."""
    target = case.tensor
    parts = tuple(torch.zeros(size).requires_grad_() for size in (8, 4))
    known: dict[str, Any] = {"paint": lambda: torch.cat(parts), "step_size": 0.01}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        optimiser = ingredient.function(parts, **case.options, **{name: known[name] for name in ingredient.wanted})

        def closure() -> Tensor:
            with torch.enable_grad():
                loss = (torch.cat(parts) - target).square().mean()
            if not is_gradient_free(optimiser):
                for part, slope in zip(parts, torch.autograd.grad(loss, parts), strict=True):
                    part.grad = slope
            return loss.detach()

        with torch.no_grad():
            losses = [float(closure())]
            for _ in range(count):
                optimiser.step(closure)
            losses.append(float(closure()))
    return losses, torch.cat(parts).detach()
