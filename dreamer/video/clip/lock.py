"""The lock of an output: one process at a time makes its clip."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dreamer.errors import UsageError
from dreamer.files import is_taken
from dreamer.video.clip.unfinished import is_file, lock_of


class OutputLock:
    """Keeps other processes from making the clip of an output, until it is released or this process ends."""

    def __init__(self, output: Path) -> None:
        self._output, self._path = output, lock_of(output)
        self._lock = FileLock(self._path, timeout=0)

    def acquire(self) -> None:
        """Take the lock.

        Raises UsageError when another process has it, or where its file is something else. An unwritable folder is
        reported later, and some network drives have no locks.
        """
        with suppress(OSError):
            if is_taken(self._path) and not _is_lock(self._path):
                raise UsageError(f"{self._path} was not made by dreamer, or is a link; remove it, or choose another -o")
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(
                f"{self._output} is being made by another process; wait for it, or choose another -o"
            ) from None
        except (OSError, NotImplementedError):
            pass

    def release(self) -> None:
        """Give the lock back, and take its file away."""
        if self._lock.is_locked:
            with suppress(OSError):  # before releasing: afterwards the file may be another process's lock
                self._path.unlink(missing_ok=True)
            with suppress(OSError):
                self._lock.release()


def _is_lock(path: Path) -> bool:
    """Whether this is an empty file of a single name, which nothing is lost with."""
    found = path.lstat()
    return is_file(path) and found.st_size == 0 and found.st_nlink == 1
