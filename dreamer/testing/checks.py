"""Checks of the networks and presets that a plugin registers. Nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import torch
from packaging.utils import canonicalize_name

from dreamer.engine.device import Machine
from dreamer.errors import DreamerError, NetworkError, UsageError, described
from dreamer.image import load
from dreamer.networks.network import Network
from dreamer.pipeline.build import build, is_guided
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset, find_preset
from dreamer.recipes.recipe import DEFAULTS, KINDS, Recipe
from dreamer.recipes.registry import Entry, Registry, noun_of
from dreamer.testing.finding import Finding
from dreamer.testing.tiny import as_image, photo

NetworkOf = Callable[[str], Network]
_SIDE = 48  # px, of the picture that a preset dreams over


def try_network(entry: Entry[Any], network_of: NetworkOf) -> Finding:
    """Check that a factory returns a Network with a working default layer; missing weights are not downloaded.

    `network_of` gives the network of a full name.
    """
    finding = partial(Finding, "network", entry.name)
    if entry.name.endswith("*"):
        return finding(True, "stands for many networks; look at one with `dreamer networks layers NAME`")
    with _offline() as tried:
        try:
            network = network_of(entry.full_name)
            if not isinstance(network, Network):
                return finding(False, f"its factory returns a {type(network).__name__}, not a dreamer.Network")
            if network.default_layer not in network.anatomy.layers:
                return finding(False, f"its default layer {network.default_layer!r} does not exist")
            layer = network.layer(network.default_layer)
            side = max(_SIDE, network.smallest([layer.name]) or 0)
            with torch.no_grad():
                features = network.features(as_image(photo(side, side)), [layer.name])[layer.name]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin's factory and module can raise anything
            if tried:
                return finding(None, "it tried to download its weights, which it must not do unless `fetch` is true")
            return finding(None if isinstance(error, NetworkError) else False, _joined(error))
    if not features.isfinite().all():
        return finding(False, f"its default layer {layer.name} returns NaN or Inf")
    return finding(True, f"its default layer {layer.name} works and has {layer.channels} channels")


def try_preset(
    entry: Entry[Callable[[], Preset]],
    registry: Registry,
    network_of: NetworkOf,
    broken: Collection[tuple[str, str]] = (),
) -> Finding:
    """Check that a preset can be read, has a title and a description, and dreams one step if its network is there.

    `network_of` gives the network of a full name. `broken` are the nouns and names of ingredients that are broken
    themselves: presets that use them are not tried.
    """
    finding, bare = partial(Finding, "preset", entry.name), ""
    try:
        own = entry.value()
        if lacking := [key for key in ("title", "description") if not getattr(own, key).strip()]:
            bare = f"has no {' and no '.join(lacking)}, which lists of presets show"
        if missing := registry.missing(own.requires):
            ok, sentence = None, "; ".join(missing)
        else:
            preset = find_preset(registry, entry.full_name)
            with _offline():
                ok, sentence = _check_dream(preset, registry, network_of, broken)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the plugins' ingredients that it names can raise anything
        ok, sentence = False, _joined(error)
    if bare:
        return finding(False, bare if ok else f"{bare}; {sentence}")
    return finding(ok, sentence)


def _check_dream(
    preset: Preset, registry: Registry, network_of: NetworkOf, broken: Collection[tuple[str, str]]
) -> tuple[bool | None, str]:
    """Dream one step at a small size, and check that the preset requires the plugins whose ingredients it uses."""
    recipe = Recipe.read(merged(DEFAULTS, preset.words), registry.vocabulary)
    used = [(noun_of(kind), item.name) for kind in KINDS for item in recipe.of(kind)]
    if lame := [f"{noun} {name}" for noun, name in used if (noun, name.rpartition(":")[2]) in broken]:
        return None, f"it uses the {' and the '.join(lame)}, which is broken"
    # An unknown name raises, unlike missing weights below.
    name = registry.networks.get(recipe.network).full_name
    try:
        network = network_of(name)
    except NetworkError as error:
        return None, f"its recipe is valid, but its network is not available: {_joined(error)}"
    pipeline = build(
        preset.words,
        registry,
        network=network,
        changes=[("octaves.steps", 1), ("octaves.count", 1)],
        guide=load(photo(_SIDE, _SIDE)) if is_guided(recipe, registry) else None,
        machine=Machine("cpu", "float32", 0),
    )
    needed = {canonicalize_name(name): name for name in pipeline.plugins}
    lacking = [name for key, name in needed.items() if key not in map(canonicalize_name, preset.requires)]
    if lacking:
        return False, f"does not state that it needs {' and '.join(lacking)}; add requires = {json.dumps(lacking)}"
    side = _side(network, pipeline.layers)
    change = pipeline.dream(load(photo(side, side))).change
    if recipe.strength and not change.any():
        return False, "changes nothing in the picture"
    return True, f"dreams with {recipe.network}"


def _side(network: Network, layers: Iterable[str]) -> int:
    """The side in pixels of a small picture that the network can look at."""
    try:
        network.sizes(_SIDE, _SIDE, layers)
    except NetworkError:
        return max(_SIDE, network.smallest(layers) or 0)
    return _SIDE


def _joined(error: BaseException) -> str:
    if isinstance(error, UsageError):
        return "; ".join(error.problems)
    return str(error) if isinstance(error, DreamerError) else f"{type(error).__name__}: {described(error)}"


@contextmanager
def _offline() -> Iterator[list[str]]:
    """Refuse every connection inside the block; the list is not empty if one was tried."""
    tried: list[str] = []

    def refuse(*args: Any, **named: Any) -> Any:
        tried.append("once")
        raise OSError("nothing is downloaded while a plugin is checked")

    with mock.patch("socket.getaddrinfo", refuse):
        yield tried
