"""The contracts of objectives, priors, transforms, gradient filters and updates, checked on the tiny network.

A check yields (promise, sentence) for each promise that is broken. A promise that cannot be checked because an earlier
one is broken is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import StepContext
from dreamer.errors import UsageError
from dreamer.recipes.options import parameters_of, reach_of
from dreamer.recipes.registry import Entry, IngredientKind
from dreamer.testing.cases import STEP, Case, Fixtures
from dreamer.testing.devices import made_on_the_cpu

_DIFFERENTIABLE = ("objectives", "priors", "transforms")
_MAY_OVERWRITE = ("gradient_filters", "updates")
_FIRST_ARGUMENT = {"objectives": "features", "gradient_filters": "gradient"}  # the others get an image
_ALL_BUT_OPTIMISERS = ("objectives", "priors", "transforms", "gradient_filters", "updates", "canvases")
GIVEN_TO = {
    "guide": ("objectives",),
    "overview": ("objectives",),
    "photo_features": ("objectives",),
    "gradient": ("updates",),
    "layer": ("objectives",),
    "network": _ALL_BUT_OPTIMISERS,
    "photo": _ALL_BUT_OPTIMISERS,
    "image": _ALL_BUT_OPTIMISERS,
    "step": _ALL_BUT_OPTIMISERS,
    "edges": _ALL_BUT_OPTIMISERS,
    "paint": ("optimisers",),
    "step_size": ("optimisers",),
}
"""Reserved keyword -> the kinds of ingredients that are given it."""
Problems = Iterator[tuple[str, str]]
"""(promise, sentence) for each promise that is broken."""

_TILE = 32  # px
_EXACT, _NEAR = 1e-9, 1e-3
_SEEDS = (0, 1, 2)


def check_declaration(kind: str, entry: Entry[IngredientKind]) -> Problems:
    """Check name, docstring, signature and defaults, without running the function."""
    ingredient = entry.value
    if not ingredient.summary.strip():
        yield "documented", "has no docstring; its first line is the description in lists"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", entry.name):
        yield "name", "its name cannot be written in --set; use letters, digits, _ and - only"
    loose = [p.name for p in parameters_of(ingredient.function)[1:] if p.kind is not p.KEYWORD_ONLY]
    if loose:
        yield "options", f"no recipe can set {', '.join(loose)}: put options after a bare * in the signature"
    for keyword, kinds in GIVEN_TO.items():
        if kind not in kinds and keyword in ingredient.wanted:
            yield "asks", f"takes {keyword}, which only {' and '.join(kinds)} get"
    for option in ingredient.options.values():
        try:
            if option.read(option.default) != option.default:
                yield "default", f"the default of {option.name} is not {option.allowed}"
        except ValueError as error:
            yield "default", f"the default of {option.name} is not allowed: {error}"


def check_case(kind: str, ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Run an ingredient on one case and check its result; its exceptions are not caught."""
    transform = ingredient
    if kind == "transforms":
        ingredient = replace(ingredient, function=_applied_at_once(ingredient.function))
    subject, tensor = _FIRST_ARGUMENT.get(kind, "image"), case.tensor.clone()
    with torch.no_grad():
        result = fixtures.call(ingredient, tensor, case)
    if kind not in _MAY_OVERWRITE and not torch.equal(tensor, case.tensor):
        yield "in place", f"changes its {subject} in place{case.where}; work on a copy, as in {subject}.clone()"
        return
    yield from _check_arguments_unchanged(ingredient, case, fixtures)
    if problem := _shape_problem(kind, case.tensor, result):
        yield "shape", f"returns {problem}{case.where}"
        return
    if not result.isfinite().all():
        yield "finite", f"returns NaN or Inf{case.where}"
        return
    if kind == "updates" and not (-_NEAR <= float(result.min()) and float(result.max()) <= 1 + _NEAR):
        span = f"{float(result.min()):.2g} to {float(result.max()):.2g}"
        yield "range", f"leaves the range 0 to 1 ({span}){case.where}; end with .clamp(0, 1)"
    if any(not _same(*(fixtures.call(ingredient, case.tensor.clone(), case, s) for _ in "ab")) for s in _SEEDS):
        hint = "use torch's random functions, and keep no state between calls"
        yield "deterministic", f"returns another result under the same seed{case.where}; {hint}"
    elif kind == "transforms":
        yield from _check_drawn_once(transform, case, fixtures)
    if kind in _DIFFERENTIABLE:
        yield from _check_differentiable(ingredient, subject, case, fixtures)
    if kind == "objectives" and _is_score_map(result, case.tensor) and (case.options or not case.where):
        yield from _check_tiles(ingredient, case, fixtures)
    if kind == "gradient_filters" and fixtures.call(ingredient, torch.zeros_like(case.tensor), case).any():
        yield "zero", f"changes a zero gradient{case.where}; zero must stay zero"
    yield from check_device(
        ingredient, case, fixtures, f"{subject} is, as with .to({subject}) or device={subject}.device"
    )


def check_device(ingredient: IngredientKind, case: Case, fixtures: Fixtures, there: str) -> Problems:
    """Whether a tensor is made on the CPU, for the first case alone; `there` ends "make it where its ..."."""
    if not case.where and (where := made_on_the_cpu(ingredient, case, fixtures)):
        yield (
            "type",
            f"makes a tensor on the CPU and so fails on a graphics card, at {where}; make it where its {there}",
        )


def _shape_problem(kind: str, tensor: Tensor, result: Any) -> str:
    """A phrase about the result's shape or type and what was expected; empty if both are right."""
    if not isinstance(result, Tensor):
        return f"a {type(result).__name__}, not a tensor"
    found, batch = tuple(result.shape), len(tensor)
    if kind == "priors":
        return "" if result.ndim == 0 else f"a tensor of shape {found}; expected one number, as from .mean()"
    if kind == "objectives":
        if _is_score_map(result, tensor):
            return ""
        whole = found[-2:] != tensor.shape[-2:] and result.ndim <= 3 and found[:1] in ((), (batch,))
        expected = f"expected a score map (B, h, w) without channels, {(batch, *tensor.shape[-2:])}"
        return "" if whole else f"a tensor of shape {found}; {expected}"
    if result.dtype != tensor.dtype:
        return f"{result.dtype} for {tensor.dtype}; keep the type"
    if kind == "transforms":
        fits = result.ndim == 4 and found[1] == 3 and min(found) > 0 and found[0] % batch == 0
        return "" if fits else f"a tensor of shape {found}; expected an image ({batch}, 3, H, W) of any size"
    return "" if found == tensor.shape else f"a tensor of shape {found} for {tuple(tensor.shape)}; keep the shape"


def _applied_at_once(transform: Callable[..., Any]) -> Callable[..., Any]:
    """A transform of either form as a function that returns the transformed image."""

    def transformed(image: Tensor, **known: Any) -> Any:
        drawn = transform(image, **known)
        return drawn(image) if callable(drawn) else drawn

    return transformed


def _check_drawn_once(transform: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Check that a transform, once drawn, does the same to every picture of that size, with any number of channels."""
    image = case.tensor
    apply = fixtures.call(transform, image.clone(), case)
    if not callable(apply):
        return
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        first, second = apply(image.clone()), apply(image.clone())
        try:
            mask = apply(image[:, :1].clone())
            wrong = "" if mask.shape == first[:, :1].shape else f"returns {tuple(mask.shape)}"
        except Exception as error:  # a plugin's function can raise anything
            wrong = f"fails ({type(error).__name__}: {error})"
    if not _same(first, second):
        hint = "draw random numbers before, and return a function that only applies them"
        yield "drawn once", f"draws random numbers when it is applied{case.where}; {hint}"
    if wrong:
        yield "channels", f"its function {wrong} on a mask of one channel{case.where}; it must accept any (B, C, H, W)"


def _check_arguments_unchanged(ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Check that an ingredient does not change photo, picture or guide in place, since all ingredients share them."""
    arguments = fixtures.reserved_arguments(ingredient, case)
    before = {name: value.clone() for name, value in arguments.items() if isinstance(value, Tensor)}
    if before:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            ingredient.function(case.tensor.clone(), **case.options, **arguments)
        for name, value in before.items():
            if not torch.equal(value, arguments[name]):
                yield f"{name} kept", f"changes {name} in place{case.where}; it is shared, so work on a copy"


def _check_differentiable(ingredient: IngredientKind, subject: str, case: Case, fixtures: Fixtures) -> Problems:
    leaf = case.tensor.clone().requires_grad_()
    with torch.enable_grad():
        result = fixtures.call(ingredient, leaf, case)
        slope = torch.autograd.grad(result.sum(), leaf, allow_unused=True)[0] if result.requires_grad else None
    if slope is None:
        hint = "avoid .detach(), .item(), .numpy() and comparisons"
        yield "differentiable", f"cannot be differentiated: no gradient reaches its {subject}{case.where}; {hint}"
    elif not slope.isfinite().all():
        hint = "a root or a logarithm of 0 causes that; add a small number inside"
        yield "differentiable", f"its gradient has NaN or Inf{case.where}; {hint}"
    elif not case.where and not slope.any():
        if len(leaf) == 1:  # an ingredient that compares the pictures of a batch has no gradient for a single one
            pair = Case(torch.cat((case.tensor, case.tensor.flip(-1))))
            yield from _check_differentiable(ingredient, subject, pair, fixtures)
        else:
            why = f"so its {subject} cannot be improved"
            yield "differentiable", f"its gradient is zero everywhere, as after .round(), {why}"


def _check_tiles(ingredient: IngredientKind, case: Case, fixtures: Fixtures) -> Problems:
    """Check that the gradient computed in tiles equals that of the whole picture, in float64."""
    image = fixtures.image.double()
    try:
        whole, tiled = (_gradient(ingredient, case, fixtures, image, tile) for tile in (0, _TILE))
    except UsageError:
        raise
    except Exception as error:
        hint = "give its own tensors the type and device of the features, as with .to(features)"
        yield "type", f"works only with float32{case.where} ({type(error).__name__}: {error}); {hint}"
        return
    difference = float((tiled - whole).abs().max() / whole.abs().max().clamp(min=1e-300))
    if not difference <= _EXACT:
        hint = (
            "a score may depend only on its own position, or on as many around it as @dreamer.reaching states; an "
            "objective that depends on the whole picture returns a single score (B, 1, 1)"
        )
        yield "tiles", f"is not exact in tiles{case.where}: the gradient is off by {difference:.1%}; {hint}"


def _gradient(ingredient: IngredientKind, case: Case, fixtures: Fixtures, image: Tensor, tile: int) -> Tensor:
    """The gradient of an objective's score, in tiles of some size, or of the whole picture with 0."""
    arguments = fixtures.reserved_arguments(ingredient, Case(case.tensor.to(image)))

    def objective(features: Tensor, context: StepContext) -> Tensor:
        own = {"photo_features": context.photo_features} if needs_photo else {}
        result: Tensor = ingredient.function(features, **case.options, **{**arguments, **own})
        return result

    needs_photo = "photo_features" in ingredient.wanted
    around = reach_of(ingredient.function)
    term = WeightedObjective("objective", 1.0, fixtures.network.default_layer, objective, needs_photo, context=around)
    scorer = Scorer(
        fixtures.network, (term,), device=image.device, precision=image.dtype, tile=tile, notify=lambda sentence: None
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return scorer.gradient(image, StepContext(image.flip(-1), image, STEP))[1]


def gives_score_map(ingredient: IngredientKind, fixtures: Fixtures) -> bool:
    """Whether an objective returns a score for each position, and not one for the whole picture."""
    case = Case(fixtures.features(fixtures.image))
    return _is_score_map(fixtures.call(ingredient, case.tensor, case), case.tensor)


def _is_score_map(result: Tensor, features: Tensor) -> bool:
    return tuple(result.shape) == (len(features), *features.shape[-2:])


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)
