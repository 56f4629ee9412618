"""The hooks that a plugin may implement. Each is handed a `register` callable and only registers; nothing runs.

    from dreamer import hookimpl

    @hookimpl
    def register_priors(register):
        register(asymmetry)

`register(function, name=None)` takes the function's own name when none is given. While a plugin is being loaded,
dreamer knows only the built-ins and the plugins before it: ask for a network in the function that is registered.
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
    """Makes a `dreamer.Network`: any function without arguments, or one that also takes either of two keywords.

    Where it takes them it is given `weights: Path | None`, a file to load in place of its own weights, and `fetch:
    bool`, whether it may download weights that are absent. Without `weights`, dreamer loads the file into a copy of the
    finished network; without `fetch`, the factory must not download anything. Absent weights raise NetworkError. A
    factory that can make its network without weights is an `UntrainedFactory`.
    """

    def __call__(self) -> Made:
        """The network with its weights."""


@runtime_checkable
class UntrainedFactory(NetworkFactory[Made], Protocol[Made]):
    """A factory that can also make its network without weights, for looking at its layers."""

    def untrained(self) -> Made:
        """The network with random weights; needs no file."""


@hookspec
def register_objectives(register: Register) -> None:
    """`register(function)`: (features (B, C, h, w), *, options) -> score map (B, h, w); larger is dreamier."""


@hookspec
def register_priors(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> scalar: how unnatural the picture is."""


@hookspec
def register_transforms(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> apply: (B, C, H, W) -> (B, C, h, w)."""


@hookspec
def register_gradient_filters(register: Register) -> None:
    """`register(function)`: (gradient (B, 3, H, W), *, options) -> gradient of the same shape."""


@hookspec
def register_updates(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> image: what follows each step."""


@hookspec
def register_canvases(register: Register) -> None:
    """`register(function)`: (image (B, 3, H, W), *, options) -> Canvas: parameters, and what they paint."""


@hookspec
def register_optimisers(register: Register) -> None:
    """`register(function)`: (parameters, *, options) -> what has `step(closure)`, as in torch.optim."""


@hookspec
def register_networks(register: Register) -> None:
    """`register(factory, name=None)`: a NetworkFactory, () -> dreamer.Network; it is called only when asked for."""


@hookspec
def register_presets(register: Register) -> None:
    """`register(path_or_preset)`: a preset; its name is its file's stem."""


def hook_names() -> list[str]:
    """The hooks' names, in the order above."""
    specs: dict[str, Any] = globals()
    return [name for name in specs if name.startswith("register_")]
