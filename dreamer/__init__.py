"""dreamer paints what a convolutional network sees into a photograph.

    import dreamer

    picture = dreamer.dream("photo.jpg", preset="bloom", strength=0.8)   # a PIL image
    picture.save("dream.png")

Importing this package imports nothing heavy: torch comes with the first name that needs it. Until then the threads
that torch will compute with can be told not to keep the processor while they wait, which the import does: see
`dreamer.openmp`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dreamer.errors import (
    DreamerError,
    Interrupted,
    NetworkError,
    NotFiniteError,
    PhotoError,
    PluginError,
    RecipeError,
    RenderError,
    UsageError,
    WriteError,
)
from dreamer.openmp import limit_spinning

if TYPE_CHECKING:
    from dreamer.api import (
        Part,
        dream,
        enlarge,
        load_network,
        loop,
        parts,
        register,
        reload_plugins,
        sweep,
        video,
        visualize,
        walk,
        zoom,
    )
    from dreamer.api.terms import channel, direction, neuron
    from dreamer.engine.canvas import Canvas
    from dreamer.engine.step import Step
    from dreamer.hookspecs import hookimpl
    from dreamer.ingredients.gradient_filters import unit
    from dreamer.networks.network import Network
    from dreamer.recipes.options import Range, leaving_edges, reaching

__version__ = "0.1.0"  # pyproject.toml takes it from here without importing anything

__all__ = [
    "Canvas",
    "DreamerError",
    "Interrupted",
    "Network",
    "NetworkError",
    "NotFiniteError",
    "Part",
    "PhotoError",
    "PluginError",
    "Range",
    "RecipeError",
    "RenderError",
    "Step",
    "UsageError",
    "WriteError",
    "__version__",
    "channel",
    "direction",
    "dream",
    "enlarge",
    "hookimpl",
    "leaving_edges",
    "load_network",
    "loop",
    "neuron",
    "parts",
    "reaching",
    "register",
    "reload_plugins",
    "sweep",
    "unit",
    "video",
    "visualize",
    "walk",
    "zoom",
]

_HOMES = {
    "Canvas": "engine.canvas",
    "Network": "networks.network",
    "Part": "api",
    "Range": "recipes.options",
    "Step": "engine.step",
    "channel": "api.terms",
    "direction": "api.terms",
    "dream": "api",
    "enlarge": "api",
    "hookimpl": "hookspecs",
    "leaving_edges": "recipes.options",
    "load_network": "api",
    "loop": "api",
    "neuron": "api.terms",
    "parts": "api",
    "reaching": "recipes.options",
    "register": "api",
    "reload_plugins": "api",
    "sweep": "api",
    "unit": "ingredients.gradient_filters",
    "video": "api",
    "visualize": "api",
    "walk": "api",
    "zoom": "api",
}

limit_spinning()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dreamer' has no attribute {name!r}")
    import_module("dreamer.plugins.preset_packs").let_torch_start()
    return getattr(import_module(f"dreamer.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
