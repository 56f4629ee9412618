"""The built-in presets: TOML files beside this one."""

from __future__ import annotations

from pathlib import Path

from dreamer.hookspecs import Register, hookimpl


@hookimpl
def register_presets(register: Register) -> None:
    """Every preset of this folder."""
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        register(path)
