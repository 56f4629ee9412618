"""What a film needs besides its frames to be gone on with: the change that its next frame begins with."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from dreamer.disk import write_atomically
from dreamer.errors import UsageError

_NAME = "change-{:06d}.safetensors"


def save_change(folder: Path, number: int, change: Tensor) -> None:
    """Keep the change that frame `number` begins with, and the one before it; earlier ones go. Raises WriteError."""
    write_atomically(folder / _NAME.format(number), save({"change": change.contiguous()}))
    for path in folder.glob(_NAME.format(0).replace("000000", "*")):
        if path.name < _NAME.format(number - 1):
            path.unlink(missing_ok=True)


def load_change(folder: Path, number: int, size: tuple[int, int]) -> Tensor | None:
    """The change that frame `number` begins with, of a size (height, width); None for the first.

    Raises UsageError when it is not there or damaged.
    """
    if number == 0:
        return None
    path = folder / _NAME.format(number)
    try:
        change = load(path.read_bytes())["change"]
    except (OSError, SafetensorError, KeyError) as error:
        raise UsageError(f"{path} is missing or damaged ({error}); --force begins the clip anew") from error
    if change.shape != (1, 3, *size) or change.dtype != torch.float16:
        raise UsageError(f"{path} is damaged; --force begins the clip anew")
    return change
