"""Read a direction, a number for each channel of a layer, from a .npy, .safetensors or text file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dreamer import limits
from dreamer.errors import UsageError


def direction_of(numbers: Sequence[float]) -> tuple[float, ...]:
    """A direction for a recipe, its numbers rounded to six digits."""
    return tuple(float(f"{number:.6g}") for number in numbers)


def read_direction(path: Path, layer: str | None = None) -> tuple[float, ...]:
    """The direction in a .npy or .safetensors file or a text file of numbers; no code in it is run.

    A .safetensors file may hold several directions, each named after its layer. Raises UsageError.
    """
    if not os.path.isfile(path):
        special = os.path.exists(path) and not path.is_dir()
        what = "it is not a regular file; name one that is" if special else "there is no such file"
        raise UsageError(f"{path}: {what}")
    if path.stat().st_size > limits.DIRECTION_BYTES:
        raise UsageError(f"{path}: the file is too large for one direction; give a file of one number per channel")
    try:
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found = load_file(path)
        elif path.suffix == ".npy":  # mapped, so that a header that claims too much data is detected
            found = {"": np.lib.format.open_memmap(path, mode="r")}
        else:
            text = path.read_text(encoding="utf-8").replace(",", " ").strip("[] \n")
            found = {"": np.array([float(part) for part in text.split()])}
        found = {name: array.astype(np.float64, casting="same_kind").ravel() for name, array in found.items()}
    except Exception as error:  # whatever the three readers raise for a broken or dangerous file
        raise UsageError(
            f"{path}: no numbers can be read; expected one array in .npy or .safetensors, or numbers as text"
        ) from error
    if layer not in found and len(found) > 1:
        raise UsageError(
            f"{path}: the file holds several directions, {', '.join(sorted(found))}; choose one with --layer"
        )
    numbers = found.get(layer or "", next(iter(found.values()), np.empty(0)))
    if not len(numbers) or not np.isfinite(numbers).all():
        raise UsageError(f"{path}: the file holds {'no numbers' if not len(numbers) else 'NaN or Inf'}; name another")
    return direction_of(numbers.tolist())
