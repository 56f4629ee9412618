"""Loads the plugin to check, as dreamer loads every plugin: an installed one, a project's folder, or a module."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.metadata import Distribution, DistributionFinder, EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from packaging.utils import canonicalize_name

from dreamer.errors import UsageError, did_you_mean
from dreamer.plugins.loading import Plugin, load_plugins
from dreamer.plugins.preset_packs import GROUPS, damaged, entry_points
from dreamer.recipes.parsing import read_toml
from dreamer.recipes.preset import Preset
from dreamer.recipes.registry import Registry


@dataclass(frozen=True)
class Target:
    """A loaded plugin: its distribution, the requirements of that, and the registry with what it registered."""

    distribution: str
    requires: tuple[str, ...]
    registry: Registry
    plugins: tuple[Plugin, ...]


@contextmanager
def load_target(plugin: str | Path | ModuleType) -> Iterator[Target]:
    """Load a plugin by the name of its distribution or entry point, from a project's folder, or as a module.

    Inside the block a folder or module acts as if it were installed; afterwards everything is restored. Raises
    UsageError if no such plugin is installed, or if the folder is not a plugin.
    """
    if isinstance(plugin, str):
        yield _load(plugin)
    else:
        project = _of_module(plugin) if isinstance(plugin, ModuleType) else _of_project(plugin)
        with _as_if_installed(project):
            yield _load(project.name)


class _Project(Distribution):
    """A distribution that is not installed: the texts of its metadata, and the folders to import it from."""

    def __init__(self, metadata: str, entries: str, modules: Mapping[str, ModuleType], folders: list[Path]) -> None:
        self._texts = {"METADATA": metadata, "entry_points.txt": entries}
        self.modules = modules
        self.folders = folders

    def read_text(self, filename: str) -> str | None:
        return self._texts.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return self.folders[0] / path


@dataclass
class _Finder(DistributionFinder):
    """Makes importlib.metadata find a project as if it were installed."""

    project: _Project

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        return None  # its modules are found in its folders, by sys.path

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008 - the base class' own
    ) -> Iterator[Distribution]:
        if context.name is None or _same_name(context.name, self.project.name):
            yield self.project


def _same_name(one: str, other: str) -> bool:
    """Whether two names mean the same distribution, as on the package index."""
    return canonicalize_name(one) == canonicalize_name(other)


def _load(name: str) -> Target:
    entries = _entries()
    mine = [entry for entry in entries if _same_name(_distribution(entry), name)]
    by_entry = {_distribution(entry) for entry in entries if entry.name == name}
    if not mine and len(by_entry) > 1:
        raise UsageError(f"several plugins have an entry point {name}; use {' or '.join(sorted(by_entry))}")
    mine = mine or [entry for entry in entries if _distribution(entry) in by_entry]
    if not mine:
        if torn := damaged().get(canonicalize_name(name)):
            raise UsageError(f"{name}: {torn}")
        known = {entry.name for entry in entries} | {_distribution(entry) for entry in entries}
        if Path(name).is_dir():
            raise UsageError(
                f"no plugin called {name} is installed, and the folder {name} has no pyproject.toml; name another"
            )
        raise UsageError(f"no plugin called {name} is installed{did_you_mean(name, known)}")
    distribution = _distribution(mine[0])
    registry, plugins = _load_only(mine)
    needed = {canonicalize_name(name) for preset in _presets(registry, distribution) for name in preset.requires}
    others = [entry for entry in entries if entry not in mine and canonicalize_name(_distribution(entry)) in needed]
    if others:
        registry, plugins = _load_only(mine + others)
    requires = (mine[0].dist.requires if mine[0].dist else None) or []
    plugins = tuple(plugin for plugin in plugins if _same_name(plugin.distribution, distribution))
    return Target(distribution, tuple(requires), registry, plugins)


def _load_only(entries: Iterable[EntryPoint]) -> tuple[Registry, tuple[Plugin, ...]]:
    with mock.patch.dict(os.environ, DREAMER_PLUGINS=",".join(entry.name for entry in entries)):
        return load_plugins()


def _presets(registry: Registry, source: str) -> Iterator[Preset]:
    for entry in registry.presets:
        if entry.source == source:
            with suppress(UsageError):  # reported when the preset is checked
                yield entry.value()


def _entries() -> list[EntryPoint]:
    return [entry for group in GROUPS for entry in entry_points(group)]


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.name


def _of_module(module: ModuleType) -> _Project:
    name = module.__name__
    entries = f"[dreamer]\n{name} = {name}\n"
    return _Project(f"Name: {name}\nVersion: 0\nRequires-Dist: dreamer-art\n", entries, {name: module}, [])


def _of_project(folder: Path) -> _Project:
    """The distribution that a project's pyproject.toml describes; raises UsageError."""
    file = folder / "pyproject.toml"
    try:
        words = read_toml(file)
        project = words["project"]
        name, groups = project["name"], project.get("entry-points", {})
        groups = {group: groups[group] for group in GROUPS if groups.get(group)}
        requires = [str(line) for line in project.get("dependencies", ())]
        version = project.get("version", "0")
    except FileNotFoundError:
        if not folder.exists():
            raise UsageError(f"{folder}: there is no such folder") from None
        raise UsageError(f"{folder}: this folder is not a plugin: it has no pyproject.toml; name another") from None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror or error})") from error
    except (LookupError, TypeError, AttributeError):
        raise UsageError(f"{file}: expected a [project] table with a name") from None
    if not groups:
        raise UsageError(
            f"{file}: it declares no plugin; add [project.entry-points.dreamer], or, for a pack of presets, "
            '[project.entry-points."dreamer.presets"]'
        )
    if not all(_is_table_of_texts(group) for group in groups.values()):
        raise UsageError(
            f"{file}: an entry point for dreamer has a name and a value; write [project.entry-points.dreamer], or "
            '[project.entry-points."dreamer.presets"], and below it a line as in hello = "dreamer_hello"'
        )
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    entries = [
        line for group, named in groups.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in named.items()))
    ]
    folders = [path for path in (folder / "src", folder) if path.is_dir()]
    return _Project("\n".join(lines) + "\n", "\n".join(entries), {}, [path.resolve() for path in folders])


def _is_table_of_texts(words: object) -> bool:
    return isinstance(words, dict) and all(isinstance(value, str) for value in words.values())


@contextmanager
def _as_if_installed(project: _Project) -> Iterator[None]:
    """Let a project be found and imported inside the block, in place of an installed distribution of that name."""
    finder = _Finder(project)
    named = () if project.modules else project.entry_points
    outermost = {re.split(r"[.:]", entry.value)[0].strip() for entry in named}
    ours = {name for name in sys.modules if name.partition(".")[0] in outermost} | set(project.modules)
    before = {name: sys.modules.pop(name) for name in ours if name in sys.modules}
    sys.modules.update(project.modules)
    sys.meta_path.insert(0, finder)
    invalidate_caches()
    try:
        # A check must not write into the project's folder.
        with mock.patch.multiple(sys, path=[*map(str, project.folders), *sys.path], dont_write_bytecode=True):
            yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in outermost or name in project.modules]:
            del sys.modules[name]
        sys.modules.update(before)
