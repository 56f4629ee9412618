"""Presets that come without code: installed packs, which are found without importing them, and the user's own.

A pack is a distribution with an entry point of the group `dreamer.presets`; its value names the package whose folder
holds the TOML files, as in `botanica = "dreamer_botanica"` or `"dreamer_botanica.looks"`.
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from dreamer.errors import PluginError
from dreamer.files.folders import config_folder

GROUPS = ("dreamer", "dreamer.presets")
"""The entry-point groups of plugins: with code, and with presets alone."""

OWN = "yours"
"""The source that lists show for the user's own presets."""


def allowed(group: str) -> list[EntryPoint]:
    """The entry points of a group, sorted by name: all, or those that `DREAMER_PLUGINS` names."""
    wanted = os.environ.get("DREAMER_PLUGINS")
    chosen = None if wanted is None else {name.strip() for name in wanted.split(",") if name.strip()}
    if chosen == set():
        return []
    found = sorted(entry_points(group=group), key=lambda entry: entry.name)
    return [entry for entry in found if chosen is None or entry.name in chosen]


def own_presets() -> Path:
    """The folder of the user's own presets, which may not exist yet."""
    return config_folder() / "presets"


def in_folder(folder: Path) -> tuple[Path, ...]:
    """The preset files in a folder, sorted; none if it does not exist. Raises PluginError if it cannot be read."""
    try:
        return tuple(sorted(path for path in folder.iterdir() if path.suffix == ".toml"))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise PluginError(f"{folder}: this folder cannot be looked into ({error.strerror or error})") from error


def in_pack(entry: EntryPoint) -> tuple[Path, ...]:
    """The preset files of a pack; raises PluginError if there are none."""
    presets = in_folder(_folder(entry.value))
    if not presets:
        raise PluginError(f"there are no presets in {entry.value}; put .toml files there")
    return presets


def _folder(value: str) -> Path:
    """The folder of a package or subpackage. Only the outermost package is searched for, so nothing is imported."""
    outermost, *inner = value.replace(":", ".").split(".")
    if not all(part.isidentifier() for part in (outermost, *inner)):  # it must not lead out of the package
        raise PluginError(f"{value[:60]!r} is not the name of a package; correct the entry point")
    spec = find_spec(outermost)
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"there is no package {outermost}; correct the entry point")
    return Path(next(iter(spec.submodule_search_locations)), *inner)
