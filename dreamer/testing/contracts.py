"""What every ingredient promises, each promise tried on the tiny network.

A promise is a generator of sentences: none when it is kept. One that can no longer be tried, because an earlier one is
broken, is not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.score import Scorer, WeightedObjective
from dreamer.engine.step import StepContext
from dreamer.errors import UsageError
from dreamer.recipes.options import reach_of
from dreamer.recipes.registry import Entry, IngredientKind, noun_of
from dreamer.testing.cases import STEP, Bench, Case
from dreamer.testing.finding import Finding

_DIFFERENTIABLE = ("objectives", "priors", "transforms")
_MAY_OVERWRITE = ("gradient_filters", "updates")
_FIRST = {"objectives": "features", "gradient_filters": "gradient"}  # what the first argument is; else an image
_SEEING = ("objectives", "priors", "transforms", "gradient_filters", "updates", "canvases")
ASKED = {
    "guide": ("objectives",),
    "photo_features": ("objectives",),
    "gradient": ("updates",),
    "layer": ("objectives",),
    "network": _SEEING,
    "photo": _SEEING,
    "image": _SEEING,
    "step": _SEEING,
    "paint": ("optimisers",),
    "step_size": ("optimisers",),
}
_TILE = 32  # px
_EXACT, _NEAR = 1e-9, 1e-3
_SEEDS = (0, 1, 2)


def broken(problems: dict[str, str], case: Case, found: Iterator[tuple[str, str]]) -> str | None:
    """Put what a case finds, promises and sentences, among the problems, one of each promise.

    Where the plainest case of all is refused, before anything was found, gives the reason.
    """
    try:
        for promise, sentence in found:
            problems.setdefault(promise, sentence)
    except UsageError as refusal:
        why = "; ".join(refusal.problems)
        if not case.where and not problems:
            return why
        problems.setdefault("refuses", f"refuses to work{case.where}: {why}")
    except Exception as error:  # whatever a stranger's function may raise
        problems.setdefault("runs", f"fails{case.where}: {type(error).__name__}: {error}")
    return None


def try_ingredient(kind: str, entry: Entry[IngredientKind], bench: Bench) -> list[Finding]:
    """One finding for each promise that the ingredient breaks, or one that says that it keeps all."""
    noun = noun_of(kind)
    ingredient = entry.value
    problems: dict[str, str] = dict(declared(kind, entry))
    count = 0
    if "asks" not in problems:
        for case in bench.cases(kind, ingredient):
            why = broken(problems, case, _kept(kind, ingredient, case, bench))
            if why is not None:
                return [Finding(noun, entry.name, None, f"it refuses the tiny network: {why}")]
            count += 1
            if "in place" in problems:  # torch would now complain in other words
                break
    if problems:
        return [Finding(noun, entry.name, False, sentence) for sentence in problems.values()]
    whole = kind == "objectives" and not _is_map(ingredient, bench)
    how = "; it looks at the whole picture, so it works without tiles only" if whole else ""
    return [Finding(noun, entry.name, True, f"keeps every promise in {count} tries{how}")]


def declared(kind: str, entry: Entry[IngredientKind]) -> Iterator[tuple[str, str]]:
    """What can be seen without running it."""
    ingredient = entry.value
    if not ingredient.summary.strip():
        yield "documented", "has no docstring; its first line is what people read about it"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", entry.name):
        yield "name", "its name cannot be written in --set; letters, digits, _ and - can"
    parameters = list(inspect.signature(ingredient.function).parameters.values())
    loose = [p.name for p in parameters[1:] if p.kind is not p.KEYWORD_ONLY]
    if loose:
        yield "options", f"no recipe can set {', '.join(loose)}: options stand behind a bare * in the signature"
    for asked, given in ASKED.items():
        if kind not in given and asked in ingredient.wanted:
            yield "asks", f"asks for {asked}, which only {' and '.join(given)} are given"
    for option in ingredient.options.values():
        try:
            fits = option.read(option.default) == option.default
        except ValueError as error:
            yield "default", f"the default of {option.name} does not fit: {error}"
        else:
            if not fits:
                yield "default", f"the default of {option.name} is not {option.allowed}"


def _kept(kind: str, ingredient: IngredientKind, case: Case, bench: Bench) -> Iterator[tuple[str, str]]:
    """Run it on one case; whatever it raises comes through."""
    transform = ingredient
    if kind == "transforms":
        ingredient = replace(ingredient, function=_drawn_and_applied(ingredient.function))
    subject, tensor = _FIRST.get(kind, "image"), case.tensor.clone()
    with torch.no_grad():
        result = bench.call(ingredient, tensor, case)
    if kind not in _MAY_OVERWRITE and not torch.equal(tensor, case.tensor):
        yield "in place", f"changes its {subject} in place{case.where}; work on a copy, as in {subject}.clone()"
        return
    yield from _company_kept(ingredient, case, bench)
    misfit = _misfit(kind, case.tensor, result)
    if misfit:
        yield "shape", f"gives {misfit}{case.where}"
        return
    if not result.isfinite().all():
        yield "finite", f"gives NaN or Inf{case.where}"
        return
    if kind == "updates" and not (-_NEAR <= float(result.min()) and float(result.max()) <= 1 + _NEAR):
        span = f"{float(result.min()):.2g} to {float(result.max()):.2g}"
        yield "range", f"leaves the range 0 to 1 ({span}){case.where}; end with .clamp(0, 1)"
    if any(not _same(*(bench.call(ingredient, case.tensor.clone(), case, s) for _ in "ab")) for s in _SEEDS):
        hint = "draw with torch's own functions, and keep nothing between calls"
        yield "deterministic", f"gives another result under the same seed{case.where}; {hint}"
    elif kind == "transforms":
        yield from _drawn_once(transform, case, bench)
    if kind in _DIFFERENTIABLE:
        yield from _differentiable(ingredient, subject, case, bench)
    if kind == "objectives" and _maps(result, case.tensor) and (case.options or not case.where):
        yield from _exact_in_tiles(ingredient, case, bench)
    if kind == "gradient_filters" and bench.call(ingredient, torch.zeros_like(case.tensor), case).any():
        yield "zero", f"makes something of a zero gradient{case.where}; where nothing is seen, zero must stay zero"


def _misfit(kind: str, tensor: Tensor, result: Any) -> str:
    """What is wrong with the result's shape or type, and what is wanted; empty for a good one."""
    if not isinstance(result, Tensor):
        return f"a {type(result).__name__}, not a tensor"
    found, batch = tuple(result.shape), len(tensor)
    if kind == "priors":
        return "" if result.ndim == 0 else f"a tensor of shape {found}; a prior is one number, as .mean() gives it"
    if kind == "objectives":
        if _maps(result, tensor):
            return ""
        looks_whole = found[-2:] != tensor.shape[-2:] and result.ndim <= 3 and found[:1] in ((), (batch,))
        wanted = f"{(batch, *tensor.shape[-2:])}, a score map (B, h, w) without channels, is wanted"
        return "" if looks_whole else f"a tensor of shape {found}; {wanted}"
    if result.dtype != tensor.dtype:
        return f"{result.dtype} for {tensor.dtype}; the type stays as it was"
    if kind == "transforms":
        fits = result.ndim == 4 and found[1] == 3 and min(found) > 0 and found[0] % batch == 0
        return "" if fits else f"a tensor of shape {found}; an image ({batch}, 3, H, W) of any size is wanted"
    return "" if found == tensor.shape else f"a tensor of shape {found} for {tuple(tensor.shape)}; the shape stays"


def _drawn_and_applied(transform: Callable[..., Any]) -> Callable[..., Any]:
    """A transform that gives its result at once, of either form."""

    def transformed(image: Tensor, **known: Any) -> Any:
        drawn = transform(image, **known)
        return drawn(image) if callable(drawn) else drawn

    return transformed


def _drawn_once(transform: IngredientKind, case: Case, bench: Bench) -> Iterator[tuple[str, str]]:
    """What has been drawn for an image does the same to each picture of its size, whatever that picture's channels."""
    image = case.tensor
    apply = bench.call(transform, image.clone(), case)
    if not callable(apply):
        return
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        first, second = apply(image.clone()), apply(image.clone())
        try:
            mask = apply(image[:, :1].clone())
            wrong = "" if mask.shape == first[:, :1].shape else f"gives {tuple(mask.shape)}"
        except Exception as error:  # whatever a stranger's function may raise
            wrong = f"fails ({type(error).__name__}: {error})"
    if not _same(first, second):
        yield "drawn once", f"draws when it is applied{case.where}; draw before, and return what only applies it"
    if wrong:
        yield "channels", f"what it draws {wrong} on a mask of one channel{case.where}; apply it to any (B, C, H, W)"


def _company_kept(ingredient: IngredientKind, case: Case, bench: Bench) -> Iterator[tuple[str, str]]:
    """Photo, picture and guide belong to everybody: no ingredient may write into them."""
    company = bench.company(ingredient, case)
    before = {name: value.clone() for name, value in company.items() if isinstance(value, Tensor)}
    if before:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            ingredient.function(case.tensor.clone(), **case.options, **company)
        for name, value in before.items():
            if not torch.equal(value, company[name]):
                yield f"{name} kept", f"changes {name} in place{case.where}; it belongs to all; work on a copy"


def _differentiable(ingredient: IngredientKind, subject: str, case: Case, bench: Bench) -> Iterator[tuple[str, str]]:
    leaf = case.tensor.clone().requires_grad_()
    with torch.enable_grad():
        result = bench.call(ingredient, leaf, case)
        slope = None
        if result.requires_grad:
            (slope,) = torch.autograd.grad(result.sum(), leaf, allow_unused=True)
    if slope is None:
        hint = "no .detach(), .item(), .numpy() or comparison may stand between"
        yield "differentiable", f"cannot be differentiated: no gradient reaches its {subject}{case.where}; {hint}"
    elif not slope.isfinite().all():
        hint = "a root or a logarithm at 0 does that; add a small number inside"
        yield "differentiable", f"its gradient has NaN or Inf{case.where}; {hint}"
    elif not case.where and not slope.any() and len(leaf) == 1:
        # It may compare the pictures of a batch: then one alone has no slope.
        pair = Case(torch.cat((case.tensor, case.tensor.flip(-1))))
        yield from _differentiable(ingredient, subject, pair, bench)
    elif not case.where and not slope.any():
        yield (
            "differentiable",
            f"its gradient is zero everywhere, as behind .round(): no way leads back to its {subject}",
        )


def _exact_in_tiles(ingredient: IngredientKind, case: Case, bench: Bench) -> Iterator[tuple[str, str]]:
    """The gradient in tiles is the whole one, in float64."""
    image = bench.image.double()
    try:
        whole, tiled = (_gradient(ingredient, case, bench, image, tile) for tile in (0, _TILE))
    except UsageError:
        raise
    except Exception as error:
        hint = "give what it makes its features' type and device, as in .to(features)"
        yield "type", f"works on float32 alone{case.where} ({type(error).__name__}: {error}); {hint}"
        return
    difference = float((tiled - whole).abs().max() / whole.abs().max().clamp(min=1e-300))
    if not difference <= _EXACT:
        hint = (
            "each position may look only at its own features, or at as many around it as @dreamer.reaching says; one "
            "that looks at the whole picture gives a single score (B, 1, 1)"
        )
        yield "tiles", f"is not exact in tiles{case.where}: the gradient is off by {difference:.1%}; {hint}"


def _gradient(ingredient: IngredientKind, case: Case, bench: Bench, image: Tensor, tile: int) -> Tensor:
    company = bench.company(ingredient, Case(case.tensor.to(image)))

    def objective(seen: Tensor, context: StepContext) -> Tensor:
        own = {"photo_features": context.photo_features} if needs_photo else {}
        result: Tensor = ingredient.function(seen, **case.options, **{**company, **own})
        return result

    needs_photo = "photo_features" in ingredient.wanted
    around = reach_of(ingredient.function)
    term = WeightedObjective("objective", 1.0, bench.network.default_layer, objective, needs_photo, context=around)
    scorer = Scorer(
        bench.network, (term,), device=image.device, precision=image.dtype, tile=tile, say=lambda sentence: None
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return scorer.gradient(image, StepContext(image.flip(-1), image, STEP))[1]


def _is_map(ingredient: IngredientKind, bench: Bench) -> bool:
    case = Case(bench.features(bench.image))
    return _maps(bench.call(ingredient, case.tensor, case), case.tensor)


def _maps(result: Tensor, features: Tensor) -> bool:
    return tuple(result.shape) == (len(features), *features.shape[-2:])


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)
