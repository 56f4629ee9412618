"""dreamer for Python programs: what the command line does, with pictures of any kind in and out.

Layer 8. The use cases: everything that is below is put together here, and the command line only parses, reports and
writes.
"""

from __future__ import annotations

from dreamer.api.frames import video, zoom
from dreamer.api.looks import walk
from dreamer.api.loops import loop
from dreamer.api.names import load_network, loaded_registry, register, registry, reload_plugins
from dreamer.api.part import Part, parts
from dreamer.api.still import dream
from dreamer.api.sweeps import sweep
from dreamer.api.unit import visualize

__all__ = [
    "Part",
    "dream",
    "load_network",
    "loaded_registry",
    "loop",
    "parts",
    "register",
    "registry",
    "reload_plugins",
    "sweep",
    "video",
    "visualize",
    "walk",
    "zoom",
]
