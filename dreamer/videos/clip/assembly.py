"""The finished file, made of segments or of frames, with sound if there is any; tried before the first frame is made.

What could fail after the last frame is tried at the beginning, with two black frames in the folder of the unfinished
clip: encoder, container, file system, sound. Sound that fails in the end nevertheless does not cost the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from dreamer.errors import RenderError, UsageError, WriteError
from dreamer.files import is_taken, replacing, write_atomically
from dreamer.videos.clip.animations import Frames, write_animation
from dreamer.videos.clip.audio import Sound, find_sound
from dreamer.videos.clip.concat import Segment, concatenate
from dreamer.videos.clip.encode import blank_frame, encode_segment, ticks_per_second
from dreamer.videos.clip.formats import Format
from dreamer.videos.clip.unfinished import empty, trial_path

Notify = Callable[[str], None]


class Assembly:
    """Makes clips of a format; `size` is (height, width), and `notify` is called with notices about the sound."""

    def __init__(self, format: Format, size: tuple[int, int], fps: Fraction, recipe: str, notify: Notify) -> None:
        self._format, self._size, self._fps, self._recipe, self._notify = format, size, fps, recipe, notify
        self._sounds: Sequence[Sound] = ()
        self._needs_sound = False

    def take_sound(self, path: Path, begin: Fraction, needed: bool) -> None:
        """Take the sound of a file from `begin` seconds on into the clips, if the format can hold sound.

        Raises UsageError where none can be read; if it is not `needed`, a notice says so instead.
        """
        if not self._format.has_sound:
            return
        try:
            self._sounds, notices = find_sound(path, begin, self._format.suffix[1:])
        except UsageError as error:
            if needed:
                raise
            notices = [f"{problem}; the clip will have no sound" for problem in error.problems]
        self._needs_sound = needed
        for notice in notices:
            self._notify(notice)

    def try_out(self, folder: Path) -> None:
        """Make a clip of two black frames in a folder, which is created if it is missing, and throw it away.

        Raises UsageError where such a clip cannot be made, and OSError or WriteError where it cannot be written to the
        disk; then a folder that was created is gone.
        """
        was_there = is_taken(folder)
        folder.mkdir(exist_ok=True)
        try:
            self._try_out(folder)
        except BaseException:
            if not was_there:
                empty(folder)
            raise

    def _try_out(self, folder: Path) -> None:
        trial, (height, width) = trial_path(folder), self._size
        blank, ticks = blank_frame(self._format, self._size), ticks_per_second(self._fps)

        def segments() -> list[Segment]:
            write_atomically(trial, encode_segment([(0, blank), (ticks, blank)], self._format, self._size, self._fps))
            return [Segment(trial, 0, 2)]

        try:
            with replacing(trial) as path:
                failed = self._made(path, segments, lambda: [(Fraction(0), blank), (Fraction(1), blank)], _silent)
        except WriteError:
            raise
        except RenderError as error:
            what = f"a {self._format.suffix} of {width}x{height} pixels and {float(self._fps):.4g} frames per second"
            raise UsageError(f"{what} cannot be written; choose another size or format ({error})") from error
        finally:
            trial.unlink(missing_ok=True)
        if failed and self._needs_sound:
            raise UsageError(f"{failed}; choose other sound, or leave it out")
        if failed:
            self._notify(f"{failed}; the clip will have no sound")

    def write(self, path: Path, segments: Callable[[], Sequence[Segment]], frames: Frames) -> None:
        """Write a clip of segments or, where the format has none, of frames; without its sound if that fails.

        Raises:
            OSError: The clip cannot be written.
            RenderError: A segment or a frame is damaged.
        """
        failed = self._made(path, segments, frames, self._notify)
        if failed:
            self._notify(f"{failed}; the clip has no sound")

    def _made(self, path: Path, segments: Callable[[], Sequence[Segment]], frames: Frames, notify: Notify) -> str:
        """Write a clip; returns why it is without the sound that was found, or nothing."""
        if not self._format.segmented:
            write_animation(frames, path, self._format, self._size, self._fps, self._recipe)
            return ""
        parts, failed = segments(), ""
        while True:
            sound = self._sounds[0] if self._sounds else None
            try:
                concatenate(parts, path, self._format.suffix, self._fps, self._recipe, sound, notify)
                return "" if sound else failed
            except RenderError as error:
                if sound is None:
                    raise
                failed, self._sounds = f"{sound.path}: the sound cannot be taken ({error})", self._sounds[1:]


def _silent(sentence: str) -> None:
    """Say nothing."""
