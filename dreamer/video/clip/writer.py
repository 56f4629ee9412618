"""Write a clip frame by frame, so that it can be resumed after an interruption, a crash or a full disk.

The unfinished clip is a hidden folder beside the output. Every frame is saved there at once, losslessly; as soon as
there are enough for a segment, they are encoded, and only the segment stays. Frames are always encoded in the same
segments, so that the finished file has the same bytes however often its making was interrupted.
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

from dreamer.errors import UsageError, WriteError, collect_problems, reported_together
from dreamer.files import replacing, write_atomically
from dreamer.video.clip.animations import check_gif, write_gif, write_webp
from dreamer.video.clip.audio import check_sound
from dreamer.video.clip.concat import Segment, concatenate
from dreamer.video.clip.encode import Frame, check_encoder, encode_segment, ticks_per_second
from dreamer.video.clip.formats import PREVIEW, Format
from dreamer.video.clip.frame_store import FrameStore
from dreamer.video.clip.manifest import (
    Manifest,
    SegmentEntry,
    digest,
    folder_of,
    has_manifest,
    partial_of,
    segment_path,
)
from dreamer.video.clip.output import check_output, exists, recipe_at
from dreamer.video.clip.state import FolderStore

_ALWAYS_SHOWN = 20  # segments; beyond that the preview is refreshed whenever it has grown by a twentieth


class ClipWriter(AbstractContextManager["ClipWriter"]):
    """Writes a clip; `ClipWriter.open` starts a new one or resumes an unfinished one.

        with ClipWriter.open(output, format, size=(h, w), fps=fps, frames=n, recipe=text, identity=text) as writer:
            for index in range(writer.done, n):
                writer.add(frame_number(index))
            writer.finish()

    `done` counts the frames that are safe on disk: each `add` increases it by one, and a resumed writer starts from it.
    State that the next frame needs is saved in `state` *before* adding a frame, under a name with the next frame's
    number, and the state before that is kept until then: so the state for `done` exists whenever the power fails.

    `partial` is a playable preview of the unfinished clip, refreshed as segments are encoded; `finish` removes it.
    """

    def __init__(
        self, output: Path, format: Format, size: tuple[int, int], fps: Fraction, manifest: Manifest, recipe: str
    ) -> None:
        self.output, self.format = output, format
        self.folder = folder_of(output)
        self.partial = partial_of(output)
        self.finished = self._resumed = False
        self._lock = FileLock(output.with_name(f".{output.name}.lock"), timeout=0)
        self._size, self._fps, self._recipe = size, fps, recipe
        self._manifest = manifest
        self._segment: int = manifest.settings["segment"]
        self._sound: Path | None = None
        self._sound_begin = Fraction(0)
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
        audio_begin: Fraction = Fraction(0),
        notes: Mapping[str, Any] | None = None,
    ) -> ClipWriter:
        """Start a clip or resume an unfinished one; without `force`, a finished clip of this recipe is left as it is.

        Args:
            output: The file or folder to write.
            format: Container, codec and quality.
            size: (height, width) of the frames.
            fps: Frames per second.
            frames: Number of frames, where that is known.
            recipe: Text that is written into the clip.
            identity: Everything that decides the frames, as a hash, or a JSON table whose differing keys errors name.
            segment: Number of frames in a segment.
            resume: Continue the unfinished clip.
            force: Replace an existing or unfinished clip.
            audio: A file with sound; the time of a film's sound counts from its first picture.
            audio_begin: Where in that file the sound begins, in seconds.
            notes: A JSON table for `notes_of`: decisions made for the first frame, to be repeated on resuming.

        Returns:
            The writer; its `finished` is true where the finished clip is already there.

        Raises:
            UsageError: Every problem at once: the output exists; the unfinished clip differs from this one; no encoder
                accepts such frames; `audio` has no sound; another process is making the clip.
            WriteError: The folder cannot be written to.
        """
        settings = {"width": size[1], "height": size[0], "fps": str(fps), "frames": frames, "segment": segment}
        settings |= {"suffix": format.suffix, "codec": format.codec, "quality": format.quality}
        settings |= {"alpha": True} if format.alpha else {}
        writer = cls(output, format, size, fps, Manifest(identity, settings, force, notes=notes or {}), recipe)
        writer._sound_begin = audio_begin
        writer._acquire_lock()
        try:
            writer._start(frames, audio, resume, force)
        except BaseException:
            writer.close()
            raise
        return writer

    @property
    def done(self) -> int:
        """The number of frames that are safe on disk, which is the number of the next frame, from 0."""
        return self._frames.end

    def add(self, frame: Frame, time: Fraction | None = None) -> None:
        """Append a frame (H, W, 3), or (H, W, 4) if the format has alpha, uint8; it is on disk when this returns.

        For a variable frame rate, `time` is the frame's time in seconds, later than that of the frame before. Raises
        WriteError, as for a full disk; `done` then says whether this frame is safe; those before it are.
        """
        shape = (*self._size, 4 if self.format.alpha else 3)
        if frame.shape != shape or frame.dtype != np.uint8:
            raise ValueError(f"expected a frame of uint8 {shape}, not {frame.dtype} {frame.shape}")
        if self.format.codec == "gif":
            check_gif(self.done + 1, self._fps)
        self._frames.add(frame, self.done / self._fps if time is None else time)
        self._encode_full_segments()

    def flush(self) -> None:
        """Refresh `partial` to show every frame so far, as after Ctrl-C; frames can still be added."""
        self._refresh_partial(whole=True)

    def finish(self) -> None:
        """Write the clip of all frames to the output and delete the unfinished one.

        Raises WriteError, after which the clip can still be resumed, and RenderError for a damaged frame or segment.
        """
        if not self.done:
            raise UsageError(f"{self.output}: a clip needs at least one frame")
        if self.format.codec == "png":
            self._frames.move_to(self.output)
        else:
            with replacing(self.output, folder=self.folder) as path:
                self._write(path)
        self.finished = True
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.partial.unlink(missing_ok=True)

    def _write(self, path: Path) -> None:
        if self.format.segmented:
            sound = (self._sound, self._sound_begin)
            concatenate(self._segments(), path, self.format.suffix, self._fps, self._recipe, *sound)
        elif self.format.codec == "gif":
            write_gif(self._frames.all, path, self._size, self._fps, self._recipe, self.format.alpha)
        else:
            about = (self._size, self._fps, self.format.quality, self._recipe, self.format.alpha)
            write_webp(self._frames.all, path, *about)

    def close(self) -> None:
        """Release the lock, so that another process can resume the clip; its folder stays."""
        if self._lock.is_locked:
            with suppress(OSError):  # before releasing: afterwards the file may be another process's lock
                Path(self._lock.lock_file).unlink(missing_ok=True)
            with suppress(OSError):
                self._lock.release()

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def _encoding(self) -> Format:
        """The format that segments are encoded in."""
        return self.format if self.format.segmented else PREVIEW

    def _acquire_lock(self) -> None:
        """Keep other processes from writing this clip. Raises UsageError when one already does."""
        try:
            self._lock.acquire()
        except Timeout:
            raise UsageError(
                f"{self.output} is being made by another process; wait for it, or choose another -o"
            ) from None
        except (OSError, NotImplementedError):
            pass  # an unwritable folder is reported later, and some network drives have no locks

    def _start(self, frames: int | None, audio: Path | None, resume: bool, force: bool) -> None:
        """Check everything, then prepare the folder. Raises UsageError with every problem, and WriteError."""
        with reported_together() as problems:
            with collect_problems(problems):
                if self.format.codec == "gif":
                    check_gif(frames, self._fps)
                check_encoder(self._encoding, self._size, self._fps)
            with collect_problems(problems):
                if audio is not None and self.format.has_sound:
                    check_sound(audio)
                    self._sound = audio
            with collect_problems(problems):
                if not (has_manifest(self.folder) and self._resumes(resume, force)):
                    self.finished = not force and recipe_at(self.output) == self._recipe
                    if not self.finished:
                        check_output(self.output, self.partial, self.format, force)
        if not self.finished:
            self._prepare_folder()

    def _resumes(self, resume: bool, force: bool) -> bool:
        """Take over the unfinished clip; False when it is to be deleted. Raises UsageError when it differs."""
        if force and not resume:
            return False
        if not resume:
            raise UsageError(
                f"{self.output}: there is an unfinished clip in {self.folder}; "
                "--resume continues it, --force starts again"
            )
        found = Manifest.read(self.folder)
        found.check_segments(self.folder)
        differences = found.differences(self._manifest.identity, self._manifest.settings)
        if differences and force:
            return False
        if differences:
            raise UsageError(
                f"--resume: the unfinished clip in {self.folder} differs in {', '.join(differences)}; "
                "--force deletes it and starts again, another -o keeps it"
            )
        if self.output.exists() and not (force or found.replaces or recipe_at(self.output) == self._recipe):
            raise UsageError(exists(self.output))
        self._manifest = replace(found, replaces=found.replaces or force)
        self._resumed = True
        return True

    def _prepare_folder(self) -> None:
        """Make or take over the folder, its manifest and the frames in it. Raises UsageError, WriteError."""
        try:
            if not self._resumed:
                if self.folder.exists():
                    shutil.rmtree(self.folder)
                self.folder.mkdir()
        except OSError as error:
            raise WriteError(f"{self.folder} could not be made: {error.strerror}") from error
        closed = len(self._manifest.segments) * self._segment
        self._manifest.write(self.folder)
        self._frames.recover(closed if self.format.segmented else 0, closed)
        if self._frames.end < closed:
            raise UsageError(f"{self._frames.path(self._frames.end)} is missing; --force starts the clip again")
        self._encode_full_segments()

    def _encode_full_segments(self) -> None:
        """Encode the frames that fill segments, and delete these frames where they are not needed any more."""
        while self.done - (begin := len(self._manifest.segments) * self._segment) >= self._segment:
            number = len(self._manifest.segments)
            data, start = self._encode(begin, begin + self._segment)
            write_atomically(segment_path(self.folder, number), data)
            entry = SegmentEntry(start, self._segment, digest(data))
            self._manifest = replace(self._manifest, segments=(*self._manifest.segments, entry))
            self._manifest.write(self.folder)
            if self.format.segmented:
                self._frames.drop(begin + self._segment)
            if number < _ALWAYS_SHOWN or number % (number // _ALWAYS_SHOWN) == 0:
                with suppress(WriteError):  # the preview is not needed for going on
                    self._refresh_partial()

    def _encode(self, begin: int, end: int) -> tuple[bytes, int]:
        """The segment of frames `begin` to `end` - 1, and the time of its first frame in ticks."""
        rate = ticks_per_second(self._fps)
        frames = ((round(seconds * rate), values) for seconds, values in self._frames.frames(begin, end))
        first, values = next(frames)
        rest = ((ticks - first, values) for ticks, values in frames)
        return encode_segment(chain([(0, values)], rest), self._encoding, self._size, self._fps), first

    def _segments(self) -> list[Segment]:
        """Segments of all frames so far; the remaining frames get a shorter one."""
        segments = self._manifest.segment_files(self.folder)
        closed = len(segments) * self._segment
        if closed < self.done:
            data, start = self._encode(closed, self.done)
            path = self.folder / "rest.mp4"
            write_atomically(path, data)
            segments.append(Segment(path, start, self.done - closed))
        return segments

    def _refresh_partial(self, whole: bool = False) -> None:
        """Write the preview, of the full segments or, with `whole`, of all frames so far."""
        segments = self._segments() if whole else self._manifest.segment_files(self.folder)
        if segments:
            with replacing(self.partial, folder=self.folder) as path:
                concatenate(segments, path, PREVIEW.suffix, self._fps, self._recipe, None)
