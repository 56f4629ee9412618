"""The frames of an unfinished clip that are not in a segment yet: one PNG each, with its time inside."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from dreamer.errors import PhotoError, RenderError, WriteError
from dreamer.files import is_link, is_taken, make_folder, write_atomically
from dreamer.image.source import header_of
from dreamer.limits import CLIP_SECONDS
from dreamer.videos.clip.encode import Frame
from dreamer.videos.clip.unfinished import FRAMES, REPLACED, frame_number, frame_path, is_file, is_folder, is_part

_TIME = "seconds"
_SECONDS = re.compile(r"\d{1,18}(/[1-9]\d{0,17})?", re.ASCII)


class FrameStore:
    """Frames `begin` to `end` - 1 of a clip, each of `size` (height, width), in the folder of an unfinished clip.

    With `alpha` each is (H, W, 4), else (H, W, 3).
    """

    def __init__(self, folder: Path, recipe: str, size: tuple[int, int], alpha: bool = False) -> None:
        self.folder, self._recipe, self._size = folder / FRAMES, recipe, size
        self._mode = "RGBA" if alpha else "RGB"
        self._replaced = folder / REPLACED
        self.begin = self.end = 0
        self.latest = Fraction(-1)  # the time of the last frame in seconds

    def recover(self, begin: int, trusted: int) -> None:
        """Take over the frames in the folder from `begin` on.

        From `trusted` on each is decoded; of those before, only what stands before the pixels is read. A damaged one
        and all after it are deleted. Raises WriteError when the folder cannot be made.
        """
        make_folder(self.folder)
        self.begin = self.end = begin
        while (seconds := self._time(self.end, decode=self.end >= trusted)) is not None and seconds > self.latest:
            self.latest = seconds
            self.end += 1
        for path in self.folder.iterdir():
            number = frame_number(path)
            if is_part(path) or (number >= 0 and not self.begin <= number < self.end):
                path.unlink()

    def add(self, frame: Frame, seconds: Fraction) -> None:
        """Append a frame with its time in seconds. Raises WriteError."""
        texts = PngImagePlugin.PngInfo()
        texts.add_text(_TIME, str(seconds))
        texts.add_itxt("dreamer", self._recipe)
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "PNG", compress_level=1, pnginfo=texts)
        write_atomically(self.path(self.end), file.getvalue())
        self.end += 1
        self.latest = seconds

    def frames(self, begin: int, end: int) -> Iterator[tuple[Fraction, Frame]]:
        """Frames `begin` to `end` - 1 with their times in seconds. Raises RenderError for one that cannot be read."""
        for number in range(begin, end):
            with self._opened(number) as (picture, seconds):
                values = np.asarray(picture)
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

    def move_to(self, output: Path, force: bool) -> None:
        """Move the folder to `output`; with `force`, an older folder of frames, or a link, makes way.

        Raises WriteError, after which nothing has been moved.
        """
        try:
            if force and is_link(output):
                output.unlink()
            elif force and is_folder(output):
                if not is_replaceable(output):
                    raise WriteError(
                        f"{output} could not be written: it holds more than a clip's frames by now; choose another -o"
                    )
                for frame in self._replaced.iterdir() if is_folder(self._replaced) else ():
                    frame.unlink()
                os.replace(output, self._replaced)
            try:
                os.rename(self.folder, output)
            except OSError:
                if is_folder(self._replaced) and not is_taken(output):
                    os.replace(self._replaced, output)
                raise
        except OSError as error:
            raise WriteError(f"{output} could not be written: {error.strerror}") from error

    def is_gone(self) -> bool:
        """Whether there is no folder of frames, as after `move_to`."""
        return not is_taken(self.folder)

    def path(self, number: int) -> Path:
        """The file of a frame."""
        return frame_path(self.folder, number)

    def _time(self, number: int, *, decode: bool) -> Fraction | None:
        """The time of a frame in seconds; None where the frame is missing or damaged."""
        if not is_file(self.path(number)):
            return None
        try:
            with self._opened(number) as (picture, seconds):
                if decode:
                    picture.load()
        except RenderError:
            return None
        return seconds

    @contextmanager
    def _opened(self, number: int) -> Iterator[tuple[Image.Image, Fraction]]:
        """A frame before it is decoded, and its time in seconds; every error in the block becomes a RenderError."""
        path, (height, width) = self.path(number), self._size
        try:
            with header_of(path, height * width) as picture:
                text = picture.info.get(_TIME)
                if picture.format != "PNG" or picture.mode != self._mode or picture.size != (width, height):
                    raise PhotoError(f"{path} is no frame of {width}x{height} pixels")
                if not isinstance(text, str) or not _SECONDS.fullmatch(text) or Fraction(text) > CLIP_SECONDS:
                    raise PhotoError(f"{path} has no time")
                yield picture, Fraction(text)
        except PhotoError as error:
            raise RenderError(f"{error}; --force starts the clip again") from error


def is_replaceable(output: Path) -> bool:
    """Whether nothing is lost but a clip's frames, or a link, when something takes the place of `output`."""
    return not is_folder(output) or all(frame_number(path) >= 0 for path in output.iterdir())
