"""Storage of large pictures in progress: in memory, or in files that the system maps into it.

What is written to a mapped file need not stay in memory: where that is short the system puts it on the disk. The
arithmetic is the same, and so is the picture, to the last bit. Whoever makes a tensor as large as a picture asks for it
here, and works on it by `bands`.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamer.errors import WriteError

LARGE = 1 << 24
"""Bytes from which on a picture has no room for two of it: it is worked on in parts, and may be kept in a file."""
_folder: ContextVar[Path | None] = ContextVar("folder of mapped files", default=None)


@contextmanager
def on_disk(folder: Path | None) -> Iterator[None]:
    """Inside, large tensors are kept in files of a folder; with None, as everywhere else, in memory.

    The files have no names, and are gone with their tensors, however the program ends.
    """
    before = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(before)


def empty(shape: Sequence[int], like: Tensor | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of any values, of the dtype and on the device of `like`, by default float32 in memory.

    Raises WriteError where the disk has no room for its file.
    """
    dtype = dtype or (torch.float32 if like is None else like.dtype)
    device = torch.device("cpu") if like is None else like.device
    size, folder = math.prod(shape) * dtype.itemsize, _folder.get()
    if folder is None or device.type != "cpu" or size < LARGE:
        return torch.empty(tuple(shape), dtype=dtype, device=device)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a write into a file with holes, on a full disk, ends the process
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            mapped = mmap.mmap(file.fileno(), size)
    except OSError as error:
        why = error.strerror or error
        raise WriteError(
            f"{folder}: a picture of {size / 2**30:.1f} GiB cannot be kept there: {why}; make room"
        ) from error
    return torch.frombuffer(mapped, dtype=dtype).view(tuple(shape))


def empty_array(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of any values."""
    *most, last = shape
    return empty((*most, last * dtype.itemsize), dtype=torch.uint8).numpy().view(dtype)


def zeros_like(picture: Tensor) -> Tensor:
    """Zeros, of the shape, dtype and device of a picture."""
    return empty(picture.shape, picture).zero_()


def is_large(shape: Sequence[int]) -> bool:
    """Whether float32 values of this shape are worked on in parts."""
    return 4 * math.prod(shape) >= LARGE
