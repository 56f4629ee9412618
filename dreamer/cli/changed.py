"""The difference between a preset and the changed recipe, in words."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dreamer.cli.render_options import OPTIONS, RenderOptions
from dreamer.errors import DreamerError, UsageError

if TYPE_CHECKING:
    from dreamer.pipeline.build import Aim, Request
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.recipes.recipe import Recipe, RecipeDict
    from dreamer.recipes.registry import Registry

_FEW = 24  # changes, beyond which nobody would say that a recipe comes from a preset
_SAID = 6


def change_of(given: RenderOptions, pipeline: Pipeline) -> str:
    """A sentence about what the options change in their preset or recipe; empty for nothing."""
    from dreamer.recipes.overrides import changes_between

    kept = {key: getattr(given, key) for key in ("preset", "recipe", "network", "weights", "guide", "region")}
    plain = replace(given, **{**dict.fromkeys(OPTIONS), "settings": (), **kept})

    def read(request: Request, aim: Aim | None) -> Recipe:
        return request.recipe(pipeline.registry, pipeline.network.defaults, pipeline.network)

    told: list[str] = []
    if given.preset or given.recipe:
        with suppress(UsageError):  # a recipe that only the changes have made possible
            before, _ = plain.made(read, pipeline.registry, lambda sentence: None, [], fetch=False)
            told = changes_between(pipeline.to_dict(), before.to_dict(pipeline.registry.vocabulary))
    return f"{given.preset or given.recipe}, changed: {_few(told)}" if told else ""


def nearest_preset(recipe: RecipeDict, registry: Registry) -> tuple[str, Sequence[str]] | None:
    """The preset that a picture's complete recipe comes nearest to, and what was changed of it, a phrase each.

    The recipe may be a stranger's, and nothing is fetched. None where no preset is near.
    """
    from dreamer.networks import untrained
    from dreamer.pipeline.build import Request
    from dreamer.recipes.overrides import changes_between
    from dreamer.recipes.preset import find_preset
    from dreamer.recipes.recipe import Recipe

    found: list[tuple[str, list[str]]] = []
    with suppress(DreamerError):
        words = Recipe.read(recipe, registry.vocabulary).to_dict(registry.vocabulary)
        network = untrained(registry.networks, words["network"])
        presets: dict[str, dict[str, Any]] = {"dreamer's defaults": {}}
        for entry in registry.presets:
            with suppress(DreamerError):
                presets[entry.name] = dict(find_preset(registry, entry.full_name).words)
        for name, own in presets.items():
            if own.get("network", Recipe.network) == words["network"] or not own:
                with suppress(DreamerError):
                    base = Request(own, network=network).recipe(registry, network.defaults, network)
                    found.append((name, changes_between(words, base.to_dict(registry.vocabulary))))
    best = min(found, key=lambda one: len(one[1]), default=None)
    return best if best and len(best[1]) <= _FEW else None


def _few(changes: Sequence[str]) -> str:
    more = len(changes) - _SAID
    return "; ".join([*changes[:_SAID], *([f"and {more} more"] if more > 0 else [])])
