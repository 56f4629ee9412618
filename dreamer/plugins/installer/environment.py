"""The Python environment that dreamer runs in: who manages it, and which distributions are installed."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from dreamer.errors import PluginError, RecipeError
from dreamer.plugins.preset_packs import GROUPS, entries_of
from dreamer.recipes.parsing import parse_json


@dataclass(frozen=True)
class Place:
    """A Python environment: its interpreter, folder and version, whether it has pip, and who manages it."""

    python: str
    prefix: Path
    version: str
    pip: bool
    keeper: str = ""
    """Who manages it, so that pip should not install into it: `conda`, `the system`, or empty."""

    @classmethod
    def here(cls) -> Place:
        """The environment of this process."""
        prefix, marker = Path(sys.prefix), Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
        of_system = sys.prefix == sys.base_prefix and marker.exists()
        keeper = "conda" if (prefix / "conda-meta").is_dir() else "the system" if of_system else ""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(sys.executable, prefix, version, find_spec("pip") is not None, keeper)


@dataclass(frozen=True)
class Installed:
    """An installed distribution; `origin` is its direct_url.json, None if it came from a package index."""

    name: str
    version: str
    groups: frozenset[str] = frozenset()
    origin: Mapping[str, Any] | None = None


def installed() -> dict[str, Installed]:
    """Every installed distribution by its canonical name, read from the disk again at each call."""
    found: dict[str, Installed] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name and canonicalize_name(name) not in found:  # the first on the path is the one that is imported
            found[canonicalize_name(name)] = Installed(name, one.version, _groups(one), _origin(one))
    return found


def origin_of(name: str) -> str:
    """The kind of place that a distribution was installed from: "index", "folder", "git", "file" or "address"; else "".

    Never which folder or address: a path holds a person's name, and an address may hold a password.
    """
    try:
        found = _origin(distribution(name))
    except (PackageNotFoundError, ValueError):
        return ""
    if found is None:
        return "index"
    if "dir_info" in found:
        return "folder"
    if found.get("vcs_info", {}).get("vcs") == "git":
        return "git"
    return "file" if found["url"].startswith("file:") else "address"


def is_plugin(found: Installed) -> bool:
    """Whether a distribution has an entry point for dreamer."""
    return not found.groups.isdisjoint(GROUPS)


def _groups(of: Distribution) -> frozenset[str]:
    """Its entry-point groups for dreamer: all where it is damaged, since it may be a plugin, which can be removed."""
    try:
        return frozenset(entry.group for entry in entries_of(of))
    except PluginError:
        return frozenset(GROUPS)


def _origin(of: Distribution) -> Mapping[str, Any] | None:
    try:
        found = parse_json(of.read_text("direct_url.json") or "null", "direct_url.json")
    except (RecipeError, ValueError, OSError):  # ValueError: not in UTF-8
        return None
    if not isinstance(found, dict) or not isinstance(found.get("url"), str):
        return None
    vcs = found.get("vcs_info", {"vcs": "", "commit_id": ""})
    fits = isinstance(vcs, dict) and all(isinstance(vcs.get(key), str) for key in ("vcs", "commit_id"))
    return found if fits and isinstance(found.get("dir_info", {}), dict) else None
