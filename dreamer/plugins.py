"""Loading plugins: each in a guard of its own, so that a broken one never breaks dreamer.

Built-ins are ordinary plugins, registered through the same hooks. Others are found by the entry-point group `dreamer`.
`DREAMER_PLUGINS` empty loads none, `a,b` only those entry points.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from dreamer import hookspecs
from dreamer.errors import PluginError
from dreamer.recipe import INGREDIENTS
from dreamer.registry import BUILT_IN, Registry

_BUILT_INS = ("objectives", "priors", "transforms", "gradient_filters", "updates", "networks", "presets")


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: `problem` says why it is broken, `trace` where; both are empty for a good one."""

    name: str
    distribution: str
    version: str
    problem: str = ""
    trace: str = ""


def load_plugins() -> tuple[Registry, tuple[Plugin, ...]]:
    """Register the built-ins, then every plugin that `DREAMER_PLUGINS` allows; the broken ones leave no trace."""
    registry = Registry()
    for name in _BUILT_INS:
        _register(import_module(f"dreamer.{name}"), BUILT_IN, registry)
    wanted = os.environ.get("DREAMER_PLUGINS")
    chosen = None if wanted is None else {name.strip() for name in wanted.split(",") if name.strip()}
    found = sorted(entry_points(group="dreamer"), key=lambda entry: entry.name)
    return registry, tuple(_load(entry, registry) for entry in found if chosen is None or entry.name in chosen)


def _load(entry: EntryPoint, registry: Registry) -> Plugin:
    distribution = entry.dist.name if entry.dist else entry.name
    version = entry.dist.version if entry.dist else ""
    try:
        _register(entry.load(), distribution, registry)
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever a stranger's module does on import must not end dreamer
        registry.remove(distribution)
        problem = str(error) or type(error).__name__
        return Plugin(entry.name, distribution, version, problem, traceback.format_exc())
    return Plugin(entry.name, distribution, version)


def _register(module: Any, source: str, registry: Registry) -> None:
    """Call each hook of one plugin by itself; raises PluginError for a misspelt hook."""
    manager = pluggy.PluginManager("dreamer")
    manager.add_hookspecs(hookspecs)
    manager.register(module, source)
    manager.check_pending()
    for hook in hookspecs.hook_names():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            register = partial(_REGISTER.get(hook, _no_such_hook), registry, source, hook.removeprefix("register_"))
            implementation.function(*[register] * len(implementation.argnames))


def _ingredient(
    registry: Registry, source: str, kind: str, function: Callable[..., Any], name: str | None = None
) -> None:
    registry.add_ingredient(kind, function, name, source)


def _network(registry: Registry, source: str, kind: str, factory: Callable[[], Any], name: str | None = None) -> None:
    registry.networks.add(name or factory.__name__, source, factory)


def _preset(registry: Registry, source: str, kind: str, preset: Any) -> None:
    name = Path(preset).stem if isinstance(preset, (str, Path)) else preset.name
    registry.presets.add(name, source, preset)


def _no_such_hook(registry: Registry, source: str, kind: str, *args: Any) -> None:
    raise PluginError(f"{source}: there is no hook register_{kind}")


_REGISTER: dict[str, Callable[..., None]] = {
    **{f"register_{kind}": _ingredient for kind in INGREDIENTS},
    "register_networks": _network,
    "register_presets": _preset,
}
