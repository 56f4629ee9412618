"""A clip in the making, which can be interrupted, killed, or run out of disk at any moment and gone on with.

Beside the output lies a hidden folder. Every frame goes there at once, losslessly; when there are enough for a
segment, they are encoded and only the segment stays. Frames are always encoded segment by segment and from the
beginning of one, so that the finished file does not tell how often its making was interrupted.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from dreamer.errors import UsageError, WriteError, collect_problems
from dreamer.files import replacing, write_atomically
from dreamer.video.clip.animations import check_gif, write_gif, write_webp
from dreamer.video.clip.audio import Sound
from dreamer.video.clip.concat import Segment, join
from dreamer.video.clip.encode import Frame, check_encoder, encode_segment, ticks_per_second
from dreamer.video.clip.formats import PREVIEW, Format
from dreamer.video.clip.frame_store import FrameStore, is_frame
from dreamer.video.clip.manifest import Manifest, entry_of, folder_of, is_begun, partial_of, segment_path
from dreamer.video.clip.reader import read_recipe
from dreamer.video.clip.state import FolderStore

_ALWAYS_SHOWN = 20  # segments; beyond that the clip so far is refreshed whenever it has grown by a twentieth


class ClipWriter(AbstractContextManager["ClipWriter"]):
    """A clip in the making; `ClipWriter.open` makes one or goes on with one.

        with ClipWriter.open(output, format, size=(h, w), fps=fps, frames=n, recipe=text, identity=text) as writer:
            for index in range(writer.done, n):
                writer.add(frame_number(index))
            writer.finish()

    `done` counts the frames that are safe: each `add` makes it one more, and a resumed writer goes on from there. What
    the next frame needs besides the frames is saved in `state` *before* adding, under a name with that frame's number,
    and the one before it is kept until then: whenever the power fails, the state for `done` is there.

    `partial` is a playable clip of what there is so far, refreshed as segments are closed; `finish` removes it.
    """

    def __init__(
        self, output: Path, format: Format, size: tuple[int, int], fps: Fraction, manifest: Manifest, recipe: str
    ) -> None:
        self.output, self.format = output, format
        self.folder = folder_of(output)
        self.partial = partial_of(output)
        self.finished = self._begun = False
        self._lock = FileLock(output.with_name(f".{output.name}.lock"), timeout=0)
        self._size, self._fps, self._recipe = size, fps, recipe
        self._manifest = manifest
        self._segment: int = manifest.settings["segment"]
        self._sound: Sound | None = None
        self.state = FolderStore(self.folder)
        self._frames = FrameStore(self.folder / "frames", recipe, size)

    @classmethod
    def open(
        cls,
        output: Path,
        format: Format,
        *,
        size: tuple[int, int],
        fps: Fraction,
        frames: int | None,
        recipe: str,
        identity: str,
        segment: int = 30,
        resume: bool = False,
        force: bool = False,
        audio: Path | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> ClipWriter:
        """Begin a clip, or go on with one that was begun; without `force` a finished one of this recipe is `finished`.

        Args:
            output: Where the clip goes.
            format: How it is written.
            size: (height, width) of the frames.
            fps: Frames per second.
            frames: How many there will be, where that is known.
            recipe: What is written into the clip.
            identity: All that decides the frames, as a hash or a JSON table, whose differing keys are then named.
            segment: Frames in a segment.
            resume: Go on with what was begun.
            force: Replace what is there.
            audio: A file with sound, which a film counts from its first picture.
            notes: A JSON table for `notes_of`, to settle again what was settled for the first frame.

        Raises:
            UsageError: Every problem at once: something is in the way, or was begun and is another clip's; no encoder
                takes such frames; `audio` has no sound; another process is making it.
            WriteError: The folder cannot be written to.
        """
        settings = {
            "width": size[1],
            "height": size[0],
            "fps": str(fps),
            "frames": frames,
            "segment": segment,
            "suffix": format.suffix,
            "codec": format.codec,
            "quality": format.quality,
        }
        writer = cls(output, format, size, fps, Manifest(identity, settings, force, notes=notes or {}), recipe)
        writer._claim()
        try:
            writer._begin(frames, audio, resume, force)
        except BaseException:
            writer.close()
            raise
        return writer

    @property
    def done(self) -> int:
        """How many frames are safe: the number of the next one to make, from 0."""
        return self._frames.end

    def add(self, frame: Frame, time: Fraction | None = None) -> None:
        """Put a frame (H, W, 3) behind the others; it is on the disk when this returns.

        `time` is its moment in seconds for a variable frame rate, later than the one before. Raises WriteError, as for
        a full disk; `done` then says whether this frame is safe, as all before it are.
        """
        if frame.shape != (*self._size, 3) or frame.dtype != np.uint8:
            raise ValueError(f"a frame is {frame.dtype} {frame.shape}, and uint8 {(*self._size, 3)} is wanted")
        if self.format.codec == "gif":
            check_gif(self.done + 1, self._fps)
        self._frames.add(frame, self.done / self._fps if time is None else time)
        self._close_full()

    def flush(self) -> None:
        """Refresh `partial` to show every frame that is done, as after Ctrl-C; the writer can still be gone on with."""
        self._show(whole=True)

    def finish(self) -> None:
        """Make the clip of what was added, put it at the output and remove everything else.

        Raises WriteError, after which the writer can be gone on with, and RenderError.
        """
        if not self.done:
            raise UsageError(f"{self.output}: a clip needs at least one frame")
        if self.format.joins:
            with replacing(self.output, folder=self.folder) as path:
                join(self._segments(), path, self.format.suffix, self._fps, self._recipe, self._sound)
        elif self.format.codec == "gif":
            with replacing(self.output, folder=self.folder) as path:
                write_gif(self._frames.all, path, self._fps, self._recipe)
        elif self.format.codec == "webp":
            with replacing(self.output, folder=self.folder) as path:
                write_webp(self._frames.all, path, self._fps, self.format.quality, self._recipe)
        else:
            self._frames.become(self.output)
        self.finished = True
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.partial.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others go on with it; the folder stays for the next time."""
        if self._lock.is_locked:
            with suppress(OSError):  # first, for the file of a lock that is released may be another's already
                Path(self._lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):
                self._lock.release()

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def _encoding(self) -> Format:
        """What segments are encoded as."""
        return self.format if self.format.joins else PREVIEW

    def _claim(self) -> None:
        """Keep other processes from this clip for as long as this one is at it."""
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(
                f"{self.output} is being made by another process; wait for it, or choose another -o"
            ) from None
        except (OSError, NotImplementedError):
            pass  # a folder that cannot be written to is told of later, and some network drives know no locks

    def _begin(self, frames: int | None, audio: Path | None, resume: bool, force: bool) -> None:
        """Look at everything, and only then touch the disk. Raises UsageError with every problem, WriteError."""
        problems: list[str] = []
        with collect_problems(problems):
            if self.format.codec == "gif":
                check_gif(frames, self._fps)
            check_encoder(self._encoding, self._size, self._fps)
        with collect_problems(problems):
            if audio is not None and self.format.has_sound:
                self._sound = Sound.of(audio)
        with collect_problems(problems):
            if not (is_begun(self.folder) and self._goes_on(resume, force)):
                self.finished = not force and _recipe_in(self.output) == self._recipe
                self._check_free(force)
        if problems:
            raise UsageError(*problems)
        if not self.finished:
            self._make()

    def _goes_on(self, resume: bool, force: bool) -> bool:
        """Take over the writer that lies there; False when it is to be discarded. Raises UsageError."""
        if force and not resume:
            return False
        if not resume:
            raise UsageError(
                f"{self.output} was begun already, in {self.folder}: --resume goes on with it, --force begins it anew"
            )
        found = Manifest.read(self.folder)
        differences = found.differences(self._manifest.identity, self._manifest.settings)
        if differences and force:
            return False
        if differences:
            raise UsageError(
                f"--resume cannot go on with the clip begun in {self.folder}, which differs in "
                f"{', '.join(differences)}; --force discards it and begins anew, another -o leaves it alone"
            )
        if self.output.exists() and not (force or found.replaces or _recipe_in(self.output) == self._recipe):
            raise UsageError(f"{self.output} is there already; --force replaces it, -o chooses another name")
        self._manifest = replace(found, replaces=found.replaces or force)
        self._begun = True
        return True

    def _check_free(self, force: bool) -> None:
        """Raise UsageError when something lies where the clip goes that may not be replaced."""
        if self.finished:
            return
        for path in (self.output, self.partial):
            if path.exists() and not force:
                raise UsageError(f"{path} is there already; --force replaces it, -o chooses another name")
        if self.output.is_dir() and (self.format.suffix or not all(map(is_frame, self.output.iterdir()))):
            raise UsageError(
                f"{self.output} is a folder with other things than a clip's frames in it; choose another -o"
            )
        if self.output.is_file() and not self.format.suffix:
            raise UsageError(f"{self.output} is a file; choose another -o, or one that ends in .mp4")

    def _make(self) -> None:
        """The folder with the manifest, and what of the frames is there."""
        try:
            if not self._begun:
                if self.folder.exists():
                    shutil.rmtree(self.folder)
                self.folder.mkdir()
        except OSError as error:
            raise WriteError(f"{self.folder} cannot be made: {error.strerror}") from error
        closed = len(self._manifest.segments) * self._segment
        self._manifest.write(self.folder)
        self._frames.settle(closed if self.format.joins else 0, closed)
        if self._frames.end < closed:
            raise UsageError(f"{self._frames.path(self._frames.end)} is missing; --force begins the clip anew")
        self._close_full()

    def _close_full(self) -> None:
        """Encode the frames that fill segments, note these down, and let go of the frames where they are not needed."""
        while self.done - (begin := len(self._manifest.segments) * self._segment) >= self._segment:
            number = len(self._manifest.segments)
            data, start = self._encoded(begin, begin + self._segment)
            write_atomically(segment_path(self.folder, number), data)
            entry = entry_of(data, start, self._segment)
            self._manifest = replace(self._manifest, segments=(*self._manifest.segments, entry))
            self._manifest.write(self.folder)
            if self.format.joins:
                self._frames.drop(begin + self._segment)
            if number < _ALWAYS_SHOWN or number % (number // _ALWAYS_SHOWN) == 0:
                with suppress(WriteError):  # it is only looked at; what cannot be done without is written elsewhere
                    self._show()

    def _encoded(self, begin: int, end: int) -> tuple[bytes, int]:
        """Frames as a segment, and the time of the first in ticks."""
        rate = ticks_per_second(self._fps)
        frames = ((round(seconds * rate), values) for seconds, values in self._frames.frames(begin, end))
        first, values = next(frames)
        rest = ((ticks - first, values) for ticks, values in frames)
        return encode_segment(chain([(0, values)], rest), self._encoding, self._size, self._fps), first

    def _segments(self) -> list[Segment]:
        """All that is done, the frames that fill no segment included."""
        segments = self._manifest.placed(self.folder)
        closed = len(segments) * self._segment
        if closed < self.done:
            data, start = self._encoded(closed, self.done)
            path = self.folder / "rest.mp4"
            write_atomically(path, data)
            segments.append(Segment(path, start, self.done - closed))
        return segments

    def _show(self, whole: bool = False) -> None:
        """Refresh the clip so far: the closed segments, or all that is done."""
        segments = self._segments() if whole else self._manifest.placed(self.folder)
        if segments:
            with replacing(self.partial, folder=self.folder) as path:
                join(segments, path, PREVIEW.suffix, self._fps, self._recipe, None)


def _recipe_in(output: Path) -> str | None:
    """The recipe in what lies at the output; None when nothing readable does."""
    try:
        return read_recipe(output)
    except UsageError:
        return None
