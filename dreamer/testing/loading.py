"""Which plugin is meant, loaded as dreamer loads every plugin: an installed one, a project's folder, or a module."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.metadata import Distribution, DistributionFinder, EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from packaging.utils import canonicalize_name

from dreamer.errors import UsageError, did_you_mean
from dreamer.plugins.loading import Plugin, load_plugins
from dreamer.plugins.preset_packs import GROUPS
from dreamer.recipes.preset import Preset
from dreamer.recipes.registry import Registry


@dataclass(frozen=True)
class Target:
    """A plugin, loaded: its distribution, what that requires, and everything registered, its own among it."""

    distribution: str
    requires: tuple[str, ...]
    registry: Registry
    plugins: tuple[Plugin, ...]


@contextmanager
def opened(plugin: str | Path | ModuleType) -> Iterator[Target]:
    """Load a plugin by its distribution's or entry point's name, from a project's folder, or as a module.

    Inside of the block a folder or module is there as if it were installed; afterwards nothing is left of it.
    Raises UsageError for a name that is not installed and a folder that holds no plugin.
    """
    with ExitStack() as stack:
        if isinstance(plugin, str):
            name = plugin
        else:
            made = _of_module(plugin) if isinstance(plugin, ModuleType) else _of_project(plugin)
            stack.enter_context(_installed(made))
            name = made.name
        yield _load(name)


class _Made(Distribution):
    """A distribution that is not installed: its metadata as text, and the folders to import it from."""

    def __init__(self, metadata: str, entries: str, modules: Mapping[str, ModuleType], folders: list[Path]) -> None:
        self._texts = {"METADATA": metadata, "entry_points.txt": entries}
        self.modules = modules
        self.folders = folders

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return self.folders[0] / path


class _Finder(DistributionFinder):
    """Shows the made distribution to whoever looks for installed ones."""

    def __init__(self, made: _Made) -> None:
        self.made = made

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        return None  # modules are found in the made one's folders

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008 - the base class' own
    ) -> Iterator[Distribution]:
        if context.name is None or _same(context.name, self.made.name):
            yield self.made


def _same(one: str, other: str) -> bool:
    """Whether two names are of one distribution, as the package index compares them."""
    return canonicalize_name(one) == canonicalize_name(other)


def _load(name: str) -> Target:
    entries = _entries()
    mine = [entry for entry in entries if _same(_distribution(entry), name)]
    by_entry = {_distribution(entry) for entry in entries if entry.name == name}
    if not mine and len(by_entry) > 1:
        raise UsageError(f"several plugins have an entry point {name}: say {' or '.join(sorted(by_entry))}")
    mine = mine or [entry for entry in entries if _distribution(entry) in by_entry]
    if not mine:
        raise UsageError(f"no plugin called {name} is installed{did_you_mean(name, _known())}")
    distribution = _distribution(mine[0])
    registry, plugins = _load_only(mine)
    needed = {canonicalize_name(name) for preset in _presets(registry, distribution) for name in preset.requires}
    others = [entry for entry in entries if entry not in mine and canonicalize_name(_distribution(entry)) in needed]
    if others:
        registry, plugins = _load_only(mine + others)
    requires = (mine[0].dist.requires if mine[0].dist else None) or []
    return Target(
        distribution,
        tuple(requires),
        registry,
        tuple(plugin for plugin in plugins if _same(plugin.distribution, distribution)),
    )


def _load_only(entries: Iterable[EntryPoint]) -> tuple[Registry, tuple[Plugin, ...]]:
    before = os.environ.get("DREAMER_PLUGINS")
    os.environ["DREAMER_PLUGINS"] = ",".join(entry.name for entry in entries)
    try:
        return load_plugins()
    finally:
        if before is None:
            del os.environ["DREAMER_PLUGINS"]
        else:
            os.environ["DREAMER_PLUGINS"] = before


def _presets(registry: Registry, source: str) -> Iterator[Preset]:
    for entry in registry.presets:
        if entry.source == source:
            try:
                yield entry.value()
            except UsageError:
                continue  # found and told of when it is tried


def _entries() -> list[EntryPoint]:
    return [entry for group in GROUPS for entry in entry_points(group=group)]


def _known() -> list[str]:
    entries = _entries()
    return sorted({entry.name for entry in entries} | {_distribution(entry) for entry in entries})


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.name


def _of_module(module: ModuleType) -> _Made:
    name = module.__name__
    entries = f"[dreamer]\n{name} = {name}\n"
    return _Made(f"Name: {name}\nVersion: 0\nRequires-Dist: dreamer-art\n", entries, {name: module}, [])


def _of_project(folder: Path) -> _Made:
    """The distribution that a project's pyproject.toml describes; raises UsageError."""
    file = folder / "pyproject.toml"
    try:
        words = tomllib.loads(file.read_text(encoding="utf-8"))
        project = words["project"]
        name, groups = project["name"], project.get("entry-points", {})
        groups = {group: dict(groups[group]) for group in GROUPS if groups.get(group)}
        requires = [str(line) for line in project.get("dependencies", ())]
        version = project.get("version", "0")
    except FileNotFoundError:
        raise UsageError(f"{folder}: there is no pyproject.toml in it, so it is no plugin's folder") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read ({error})") from error
    except (LookupError, TypeError, AttributeError):
        raise UsageError(f"{file}: a [project] table with a name is wanted") from None
    if not groups:
        raise UsageError(
            f"{file}: no plugin is named in it; write [project.entry-points.dreamer], or, for a pack of presets, "
            '[project.entry-points."dreamer.presets"]'
        )
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    entries = [
        line for group, named in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in named.items()))
    ]
    folders = [path for path in (folder / "src", folder) if path.is_dir()]
    return _Made("\n".join(lines) + "\n", "\n".join(entries), {}, [path.resolve() for path in folders])


@contextmanager
def _installed(made: _Made) -> Iterator[None]:
    """Have the distribution found and imported inside of the block; an installed one of that name steps aside."""
    finder = _Finder(made)
    named = () if made.modules else made.entry_points
    outermost = {re.split(r"[.:]", entry.value)[0].strip() for entry in named}
    ours = {name for name in sys.modules if name.partition(".")[0] in outermost} | set(made.modules)
    before = {name: sys.modules.pop(name) for name in ours if name in sys.modules}
    path, writes = list(sys.path), sys.dont_write_bytecode
    sys.modules.update(made.modules)
    sys.path[:0] = map(str, made.folders)
    sys.meta_path.insert(0, finder)
    sys.dont_write_bytecode = True  # trying a project leaves nothing in its folder
    invalidate_caches()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        sys.path[:] = path
        sys.dont_write_bytecode = writes
        for name in [name for name in sys.modules if name.partition(".")[0] in outermost or name in made.modules]:
            del sys.modules[name]
        sys.modules.update(before)
