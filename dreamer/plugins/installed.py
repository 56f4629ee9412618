"""The record of installed plugins, kept outside the environment, so that they can be restored when it is rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import tomli_w
from filelock import FileLock, Timeout

from dreamer.errors import DreamerError, RecipeError
from dreamer.files import is_link, make_folder, write_atomically
from dreamer.files.folders import config_folder
from dreamer.recipes.parsing import read_toml

SCHEMA = 1
_PATIENCE = 10  # seconds to wait for another dreamer that writes


@dataclass(frozen=True)
class Entry:
    """One plugin: its distribution's canonical name, what to install it from, and the version installed at the time."""

    name: str
    spec: str
    version: str = ""


def ledger_path() -> Path:
    """The record's file, which may not exist yet."""
    return config_folder() / "plugins.toml"


def entries() -> tuple[Entry, ...]:
    """Every recorded plugin. Raises DreamerError if the record cannot be read."""
    path, how = ledger_path(), "fix the file, or delete it to start over"
    try:
        found = read_toml(path)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except RecipeError as error:
        raise DreamerError(f"{error}; {how}") from error
    except OSError as error:
        raise DreamerError(f"{path}: cannot be read ({error.strerror or error}); {how}") from error
    if found.get("schema", SCHEMA) != SCHEMA:
        newer = f"a newer dreamer (schema {found['schema']})"
        raise DreamerError(f"{path} was written by {newer}; update dreamer to use it")
    known = Entry.__dataclass_fields__
    try:
        read = [Entry(**{key: plugin[key] for key in known if key in plugin}) for plugin in found.get("plugins", [])]
    except (TypeError, AttributeError) as error:
        raise DreamerError(f"{path}: a plugin needs a name and a spec; {how}") from error
    if not all(isinstance(value, str) for entry in read for value in asdict(entry).values()):
        raise DreamerError(f"{path}: name, spec and version must be text; {how}")
    return tuple(read)


def remember(new: Iterable[Entry]) -> None:
    """Add plugins to the record, or replace those that it has by the same name."""
    with _locked():
        _write({entry.name: entry for entry in (*entries(), *new)}.values())


def forget(names: Iterable[str]) -> None:
    """Remove plugins from the record; unknown names are ignored."""
    removed = set(names)
    if not removed & {entry.name for entry in entries()}:
        return
    with _locked():
        _write(entry for entry in entries() if entry.name not in removed)


@contextmanager
def _locked() -> Iterator[None]:
    """Nobody else changes the record inside the block: what they noted down since it was read would be lost."""
    path = ledger_path()
    make_folder(path.parent)
    lock = path.with_name(f".{path.name}.lock")
    if is_link(lock):
        raise DreamerError(f"{lock} is a link, and dreamer writes through none; remove it")
    try:
        with FileLock(lock, timeout=_PATIENCE):
            yield
    except Timeout:
        raise DreamerError(f"{path} is being changed by another dreamer; run the command again afterwards") from None
    except (OSError, NotImplementedError) as error:
        raise DreamerError(f"{lock} cannot be locked ({getattr(error, 'strerror', None) or error})") from error


def _write(recorded: Iterable[Entry]) -> None:
    path = ledger_path()
    plugins = [asdict(entry) for entry in sorted(recorded, key=lambda entry: entry.name)]
    text = tomli_w.dumps({"schema": SCHEMA, "plugins": plugins})
    write_atomically(path, text.encode())
