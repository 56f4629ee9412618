"""The parts of a photo, as masks for regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from dreamer.api.names import registry
from dreamer.engine.modes import plain_modes
from dreamer.errors import UsageError
from dreamer.image import Photo, Picture, load
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.segments import SEEN, segments_of
from dreamer.recipes.arguments import check
from dreamer.recipes.masks import FEWEST, MOST, PARTS


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """One part of a photo: a mask (1, 1, H, W) in [0, 1] of the photo's size, for a region of `dreamer.dream`."""

    number: int
    name: str
    mask: Tensor

    @property
    def share(self) -> float:
        """The share of the photo that the part takes, from 0 to 1."""
        return float(self.mask.mean())

    def to_pil(self) -> Image.Image:
        """The mask as a grey picture, white inside."""
        return Image.fromarray((self.mask[0, 0] * 255).round().byte().numpy())

    def __repr__(self) -> str:
        called = "" if self.name == str(self.number) else f" {self.name!r}"
        height, width = self.mask.shape[-2:]
        return f"<Part {self.number}{called}: {self.share:.0%} of {width}x{height} pixels>"

    def _repr_png_(self) -> bytes | None:
        return self.to_pil()._repr_png_()


def parts(
    photo: Picture, count: int | None = None, *, segmenter: str | None = None, max_pixels: int = MAX_PIXELS
) -> list[Part]:
    """The parts that a photo consists of, such as sky, water, foliage and building, from top to bottom.

    They are the masks of the regions "part:1" to "part:6": `dream(photo, regions=[("part:3", "gaze")])` dreams over
    the third, and its recipe can be repeated without a mask.

    Args:
        photo: A path, a PIL image, an array, a tensor, bytes or an open file.
        count: The number of parts, from 2 to 12; by default 6.
        segmenter: A plugin's segmenter, by name, which decides itself how many there are.
        max_pixels: The largest picture that is read.

    Returns:
        The parts; the masks of dreamer's own sum to 1 at each place.

    Raises:
        DreamerError: The photo cannot be read, or there is no such segmenter.
    """
    check(count=PARTS if count is None else count, segmenter=segmenter, max_pixels=max_pixels)
    if count is not None and segmenter is not None:
        raise UsageError("count: it is for dreamer's own parts; a segmenter decides itself how many masks there are")
    if count is not None and not FEWEST <= count <= MOST:
        raise UsageError(f"count: expected a number from {FEWEST} to {MOST}, not {count}")
    with plain_modes():
        return parts_in(load(photo, max_pixels=max_pixels), count, segmenter)


def parts_in(photo: Photo, count: int | None, segmenter: str | None) -> list[Part]:
    """See `parts`."""
    options: dict[str, Any] = {} if segmenter else {"count": count or PARTS}
    found = segments_of(registry(), segmenter or "parts", photo.at_most(SEEN).image(), **options)
    masks = found.at((photo.height, photo.width))
    return [Part(k + 1, name, masks[k : k + 1]) for k, name in enumerate(found.names)]
