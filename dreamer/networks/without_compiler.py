"""torch without its compiler, which takes most of a second or more to import.

It means to stay out until something is compiled. But torchvision asks it for a function as soon as it is imported, and
so do operations on the `meta` device, which mark functions as "not to be compiled" with nothing being compiled.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from threading import Event
from types import FunctionType, ModuleType
from typing import Any

_COMPILER = ("torch._dynamo", "torch._dynamo.utils")
_MARK = "__dynamo_disable"  # where torch keeps what `disable` gave for a function
_asked = Event()  # somebody has asked for the compiler itself


@contextmanager
def without_compiler() -> Iterator[None]:
    """Within this block those get what they ask for; whoever asks the compiler for more gets the compiler."""
    if _asked.is_set() or any(name in sys.modules for name in _COMPILER):
        yield
        return
    marked: list[FunctionType] = []
    within = True

    def disable(function: Any = None, *how: Any, **options: Any) -> Any:
        if within and isinstance(function, FunctionType) and options == {"wrapping": False}:  # torch marks its own
            marked.append(function)
            return function
        return _compiler("torch._dynamo").disable(function, *how, **options)

    package, utils = (_StandIn(name) for name in _COMPILER)
    vars(package).update(disable=disable, __path__=[])
    vars(utils).update(is_compile_supported=_is_compile_supported)
    sys.modules.update(zip(_COMPILER, (package, utils), strict=True))
    sys.meta_path.insert(0, finder := _Finder())
    try:
        yield
    finally:
        within = False
        sys.meta_path.remove(finder)
        _take_away()
        for function in marked:  # the compiler shall mark it, once it is there
            vars(function).pop(_MARK, None)


class _StandIn(ModuleType):
    """In the place of a module of the compiler; whatever it does not have is the module's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_compiler(self.__name__), name)


class _Finder(MetaPathFinder):
    """Finds the compiler's other modules while its package is a stand-in, which has no path to them."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        package, _, _ = name.rpartition(".")
        stands_in = package in _COMPILER and isinstance(sys.modules.get(package), _StandIn)
        return ModuleSpec(name, _Whole()) if stands_in else None


class _Whole(Loader):
    """Imports the compiler, and gives a module of it."""

    _spec: ModuleSpec | None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = _compiler(spec.name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # it has run; what imports it has put another one there


def _compiler(name: str) -> Any:
    """A module of the compiler."""
    _asked.set()
    _take_away()
    return import_module(name)


def _take_away() -> None:
    for name in _COMPILER:
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _is_compile_supported(device: str) -> bool:
    return bool(_compiler("torch._dynamo.utils").is_compile_supported(device))
