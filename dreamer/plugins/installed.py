"""The record of installed plugins, kept outside the environment, so that they can be restored when it is rebuilt."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import tomli_w

from dreamer.errors import DreamerError
from dreamer.files import make_folder, write_atomically
from dreamer.paths import config_folder

SCHEMA = 1


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
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError) as error:
        raise DreamerError(f"{path} cannot be read ({error}); {how}") from error
    if found.get("schema", SCHEMA) != SCHEMA:
        newer = f"a newer dreamer (schema {found['schema']})"
        raise DreamerError(f"{path} was written by {newer}; update dreamer to use it")
    known = Entry.__dataclass_fields__
    try:
        read = [Entry(**{key: plugin[key] for key in known if key in plugin}) for plugin in found.get("plugins", [])]
    except TypeError as error:
        raise DreamerError(f"{path}: a plugin needs a name and a spec; {how}") from error
    if not all(isinstance(value, str) for entry in read for value in asdict(entry).values()):
        raise DreamerError(f"{path}: name, spec and version must be text; {how}")
    return tuple(read)


def remember(new: Iterable[Entry]) -> None:
    """Add plugins to the record, or replace those that it has by the same name."""
    _write({entry.name: entry for entry in (*entries(), *new)}.values())


def forget(names: Iterable[str]) -> None:
    """Remove plugins from the record; unknown names are ignored."""
    removed, before = set(names), entries()
    left = [entry for entry in before if entry.name not in removed]
    if len(left) < len(before):
        _write(left)


def _write(recorded: Iterable[Entry]) -> None:
    path = ledger_path()
    plugins = [asdict(entry) for entry in sorted(recorded, key=lambda entry: entry.name)]
    text = tomli_w.dumps({"schema": SCHEMA, "plugins": plugins})
    make_folder(path.parent)
    write_atomically(path, text.encode())
