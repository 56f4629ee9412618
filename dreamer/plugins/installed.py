"""The ledger of installed plugins: what somebody asked for, kept outside of an environment that may be rebuilt."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import tomli_w

from dreamer.errors import DreamerError
from dreamer.files import make_folder, write_atomically
from dreamer.paths import config_folder

SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One plugin: its distribution's canonical name, what to install it from, and the version that came of it then."""

    name: str
    spec: str
    version: str = ""


def ledger_path() -> Path:
    """Where the ledger lies, if there is one."""
    return config_folder() / "plugins.toml"


def entries() -> tuple[Entry, ...]:
    """Everything that is remembered, by name. Raises DreamerError for a ledger that cannot be read."""
    path = ledger_path()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError) as error:
        raise DreamerError(f"{path} cannot be read ({error}); mend it, or delete it to begin anew") from error
    if found.get("schema", SCHEMA) != SCHEMA:
        raise DreamerError(
            f"{path} was written by a newer dreamer (schema {found['schema']}); this one leaves it alone"
        )
    known = [field.name for field in fields(Entry)]
    try:
        read = [Entry(**{key: plugin[key] for key in known if key in plugin}) for plugin in found.get("plugins", [])]
    except TypeError as error:
        raise DreamerError(f"{path}: a plugin needs a name and a spec; mend it, or delete it to begin anew") from error
    if not all(isinstance(value, str) for entry in read for value in asdict(entry).values()):
        raise DreamerError(f"{path}: name, spec and version are texts; mend it, or delete it to begin anew")
    return tuple(read)


def remember(new: Iterable[Entry]) -> None:
    """Note plugins down; one that stands there already is replaced."""
    _write({entry.name: entry for entry in (*entries(), *new)}.values())


def forget(names: Iterable[str]) -> None:
    """Strike plugins out; a name that does not stand there is none's harm."""
    gone, before = set(names), entries()
    left = [entry for entry in before if entry.name not in gone]
    if len(left) < len(before):
        _write(left)


def _write(kept: Iterable[Entry]) -> None:
    """Whole or not at all: the old ledger stands until the new one is on the disk."""
    path = ledger_path()
    plugins = [asdict(entry) for entry in sorted(kept, key=lambda entry: entry.name)]
    text = tomli_w.dumps({"schema": SCHEMA, "plugins": plugins})
    make_folder(path.parent)
    write_atomically(path, text.encode())
