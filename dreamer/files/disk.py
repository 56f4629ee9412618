"""Reading strangers' files, bounded, and writing files: whole, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain, count
from pathlib import Path

from dreamer.errors import UsageError, WriteError

_LINKLESS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL}
"""Errors of file systems that have no hard links, as on a memory card."""
_mark = ""  # of this process's temporary files
_STALE = 24 * 3600.0  # seconds after which a temporary file is one that a killed process left


def read_bounded(path: Path, most: int) -> bytes:
    """The bytes of a regular file, at most `most` of them: of no device and no pipe, which may have no end.

    Raises:
        UsageError: It is no regular file, or a larger one.
        OSError: It cannot be read.
    """
    if "\0" in str(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    # Opening a named pipe would wait for somebody who writes into it.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise UsageError(f"{path} is not a regular file; name one that is")
        data = file.read(most + 1)
    if len(data) > most:
        raise UsageError(f"{path} is too large, at most {_amount(most)} of it would be read; name a smaller file")
    return data


def is_link(path: Path) -> bool:
    """Whether this is a symbolic link or a junction; what was found is never deleted or written through one."""
    with suppress(OSError):
        found = os.lstat(path)
        return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_reparse_tag", 0))
    return False


def is_taken(path: Path) -> bool:
    """Whether the name is in use, even by a link that leads nowhere."""
    return os.path.lexists(path)


def taken(path: Path) -> str:
    """The sentence about a file of ours whose name is taken."""
    return f"{path} already exists; --force replaces it, -o chooses another name"


def free(path: Path, promised: Container[Path] = ()) -> Path:
    """The path, or the first with a number, -2 and so on, that is neither taken nor promised to somebody."""
    return next(name for name in _numbered(path) if not (name in promised or is_taken(name)))


def write_atomically(path: Path, data: bytes, *, replace: bool = True) -> Path:
    """Write a whole file, or leave what was there: it gets its name only once it is on the disk.

    Args:
        path: The file.
        data: All of it.
        replace: Whether it may replace a file. If not, and another program took the name meanwhile, the file gets the
            first free one with a number.

    Returns:
        Where the file is.

    Raises:
        WriteError: It cannot be written; nothing half-written is left behind.
    """
    with _temporary(path, len(data), path.parent) as temporary:
        with temporary.open("xb") as file:
            file.write(data)
        _to_disk(temporary)
        return next(name for name in _numbered(path) if _named(temporary, name, replace))


def rescue(name: str, data: bytes) -> Path | None:
    """Write a file that found no room in its own place into a new temporary folder, which only its user may read.

    Returns where it is, or None if there is no room either.
    """
    with suppress(OSError):
        folder = Path(tempfile.mkdtemp(prefix="dreamer-"))
        try:
            return write_atomically(folder / name, data)
        except WriteError:
            folder.rmdir()
    return None


@contextmanager
def replacing(path: Path, *, replace: bool = True, folder: Path | None = None) -> Iterator[Path]:
    """A temporary path to write to, which is renamed to `path` when the block ends without an error.

    Args:
        path: The finished file.
        replace: Whether it may replace one that exists.
        folder: Folder of the temporary file, on the same disk; by default that of `path`. A killed process leaves it.

    Raises:
        WriteError: For any OSError in the block, and for a file that may not be replaced; nothing half-written is
            left behind.
    """
    with _temporary(path, 0, folder or path.parent) as temporary:
        yield temporary
        _to_disk(temporary)
        if not _named(temporary, path, replace):
            raise WriteError(f"{path} could not be written: it exists, and --force alone replaces it")


def mark_temporaries(mark: str) -> None:
    """Begin the names of this process's temporary files with hex digits, by which `remove_temporaries` finds them."""
    global _mark
    _mark = mark


def remove_temporaries(folder: Path, mark: str) -> None:
    """Remove the temporary files that processes with this mark have left in a folder."""
    for path in _listed(folder, f".dreamer-{mark}*.part"):
        with suppress(OSError):
            path.unlink()


def make_folder(path: Path) -> None:
    """Create a folder, and its parents, unless it exists. Raises WriteError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise WriteError(
            f"{path}: this folder cannot be created ({getattr(error, 'strerror', error)}); choose another"
        ) from error


@contextmanager
def _temporary(path: Path, size: int, folder: Path) -> Iterator[Path]:
    """A name for a temporary file that is gone at the end; an OSError becomes the sentence about `path`."""
    if "\0" in str(path):
        raise WriteError(f"{path!s:.80}: no file can be written under a name that holds a NUL; choose another name")
    _remove_stale(folder)
    temporary = folder / f".dreamer-{_mark}{secrets.token_hex(6)}.part"
    try:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(_why(path, size, error)) from error


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _named(temporary: Path, path: Path, replace: bool) -> bool:
    """Rename a file to `path`; without `replace` only if nothing has that name, at this very moment."""
    try:
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if replace or error.errno not in _LINKLESS:
            raise
        return _claimed(temporary, path)
    return True


def _claimed(temporary: Path, path: Path) -> bool:
    """Rename a file to a name that this process creates first, so that it cannot be anybody else's."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        return False
    try:
        os.replace(temporary, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _numbered(path: Path) -> Iterator[Path]:
    return chain([path], (path.with_stem(f"{path.stem}-{number}") for number in count(2)))


@cache
def _remove_stale(folder: Path) -> None:
    """Remove temporary files that killed processes of this user left in a folder long ago; once for each process."""
    for path in _listed(folder, ".dreamer-*.part"):
        with suppress(OSError):  # it may have been removed by now, and the others are still there
            found = path.lstat()
            own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
            if own and stat.S_ISREG(found.st_mode) and time.time() - found.st_mtime > _STALE:
                path.unlink()


def _listed(folder: Path, pattern: str) -> list[Path]:
    """The files of a pattern, as far as the folder can be read."""
    found: list[Path] = []
    with suppress(OSError):
        found.extend(folder.glob(pattern))
    return found


def _amount(size: float) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _why(path: Path, size: int, error: OSError) -> str:
    """The sentence about a failed write."""
    folder = path.parent
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = f", {max(size / 1e6, 0.1):.1f} MB are needed" if size else ""
        return f"{path} could not be written: no space is left in {folder}; make room{needed}"
    if not folder.exists():
        return f"{path} could not be written: there is no folder {folder}; create it"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} could not be written: you have no permission to write to {folder}; choose another"
    return f"{path} could not be written: {error.strerror or error}"
