"""torchvision, imported without torch's compiler, which takes three times as long as torchvision itself.

torchvision means to leave the compiler alone until something is compiled, but one of its operations for detection asks
it for a function at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")


@contextmanager
def without_compiler() -> Iterator[None]:
    """Import torchvision within this block, and the compiler stays out until something else asks for it."""
    if "torchvision" in sys.modules or any(name in sys.modules for name in _COMPILER):
        yield
        return
    package, utils = (ModuleType(name) for name in _COMPILER)
    package.__path__ = []  # it has modules
    utils.__dict__["is_compile_supported"] = _is_compile_supported
    stand_ins = dict(zip(_COMPILER, (package, utils), strict=True))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _is_compile_supported(device: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device))
