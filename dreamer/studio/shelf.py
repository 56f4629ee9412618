"""The pictures of the folder and those dropped onto the page, by ids: the page never says a path."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dreamer.errors import UsageError
from dreamer.files import is_link, make_folder, read_bounded, write_atomically
from dreamer.files.suffixes import CLIPS, SUFFIXES, command_for
from dreamer.studio.jobs import is_plain
from dreamer.videos.clip.unfinished import is_file

_ID, _NEW = re.compile(r"[0-9a-f]{16}"), re.compile(r"\.new-[0-9a-f]{16}")
_LONGEST_STEM = 60
_KEPT = 30 * 24 * 3600  # seconds that the path of a zoom is kept in which nobody has asked for it
_DEEPEST, _MOST = 6, 20_000  # folders within folders, and pictures, that are shown
_ENDINGS = {ending for endings in SUFFIXES.values() for ending in endings} | {".heic", ".heif", ".bmp", ".gif", *CLIPS}


@dataclass(frozen=True)
class Item:
    """A picture or clip: its id, its name for people, and where it is; `dropped` came by the page."""

    id: str
    name: str
    path: Path
    dropped: bool

    @property
    def is_clip(self) -> bool:
        """Whether this is a clip, by its name."""
        return is_clip(self.name)


class Shelf:
    """A folder of pictures, and `.studio` in it, where the studio keeps what it needs.

    Attributes:
        folder: Where dreams are written, and whose pictures are shown.
        own: `.studio` in it.

    Raises:
        UsageError: `.studio` is a link, or a folder in it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.own = folder, own_folder(folder / ".studio")
        self._known = dict[str, Item]()
        for name in ("photos", "shown", "looks", "jobs", "masks", "paths"):
            own_folder(self.own / name)
        for path in (self.own / "paths").glob("*.toml"):  # one is written for each command that is shown
            with suppress(OSError):
                if _ID.fullmatch(path.stem) and not is_link(path) and time.time() - path.stat().st_mtime > _KEPT:
                    path.unlink()
        for folder in self._rooms(_NEW):  # of a studio that was killed meanwhile
            for path in folder.iterdir():
                with suppress(OSError):
                    self.clear(path)

    def items(self) -> dict[str, Item]:
        """Every picture by its id, the newest last."""
        found = sorted(self._items(), key=lambda item: _changed(item.path))
        self._known = {item.id: item for item in found}
        return dict(self._known)

    def find(self, id: str) -> Item | None:
        """The picture of an id, whatever the id is."""
        known = self._known.get(id)
        return known if known and _is_picture(known.path) else self.items().get(id)

    def _items(self) -> Iterator[Item]:
        """The pictures of the folder and its subfolders, and those dropped; no link is followed."""
        for path in islice(self._pictures(self.folder, _DEEPEST), _MOST):
            name = path.relative_to(self.folder).as_posix()
            yield Item(_digest(name), name, path, False)
        for folder in self._rooms(_ID):
            yield from (Item(folder.name, path.name, path, True) for path in folder.iterdir() if _is_picture(path))

    def _rooms(self, name: re.Pattern[str]) -> Iterator[Path]:
        """The folders of dropped pictures that have such a name; no links, which a stranger may have put there."""
        for path in (self.own / "photos").iterdir():
            if name.fullmatch(path.name) and not is_link(path) and path.is_dir():
                yield path

    def _pictures(self, folder: Path, deeper: int) -> Iterator[Path]:
        inner = []
        with suppress(OSError):  # a folder that may not be looked into
            for path in sorted(folder.iterdir()):
                if _is_picture(path):
                    yield path
                elif deeper and not path.name.startswith(".") and not is_link(path) and path.is_dir():
                    inner.append(path)
        for path in inner:
            yield from self._pictures(path, deeper - 1)

    def shown(self, item: Item, kind: str) -> Path:
        """The file for a picture's `view`, `small` version or `parts`; another one after each change of the picture."""
        suffix = "jpg" if kind == "view" else "png"
        return self.own / "shown" / f"{_digest(item.id, str(_changed(item.path)))}-{kind}.{suffix}"

    def look(self, item: Item, words: list[str]) -> Path:
        """The file for the thumbnail that these words make of a picture."""
        return self.own / "looks" / f"{_digest(item.id, str(_changed(item.path)), *words)}.jpg"

    def draft(self, key: str) -> Path | None:
        """A thumbnail by its key, if it is made."""
        place = self.own / "looks" / f"{key}.jpg"
        return place if _ID.fullmatch(key) and is_file(place) else None

    def room(self, name: str) -> Path:
        """A new place for a picture dropped under this name, until `settle` moves it."""
        folder = self.own / "photos" / f".new-{secrets.token_hex(8)}"
        make_folder(folder)
        return folder / plain_name(name)

    def settle(self, place: Path, digest: str) -> Item:
        """Give a picture that was written its id, from its bytes; one that was dropped before is taken instead."""
        id, folder = digest[:16], self.own / "photos" / digest[:16]
        if (known := self.find(id)) is not None:
            self.clear(place)
            return known
        place.parent.rename(folder)
        return Item(id, place.name, folder / place.name, True)

    def clear(self, place: Path) -> None:
        """Remove a dropped picture."""
        place.unlink(missing_ok=True)
        with suppress(OSError):
            place.parent.rmdir()

    def mask(self, data: bytes) -> str:
        """Keep the PNG of a mask, and return its id."""
        id = hashlib.sha256(data).hexdigest()[:16]
        write_atomically(self.mask_file(id), data)
        return id

    def keyframes(self, text: str) -> Path:
        """Keep a zoom's keyframes, TOML, and return the file."""
        place = self.own / "paths" / f"{_digest(text)}.toml"
        write_atomically(place, text.encode())  # also where a file of this name came with the folder
        return place

    def mask_file(self, id: str) -> Path:
        """The file of a mask's id, which need not exist; raises ValueError for what is no id."""
        if not _ID.fullmatch(id):
            raise ValueError(id)
        return self.own / "masks" / f"{id}.png"

    def about(self, item: Item) -> dict[str, object] | None:
        """The facts found in a picture when it was read; None before, and where what it wrote then is not there now."""
        view = self.shown(item, "view")
        places = (note := view.with_suffix(".json"), view, self.shown(item, "small"))
        with suppress(Exception):  # the file may be a stranger's
            found = json.loads(read_bounded(note, 2**20)) if all(map(is_file, places)) else None
            if isinstance(found, dict) and is_plain(found):
                return found
        return None

    def note(self, item: Item, found: dict[str, object]) -> None:
        """Keep what was found in a picture."""
        write_atomically(self.shown(item, "view").with_suffix(".json"), json.dumps(found).encode())


def own_folder(path: Path) -> Path:
    """The folder, made where it is missing. Raises UsageError for a link, through which nothing is ever written."""
    if is_link(path):
        raise UsageError(f"{path} is a link; the studio writes into a folder of its own, so remove the link")
    make_folder(path)
    return path


def is_clip(name: str) -> bool:
    """Whether a name is a clip's."""
    return command_for(name) == "video"


def plain_name(name: str) -> str:
    """A stranger's file name with nothing in it that a file system, a shell or a command line could take amiss."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    stem, dot, ending = last.rpartition(".")
    kept = "".join(letter if letter.isalnum() or letter in " _-" else "-" for letter in (stem if dot else last))
    kept = kept.encode()[:_LONGEST_STEM].decode(errors="ignore").strip(" -.") or "photo"
    ending = f".{ending.lower()}"
    return kept + (ending if ending in _ENDINGS else ".jpg")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and not path.name.startswith(".") and is_file(path)


def _changed(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogateescape")).hexdigest()[:16]
