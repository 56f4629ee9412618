"""Writing files: whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dreamer.errors import WriteError


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole file at `path`, or leave what was there: it gets its name only once it is on the disk.

    Raises WriteError; nothing half-written is left behind.
    """
    with replacing(path, len(data)) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextmanager
def replacing(path: Path, size: int = 0, *, folder: Path | None = None) -> Iterator[Path]:
    """A temporary path to write to, which is renamed to `path` when the block ends without an error.

    Args:
        path: The finished file; one that exists is replaced.
        size: Its size in bytes where it is known, for the error about a full disk.
        folder: Folder of the temporary file, on the same disk; by default that of `path`. A killed process leaves it.

    Raises:
        WriteError: For any OSError in the block; nothing half-written is left behind.
    """
    temporary = (folder or path.parent) / f".dreamer-{secrets.token_hex(6)}.part"
    try:
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(_why(path, size, error)) from error


def make_folder(path: Path) -> None:
    """Create a folder, and its parents, unless it exists. Raises WriteError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path}: this folder cannot be created: {error.strerror or error}") from error


def _why(path: Path, size: int, error: OSError) -> str:
    """The sentence about a failed write."""
    folder = path.parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = f"; {max(size / 1e6, 0.1):.1f} MB are needed" if size else ""
        return f"{path} could not be written: no space is left in {folder}{needed}"
    if not folder.exists():
        return f"{path} could not be written: there is no folder {folder}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} could not be written: you have no permission to write to {folder}"
    return f"{path} could not be written: {error.strerror or error}"
