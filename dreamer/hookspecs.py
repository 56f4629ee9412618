"""The hooks that a plugin can implement. Each gets a `register` callable and only registers; nothing else runs.

    from dreamer import hookimpl

    @hookimpl
    def register_priors(register):
        register(asymmetry)

`register(function, name=None)` uses the function's own name by default. While a plugin registers, dreamer knows only
the built-ins and the plugins loaded before it, so load a network inside the registered function, not in the hook.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import pluggy

Register = Callable[..., None]
Made = TypeVar("Made", covariant=True)

hookspec = pluggy.HookspecMarker("dreamer")
hookimpl = pluggy.HookimplMarker("dreamer")


class NetworkFactory(Protocol[Made]):
    """A function that makes a `dreamer.Network`. It takes no arguments, or either or both of two keywords.

    `weights: Path | None` is a file to load in place of its own weights; a factory without it gets a file loaded into a
    copy of the finished network. `fetch: bool` says whether missing weights may be downloaded; a factory without it
    must not download anything. Missing weights raise NetworkError. A factory that can also make its network without
    weights is an `UntrainedFactory`.
    """

    def __call__(self) -> Made:
        """Make the network with its weights."""


@runtime_checkable
class UntrainedFactory(NetworkFactory[Made], Protocol[Made]):
    """A factory that can also make its network without weights, to list its layers."""

    def untrained(self) -> Made:
        """Make the network with random weights; no file is needed."""


@hookspec
def register_objectives(register: Register) -> None:
    """`register(function)`: (features (B, C, h, w), *, options) -> score map (B, h, w); the dream makes it larger."""


@hookspec
def register_priors(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> scalar penalty; the dream makes it smaller."""


@hookspec
def register_transforms(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> apply: (B, C, H, W) -> (B, C, h, w)."""


@hookspec
def register_gradient_filters(register: Register) -> None:
    """`register(function)`: (gradient (B, 3, H, W), *, options) -> gradient of the same shape."""


@hookspec
def register_updates(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> image, called after each step."""


@hookspec
def register_canvases(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> Canvas: parameters, and a function that paints them."""


@hookspec
def register_optimisers(register: Register) -> None:
    """`register(function)`: (parameters, *, options) -> an object with `step(closure)`, as in torch.optim."""


@hookspec
def register_segmenters(register: Register) -> None:
    """`register(function)`: photo (1, 3, H, W) -> masks (N, 1, h, w) in [0, 1], or (masks, their N names)."""


@hookspec
def register_depths(register: Register) -> None:
    """`register(function)`: photo (1, 3, H, W) -> how near each part is, (1, 1, h, w), the more the nearer."""


@hookspec
def register_networks(register: Register) -> None:
    """`register(factory, name=None)`: a NetworkFactory, () -> dreamer.Network; called when the network is needed.

    A name that ends in *, as in "timm:*", stands for all that begin so: `factory(rest)` then gives a NetworkFactory.
    """


@hookspec
def register_presets(register: Register) -> None:
    """`register(path_or_preset)`: a TOML file, whose stem is the preset's name, or a `Preset`."""


def hook_names() -> list[str]:
    """The hooks' names, in the order above."""
    specs: dict[str, Any] = globals()
    return [name for name in specs if name.startswith("register_")]
