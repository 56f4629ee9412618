"""Photos given by a program otherwise than by a path or Pillow's image: arrays, tensors, bytes, open files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dreamer import limits
from dreamer.errors import PhotoError, UsageError
from dreamer.image.photo import Photo
from dreamer.image.spliced import spliced

WAYS = "a path, an image of Pillow, an array (H, W, 3), a tensor (3, H, W), bytes, or a file open in binary mode"
_ADDRESSES = ("http://", "https://", "ftp://", "data:")


def is_file(source: Any) -> bool:
    """Whether this holds a picture's file: its bytes, or an open file."""
    return isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read")


@contextmanager
def stream_of(source: Any) -> Iterator[io.BufferedReader]:
    """The bytes, or an open file from where it stands, as a file of its own; the open file is left standing there.

    Raises PhotoError if the file was not opened for reading bytes, or has no end.
    """
    if not hasattr(source, "read"):
        yield io.BufferedReader(io.BytesIO(source))
        return
    if not isinstance(source.read(0), bytes):
        raise PhotoError("the file was opened as text; open it in binary mode, as in open(path, 'rb')")
    if not source.seekable():
        data = source.read(limits.STREAM_BYTES + 1)
        if len(data) > limits.STREAM_BYTES:
            raise PhotoError(
                f"the file has more than {limits.STREAM_BYTES // limits.GB} GB; save it, and give its path"
            )
        yield io.BufferedReader(io.BytesIO(data))
        return
    start = source.tell()
    try:
        yield spliced(source, [(start, source.seek(0, io.SEEK_END))])
    finally:
        source.seek(start)


def check_path(source: Any) -> None:
    """Raise UsageError if this is neither a path nor anything else that could be a photo."""
    if isinstance(source, str) and source.lower().startswith(_ADDRESSES):
        raise UsageError(f"{source[:80]} is an address, and dreamer fetches nothing; download it and give the file")
    if not isinstance(source, str) and not hasattr(source, "__fspath__"):
        raise UsageError(f"a photo cannot be of type {type(source).__name__}; give {WAYS}")


def photo_of(values: NDArray[Any] | Tensor) -> Photo:
    """An array (H, W), (H, W, 1 to 4) or a tensor ([1,] C, H, W) as a photo in sRGB.

    uint8 and uint16 stay as they are; floats in [0, 1] become uint16.

    Raises PhotoError for another shape, type or range.
    """
    if isinstance(values, Tensor):
        array = _laid_out(values)
    else:
        array = values
        if array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4) and array.shape[0] in (1, 3, 4):
            raise PhotoError(f"the array has shape {array.shape}; a photo is (H, W, 3): give it transposed (1, 2, 0)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise PhotoError(f"the array has shape {array.shape}; a photo is (H, W), (H, W, 3) or, with alpha, (H, W, 4)")
    array = array.reshape(*array.shape[:2], -1)
    if array.dtype.kind == "f":
        array = _sixteen_bits(array)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"the array has type {array.dtype}; a photo is uint8, uint16, or float in [0, 1]")
    colours = 1 if array.shape[2] < 3 else 3
    return Photo(
        np.ascontiguousarray(array[..., :colours]),
        np.ascontiguousarray(array[..., colours]) if array.shape[2] > colours else None,
    )


def _laid_out(tensor: Tensor) -> NDArray[Any]:
    """A tensor ([1,] C, H, W) or (H, W) as an array (H, W[, C])."""
    import torch

    tensor = tensor.detach()
    if tensor.is_meta:
        raise PhotoError('the tensor is on the device "meta", where it has no values; pass one that does')
    if tensor.ndim == 4 and tensor.shape[0] == 1:
        tensor = tensor[0]
    if tensor.ndim == 3 and tensor.shape[0] in (1, 2, 3, 4):
        tensor = tensor.permute(1, 2, 0)
    elif tensor.ndim != 2:
        raise PhotoError(f"the tensor has shape {tuple(tensor.shape)}; a photo is (3, H, W) or (1, 3, H, W)")
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32)  # numpy has no bfloat16
    return np.asarray(tensor.cpu().numpy())


def _sixteen_bits(array: NDArray[Any]) -> NDArray[np.uint16]:
    low, high = float(array.min()), float(array.max())
    if not (-1e-6 <= low and high <= 1 + 1e-6):  # NaN as well
        most = next((most for most in (255, 65535) if low >= 0 and 2 < high <= most), 0)
        how = f"divide by {most}" if most else "scale them to that range"
        how = "replace those that are NaN or infinite" if not np.isfinite([low, high]).all() else how
        raise PhotoError(f"the values go from {low:g} to {high:g}; floats of a photo are in [0, 1]: {how}")
    values: NDArray[np.uint16] = np.rint(np.clip(array, 0, 1).astype(np.float32) * 65535).astype(np.uint16)
    return values
