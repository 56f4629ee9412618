"""The networks that dreamer knows by name."""

from __future__ import annotations

from dreamer.hookspecs import Register, hookimpl
from dreamer.networks.reverie import reverie


@hookimpl
def register_networks(register: Register) -> None:
    """The built-in networks."""
    register(reverie)
