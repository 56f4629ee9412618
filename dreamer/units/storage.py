"""Files behind addresses, as s3://bucket/holiday/a.jpg: read, listed and written through fsspec.

Which kinds there are is decided by what is installed: s3fs for s3://, gcsfs for gs://, paramiko for sftp://. Their keys
are found as they find them themselves; dreamer takes none.
"""

from __future__ import annotations

import os
import posixpath
import re
import secrets
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError, WriteError

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.+", re.IGNORECASE)
_RENAMES = {"file", "local", "sftp", "ssh", "smb"}  # where half a file would be seen, and renaming is at once
_MOST = 2 * 2**30  # bytes of a file that is fetched


def is_address(text: str) -> bool:
    """Whether this is an address, and no path."""
    return bool(_ADDRESS.fullmatch(text))


def below(address: str, *parts: str) -> str:
    """The address of what is in a folder."""
    return posixpath.join(address, *parts)


def listed(address: str) -> list[str]:
    """The addresses of all files in a folder and its subfolders, but hidden ones, sorted; a file is its own list.

    Raises UsageError for an address that cannot be read.
    """
    system, path = _opened(address)
    try:
        if system.isfile(path):
            return [address]
        found = system.find(path)
    except Exception as error:  # every kind of storage has errors of its own
        raise UsageError(f"{address} cannot be read ({_said(error)})") from error
    root = path.rstrip("/")
    names = [each[len(root) :].lstrip("/") for each in found]
    shown = (name for name in names if not any(part.startswith(".") for part in name.split("/")))
    return [below(address, name) for name in sorted(shown)]


def fetch(address: str, into: Path) -> Path:
    """Write the file of an address into a folder, under its own name. Raises UsageError if it cannot be read."""
    system, path = _opened(address)
    place = into / posixpath.basename(path)
    try:
        if system.size(path) > _MOST:
            raise UsageError(f"{address} is larger than any picture; name one that is not")
        system.get_file(path, str(place))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{address} cannot be read ({_said(error)})") from error
    return place


def send(file: Path, address: str, *, replace: bool) -> None:
    """Write a file to an address: whole, or not at all.

    Raises WriteError if it cannot be written, or is there and may not be replaced.
    """
    system, path = _opened(address)
    try:
        if not replace and system.exists(path):
            raise WriteError(f"{address} already exists; --force replaces it")
        if _RENAMES & {*([system.protocol] if isinstance(system.protocol, str) else system.protocol)}:
            part = posixpath.join(posixpath.dirname(path), f".dreamer-{secrets.token_hex(6)}.part")
            system.makedirs(posixpath.dirname(path), exist_ok=True)
            try:
                system.put_file(str(file), part)
                system.mv(part, path)
            finally:
                with suppress(Exception):
                    system.rm_file(part)
        else:  # an object is there once all of it is
            system.put_file(str(file), path)
    except WriteError:
        raise
    except Exception as error:
        raise WriteError(f"{address} could not be written ({_said(error)})") from error


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. Raises UsageError for an address of no known kind."""
    if find_spec("fsspec") is None:
        raise UsageError(f"{address}: fsspec is not installed; `pip install 'dreamer-art[storage]'` installs it")
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{address}: {_said(error)}") from error
    return system, os.fspath(path)


def _said(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
