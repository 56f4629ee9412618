"""A clip over one photo that keeps still: what `loop` and `walk` share."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dreamer.cli.clip import ClipFile, Pace
from dreamer.cli.progress import Reporter
from dreamer.cli.provenance import provenance_for

if TYPE_CHECKING:
    from torch import Tensor

    from dreamer.cli.clip import Frames
    from dreamer.image import Photo
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.plugins.loading import Plugin
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.writer import ClipWriter


@dataclass(frozen=True)
class StillClip:
    """The clip, the photo, its picture as the frames show it, (1, 3, H, W) in [0, 1], and the looks, ready for it."""

    file: ClipFile
    format: Format
    photo: Photo
    picture: Tensor
    looks: Sequence[Pipeline]

    @classmethod
    def of(
        cls, file: ClipFile, format: Format, photo: Photo, side: int, looks: Sequence[Pipeline], **settling: Any
    ) -> StillClip:
        """The clip with frames whose long side is `side`, or that of their preview.

        `settling` has the names of the looks, and a tile: see `dreamer.videos.walk.walk.settled`.
        """
        from dreamer.engine.device import keep_freed_memory, use_threads
        from dreamer.pipeline.preview import preview_side
        from dreamer.videos.walk.walk import settled

        sized, (height, width), wholes = file.framed(photo, side, format, partial(preview_side, looks[0]))
        picture = sized.image()[..., :height, :width].contiguous()
        looks = settled([replace(look, wholes=wholes) for look in looks], picture, **settling)
        use_threads(looks[0].machine)
        if not looks[0].machine.tile:
            keep_freed_memory()
        return cls(file, format, photo, picture, looks)

    def write(
        self,
        make: Callable[[ClipWriter], tuple[Frames, Pace]],
        reporter: Reporter,
        label: str,
        plugins: Sequence[Plugin],
        words: dict[str, Any],
        **about: Any,
    ) -> int:
        """Write the clip with `words` in its recipe; see `ClipFile.write`. Returns the exit code."""
        first, size = self.looks[0], (self.picture.shape[-2], self.picture.shape[-1])
        provenance = provenance_for(first, self.photo.sha256, first.machine, plugins)
        recipe = {**json.loads(provenance.text()), **words}
        settings = {"recipe": recipe, "decides": recipe, "tiles": [first.machine.tile], "size": size, **about}
        return self.file.write(make, reporter, label, self.format, **settings)
