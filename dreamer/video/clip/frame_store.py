"""The frames of an unfinished clip that are not in a segment yet: one PNG each, with its time inside."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from dreamer.errors import RenderError, WriteError
from dreamer.files import make_folder, write_atomically
from dreamer.video.clip.encode import Frame

_TIME = "seconds"


class FrameStore:
    """Frames `begin` to `end` - 1 of a clip, each of `size` (height, width), in a folder."""

    def __init__(self, folder: Path, recipe: str, size: tuple[int, int]) -> None:
        self.folder, self._recipe, self._size = folder, recipe, size
        self.begin = self.end = 0

    def recover(self, begin: int, trusted: int) -> None:
        """Take over the frames in the folder from `begin` on.

        From `trusted` on each is checked: a damaged one and all after it are deleted. Raises WriteError when the folder
        cannot be made.
        """
        make_folder(self.folder)
        self.begin = self.end = begin
        while self.path(self.end).exists() and (self.end < trusted or self._is_whole(self.end)):
            self.end += 1
        for path in self.folder.iterdir():
            if not self.begin <= _number(path) < self.end:
                path.unlink()

    def add(self, frame: Frame, seconds: Fraction) -> None:
        """Append a frame (H, W, 3 or 4) with its time in seconds. Raises WriteError."""
        texts = PngImagePlugin.PngInfo()
        texts.add_text(_TIME, str(seconds))
        texts.add_itxt("dreamer", self._recipe)
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "PNG", compress_level=1, pnginfo=texts)
        write_atomically(self.path(self.end), file.getvalue())
        self.end += 1

    def frames(self, begin: int, end: int) -> Iterator[tuple[Fraction, Frame]]:
        """Frames `begin` to `end` - 1 with their times in seconds. Raises RenderError for one that cannot be read."""
        for number in range(begin, end):
            path = self.path(number)
            try:
                with Image.open(path, formats=["PNG"]) as picture:
                    values = np.asarray(picture)
                    seconds = Fraction(picture.info[_TIME])
            except (OSError, ValueError, KeyError, SyntaxError) as error:
                raise RenderError(f"{path} is damaged ({error}); --force starts the clip again") from error
            if values.shape not in ((*self._size, 3), (*self._size, 4)):
                raise RenderError(f"{path} has another size than the clip; --force starts the clip again")
            yield seconds, values

    def all(self) -> Iterator[tuple[Fraction, Frame]]:
        """All frames with their times in seconds."""
        return self.frames(self.begin, self.end)

    def drop(self, before: int) -> None:
        """Delete the frames before number `before`, which are in a segment now."""
        for number in range(self.begin, before):
            with suppress(OSError):
                self.path(number).unlink(missing_ok=True)
        self.begin = max(self.begin, before)

    def move_to(self, output: Path) -> None:
        """Move the folder to `output`, replacing an older one. Raises WriteError."""
        old = self.folder.with_name("replaced")
        try:
            if output.is_dir():
                os.replace(output, old)
            os.replace(self.folder, output)
        except OSError as error:
            raise WriteError(f"{output} could not be written: {error.strerror}") from error
        shutil.rmtree(old, ignore_errors=True)

    def path(self, number: int) -> Path:
        """The file of a frame."""
        return self.folder / f"frame-{number:06d}.png"

    def _is_whole(self, number: int) -> bool:
        try:
            return bool([*self.frames(number, number + 1)])
        except RenderError:
            return False


def is_frame(path: Path) -> bool:
    """Whether a file is a frame, by its name."""
    return _number(path) >= 0


def _number(path: Path) -> int:
    """The number in a frame's file name; -1 for any other file."""
    digits = path.name.removeprefix("frame-").removesuffix(".png")
    return int(digits) if path.name == f"frame-{digits}.png" and digits.isdecimal() else -1
