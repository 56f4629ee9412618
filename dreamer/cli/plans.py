"""Plugins for the studio: which there are, the plan of an installation, and the installation of just that plan."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from dreamer.cli.installing import install_plan, plan_for
from dreamer.errors import UsageError
from dreamer.plugins.installed import entries
from dreamer.plugins.installer import Plan, installed
from dreamer.plugins.loading import Plugin

_PACKS = Path(__file__).parents[2] / "plugins"
"""The folder of plugins in a checkout of dreamer; it is missing where dreamer was installed from the index."""
_LARGEST = 2**16


def plugins_and_packs(loaded: Sequence[Plugin]) -> dict[str, Any]:
    """The plugins, whether they work, and the packs that could be installed."""
    found: dict[str, dict[str, Any]] = {}
    for plugin in loaded:  # one distribution may have several entry points
        row = found.setdefault(plugin.distribution, {"version": plugin.version, "adds": [], "problem": ""})
        row["adds"] += plugin.adds
        row["problem"] = row["problem"] or plugin.problem
    there = {canonicalize_name(name) for name in installed()}
    packs = []
    for path in sorted(_PACKS.glob("*/pyproject.toml")):
        with suppress(OSError, ValueError, KeyError):
            project = tomllib.loads(path.read_text(encoding="utf-8")[:_LARGEST])["project"]
            if canonicalize_name(project["name"]) not in there:
                spec, about = str(path.parent), project.get("description", "")
                packs.append({"name": project["name"], "spec": spec, "about": about})
    return {"plugins": [{"name": name, **row} for name, row in found.items()], "packs": packs}


def planned(specs: Sequence[str]) -> dict[str, Any]:
    """The plan of `dreamer plugins install`, as JSON can hold it. Raises UsageError and InstallError."""
    entries()  # a record that cannot be read stops here
    tool, _, _, plan = plan_for(specs)
    return {"tool": tool.name, "changes": _rows(plan)}


def done(specs: Sequence[str], changes: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Install, if the plan is still the one that was shown. Raises UsageError and InstallError."""
    tool, sources, held, plan = plan_for(specs)
    if _rows(plan) != list(changes):
        raise UsageError("the package index offers something else by now; look at the plan again")
    new = install_plan(tool, sources, held, plan)
    return {"said": [f"{entry.name} {entry.version} is installed" for entry in new]}


def _rows(plan: Plan) -> list[dict[str, str]]:
    return [
        {"name": change.name, "new": change.new or "?", "old": change.old, "from": change.url or "the index"}
        for change in plan
    ]
