"""The networks and presets that a plugin brings, tried. Nothing is ever fetched."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from packaging.utils import canonicalize_name

from dreamer.engine.device import Machine
from dreamer.errors import DreamerError, NetworkError, RecipeError, UsageError
from dreamer.image import load
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.pipeline.build import build
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset, find_preset
from dreamer.recipes.recipe import DEFAULTS, Recipe
from dreamer.recipes.registry import Entry, Registry
from dreamer.testing.finding import Finding
from dreamer.testing.tiny import as_image, photo

_SIDE = 48  # px, of the picture that a preset is tried on


def try_network(entry: Entry[Any], registry: Registry) -> Finding:
    """Whether the factory gives a Network whose default layer answers; absent weights are not fetched."""

    def finding(ok: bool | None, sentence: str) -> Finding:
        return Finding("network", entry.name, ok, sentence)

    with _offline() as wanted_out:
        try:
            network = load_from(registry.networks, entry.full_name)
            if not isinstance(network, Network):
                return finding(False, f"its factory gives a {type(network).__name__}, not a dreamer.Network")
            if network.default_layer not in network.anatomy.layers:
                return finding(False, f"its default layer {network.default_layer!r} does not exist")
            layer = network.layer(network.default_layer)
            side = max(_SIDE, network.smallest([layer.name]) or 0)
            with torch.no_grad():
                seen = network.features(as_image(photo(side, side)), [layer.name])[layer.name]
        except Exception as error:  # a stranger's factory and module
            if wanted_out:
                return finding(None, "its weights would have to be downloaded, which only its `fetch` may do")
            return finding(None if isinstance(error, NetworkError) else False, _joined(error))
    if not seen.isfinite().all():
        return finding(False, f"its default layer {layer.name} gives NaN or Inf")
    return finding(True, f"its default layer {layer.name} answers with {layer.channels} channels")


def try_preset(entry: Entry[Callable[[], Preset]], registry: Registry) -> Finding:
    """Whether it can be read, says what it is, and dreams: one step, where its network is here."""

    def finding(ok: bool | None, sentence: str) -> Finding:
        return Finding("preset", entry.name, ok, sentence)

    try:
        own = entry.value()
        lacking = [key for key in ("title", "description") if not getattr(own, key).strip()]
        if lacking:
            return finding(False, f"has no {' and no '.join(lacking)}, by which people choose")
        missing = registry.missing(own.requires)
        if missing:
            return finding(None, "; ".join(missing))
        preset = find_preset(registry, entry.full_name)
        with _offline():
            return finding(*_dreams(preset, registry))
    except Exception as error:  # the ingredients that it names may be a stranger's
        return finding(False, _joined(error))


def _dreams(preset: Preset, registry: Registry) -> tuple[bool | None, str]:
    """One step at a small size, and whether it says of whose ingredients it is made."""
    recipe = Recipe.read(merged(DEFAULTS, preset.words), registry.vocabulary)
    try:
        registry.networks.get(recipe.network)
    except RecipeError as error:
        return False, _joined(error)
    try:
        network = load_from(registry.networks, recipe.network)
    except NetworkError as error:
        return None, f"its words are well-formed, its network is not here: {_joined(error)}"
    pipeline = build(
        preset.words,
        registry,
        changes=[("octaves.steps", 1), ("octaves.count", 1)],
        guide=load(photo(_SIDE, _SIDE)) if _is_guided(recipe, registry) else None,
        machine=Machine("cpu", "float32", 0),
    )
    needed = {canonicalize_name(name): name for name in pipeline.plugins}
    untold = [name for key, name in needed.items() if key not in map(canonicalize_name, preset.requires)]
    if untold:
        return False, f"does not say that it needs {' and '.join(untold)}; add requires = {untold}".replace("'", '"')
    side = max(_SIDE, network.smallest(pipeline.layers) or 0)
    change = pipeline.dream(load(photo(side, side))).change
    if recipe.strength and not change.any():
        return False, "changes nothing in the picture"
    return True, f"dreams with {recipe.network}"


def _is_guided(recipe: Recipe, registry: Registry) -> bool:
    return any("guide" in registry.ingredients["objectives"].get(item.name).value.wanted for item in recipe.objectives)


def _joined(error: Exception) -> str:
    if isinstance(error, UsageError):
        return "; ".join(error.problems)
    return str(error) if isinstance(error, DreamerError) else f"{type(error).__name__}: {error}"


@contextmanager
def _offline() -> Iterator[list[str]]:
    """No connection can be made inside of the block; the list says whether one was tried."""
    tried: list[str] = []

    def refuse(*args: Any, **named: Any) -> Any:
        tried.append("once")
        raise OSError("nothing is downloaded while a plugin is tried")

    looked_up: Callable[..., Any] = socket.getaddrinfo
    try:
        socket.getaddrinfo = refuse
        yield tried
    finally:
        socket.getaddrinfo = looked_up
