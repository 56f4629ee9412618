"""Tensors in a stranger's file, described before any of them is read: .safetensors, .pth and its older form.

Nothing in a file is run, and it takes no more memory than it is large: what is compressed is refused, and what it says
of its tensors is bounded and compared with what is there.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import safe_open

from dreamer import limits
from dreamer.errors import NetworkError
from dreamer.networks.pickled import CodeFound, StoredTensor, TensorUnpickler

_ZIP, _MAGIC = b"PK\3\4", 0x1950A86A20F9469CFC6C  # the beginning of a .pth file, and of its older form
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # header of a zip file's part: signature, lengths of its name and extra field


def read_tensors(path: Path, largest: int = limits.WEIGHTS_BYTES) -> Any:
    """Read a file, nested as it was saved: dicts, lists, plain values, and a `StoredTensor` for each tensor.

    The format is told by the file's beginning, not by its name.

    Raises:
        NetworkError: It is no such file, is larger than `largest` bytes, or holds code or more than it may.
    """
    size = check_size(path, largest)
    try:
        with path.open("rb") as file:
            start = file.read(16)
            file.seek(0)
            if start.startswith(_ZIP):
                return _zipped(file, path, size)
            if start[8:9] == b"{":
                return _safetensors(path)
            return _older(file, path, size)
    except NetworkError:
        raise
    except Exception as error:  # whatever Python and the libraries raise for a broken or dangerous file
        found = f" (it names {error})" if isinstance(error, CodeFound) else ""
        raise NetworkError(
            f"{path}: not a weights file, or one that holds code besides tensors, which dreamer never runs{found}; "
            "use a .safetensors file, or a .pth with the tensors alone, as written by "
            'torch.save(model.state_dict(), "weights.pth") or, from a checkpoint that holds more, by '
            'torch.save({"state_dict": checkpoint["model"]}, "weights.pth")'
        ) from error


def open_safetensors(path: Path, largest: int) -> Any:
    """A .safetensors file, opened by its library; raises NetworkError where it is none or too large."""
    size = check_size(path, largest)
    if str(path) != str(path).encode(errors="replace").decode():
        raise NetworkError(f"{path}: the library that reads it takes names in UTF-8 alone; rename it, or its folder")
    try:
        with path.open("rb") as file:
            (header,) = struct.unpack("<Q", file.read(8))
        if header > min(size, limits.SAFETENSORS_HEADER_BYTES):
            raise ValueError(f"a header of {header} bytes")
        return safe_open(path, framework="pt")
    except Exception as error:  # safetensors raises an exception class of its own for a broken file
        raise NetworkError(f"{path} is not a .safetensors file ({error}); get it again") from error


def check_size(path: Path, largest: int) -> int:
    """The bytes of a regular file; raises NetworkError for a larger one, or none."""
    if not os.path.isfile(path):
        what = "is not a regular file; name one that is" if os.path.exists(path) else "there is no such weights file"
        raise NetworkError(f"{path}: {what}")
    size = path.stat().st_size
    if size > largest:
        raise NetworkError(
            f"{path}: {size // limits.MB} MiB is too large for such weights, which have at most "
            f"{largest // limits.MB}; name another file"
        )
    return size


def _safetensors(path: Path) -> dict[str, StoredTensor]:
    file = open_safetensors(path, limits.WEIGHTS_BYTES)
    return {
        key: StoredTensor(tuple(file.get_slice(key).get_shape()), partial(file.get_tensor, key)) for key in file.keys()
    }


class _Directory(io.BufferedReader):
    """A file of which `zipfile` reads no more at once than the directory of a .pth file takes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as the base class does; raises NetworkError for more than a directory takes."""
        left = os.fstat(self.fileno()).st_size - self.tell()
        if (left if size is None or size < 0 else min(size, left)) > limits.ZIP_DIRECTORY_BYTES:
            raise NetworkError(f"{self.name}: it has more parts than a weights file has; save model.state_dict() alone")
        return super().read(size)


def _zipped(file: BinaryIO, path: Path, size: int) -> Any:
    """Read a .pth file: a zip file of one pickle and the numbers of each storage, none compressed."""
    with _Directory(io.FileIO(path)) as directory, zipfile.ZipFile(directory) as archive:
        parts = {part.filename: part for part in archive.infolist()}
    if any(part.compress_type != zipfile.ZIP_STORED or part.compress_size != part.file_size for part in parts.values()):
        raise NetworkError(f"{path}: its parts are compressed, which no weights file's are; unpack it first")
    if sum(part.file_size for part in parts.values()) > size:
        raise NetworkError(f"{path}: its parts are said to be larger than the file is; get it again")
    (pickled,) = (name for name in parts if name.count("/") == 1 and name.endswith("/data.pkl"))
    if parts[pickled].file_size > limits.PICKLE_BYTES:
        raise NetworkError(f"{path}: it holds more than tensors; save model.state_dict() alone")
    folder = pickled.removesuffix("data.pkl")

    def start(part: zipfile.ZipInfo) -> int:
        file.seek(part.header_offset)
        signature, name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        begins = part.header_offset + _LOCAL_HEADER.size + int(name) + int(extra)
        if signature != _ZIP or begins + part.file_size > size:
            raise ValueError("a part of the zip file is not where it should be")
        return begins

    def content(name: str) -> io.BytesIO:
        file.seek(start(parts[name]))
        return io.BytesIO(file.read(min(parts[name].file_size, limits.PICKLE_BYTES)))

    if f"{folder}byteorder" in parts and content(f"{folder}byteorder").read(8) != b"little":
        raise NetworkError(f"{path}: written on a machine with another order of bytes; save it as .safetensors there")
    unpickler = TensorUnpickler(content(pickled), path, size)
    found = unpickler.load()
    for key, storage in unpickler.storages.items():
        part = parts[f"{folder}data/{key}"]
        if part.file_size != storage.count * storage.dtype.itemsize:
            raise ValueError("a storage has another size than is said")
        unpickler.starts[key] = start(part)
    return found


def _older(file: BinaryIO, path: Path, size: int) -> Any:
    """Read a .pth file of before torch 1.6: five pickles, then the numbers of each storage after their count."""
    pickles = io.BytesIO(file.read(limits.PICKLE_BYTES))
    magic, _, written = (TensorUnpickler(pickles, path, size).load() for _ in range(3))
    unpickler = TensorUnpickler(pickles, path, size)
    found, keys = unpickler.load(), TensorUnpickler(pickles, path, size).load()
    if magic != _MAGIC or written.get("little_endian") is not True:
        raise ValueError("not written by torch on such a machine")
    place = pickles.tell()
    for key in keys:
        storage = unpickler.storages[key]
        file.seek(place)
        (count,) = struct.unpack("<q", file.read(8))
        unpickler.starts[key] = place + 8
        place += 8 + count * storage.dtype.itemsize
        if count != storage.count or place > size:
            raise ValueError("a storage has another size than is said")
    if unpickler.starts.keys() != unpickler.storages.keys():
        raise ValueError("a storage is missing")
    return found
