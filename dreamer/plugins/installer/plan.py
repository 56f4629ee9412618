"""The plan of an installation: what would change, read from a dry run of pip or uv."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from dreamer.plugins.installer.environment import Installed
from dreamer.plugins.installer.errors import core_refusal
from dreamer.plugins.installer.requirement import of_wheel

HELD = ("dreamer-art", "torch", "torchvision", "kornia", "numpy", "pillow")
"""dreamer itself and the packages it relies on: no plugin replaces them without --allow-core-change."""

_LINE = re.compile(
    r"^ (?P<sign>[-+~]) (?P<name>[\w.-]+)(?:==(?P<version>\S+))?(?: \(from (?P<from>.+)\)| @ (?P<at>\S+))?"
)


@dataclass(frozen=True)
class Change:
    """A distribution that would be installed. `old` is empty if it is not installed yet, `new` if it is unknown."""

    name: str
    new: str
    old: str = ""
    url: str = ""


Plan = tuple[Change, ...]


def held_versions(distributions: Mapping[str, Installed], allow_core_change: bool = False) -> dict[str, str]:
    """Canonical name -> version of the packages to keep. dreamer itself is always kept: no plugin replaces it."""
    names = HELD[:1] if allow_core_change else HELD
    return {name: distributions[name].version for name in names if name in distributions}


def from_report(report: Mapping[str, Any], distributions: Mapping[str, Installed]) -> Plan:
    """The plan in pip's report of a dry run. Raises ValueError if the report has another form."""
    try:
        changes = []
        for item in report["install"]:
            name, new = item["metadata"]["name"], item["metadata"]["version"]
            url = item["download_info"]["url"] if item.get("is_direct") else ""
            changes.append(Change(name, new, _version(name, distributions), url))
        return _sorted(changes)
    except (KeyError, TypeError) as error:
        raise ValueError(f"pip's report has no {error}") from error


def from_uv(output: str, distributions: Mapping[str, Installed]) -> Plan:
    """The plan in uv's lines of a dry run: `+ name==version`, `- ` for a replaced one, `~ ` for a reinstalled one.

    Lines are parsed since uv has no report of a dry run yet (astral-sh/uv#1442; `--output-format json` is #21893).
    """
    changes: dict[str, Change] = {}
    for line in output.splitlines():
        match = _LINE.match(line)
        if match and match["sign"] in "+~":
            name, url = match["name"], match["from"] or match["at"] or ""
            version = match["version"] or of_wheel(url)[1]
            changes[canonicalize_name(name)] = Change(name, version, _version(name, distributions), url)
    return _sorted(changes.values())


def core_changes(plan: Plan, held: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each of dreamer's own packages that the plan would replace although it is held."""
    refused = []
    for change in plan:
        name = canonicalize_name(change.name)
        if name == HELD[0]:
            refused.append(f"{change.url or name} is dreamer itself, not a plugin")
        elif name in held:
            refused.append(core_refusal(name, held[name], f"{change.name} {change.new} would be installed"))
    return tuple(refused)


def _version(name: str, distributions: Mapping[str, Installed]) -> str:
    """The installed version, empty if there is none."""
    found = distributions.get(canonicalize_name(name))
    return found.version if found else ""


def _sorted(changes: Iterable[Change]) -> Plan:
    return tuple(sorted(changes, key=lambda change: canonicalize_name(change.name)))
