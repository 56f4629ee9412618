"""Checkpoints of an unfinished print, one for each octave, in a hidden folder beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import UsageError
from dreamer.files import make_folder, read_bounded, write_atomically
from dreamer.limits import MANIFEST_BYTES
from dreamer.videos.clip.unfinished import MANIFEST, check_folder, empty, fitting, has_manifest

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Checkpoints:
    """The change after a print's last finished octave, saved in the hidden folder beside `output`."""

    output: Path

    @property
    def folder(self) -> Path:
        """The hidden folder of the checkpoints."""
        return self.output.with_name(fitting(f".{self.output.name}", ".print"))

    @property
    def tile(self) -> int | None:
        """The tile of the unfinished print, None without one: it follows from the memory that was free then."""
        tile = self._manifest().get("tile")
        return tile if type(tile) is int and (tile == 0 or 32 <= tile <= 65536) else None

    def check(self, recipe: str, *, resume: bool, force: bool) -> None:
        """Raise UsageError unless a print can be begun here, or be continued with `resume`; nothing is changed.

        `recipe` is all that the print's bytes depend on: only a print of the same is continued.
        """
        check_folder(self.folder)
        if not has_manifest(self.folder) or (force and not resume):
            return
        if not resume:
            raise UsageError(f"{self.folder} holds an unfinished print; --resume continues it, --force starts it again")
        if self._manifest().get("recipe") != recipe:
            raise UsageError(
                f"{self.folder} holds a print of another recipe, photo, size or machine; give the same options, or "
                "start it again with --force and without --resume"
            )

    def begin(
        self, recipe: str, tile: int, sizes: Sequence[tuple[int, int]], *, resume: bool
    ) -> tuple[int, Tensor | None]:
        """Make the folder ready for a print of these octaves' `sizes` (height, width), from that of the proof on.

        Returns how many are done, and the change that the last one of them has left.
        """
        from dreamer.videos.clip.state import FolderStore

        if resume and has_manifest(self.folder):
            store = FolderStore(self.folder)
            for number in reversed(range(len(sizes))):
                if (change := store.load(_name(number), sizes[number])) is not None:
                    return number + 1, change
        self.clear()
        make_folder(self.folder)
        write_atomically(self.folder / MANIFEST, json.dumps({"recipe": recipe, "tile": tile}).encode())
        return 0, None

    def save(self, number: int, change: Tensor) -> None:
        """Save the change after octave `number` (0: the proof), and delete the one before."""
        from dreamer.videos.clip.state import FolderStore

        store = FolderStore(self.folder)
        store.save(_name(number), change)
        if number:
            store.drop(_name(number - 1))

    @property
    def made(self) -> frozenset[str]:
        """What `note` has noted of the unfinished print: these are its own files, which it may replace."""
        made = self._manifest().get("made")
        return frozenset(name for name in made if isinstance(name, str)) if isinstance(made, list) else frozenset()

    def note(self, name: str) -> None:
        """Note that the print has made its file, or folder, that this word stands for."""
        manifest = {**self._manifest(), "made": sorted({*self.made, name})}
        write_atomically(self.folder / MANIFEST, json.dumps(manifest).encode())

    def clear(self) -> None:
        """Delete dreamer's files in the folder, and the folder if nothing else is in it."""
        try:
            empty(self.folder)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be deleted: {error.strerror}; delete it by hand") from error

    def _manifest(self) -> dict[str, Any]:
        """The manifest's table; empty if there is none or it cannot be read."""
        with suppress(OSError, UsageError, ValueError, RecursionError):
            found = json.loads(read_bounded(self.folder / MANIFEST, MANIFEST_BYTES))
            return found if isinstance(found, dict) else {}
        return {}


def _name(number: int) -> str:
    return f"octave-{number:04d}"
