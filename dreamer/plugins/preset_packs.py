"""Presets that come without code: installed packs, which are found without importing them, and the user's own.

A pack is a distribution with an entry point of the group `dreamer.presets`; its value names the package whose folder
holds the TOML files, as in `botanica = "dreamer_botanica"` or `"dreamer_botanica.looks"`.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name

from dreamer.errors import PluginError, described
from dreamer.files.folders import config_folder

GROUPS = ("dreamer", "dreamer.presets")
"""The entry-point groups of plugins: with code, and with presets alone."""

OWN = "yours"
"""The source that lists show for the user's own presets."""


def allowed(group: str) -> list[EntryPoint]:
    """The entry points of a group, sorted by name: all, or those that `DREAMER_PLUGINS` names.

    It may name an entry point or its distribution.
    """
    found = sorted(entry_points(group), key=lambda entry: entry.name)
    return [entry for entry in found if _is_allowed(entry.name, _name_of(entry.dist) if entry.dist else "")]


def damaged() -> dict[str, PluginError]:
    """Distribution whose entry points cannot be read -> why: all, or those that `DREAMER_PLUGINS` names."""
    declared = _declared().items()
    return {name: own for name, own in declared if isinstance(own, PluginError) and _is_allowed(name)}


@cache
def let_torch_start() -> None:
    """Keep torch from looking for others' devices if a distribution is damaged, which its import would fail at."""
    if any(isinstance(own, PluginError) for own in _declared().values()):
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group, without those of damaged distributions."""
    declared = [own for own in _declared().values() if isinstance(own, list)]
    return [entry for own in declared for entry in own if entry.group == group]


def entries_of(one: Distribution) -> list[EntryPoint]:
    """A distribution's entry points for dreamer; raises PluginError where the file that lists them is damaged."""
    try:
        return [entry for entry in one.entry_points if entry.group in GROUPS]
    except Exception as error:  # importlib.metadata checks nothing, and fails as it happens to
        raise PluginError(f"its entry_points.txt is damaged ({described(error)}); install it again") from error


def chosen() -> tuple[str, ...] | None:
    """The names in `DREAMER_PLUGINS`; None where it is not set, so that all plugins are loaded."""
    wanted = os.environ.get("DREAMER_PLUGINS")
    return None if wanted is None else tuple(name for one in wanted.split(",") if (name := one.strip()))


def is_called(wanted: str, *names: str) -> bool:
    """Whether one of these, of an entry point and its distribution, is a plugin's name as somebody wrote it."""
    return canonicalize_name(wanted) in {canonicalize_name(name) for name in names if name}


def _is_allowed(*names: str) -> bool:
    wanted = chosen()
    return wanted is None or any(is_called(one, *names) for one in wanted)


def _declared() -> dict[str, list[EntryPoint] | PluginError]:
    """Distribution -> its entry points for dreamer, or why they cannot be read; nothing of one that has none."""
    found: dict[str, list[EntryPoint] | PluginError] = {}
    for one in distributions():
        own: list[EntryPoint] | PluginError
        try:
            own = entries_of(one)
        except PluginError as error:
            own = error
        if own:  # the first on the path is the one that is imported; only the few that count are asked for their names
            found.setdefault(canonicalize_name(_name_of(one)) or "a distribution without a name", own)
    return found


def _name_of(one: Distribution) -> str:
    """A distribution's name; empty if its metadata is damaged as well."""
    try:
        return one.name or ""
    except Exception:
        return ""


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
