"""What an installation would change, read from a rehearsal of pip or uv."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dreamer.installer.failure import core_refusal
from dreamer.installer.place import Installed
from dreamer.packs import normal

HELD = ("dreamer-art", "torch", "torchvision", "kornia", "numpy", "pillow")
"""What dreamer itself stands on: no plugin changes it unasked."""

_LINE = re.compile(
    r"^ (?P<sign>[-+~]) (?P<name>[\w.-]+)(?:==(?P<version>\S+))?(?: \(from (?P<from>.+)\)| @ (?P<at>\S+))?"
)


@dataclass(frozen=True)
class Change:
    """A distribution that would be installed: `old` is the version there is, empty for a new one, `new` likewise."""

    name: str
    new: str
    old: str = ""
    url: str = ""


Plan = tuple[Change, ...]


def held_versions(distributions: Mapping[str, Installed], allow_core_change: bool = False) -> dict[str, str]:
    """The versions to hold. dreamer itself is always held: a plugin never brings another dreamer."""
    names = HELD[:1] if allow_core_change else HELD
    return {name: distributions[name].version for name in names if name in distributions}


def from_report(report: Mapping[str, Any], distributions: Mapping[str, Installed]) -> Plan:
    """pip's report of a dry run. Raises ValueError where it is of another form."""
    try:
        found = [(i["metadata"]["name"], i["metadata"]["version"], i) for i in report["install"]]
        return _sorted(
            Change(
                name,
                version,
                distributions[normal(name)].version if normal(name) in distributions else "",
                item["download_info"]["url"] if item.get("is_direct") else "",
            )
            for name, version, item in found
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"pip's report has no {error}") from error


def from_uv(output: str, distributions: Mapping[str, Installed]) -> Plan:
    """uv's lines of a dry run: `+ name==version`, `- ` for what it replaces, `~ ` for the same version anew."""
    changes: dict[str, Change] = {}
    for line in output.splitlines():
        match = _LINE.match(line)
        if match and match["sign"] in "+~":
            there = distributions.get(normal(match["name"]))
            url = match["from"] or match["at"] or ""
            version = match["version"] or (url.rpartition("/")[2].split("-")[1] if url.endswith(".whl") else "")
            changes[normal(match["name"])] = Change(match["name"], version, there.version if there else "", url)
    return _sorted(iter(changes.values()))


def core_changes(plan: Plan, held: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each of dreamer's own packages that the plan would replace all the same."""
    refused = []
    for change in plan:
        name = normal(change.name)
        if name == HELD[0]:
            refused.append(f"{change.url or name} is dreamer itself, not a plugin")
        elif name in held:
            refused.append(core_refusal(name, held[name], f"{change.name} {change.new} would come with it"))
    return tuple(refused)


def _sorted(changes: Iterator[Change]) -> Plan:
    return tuple(sorted(changes, key=lambda change: normal(change.name)))
