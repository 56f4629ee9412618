"""Loading plugins, each guarded by itself, so that a broken one never breaks dreamer.

Built-ins are ordinary plugins, registered through the same hooks. Others are found by the entry-point groups `dreamer`
(code) and `dreamer.presets` (data). With `DREAMER_PLUGINS` empty none is loaded, with `a,b` only those entry points.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pluggy

import dreamer
from dreamer import hookspecs
from dreamer.errors import DreamerError, PluginError, described, did_you_mean
from dreamer.plugins.preset_packs import OWN, allowed, damaged, in_folder, in_pack, own_presets
from dreamer.recipes.preset import Preset, read_preset
from dreamer.recipes.recipe import KINDS
from dreamer.recipes.registry import BUILT_IN, Registry, State

_BUILT_INS = (
    *(f"ingredients.{kind}" for kind in KINDS),
    "networks",
    "ingredients.learned_priors",
    "ingredients.segmenters",
)

_loading: ContextVar[Registry | None] = ContextVar("_loading", default=None)  # each thread has its own


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: `adds` lists what it registered, as in "prior tilt"; a broken one adds nothing.

    `problem` says why it is broken, and `trace` is the traceback; both are empty for a working one.
    """

    name: str
    distribution: str
    version: str
    adds: tuple[str, ...] = ()
    problem: str = ""
    trace: str = ""


def load_plugins() -> tuple[Registry, tuple[Plugin, ...]]:
    """Register the built-ins, then every plugin that `DREAMER_PLUGINS` allows; of a broken one, nothing is registered.

    A plugin that calls this while it is being loaded, directly or through `dreamer.load_network` and the like, gets
    what is registered so far: the built-ins, and the plugins before it.
    """
    if (so_far := being_loaded()) is not None:
        return so_far, ()
    registry = Registry()
    token = _loading.set(registry)
    try:
        registry.restore([dict(entries) for entries in _built_ins()])
        return _load_others(registry)
    finally:
        _loading.reset(token)


@cache
def _built_ins() -> State:
    """The registry's state with dreamer's own ingredients and networks; without presets."""
    registry = Registry()
    for name in _BUILT_INS:
        _register(import_module(f"dreamer.{name}"), BUILT_IN, registry)
    return registry.state()


def being_loaded() -> Registry | None:
    """The registry that this thread is filling while it loads plugins; None otherwise."""
    return _loading.get()


def load_presets() -> tuple[Registry, tuple[Plugin, ...]]:
    """A registry with every preset. It imports torch only if a plugin has code, which can register presets as well."""
    return load_plugins() if allowed("dreamer") else _load_others(Registry())


def _load_others(registry: Registry) -> tuple[Registry, tuple[Plugin, ...]]:
    _add_presets(registry, BUILT_IN, _built_in_presets())
    found = [_load(entry, registry) for entry in allowed("dreamer")]
    found += [_load_pack(entry, registry) for entry in allowed("dreamer.presets")]
    found += [_guarded(partial(_raise, error), registry, name, name, "") for name, error in damaged().items()]
    own: list[Path] = []
    looked = _guarded(lambda: own.extend(in_folder(own_presets())), registry, "presets", OWN, "")
    # Each by itself, so that a broken one does not remove the others.
    tried = [_guarded(partial(_add_presets, registry, OWN, [path]), registry, path.name, OWN, "") for path in own]
    return registry, (*found, *(plugin for plugin in (looked, *tried) if plugin.problem))


def _built_in_presets() -> tuple[Path, ...]:
    """dreamer's own presets, from the installed package, or in a checkout from the folder beside it."""
    package = Path(dreamer.__file__).parent
    return in_folder(package / "presets") or in_folder(package.parent / "presets")


def _load(entry: EntryPoint, registry: Registry) -> Plugin:
    distribution, version = _origin(entry)

    def fill() -> None:
        module = entry.load()
        if getattr(getattr(module, "__spec__", None), "_initializing", False):  # its hooks are not defined yet
            raise PluginError(f"{entry.value} is still being imported; call dreamer inside a function, not on import")
        _register(module, distribution, registry)

    return _guarded(fill, registry, entry.name, distribution, version)


def _load_pack(entry: EntryPoint, registry: Registry) -> Plugin:
    source, version = _origin(entry)
    return _guarded(lambda: _add_presets(registry, source, in_pack(entry)), registry, entry.name, source, version)


def _origin(entry: EntryPoint) -> tuple[str, str]:
    """The distribution of an entry point, and its version; its metadata may be damaged."""
    try:
        name, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
    except Exception:
        name, version = "", ""
    return name or entry.name, version or ""


def _raise(error: PluginError) -> None:
    raise error


def _guarded(fill: Callable[[], None], registry: Registry, name: str, distribution: str, version: str) -> Plugin:
    """Let one plugin register everything, or, if anything fails, nothing."""
    before = registry.state()
    try:
        fill()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a plugin raises must not end dreamer
        registry.restore(before)
        problem = described(error) + _place(error)
        registry.broken[distribution] = problem
        return Plugin(name, distribution, version, problem=problem, trace=traceback.format_exc())
    return Plugin(name, distribution, version, registry.added_since(before))


def _add_presets(registry: Registry, source: str, presets: Iterable[Path]) -> None:
    for path in presets:
        _preset(registry, source, "presets", path)


def _register(module: Any, source: str, registry: Registry) -> None:
    """Call each hook of one plugin; raises PluginError for one that is misspelt, unmarked or takes another argument."""
    _check_hooks(module)
    manager = pluggy.PluginManager("dreamer")
    manager.add_hookspecs(hookspecs)
    manager.register(module, source)
    for hook in hookspecs.hook_names():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            register = partial(_REGISTER[hook], registry, source, hook.removeprefix("register_"))
            implementation.function(*[register] * len(implementation.argnames))


def _check_hooks(module: Any) -> None:
    known = hookspecs.hook_names()
    for name in dir(module):
        function = getattr(module, name, None)
        marked = hasattr(function, "dreamer_impl")
        if not name.startswith("register_") or not (marked or (name in known and callable(function))):
            continue
        if name not in known:
            raise PluginError(f"there is no hook {name}{did_you_mean(name, known)}")
        if not marked:
            raise PluginError(f"the hook {name} is not marked; write @dreamer.hookimpl before it")
        parameters = inspect.signature(cast(Callable[..., Any], function)).parameters.values()
        arguments = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
        if arguments != ["register"]:
            raise PluginError(f"the hook {name} takes one argument called register, not ({', '.join(arguments)})")


def _place(error: BaseException) -> str:
    """The place in a plugin's own code at which an error was raised, in brackets."""
    own = Path(dreamer.__file__).parent
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if own not in Path(frame.filename).parents]
    if isinstance(error, (DreamerError, SyntaxError, ImportError)) or not frames:
        return ""
    return f" ({type(error).__name__}, {Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _ingredient(
    registry: Registry, source: str, kind: str, function: Callable[..., Any], name: str | None = None
) -> None:
    registry.add_ingredient(kind, function, name, source)


def _network(registry: Registry, source: str, kind: str, factory: Callable[[], Any], name: str | None = None) -> None:
    registry.networks.add(name or factory.__name__, source, factory)


def _segmenter(
    registry: Registry, source: str, kind: str, function: Callable[..., Any], name: str | None = None
) -> None:
    registry.add_segmenter(function, name, source)


def _depth(registry: Registry, source: str, kind: str, function: Callable[..., Any], name: str | None = None) -> None:
    registry.add_depth(function, name, source)


def _preset(registry: Registry, source: str, kind: str, preset: str | Path | Preset) -> None:
    """Register a function that returns the preset; a file is read only when needed, so a bad one breaks no plugin."""
    if isinstance(preset, Preset):
        texts = (preset.name, preset.title, preset.description, preset.author, preset.likes, preset.extends)
        if not isinstance(preset.words, Mapping) or not all(isinstance(text, str) for text in texts):
            raise PluginError(f"{source} registers a preset whose words are no dict, or texts no text; correct it")
        registry.presets.add(preset.name, source, lambda: preset)
    else:
        path = Path(preset)
        registry.presets.add(path.stem, source, partial(read_preset, path))


_REGISTER: dict[str, Callable[..., None]] = {
    **{f"register_{kind}": _ingredient for kind in KINDS},
    "register_segmenters": _segmenter,
    "register_depths": _depth,
    "register_networks": _network,
    "register_presets": _preset,
}
