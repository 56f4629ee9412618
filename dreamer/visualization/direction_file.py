"""A direction among a layer's channels, as a recipe says it: a number for each; read from files of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dreamer.errors import UsageError

_LARGEST = 2**20  # bytes: no layer has so many channels


def direction_of(numbers: Sequence[float]) -> tuple[float, ...]:
    """A direction in a recipe's words: its numbers to six digits."""
    return tuple(float(f"{number:.6g}") for number in numbers)


def read_direction(path: Path, layer: str | None = None) -> tuple[float, ...]:
    """The direction in a .npy or .safetensors file, or one of numbers as text; nothing in it is run.

    A .safetensors file may hold several, each called by its layer. Raises UsageError.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if path.stat().st_size > _LARGEST:
        raise UsageError(f"{path}: too large for the numbers of one direction")
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found = load_file(path)
        elif path.suffix == ".npy":  # mapped, so that a header which promises too much is found out
            found = {"": np.lib.format.open_memmap(path, mode="r")}
        else:
            text = path.read_text(encoding="utf-8").replace(",", " ").strip("[] \n")
            found = {"": np.array([float(part) for part in text.split()])}
        found = {name: array.astype(np.float64, casting="same_kind").ravel() for name, array in found.items()}
    except Exception as error:  # whatever the three readers raise for a broken or dangerous file
        raise UsageError(
            f"{path}: no numbers can be read from it; one array in .npy or .safetensors, or numbers as text, is wanted"
        ) from error
    if layer not in found and len(found) > 1:
        raise UsageError(f"{path}: it holds several directions, {', '.join(sorted(found))}; --layer says which")
    numbers = found.get(layer or "", next(iter(found.values()), np.empty(0)))
    if not len(numbers) or not np.isfinite(numbers).all():
        raise UsageError(f"{path}: it holds {'no numbers' if not len(numbers) else 'NaN or Inf'}")
    return direction_of(numbers.tolist())
