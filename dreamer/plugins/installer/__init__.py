"""Installs plugins with the tool that made this environment, without changing dreamer's own packages.

`Source` is one thing to install, `Place` the Python that dreamer runs in, `Plan` what would change there. `choose`
picks the tool: pip, uv, `uv tool` or pipx. Every tool runs in a process of its own.

The scope is frozen: these four tools, and of their output only what is recognised today. Names, requirements and
wheels are parsed by `packaging`; a message that is not recognised is shown as the tool printed it.
"""

from __future__ import annotations

from dreamer.plugins.installer import process
from dreamer.plugins.installer.environment import Installed, Place, installed, is_plugin, origin_of
from dreamer.plugins.installer.errors import InstallError
from dreamer.plugins.installer.plan import HELD, Change, Plan, core_changes, held_versions
from dreamer.plugins.installer.requirement import Source, parse_sources
from dreamer.plugins.installer.tools import Tool, choose

__all__ = [
    "HELD",
    "Change",
    "InstallError",
    "Installed",
    "Place",
    "Plan",
    "Source",
    "Tool",
    "choose",
    "core_changes",
    "held_versions",
    "installed",
    "is_plugin",
    "origin_of",
    "parse_sources",
    "process",
]
