"""The networks that dreamer knows by name, and how one is loaded."""

from __future__ import annotations

import copy
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamer.errors import NetworkError, RecipeError
from dreamer.hookspecs import Register, hookimpl
from dreamer.network import Network
from dreamer.networks.classic import REFUSED, classics
from dreamer.networks.reverie import reverie
from dreamer.networks.weights import file_hash, fit, read_weights
from dreamer.registry import Shelf


@hookimpl
def register_networks(register: Register) -> None:
    """The built-in networks."""
    register(reverie)
    for factory in classics():
        register(factory, factory.name)


def load_from(shelf: Shelf[Any], name: str, weights: Path | None = None, *, fetch: bool = False) -> Network:
    """The network of that name, with a file's weights or its own; absent ones are downloaded only with `fetch`.

    Raises NetworkError: an unknown name (with the nearest), absent or unfitting weights.
    """
    factory = _factory(shelf, name)
    accepted = inspect.signature(factory).parameters
    given = {"weights": weights, "fetch": fetch}
    network: Network = factory(**{key: value for key, value in given.items() if key in accepted})
    if weights and "weights" not in accepted:
        module = copy.deepcopy(network.module)  # the plugin may keep its own
        fit(module, read_weights(weights), f"{weights} ({name})")
        return replace(network, module=module, weights=file_hash(weights))
    return network


def untrained(shelf: Shelf[Any], name: str) -> Network:
    """The network of that name to look at its layers: without weights where it can be had without."""
    factory = _factory(shelf, name)
    network: Network = getattr(factory, "untrained", factory)()
    return network


def _factory(shelf: Shelf[Any], name: str) -> Any:
    if name in REFUSED:
        raise NetworkError(REFUSED[name])
    try:
        return shelf.get(name).value
    except RecipeError as error:
        hint = "`dreamer networks list` shows those that are ready, and those for `dreamer networks fetch NAME`"
        raise NetworkError(f"{error.problems[0]} ({hint})") from error
