"""The built-in networks, and loading a network by its name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dreamer.errors import NetworkError, RecipeError
from dreamer.hookspecs import NetworkFactory, Register, UntrainedFactory, hookimpl
from dreamer.networks.network import Network, fitted
from dreamer.networks.reverie import reverie
from dreamer.networks.state_dict import load_state
from dreamer.networks.tensor_file import read_tensors
from dreamer.networks.torchvision import REFUSED, classics
from dreamer.networks.weights import file_hash
from dreamer.recipes.registry import NamedRegistry


@hookimpl
def register_networks(register: Register) -> None:
    """The built-in networks."""
    register(reverie)
    for factory in classics():
        register(factory, factory.name)


def load_from(
    shelf: NamedRegistry[NetworkFactory[Network]], name: str, weights: Path | None = None, *, fetch: bool = False
) -> Network:
    """Make the network of some name.

    Args:
        shelf: The registry's networks.
        name: Short or full name, as `dreamer networks list` prints it.
        weights: A .safetensors or .pth file to load in place of the network's own weights.
        fetch: Whether absent weights may be downloaded.

    Returns:
        The network, frozen.

    Raises:
        NetworkError: No network is called so (the nearest name is told), or weights are absent or do not fit.
    """
    factory: Callable[..., Network] = _factory(shelf, name)
    accepted = inspect.signature(factory).parameters  # a factory need not take either; see NetworkFactory
    given = {"weights": weights, "fetch": fetch}
    network = factory(**{key: value for key, value in given.items() if key in accepted})
    if weights and "weights" not in accepted:
        module = copy.deepcopy(network.module)  # the plugin may keep its own
        fit = load_state(module, read_tensors(weights), f"{weights} ({name})", len(network.labels))
        return fitted(replace(network, module=module, weights=file_hash(weights)), fit)
    return network


def untrained(shelf: NamedRegistry[NetworkFactory[Network]], name: str) -> Network:
    """The network of some name for a look at its layers: with random weights, where its factory can."""
    factory = _factory(shelf, name)
    return factory.untrained() if isinstance(factory, UntrainedFactory) else factory()


def _factory(shelf: NamedRegistry[NetworkFactory[Network]], name: str) -> NetworkFactory[Network]:
    if name in REFUSED:
        raise NetworkError(REFUSED[name])
    try:
        return shelf.get(name).value
    except RecipeError as error:
        hint = "`dreamer networks list` shows those that are ready, and those for `dreamer networks fetch NAME`"
        raise NetworkError(f"{error.problems[0]} ({hint})") from error
