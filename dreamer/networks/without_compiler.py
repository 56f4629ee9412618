"""torch without its compiler, which takes most of a second or more to import.

It means to stay out until something is compiled. But torchvision asks it for a function as soon as it is imported, and
so do operations on the `meta` device and others that are marked "not to be compiled", with nothing being compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")
_MARK = "__dynamo_disable"  # where torch keeps what `disable` gave for a function


@contextmanager
def without_compiler() -> Iterator[None]:
    """Within this block those get what they ask for, and the compiler is imported for any other reason alone."""
    if any(name in sys.modules for name in _COMPILER):
        yield
        return
    marked: list[Callable[..., Any]] = []

    def disable(function: Callable[..., Any], *how: Any, **options: Any) -> Callable[..., Any]:
        marked.append(function)
        return function

    package, utils = (_StandIn(name) for name in _COMPILER)
    vars(package).update(disable=disable, __path__=[])
    vars(utils).update(is_compile_supported=_is_compile_supported)
    sys.modules.update(zip(_COMPILER, (package, utils), strict=True))
    sys.meta_path.insert(0, finder := _Finder())
    try:
        yield
    finally:
        _take_away()
        sys.meta_path.remove(finder)
        for function in marked:  # the compiler shall mark it, once it is there
            vars(function).pop(_MARK, None)


class _StandIn(ModuleType):
    """In the place of a module of the compiler; whatever it does not have is the module's."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _take_away()
        return getattr(import_module(self.__name__), name)


class _Finder(MetaPathFinder):
    """Finds the other modules of the compiler, by importing all of it."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("torch._dynamo.") or not _take_away():
            return None
        module = import_module(name)
        return ModuleSpec(name, _Ready(module, module.__spec__))


class _Ready(Loader):
    """Gives a module that has been imported."""

    def __init__(self, module: ModuleType, spec: ModuleSpec | None) -> None:
        self._module, self._spec = module, spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec


def _take_away() -> bool:
    """Take the stand-ins away; whether there were any."""
    there = [name for name in _COMPILER if isinstance(sys.modules.get(name), _StandIn)]
    for name in there:
        del sys.modules[name]
    return bool(there)


def _is_compile_supported(device: str) -> bool:
    _take_away()
    from torch._dynamo.utils import is_compile_supported

    return bool(is_compile_supported(device))
