"""Read the tensors of a pickle: nothing in it is run, and no tensor is made before its size is known.

`torch.load(weights_only=True)` runs no code either, but it takes whatever memory a file claims to need, and a key of
tuples within tuples ends the process, as Python hashes those without a limit. So Python's own unpickler is used,
without the instructions that state dicts do not need, and with a stand-in for each of the few names that they hold.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamer import limits
from dreamer.errors import NetworkError

_LARGEST = 2**48  # largest size, offset or stride
_ARGUMENTS = 16

_INSTRUCTIONS = (
    "PROTO FRAME STOP MARK POP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINBYTES SHORT_BINBYTES "
    "EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT "
    "GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL BINPERSID"
)
_STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}
_PASSED_OVER = (  # what trainings note beside the weights; None stands for them
    "torch.device torch.Tensor numpy.dtype numpy.ndarray numpy.core.multiarray.scalar numpy._core.multiarray.scalar "
    "numpy.core.multiarray._reconstruct numpy._core.multiarray._reconstruct _codecs.encode"
).split()


class CodeFound(Exception):
    """A pickle names a class or a function that weights do not need: `str()` is its name."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: `read` gives its values, on the CPU."""

    shape: tuple[int, ...]
    read: Callable[[], Tensor] = field(repr=False)


@dataclass(frozen=True)
class _Storage:
    """A run of `count` numbers in the file."""

    dtype: torch.dtype
    key: str
    count: int


class TensorUnpickler(pickle._Unpickler):
    """Reads one pickle of nested dicts, lists and tuples: tensors become `StoredTensor`, all mappings plain dicts.

    `load` raises CodeFound, or whatever Python raises for bytes that are no pickle. Before a tensor is read, `starts`
    must hold where in the file the numbers of each of the `storages` begin.

    Args:
        pickled: Where the pickle begins.
        path: The file that the numbers are read from.
        size: Its bytes.
    """

    dispatch = {  # noqa: RUF012 (it is the base class's own)
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in _INSTRUCTIONS.split()
    }
    stack: list[Any]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, pickled: io.BytesIO, path: Path, size: int) -> None:
        super().__init__(pickled, encoding="latin1")  # Python 2 wrote bytes
        self.storages: dict[str, _Storage] = {}
        self.starts: dict[str, int] = {}
        self._path, self._size = path, size
        self._described = self._paired = 0
        self._known: dict[str, Any] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": _first,
            "torch._utils._rebuild_parameter_with_state": _first,
            "torch._tensor._rebuild_from_type_v2": self._of_type,
            "torch.nn.parameter.Parameter": _first,
            "torch.nn.parameter.Buffer": _first,
            "torch.Size": _first,
            "builtins.set": _first,
            "__builtin__.set": _first,
            "collections.Counter": self._mapping,
            "collections.OrderedDict": self._mapping,
            **dict.fromkeys(_PASSED_OVER, _nothing),
            **{f"torch.{name}": dtype for name, dtype in _STORAGES.items()},
            **{str(dtype): dtype for dtype in _STORAGES.values()},
        }

    def find_class(self, module: str, name: str, /) -> Any:
        """The stand-in of a name; raises CodeFound for one that weights do not need."""
        try:
            return self._known[f"{module}.{name}"]
        except KeyError:
            raise CodeFound(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, as torch names it: ("storage", type, key, device, count)."""
        kind, dtype, key, _, count, *view = _few(pid)
        if kind != "storage":
            raise CodeFound("a module with its source")
        if not isinstance(dtype, torch.dtype) or not isinstance(key, str) or not _is_size(count) or any(view):
            raise ValueError("a storage is described in a way that torch does not write")
        return self.storages.setdefault(key, _Storage(dtype, key, count))

    def _tensor(self, storage: Any, offset: Any, shape: Any, stride: Any, *besides: Any) -> StoredTensor:
        """Stand-in for `torch._utils._rebuild_tensor`; raises NetworkError for more values than are stored."""
        if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
            raise ValueError("a tensor is described in a way that torch does not write")
        if not len(shape) == len(stride) <= limits.DIMENSIONS or not all(map(_is_size, (offset, *shape, *stride))):
            raise ValueError("a tensor has sizes that make no sense")
        count = math.prod(shape)
        span = 1 + sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) if count else 0
        each = storage.dtype.itemsize
        self._described += max(count, span) * each
        if offset + span > storage.count or count > storage.count or self._described > limits.DESCRIBED * self._size:
            raise NetworkError(f"{self._path}: a tensor in it is larger than what is stored of it; get it again")

        def read() -> Tensor:
            if not count:
                return torch.empty(shape, dtype=storage.dtype)
            start = self.starts[storage.key] + offset * each
            numbers = np.fromfile(self._path, np.uint8, span * each, offset=start)
            if len(numbers) < span * each:
                raise NetworkError(f"{self._path} ends before its tensors do; get it again")
            return torch.from_numpy(numbers).view(storage.dtype).as_strided(shape, stride)

        return StoredTensor(shape, read)

    def _of_type(self, build: Any, kind: Any, arguments: Any, state: Any) -> Any:
        """A tensor with attributes of its own, which are left out."""
        return self._tensor(*_few(arguments)) if build == self._tensor else _first(*_few(arguments))

    def _mapping(self, items: Any = ()) -> dict[Any, Any]:
        """A dict of pairs, as Python 2 wrote them."""
        if isinstance(items, dict):
            return items
        self._paired += len(items)
        if self._paired > limits.PICKLE_BYTES:  # the same list again and again
            raise ValueError("more pairs than are in the file")
        return dict(pair for pair in items if _is_key(pair[0]))

    def load_reduce(self) -> None:
        """Call a stand-in."""
        arguments = _few(self.stack.pop())
        self.stack[-1] = self.stack[-1](*arguments)

    def load_setitem(self) -> None:
        """Set an item whose key is a plain value; any other is passed over."""
        value, key = self.stack.pop(), self.stack.pop()
        self._fill(key, value)

    def load_setitems(self) -> None:
        """Likewise, for several items."""
        items = self.pop_mark()
        self._fill(*items)

    def load_dict(self) -> None:
        """Likewise, for a new dict."""
        items = self.pop_mark()
        self.stack.append({})
        self._fill(*items)

    def load_build(self) -> None:
        """Leave out what would be set on an object, such as the versions of a state dict's modules."""
        self.stack.pop()

    def _fill(self, *items: Any) -> None:
        into = self.stack[-1]
        if not isinstance(into, dict):
            raise ValueError("an item is set where there is no dict")
        into.update((key, value) for key, value in zip(items[::2], items[1::2], strict=True) if _is_key(key))

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,  # type: ignore[dict-item]
        pickle.SETITEM[0]: load_setitem,  # type: ignore[dict-item]
        pickle.SETITEMS[0]: load_setitems,  # type: ignore[dict-item]
        pickle.DICT[0]: load_dict,  # type: ignore[dict-item]
        pickle.BUILD[0]: load_build,  # type: ignore[dict-item]
    }


def _first(first: Any = (), *others: Any) -> Any:
    return first


def _nothing(*arguments: Any) -> None:
    return None


def _few(arguments: Any) -> tuple[Any, ...]:
    """The arguments of a call; raises ValueError for more than torch writes, as a pickle may repeat them freely."""
    if not isinstance(arguments, tuple) or len(arguments) > _ARGUMENTS:
        raise ValueError("a call has arguments that torch does not write")
    return arguments


def _is_size(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < _LARGEST


def _is_key(key: object) -> bool:
    """Whether a dict may have this key: a tuple's hash has no limit."""
    return key is None or isinstance(key, (str, bytes, int, float))
