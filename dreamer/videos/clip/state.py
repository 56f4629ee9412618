"""State from which the making of a clip can be resumed: tensors by name, in memory or on disk."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import safetensors.torch
import torch
from torch import Tensor

from dreamer.files import replacing
from dreamer.image import storage
from dreamer.videos.clip.unfinished import is_file, is_own


class StateStore(Protocol):
    """A store of tensors (1, C, h, w) by name."""

    def load(
        self, name: str, size: tuple[int, int], dtype: torch.dtype = torch.float32, channels: int = 3
    ) -> Tensor | None:
        """The tensor of that name; None where it is missing, damaged or of another `size` (h, w), `dtype` or C."""

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor; raises WriteError."""

    def drop(self, name: str) -> None:
        """Delete a tensor if it exists."""


class MemoryStore:
    """Keeps tensors in memory, as long as the program runs."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def load(
        self, name: str, size: tuple[int, int], dtype: torch.dtype = torch.float32, channels: int = 3
    ) -> Tensor | None:
        """The tensor of that name; None where there is none of this size, type and C."""
        state = self._kept.get(name)
        return state if state is not None and _fits(state, (1, channels, *size), dtype) else None

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor."""
        self._kept[name] = state

    def drop(self, name: str) -> None:
        """Delete a tensor."""
        self._kept.pop(name, None)


class FolderStore:
    """Keeps each tensor in a safetensors file, written atomically, so that it survives a crash."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(
        self, name: str, size: tuple[int, int], dtype: torch.dtype = torch.float32, channels: int = 3
    ) -> Tensor | None:
        """The tensor of that name; None where it is missing, damaged or of another `size` (h, w), `dtype` or C."""
        path, shape = self._path(name), (1, channels, *size)
        head = _header(shape, dtype)
        if not is_file(path):
            return None
        state = storage.empty(shape, dtype=dtype)
        try:
            with path.open("rb") as file:
                right = file.read(len(head)) == head and file.readinto(_bytes(state)) == state.nbytes
                return state if right and not file.read(1) and _finite(state) else None
        except OSError:
            return None

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor; raises WriteError."""
        assert is_own(self._path(name)), f"{name}: this would be left behind, and read by the next clip"
        with replacing(self._path(name)) as temporary, temporary.open("xb") as file:
            file.write(_header(tuple(state.shape), state.dtype))
            file.write(_bytes(state))

    def drop(self, name: str) -> None:
        """Delete a tensor's file if it exists."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def _fits(state: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
    return state.shape == shape and state.dtype == dtype


def _header(shape: tuple[int, ...], dtype: torch.dtype) -> bytes:
    """The header of a safetensors file of one such tensor; its bytes follow. So one of 5 GB need not be copied."""
    small = safetensors.torch.save({"state": torch.empty(0, dtype=dtype)})
    kind = json.loads(small[8 : 8 + int.from_bytes(small[:8], "little")])["state"]["dtype"]
    about = {"dtype": kind, "shape": list(shape), "data_offsets": [0, math.prod(shape) * dtype.itemsize]}
    words = json.dumps({"state": about}, separators=(",", ":")).encode()
    words += b" " * (-len(words) % 8)
    return len(words).to_bytes(8, "little") + words


def _bytes(state: Tensor) -> memoryview:
    data: memoryview = state.detach().cpu().contiguous().view(torch.uint8).numpy().data
    return data.cast("B")


def _finite(state: Tensor) -> bool:
    flat, most = state.flatten(), 1 << 24
    return all(bool(flat[first : first + most].isfinite().all()) for first in range(0, len(flat), most))
