"""The built-in networks, and loading a network by its name."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from dreamer.errors import NetworkError, RecipeError, blamed_on, quoted
from dreamer.hookspecs import NetworkFactory, Register, UntrainedFactory, hookimpl
from dreamer.networks.names import network_guess
from dreamer.networks.network import Network
from dreamer.networks.reverie import reverie
from dreamer.networks.state_dict import load_state
from dreamer.networks.tensor_file import read_tensors
from dreamer.networks.torchvision import REFUSED, classics
from dreamer.networks.weights import file_hash, fitted
from dreamer.networks.without_compiler import without_compiler
from dreamer.recipes.registry import BUILT_IN, NamedRegistry


@hookimpl
def register_networks(register: Register) -> None:
    """The built-in networks."""
    register(reverie)
    for factory in classics():
        register(factory, factory.name)


def load_from(
    shelf: NamedRegistry[NetworkFactory[Network]],
    name: str,
    weights: Path | None = None,
    *,
    fetch: bool = False,
    check: Callable[[Network], object] | None = None,
) -> Network:
    """Make the network of some name.

    Args:
        shelf: The registry's networks.
        name: Short or full name, as `dreamer networks list` prints it.
        weights: A .safetensors or .pth file to load in place of the network's own weights.
        fetch: Whether absent weights may be downloaded.
        check: Called with the untrained network before anything is downloaded; raises what is wrong with its layers.

    Returns:
        The network, frozen.

    Raises:
        NetworkError: No network is called so (the nearest name is told), or weights are absent or do not fit.
    """
    factory: Callable[..., Network] = _factory(shelf, name)
    accepted = inspect.signature(factory).parameters  # a factory need not take either; see NetworkFactory
    if weights and "weights" not in accepted:
        bare = isinstance(factory, UntrainedFactory)  # its own weights need not be there
        network = untrained(shelf, name) if bare else load_from(shelf, name, fetch=fetch, check=check)
        module = copy.deepcopy(network.module)  # the plugin may keep its own
        fit = load_state(module, read_tensors(weights), f"{weights} ({name})", len(network.labels))
        return fitted(replace(network, module=module, weights=file_hash(weights)), fit)
    given = {key: value for key, value in (("weights", weights), ("fetch", fetch)) if key in accepted}
    maker = factory if isinstance(factory, UntrainedFactory) and "fetch" in accepted else None
    with without_compiler(), _blamed(shelf, name):
        if maker and fetch and check and not weights:
            with suppress(NetworkError):  # its weights are absent
                return factory(fetch=False)
            check(maker.untrained())
        return factory(**given)


def untrained(shelf: NamedRegistry[NetworkFactory[Network]], name: str) -> Network:
    """The network of some name for a look at its layers: with random weights, where its factory can."""
    factory = _factory(shelf, name)
    with without_compiler(), _blamed(shelf, name):
        return factory.untrained() if isinstance(factory, UntrainedFactory) else factory()


def _blamed(shelf: NamedRegistry[NetworkFactory[Network]], name: str) -> AbstractContextManager[None]:
    """Blames errors of a plugin's factory on the plugin; dreamer's own pass as they are."""
    entry = shelf.get(name)
    return (
        nullcontext() if entry.source == BUILT_IN else blamed_on(f"network {entry.name} of the plugin {entry.source}")
    )


def _factory(shelf: NamedRegistry[NetworkFactory[Network]], name: str) -> NetworkFactory[Network]:
    if name in REFUSED:
        raise NetworkError(REFUSED[name])
    try:
        return shelf.get(name).value
    except RecipeError as error:
        names = shelf.names()
        guess = None if name in names else network_guess(name, names)
        listed = error.problems[0].removesuffix(shelf.hint)  # which the hint says as well
        problem = f"no network is called {quoted(name)}; did you mean {guess}?" if guess else listed
        hint = "`dreamer networks list` shows those that are ready, and those for `dreamer networks fetch NAME`"
        raise NetworkError(f"{problem} ({hint})") from error
