"""What making a clip needs besides its frames in order to be resumed: tensors by name, in memory or on disk."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dreamer.errors import UsageError
from dreamer.files import read_bounded, write_atomically
from dreamer.limits import KB
from dreamer.videos.clip.unfinished import is_file

_HEADER = 4 * KB  # of a safetensors file of one tensor, at most


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
        path = self._path(name)
        if not is_file(path):
            return None
        try:
            data = read_bounded(path, channels * math.prod(size) * dtype.itemsize + _HEADER)
            (state,) = safetensors.torch.load(data).values()
        except (OSError, UsageError, SafetensorError, ValueError, KeyError):
            return None
        return state if _fits(state, (1, channels, *size), dtype) and bool(state.isfinite().all()) else None

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor; raises WriteError."""
        write_atomically(self._path(name), safetensors.torch.save({"state": state.contiguous()}))

    def drop(self, name: str) -> None:
        """Delete a tensor's file if it exists."""
        with suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def _fits(state: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> bool:
    return state.shape == shape and state.dtype == dtype
