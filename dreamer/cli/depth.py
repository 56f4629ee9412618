"""--depth of `dreamer zoom`: how near each part of the photo is, for a camera that moves in depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dreamer.cli.options import option, together
from dreamer.recipes.depths import DepthWords

if TYPE_CHECKING:
    from dreamer.image import Photo
    from dreamer.recipes.registry import Registry
    from dreamer.videos.zoom.depth.relief import Relief
    from dreamer.videos.zoom.zoom import Zoom

depth_options = together(
    option(
        "--depth",
        metavar="FILE|photo|NAME",
        help="Move the camera in depth: by a picture in which bright is near (not:FILE if it is far), by what a phone "
        "put into the photo, or by a plugin's depth.",
    ),
    option(
        "--dolly",
        metavar="DISTANCE",
        help="How far the camera moves forward per second, in the distances that --parallax describes. [0]",
    ),
    option(
        "--orbit",
        metavar="DEGREES",
        help="Degrees per second on a circle, the camera looking at the middle depth. [one turn in all]",
    ),
    option(
        "--parallax",
        metavar="SHARE",
        help="How strong depth is: how far the nearest and the farthest part move against each other on the circle, or "
        "at a distance of 1, in long sides of the frame: 0 to 0.2. [0.05]",
    ),
)


def depth_file(depth: str | None) -> Path | None:
    """The file that a depth can only be."""
    words = DepthWords.read(depth) if depth else None
    return Path(words.name) if words and words.names_file else None


def relief_for(
    depth: str | None, plan: Zoom, photo: Photo, source: Path, registry: Registry, max_pixels: int
) -> tuple[Relief | None, str]:
    """The relief of a photo for a zoom, if there is depth, and what tells that from another.

    Raises UsageError and the like where the depth cannot be had, or the camera cannot go that way.
    """
    from dreamer.pipeline.depths import depth_of
    from dreamer.videos.zoom.depth.relief import relief_of

    if depth is None:
        return None, ""
    found = depth_of(depth, photo, source, registry, max_pixels)
    return relief_of(plan, found.nearness, (photo.height, photo.width)), found.key
