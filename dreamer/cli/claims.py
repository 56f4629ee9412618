"""Claims: while a command makes a file, no other dreamer begins to make the same one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dreamer.errors import UsageError
from dreamer.files.folders import cache_folder


class Claimed(UsageError):
    """Another dreamer is making this file."""


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Hold an output for the time of the block; the claim ends with the process, however it ends.

    It saves two commands from doing the same work twice. That neither overwrites the other's file is not its task:
    `dreamer.files` puts files in place without replacing any. So where no claim can be made there is none.

    Raises Claimed if another dreamer is making this file.
    """
    from filelock import FileLock, Timeout

    folder = cache_folder() / "claims"
    name = hashlib.sha256(os.fsencode(os.path.normcase(os.path.realpath(output)))).hexdigest()[:32]
    lock = FileLock(folder / f"{name}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=0)
    except Timeout:
        raise Claimed(f"{output} is being made by another dreamer; wait for it, or choose another -o") from None
    except (OSError, NotImplementedError):  # a home that cannot be written to, a file system without locks
        pass
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            (folder / f"{name}.lock").unlink()
