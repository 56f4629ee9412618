"""Files behind addresses, as s3://bucket/holiday/a.jpg: read, listed and written through fsspec.

Which kinds there are is decided by what is installed: s3fs for s3://, gcsfs for gs://, paramiko for sftp://. Their keys
are found as they find them themselves; dreamer takes none. Only kinds that are a storage are opened: others read what a
stranger's file tells them to (reference://, zip://), or run what stands in it. For the same reason an address is never
a chain, as fsspec's are with `::`, which a stranger may write into the name of a file.
"""

from __future__ import annotations

import inspect
import posixpath
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dreamer.errors import UsageError, WriteError
from dreamer.files import make_folder, replacing
from dreamer.limits import LISTED_DEPTH, LISTED_FILES, LISTED_FOLDERS, MB, STREAM_BYTES

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://.+", re.IGNORECASE)
_HERE = {"file", "local"}
_KINDS = _HERE | set(
    "abfs abfss adl az ftp gcs gs hdfs hf http https memory oci oss s3 s3a sftp smb ssh tos webdav webhdfs".split()
)
_RENAMES = {"sftp", "ssh", "smb"}  # where half a file would be seen, and renaming is at once
# A password may hold a slash; digits before one are a port.
_PASSWORD = re.compile(r"(?<=://)([^/:@\[]*):([^/]*|(?!\d+/)[^@]*)@", re.DOTALL)
_WEB = re.compile(r"(https?|webdav)://", re.IGNORECASE)
_KEY = re.compile(r"(?<=://)[^/:@]*(?=@)|(?<=\?).*", re.DOTALL)


def is_address(text: str) -> bool:
    """Whether this is an address, and no path."""
    return bool(_ADDRESS.fullmatch(text))


def shown(address: str) -> str:
    """An address as it may be printed: without a password, and without the keys before and behind an https address."""
    plain = _PASSWORD.sub(r"\1:***@", address)
    return _KEY.sub("***", plain) if _WEB.match(plain) else plain


def below(address: str, *parts: str) -> str:
    """The address of what is in a folder."""
    return posixpath.join(address, *parts)


def listed(address: str, *, depth: int = LISTED_DEPTH) -> list[str]:
    """The addresses of all files in a folder and its subfolders, but hidden ones, sorted; a file is its own list.

    `depth` 1 leaves out the subfolders. Raises UsageError for an address that cannot be read.
    """
    system, path = _opened(address)
    try:
        if system.isfile(path):
            return [address]
        names = [*_names(system, path.rstrip("/"), depth)]
    except UsageError:
        raise
    except Exception as error:  # every kind of storage has errors of its own
        raise UsageError(f"{shown(address)} cannot be read ({_said(error, address)})") from error
    if len(names) > LISTED_FILES:
        raise UsageError(f"{shown(address)} holds more than {LISTED_FILES} files; name a folder in it")
    hidden = (any(part.startswith(".") for part in name.split("/")) for name in names)
    return [below(address, name) for name, out in sorted(zip(names, hidden, strict=True)) if not out]


def fetch(address: str, into: Path) -> Path:
    """Write the file of an address into a folder, under its own name. Raises UsageError if it cannot be read."""
    system, path = _opened(address)
    place, size = into / Path(path).name, 0
    try:
        with system.open(path, "rb") as source, place.open("xb") as file:
            while block := source.read(MB):  # what a storage says of a file's size need not be true
                size += len(block)
                if size > STREAM_BYTES:
                    raise UsageError(f"{shown(address)} is larger than any picture; name one that is not")
                file.write(block)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{shown(address)} cannot be read ({_said(error, address)})") from error
    return place


def send(file: Path, address: str, *, replace: bool) -> None:
    """Write a file to an address: whole, or not at all.

    Raises WriteError if it cannot be written, or is there and may not be replaced.
    """
    system, path = _opened(address)
    kinds = {system.protocol} if isinstance(system.protocol, str) else {*system.protocol}
    there = f"{shown(address)} already exists; --force replaces it"
    try:
        if not replace and system.exists(path):
            raise WriteError(there)
        if _HERE & kinds:
            make_folder(Path(path).parent)
            with replacing(Path(path), replace=replace) as here:
                shutil.copyfile(file, here)
        elif _RENAMES & kinds:
            part = posixpath.join(posixpath.dirname(path), f".dreamer-{secrets.token_hex(6)}.part")
            system.makedirs(posixpath.dirname(path), exist_ok=True)
            try:
                system.put_file(str(file), part)
                system.mv(part, path)
            finally:
                with suppress(Exception):
                    system.rm_file(part)
        else:  # an object is there once all of it is
            spares = not replace and "mode" in inspect.signature(system.put_file).parameters
            system.put_file(str(file), path, **({"mode": "create"} if spares else {}))
    except WriteError:
        raise
    except FileExistsError as error:
        raise WriteError(there) from error
    except Exception as error:
        raise WriteError(f"{shown(address)} could not be written ({_said(error, address)})") from error


def _names(system: Any, root: str, depth: int) -> Iterator[str]:
    """The names of the files below a folder, relative to it, one more than there may be at most."""
    count = folders = 0
    for folder, _, files in system.walk(root, maxdepth=depth, on_error="raise"):
        folders += 1
        if folders > LISTED_FOLDERS:
            raise UsageError(f"{root} holds more than {LISTED_FOLDERS} folders; name one of them")
        for name in filter(None, files):
            count += 1
            yield posixpath.join(folder, name)[len(root) :].lstrip("/")
            if count > LISTED_FILES:
                return


def _opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it. Raises UsageError for an address of no known kind."""
    if find_spec("fsspec") is None:
        raise UsageError(f"{shown(address)}: fsspec is not installed; `pip install 'dreamer-art[storage]'` installs it")
    import fsspec

    kind = address.partition("://")[0].lower()
    if kind not in _KINDS:
        raise UsageError(f"{shown(address)}: {kind}:// is no storage that dreamer opens; use s3, gs, sftp or another")
    try:
        opens = fsspec.get_filesystem_class(kind)
        system = opens(**opens._get_kwargs_from_urls(address), use_listings_cache=False)
        return system, str(opens._strip_protocol(address))
    except Exception as error:
        raise UsageError(f"{shown(address)} cannot be opened ({_said(error, address)})") from error


def _said(error: Exception, address: str) -> str:
    """The first line of an error, without what `shown` leaves out of the address."""
    said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    secrets_in = [*(found[2] for found in _PASSWORD.finditer(address)), address.partition("?")[2]]
    for secret in filter(None, secrets_in):
        said = said.replace(secret, "***")
    return said
