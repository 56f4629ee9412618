"""The playable preview of an unfinished clip, beside its output."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from dreamer.errors import RenderError
from dreamer.files import replacing
from dreamer.videos.clip.concat import Segment, concatenate
from dreamer.videos.clip.formats import PREVIEW

_ALWAYS = 20  # segments; beyond that the preview is refreshed whenever it has grown by a twentieth


class Preview:
    """The preview at `path`; only one of the same clip is replaced or deleted (`is_own`), or any with `force`."""

    def __init__(self, path: Path, folder: Path, fps: Fraction, recipe: str, force: bool) -> None:
        self._path, self.is_own = path, force
        self._folder, self._fps, self._recipe = folder, fps, recipe

    def refresh(self, segments: Sequence[Segment]) -> None:
        """Write the clip's full segments once one more is there, if it is time; failing is no error."""
        number = len(segments) - 1
        if number < _ALWAYS or number % (number // _ALWAYS) == 0:
            with suppress(RenderError):  # the preview is not needed for going on
                self.write(segments)

    def write(self, segments: Sequence[Segment]) -> None:
        """Write these segments, if there are any. Raises WriteError or RenderError."""
        if segments:
            with replacing(self._path, replace=self.is_own, folder=self._folder) as path:
                concatenate(segments, path, PREVIEW.suffix, self._fps, self._recipe)
            self.is_own = True

    def delete(self) -> None:
        """Delete the clip's own preview, as far as possible."""
        if self.is_own:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
