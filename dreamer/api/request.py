"""A Python program's arguments as a request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dreamer.api.names import registry
from dreamer.api.values import AnyNetwork, network_of, plain, with_functions
from dreamer.engine.device import Machine
from dreamer.image import Picture, load
from dreamer.pipeline.build import Request
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset, find_preset
from dreamer.recipes.registry import Registry


def request(
    preset: str | Path | Preset | None,
    changes: Mapping[str, Any],
    network: AnyNetwork | None,
    weights: str | Path | None,
    layer: str | None,
    fetch: bool,
    machine: Machine,
    guide: Picture | None,
    steps: int | None = None,
) -> tuple[Request, Registry]:
    """The request, and the names that it may use: functions among the changes have names of their own there."""
    names = registry()
    words = find_preset(names, preset).words if preset is not None else {}
    if steps is not None:
        words = merged(words, {"octaves": {"steps": plain(steps)}})
    own, names = with_functions(changes, names)
    asked = Request(
        merged(words, own),
        network=network_of(network),
        weights=Path(weights) if weights else None,
        layer=layer,
        fetch=fetch,
        guide=load(guide) if guide is not None else None,
        machine=machine,
    )
    return asked, names
