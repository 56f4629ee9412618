"""Presets that come without code: packs of others, found without importing anything of theirs, and a person's own.

A pack is a distribution with an entry point of the group `dreamer.presets`; its value names the package whose folder
holds the TOML files, as in `botanica = "dreamer_botanica"` or `"dreamer_botanica.looks"`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from dreamer.errors import PluginError
from dreamer.paths import config_folder

GROUPS = ("dreamer", "dreamer.presets")
"""A plugin is a distribution with an entry point of one of these groups: of code, or of presets alone."""

OWN = "yours"
"""Where a person's own presets are said to come from."""


@dataclass(frozen=True)
class Pack:
    """Presets of one entry point; `problem` says why there are none."""

    name: str
    distribution: str
    version: str
    presets: tuple[Path, ...] = ()
    problem: str = ""


def packs() -> tuple[Pack, ...]:
    """Every pack that `DREAMER_PLUGINS` allows."""
    return tuple(_read(entry) for entry in allowed("dreamer.presets"))


def allowed(group: str) -> list[EntryPoint]:
    """The entry points of a group by name: all, or those that `DREAMER_PLUGINS` names."""
    wanted = os.environ.get("DREAMER_PLUGINS")
    chosen = None if wanted is None else {name.strip() for name in wanted.split(",") if name.strip()}
    found = sorted(entry_points(group=group), key=lambda entry: entry.name)
    return [entry for entry in found if chosen is None or entry.name in chosen]


def own_presets() -> Path:
    """The folder of a person's own presets, which may not be there yet."""
    return config_folder() / "presets"


def in_folder(folder: Path) -> tuple[Path, ...]:
    """The presets that lie in a folder."""
    return tuple(sorted(folder.glob("*.toml"))) if folder.is_dir() else ()


def _read(entry: EntryPoint) -> Pack:
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else (entry.name, "")
    try:
        presets = in_folder(_folder(entry.value))
    except (PluginError, OSError, ValueError, ImportError) as error:
        return Pack(entry.name, distribution, version, problem=str(error))
    problem = "" if presets else f"there are no presets in {entry.value}"
    return Pack(entry.name, distribution, version, presets, problem)


def _folder(value: str) -> Path:
    """The folder of a package, inside of another maybe; only the outermost is looked for, which imports nothing."""
    outermost, *inner = value.replace(":", ".").split(".")
    spec = find_spec(outermost)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"there is no package {outermost}")
    return Path(next(iter(spec.submodule_search_locations)), *inner)
