"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dreamer.errors import WriteError


def write_atomically(path: Path, data: bytes) -> None:
    """Put a whole file at `path`, or leave what was there: only when it is on the disk does it get its name.

    Raises WriteError; nothing half-written stays behind.
    """
    with replacing(path, len(data)) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextmanager
def replacing(path: Path, size: int = 0, *, folder: Path | None = None) -> Iterator[Path]:
    """A place to write a file of `size` bytes, if that is known: it becomes `path` when the block ends well.

    The place is beside `path`, or in a `folder` on the same disk, where nobody minds what a killed process leaves.
    Raises WriteError for any OSError on the way; nothing half-written stays behind.
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
    """Make a folder, those above it too, where it is missing; raises WriteError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path} cannot be made: {error.strerror or error}") from error


def _why(path: Path, size: int, error: OSError) -> str:
    """A failed write as a sentence."""
    folder = path.parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = f", {max(size / 1e6, 0.1):.1f} MB were needed" if size else ""
        return f"{path} could not be written: no space is left in {folder}{needed}"
    if not folder.exists():
        return f"{path} could not be written: there is no folder {folder}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} could not be written: writing in {folder} is not permitted"
    return f"{path} could not be written: {error.strerror or error}"
