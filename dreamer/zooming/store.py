"""Where a zoom keeps the pictures that later frames need: in memory, or in a folder that survives a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from dreamer.disk import write_atomically


class Store(Protocol):
    """Pictures by name."""

    def load(self, name: str) -> Tensor | None:
        """What was kept under a name, if it is there and whole."""

    def save(self, name: str, picture: Tensor) -> None:
        """Keep a picture; raises WriteError."""

    def drop(self, name: str) -> None:
        """Forget one, if it is there."""


class Memory:
    """Lasts as long as the program."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def load(self, name: str) -> Tensor | None:
        """What was kept under a name."""
        return self._kept.get(name)

    def save(self, name: str, picture: Tensor) -> None:
        """Keep a picture."""
        self._kept[name] = picture

    def drop(self, name: str) -> None:
        """Forget one."""
        self._kept.pop(name, None)


class Folder:
    """Files in a folder, each there as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str) -> Tensor | None:
        """What was kept under a name; a damaged file is as good as none."""
        try:
            return safetensors.torch.load(self._path(name).read_bytes())["picture"]
        except (OSError, SafetensorError, KeyError):
            return None

    def save(self, name: str, picture: Tensor) -> None:
        """Keep a picture; raises WriteError."""
        write_atomically(self._path(name), safetensors.torch.save({"picture": picture.contiguous()}))

    def drop(self, name: str) -> None:
        """Forget one."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"
