"""What making a clip needs besides its frames in order to be resumed: tensors by name, in memory or on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from dreamer.files import write_atomically


class StateStore(Protocol):
    """A store of tensors by name."""

    def load(self, name: str) -> Tensor | None:
        """The tensor of that name; None where it is missing or damaged."""

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor; raises WriteError."""

    def drop(self, name: str) -> None:
        """Delete a tensor if it exists."""


class MemoryStore:
    """Keeps tensors in memory, as long as the program runs."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def load(self, name: str) -> Tensor | None:
        """The tensor of that name; None where there is none."""
        return self._kept.get(name)

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

    def load(self, name: str) -> Tensor | None:
        """The tensor of that name; None where it is missing or damaged."""
        try:
            (state,) = safetensors.torch.load(self._path(name).read_bytes()).values()
        except (OSError, SafetensorError, ValueError):
            return None
        return state

    def save(self, name: str, state: Tensor) -> None:
        """Keep a tensor; raises WriteError."""
        write_atomically(self._path(name), safetensors.torch.save({"state": state.contiguous()}))

    def drop(self, name: str) -> None:
        """Delete a tensor's file if it exists."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"
