"""Loading plugins: each in a guard of its own, so that a broken one never breaks dreamer.

Built-ins are ordinary plugins, registered through the same hooks. Others are found by the entry-point groups `dreamer`
(code) and `dreamer.presets` (data). `DREAMER_PLUGINS` empty loads none, `a,b` only those entry points.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

import dreamer
from dreamer import hookspecs
from dreamer.errors import PluginError
from dreamer.plugins.preset_packs import OWN, allowed, in_folder, own_presets, packs
from dreamer.recipes.preset import Preset, read_preset
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import BUILT_IN, Registry

_BUILT_INS = (
    *(f"ingredients.{kind}" for kind in KINDS),
    *("networks", "ingredients.learned_priors"),
)

_loading: ContextVar[Registry | None] = ContextVar("_loading", default=None)  # each thread has its own


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: `adds` names what it registered, as in "prior tilt"; a broken one adds nothing.

    `problem` says why it is broken, `trace` where; both are empty for a good one.
    """

    name: str
    distribution: str
    version: str
    adds: tuple[str, ...] = ()
    problem: str = ""
    trace: str = ""


def load_plugins() -> tuple[Registry, tuple[Plugin, ...]]:
    """Register the built-ins, then every plugin that `DREAMER_PLUGINS` allows; the broken ones leave no trace.

    A plugin that calls this, or anything of dreamer that does, while it is being loaded gets what is registered so
    far: the built-ins, and the plugins before it.
    """
    if (so_far := being_loaded()) is not None:
        return so_far, ()
    registry = Registry()
    token = _loading.set(registry)
    try:
        for name in _BUILT_INS:
            _register(import_module(f"dreamer.{name}"), BUILT_IN, registry)
        return _load_others(registry)
    finally:
        _loading.reset(token)


def being_loaded() -> Registry | None:
    """What this thread has registered so far, while it loads plugins; None otherwise."""
    return _loading.get()


def load_presets() -> tuple[Registry, tuple[Plugin, ...]]:
    """Every preset, by itself: without torch as long as no installed plugin has code, which might register presets."""
    return load_plugins() if allowed("dreamer") else _load_others(Registry())


def _load_others(registry: Registry) -> tuple[Registry, tuple[Plugin, ...]]:
    _add_presets(registry, BUILT_IN, _built_in_presets())
    found = [_load(entry, registry) for entry in allowed("dreamer")]
    for pack in packs():
        fill = partial(_add_presets, registry, pack.distribution, pack.presets, pack.problem)
        found.append(_guarded(fill, registry, pack.name, pack.distribution, pack.version))
    for path in in_folder(own_presets()):  # one that is wrong takes no other with it
        own = _guarded(partial(_add_presets, registry, OWN, [path]), registry, path.name, OWN, "")
        found += [own] if own.problem else []
    return registry, tuple(found)


def _built_in_presets() -> tuple[Path, ...]:
    """dreamer's own presets: their folder is inside the installed package, and beside it in a checkout."""
    package = Path(dreamer.__file__).parent
    return in_folder(package / "presets") or in_folder(package.parent / "presets")


def _load(entry: EntryPoint, registry: Registry) -> Plugin:
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else (entry.name, "")

    def fill() -> None:
        module = entry.load()
        if getattr(getattr(module, "__spec__", None), "_initializing", False):  # so its hooks are not there yet
            raise PluginError(f"{entry.value} is still being imported; call dreamer in a function, not on import")
        _register(module, distribution, registry)

    return _guarded(fill, registry, entry.name, distribution, version)


def _guarded(fill: Callable[[], None], registry: Registry, name: str, distribution: str, version: str) -> Plugin:
    """Let one plugin register what it has: all of it, or, where something is wrong, nothing."""
    before = registry.state()
    try:
        fill()
    except (Exception, SystemExit) as error:  # whatever a stranger's module does must not end dreamer
        registry.restore(before)
        problem = str(error) or type(error).__name__
        registry.broken[distribution] = problem
        return Plugin(name, distribution, version, problem=problem, trace=traceback.format_exc())
    return Plugin(name, distribution, version, registry.added_since(before))


def _add_presets(registry: Registry, source: str, presets: Iterable[Path], problem: str = "") -> None:
    if problem:
        raise PluginError(problem)
    for path in presets:
        _preset(registry, source, "presets", path)


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


def _preset(registry: Registry, source: str, kind: str, preset: str | Path | Preset) -> None:
    """Register what gives the preset; a file is read only when it is asked for, so a broken one breaks no plugin."""
    if isinstance(preset, Preset):
        registry.presets.add(preset.name, source, lambda: preset)
    else:
        path = Path(preset)
        registry.presets.add(path.stem, source, partial(read_preset, path))


def _no_such_hook(registry: Registry, source: str, kind: str, *args: Any) -> None:
    raise PluginError(f"{source}: there is no hook register_{kind}")


_REGISTER: dict[str, Callable[..., None]] = {
    **{f"register_{kind}": _ingredient for kind in KINDS},
    "register_networks": _network,
    "register_presets": _preset,
}
