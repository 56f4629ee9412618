"""Write a clip frame by frame, so that it can be resumed after an interruption, a crash or a full disk.

The unfinished clip is a hidden folder beside the output. Every frame is saved there at once, losslessly; as soon as
there are enough for a segment, they are encoded, and only the segment stays. Frames are always encoded in the same
segments, so that the finished file has the same bytes however often its making was interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dreamer.errors import UsageError, WriteError, collect_problems, reported_together
from dreamer.files import free, is_taken, replacing, write_atomically
from dreamer.videos.clip.animations import check_gif
from dreamer.videos.clip.assembly import Assembly
from dreamer.videos.clip.concat import Segment, check_segments
from dreamer.videos.clip.encode import Frame, check_encoder, encode_timed, ticks_per_second, told_apart
from dreamer.videos.clip.formats import Format
from dreamer.videos.clip.frame_store import FrameStore
from dreamer.videos.clip.lock import OutputLock
from dreamer.videos.clip.manifest import Manifest, SegmentEntry, digest
from dreamer.videos.clip.output import check_new, check_resumed, disk_notice, is_same, recipe_at, replaceable_by_force
from dreamer.videos.clip.preview import Preview
from dreamer.videos.clip.state import FolderStore
from dreamer.videos.clip.unfinished import (
    check_folder,
    empty,
    folder_of,
    has_manifest,
    partial_of,
    rest_path,
    segment_path,
)


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
        self,
        output: Path,
        format: Format,
        size: tuple[int, int],
        fps: Fraction,
        manifest: Manifest,
        recipe: str,
        force: bool,
        notify: Callable[[str], None],
    ) -> None:
        self.output, self.format = output, format
        self.folder, self.partial = folder_of(output), partial_of(output)
        self.finished = self._resumed = False
        self._lock = OutputLock(output)
        self._size, self.fps, self._recipe, self._force, self._notify = size, fps, recipe, force, notify
        self._manifest = manifest
        self.segment: int = manifest.settings["segment"]
        self._assembly = Assembly(format, size, fps, recipe, notify)
        self._tick = -1  # the time of the last frame in the segments that were found
        self._preview = Preview(self.partial, self.folder, fps, recipe, force)
        self.state = FolderStore(self.folder)
        self._frames = FrameStore(self.folder, recipe, size, format.alpha)

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
        needs_audio: bool = True,
        notes: Mapping[str, Any] | None = None,
        notify: Callable[[str], None] = lambda sentence: None,
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
            force: Replace an existing clip, and, unless it is resumed, an unfinished one.
            audio: A file with sound; the time of a film's sound counts from its first picture.
            audio_begin: Where in that file the sound begins, in seconds.
            needs_audio: Whether sound that cannot be read is an error, or left out with a notice.
            notes: A JSON table for `notes_of`: decisions made for the first frame, to be repeated on resuming.
            notify: Called with notices, before the first frame and at the end.

        Returns:
            The writer; its `finished` is true where the finished clip is already there.

        Raises:
            UsageError: Every problem at once: the output exists; the unfinished clip differs from this one; no encoder
                accepts such frames; `audio` has no sound; another process is making the clip.
            WriteError: The folder cannot be written to.
        """
        settings = {"width": size[1], "height": size[0], "fps": str(fps), "frames": frames, "segment": segment}
        about = Manifest(identity, settings | format.settings, notes=notes or {})
        writer = cls(output, format, size, fps, about, recipe, force, notify)
        writer._lock.acquire()
        try:
            sound = None if audio is None else (audio, audio_begin, needs_audio)
            writer._start(frames, sound, resume)
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
            check_gif(self.done + 1, self.fps)
        seconds = self.done / self.fps if time is None else time
        before = max(self._tick, round(self._frames.latest * ticks_per_second(self.fps)))
        self._frames.add(frame, told_apart(seconds, before, self.fps, self.format.suffix))
        self._encode_full_segments()

    def flush(self) -> None:
        """Refresh `partial` to show every frame so far, as after Ctrl-C; frames can still be added."""
        self._preview.write(self._segments())

    def finish(self) -> None:
        """Write the clip of all frames to `output` and delete the unfinished one.

        If something else has got that name meanwhile, and there is no `force`, the clip gets the first free one with a
        number, which is the new `output`. Raises WriteError, after which the clip can still be resumed, and RenderError
        for a damaged frame or segment.
        """
        if not self.done:
            raise UsageError(f"{self.output}: a clip needs at least one frame")
        self._finish(self._segments)

    def join(self, segments: Sequence[Segment]) -> None:
        """Finish with the segments of all frames, in the order of showing, which others have made; see `finish`."""
        self._finish(lambda: segments)

    def _finish(self, segments: Callable[[], Sequence[Segment]]) -> None:
        place, force = (self.output if self._force else free(self.output)), self._force
        if self.format.codec == "png":
            self._frames.move_to(place, force)
        else:
            with replacing(place, replace=force, folder=self.folder) as path:
                self._assembly.write(path, segments, self._frames.all)
        if place != self.output and is_same(place, self.output):  # a killed process had come as far as this
            place.unlink()
        elif place != self.output:
            self._notify(f"{self.output} exists by now and is left as it is; the clip is {place}")
            self.output = place
        self.finished = True
        self._clear()

    def close(self) -> None:
        """Release the lock, so that another process can resume the clip; its folder stays."""
        self._lock.release()

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, frames: int | None, sound: tuple[Path, Fraction, bool] | None, resume: bool) -> None:
        """Check everything, then prepare the folder. Raises UsageError with every problem, and WriteError."""
        with reported_together() as problems:
            with collect_problems(problems):
                if self.format.codec == "gif":
                    check_gif(frames, self.fps)
                check_encoder(self.format.encoding, self._size, self.fps)
            with collect_problems(problems):
                if sound:
                    self._assembly.take_sound(*sound)
            with collect_problems(problems):
                check_folder(self.folder)
                if has_manifest(self.folder) and (resume or not self._force):
                    self._resume(resume)
                elif recipe_at(self.output) == self._recipe and not self._force:
                    self.finished = True  # perhaps by a process that was killed while it deleted the rest
                    self._preview.is_own = recipe_at(self.partial) == self._recipe
                else:
                    check_new(self.output, self.format, self._force)
        if self.finished:
            self._clear()
        else:
            self._prepare_folder(frames)

    def _resume(self, resume: bool) -> None:
        """Take over the unfinished clip. Raises UsageError when it differs, is damaged, or has no place."""
        if not resume:
            raise UsageError(
                f"{self.output}: there is an unfinished clip in {self.folder}; "
                "--resume continues it, --force starts again"
            )
        found = Manifest.read(self.folder)
        found.check_same(self._manifest, self.folder)
        found.check_segments(self.folder, self._size)
        self._tick = check_segments(found.segment_files(self.folder), self.format.encoding, self._size, self.fps)
        is_ours = partial(found.is_of, self._recipe)
        check_resumed(self.output, is_ours, self._force)
        moved = self.format.codec == "png" and self._frames.is_gone()  # killed when all had been done
        self.finished = moved and is_ours(recipe_at(self.output))
        self._preview.is_own |= is_taken(self.partial)
        self._manifest, self._resumed = found, True

    def _prepare_folder(self, frames: int | None) -> None:
        """Make or take over the folder, its manifest and the frames in it. Raises UsageError, WriteError."""
        try:
            self._assembly.try_out(self.folder)
            if not self._resumed:
                empty(self.folder)
                self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise WriteError(f"{self.folder} could not be made: {error.strerror}") from error
        self._manifest.write(self.folder)
        closed = len(self._manifest.segments) * self.segment
        self._frames.recover(closed if self.format.segmented else 0, closed)
        if self._frames.end < closed:
            path = self._frames.path(self._frames.end)
            raise UsageError(f"{path} is missing or damaged; --force starts the clip again")
        if is_taken(self.output) and not self._force and self.done != frames:
            raise UsageError(replaceable_by_force(self.output))
        if frames and (notice := disk_notice(self.folder, self.format, self._size, frames - self.done)):
            self._notify(notice)
        self._encode_full_segments()

    def _clear(self) -> None:
        """Delete the unfinished clip and its preview, as far as possible."""
        with suppress(OSError):
            empty(self.folder)
        self._preview.delete()

    def _encode_full_segments(self) -> None:
        """Encode the frames that fill segments, and delete these frames where they are not needed any more."""
        while self.done - (begin := len(self._manifest.segments) * self.segment) >= self.segment:
            number = len(self._manifest.segments)
            data, start = self._encode(begin, begin + self.segment)
            write_atomically(segment_path(self.folder, number), data)
            entry = SegmentEntry(start, self.segment, digest(data))
            self._manifest = replace(self._manifest, segments=(*self._manifest.segments, entry))
            self._manifest.write(self.folder)
            if self.format.segmented:
                self._frames.drop(begin + self.segment)
            self._preview.refresh(self._manifest.segment_files(self.folder))

    def _encode(self, begin: int, end: int) -> tuple[bytes, int]:
        """The segment of frames `begin` to `end` - 1, and the time of its first frame in ticks."""
        return encode_timed(self._frames.frames(begin, end), self.format.encoding, self._size, self.fps)

    def _segments(self) -> list[Segment]:
        """Segments of all frames so far; the remaining frames get a shorter one."""
        segments = self._manifest.segment_files(self.folder)
        closed = len(segments) * self.segment
        if closed < self.done:
            data, start = self._encode(closed, self.done)
            path = rest_path(self.folder)
            write_atomically(path, data)
            segments.append(Segment(path, start, self.done - closed))
        return segments
