"""The Python that dreamer runs in: who looks after it, and what is installed there."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from dreamer.plugins.preset_packs import GROUPS


@dataclass(frozen=True)
class Place:
    """An environment: its Python, and what its folders say about who made it."""

    python: str
    prefix: Path
    version: str
    pip: bool
    keeper: str = ""
    """Who else looks after it and would be crossed by an installation: `conda`, `the system`, or nobody."""

    @classmethod
    def here(cls) -> Place:
        """The environment of this process."""
        prefix, keeper = Path(sys.prefix), ""
        if (prefix / "conda-meta").is_dir():
            keeper = "conda"
        elif sys.prefix == sys.base_prefix and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists():
            keeper = "the system"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return cls(sys.executable, prefix, version, find_spec("pip") is not None, keeper)


@dataclass(frozen=True)
class Installed:
    """A distribution that is installed: `origin` is what its direct_url.json says, empty when it is the index's."""

    name: str
    version: str
    groups: frozenset[str] = frozenset()
    origin: Mapping[str, Any] | None = None


def installed() -> dict[str, Installed]:
    """Everything that is installed now, by its canonical name; what was just installed is among it."""
    found: dict[str, Installed] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name and canonicalize_name(name) not in found:  # the first on the path is the one that is imported
            groups = frozenset(entry.group for entry in distribution.entry_points)
            found[canonicalize_name(name)] = Installed(name, distribution.version, groups, _origin(distribution))
    return found


def is_plugin(distribution: Installed) -> bool:
    """Whether it declares anything for dreamer."""
    return not distribution.groups.isdisjoint(GROUPS)


def _origin(distribution: Distribution) -> Mapping[str, Any] | None:
    try:
        found = json.loads(distribution.read_text("direct_url.json") or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else None
