"""The masks of a clip's regions: those from files ride on the optical flow, those by formula are made in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.errors import UsageError, either, many
from dreamer.image import Photo, load, mask_of, resize
from dreamer.image.easing import eased
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.regions import laid, mask_for, masks_of
from dreamer.recipes.masks import PART, SEGMENT, formula
from dreamer.recipes.recipe import Recipe
from dreamer.recipes.registry import Registry
from dreamer.videos.clip.folder import digest_of, frames_in
from dreamer.videos.film.motion import Motion

_SIDE = 160  # px: longest side at which a mask is filled where the flow is not sure
_KERNEL, _SPACE, _COLOUR = 11, 3.0, 0.06  # bilateral filter that fills in a mask: px, px, share of white
_SHADE = 0.01  # values nearer than this to black or white count as these, so that edges do not creep


@dataclass(frozen=True)
class ClipMasks:
    """The masks of a recipe's regions in the frames of a clip.

    A mask from a file, or a part of the picture, belongs to the first frame and to the first one after each cut; from
    there it is carried along. A folder has a mask for each frame. `top` or `ellipse` stay where they are, and a colour
    is found in every frame.
    """

    recipe: Recipe
    masks: tuple[Photo, ...]
    registry: Registry
    size: tuple[int, int]

    @classmethod
    def of(cls, pipeline: Pipeline, size: tuple[int, int]) -> ClipMasks | None:
        """The masks of a pipeline's recipe for frames of `size` (h, w); None if it has no regions."""
        return cls(pipeline.recipe, pipeline.masks, pipeline.registry, size) if pipeline.recipe.regions else None

    @property
    def carried(self) -> int:
        """The number of masks that are carried along."""
        return len(self._riding)

    def check(self, frames: int) -> None:
        """Raises UsageError for a folder that has not a mask for each of so many frames."""
        for folder, files in self._folders.values():
            if len(files) != frames:
                raise UsageError(
                    f"{folder}: it holds {many(len(files), 'mask')}, and the clip, or the part of it that is dreamt "
                    f"over, has {many(frames, 'frame')}; a folder needs one for each, and "
                    f"{either('regions', '--region')} takes a single file as well, which rides on the motion"
                )

    def first(self, frame: Tensor) -> Tensor:
        """The masks that are carried, as files have them or a frame (1, 3, H, W) does: (1, n, H, W), half precision."""
        others = {k: torch.empty(0) for k in range(len(self.recipe.regions)) if k not in self._riding}
        found = masks_of(self.recipe, self.masks, frame, self.registry, others)
        return torch.cat([*(found[k].cpu() for k in self._riding), torch.empty(1, 0, *self.size)], 1).half()

    def moved(self, masks: Tensor, motion: Motion, frame: Tensor) -> Tensor:
        """The carried masks (1, n, H, W) of the frame before, as they lie in a frame (1, 3, H, W).

        Where the flow is not sure they are as nearby places of the same colour are (Tomasi and Manduchi 1998).
        """
        if not masks.shape[1]:
            return masks
        moved = motion.moved(masks.to(frame)).clamp_(0, 1)
        moved = moved.lerp(_filled(moved, motion.trust, frame), 1 - motion.trust)
        moved[moved < _SHADE] = 0
        moved[moved > 1 - _SHADE] = 1
        return moved.half().cpu()

    def areas(self, frame: Tensor, masks: Tensor, number: int) -> Areas:
        """The areas of the looks in frame `number`, (1, 3, H, W), given the carried masks; they may be empty."""
        given = {k: masks[:, n : n + 1].float() for n, k in enumerate(self._riding)}
        for k, (_, files) in self._folders.items():
            given[k] = mask_of(load(files[min(number, len(files) - 1)]), self.size)
        return laid(self.recipe, masks_of(self.recipe, self.masks, frame, self.registry, given)).to(frame)

    @cached_property
    def _files(self) -> dict[int, Photo]:
        """The masks that are not formulas, by the numbers of their regions."""
        named = {k: region for k, region in enumerate(self.recipe.regions) if formula(region.mask) is None}
        found = {k: mask_for({"mask": r.mask, "sha256": r.sha256}, self.masks) for k, r in named.items()}
        return {k: photo for k, photo in found.items() if photo}

    @cached_property
    def _riding(self) -> list[int]:
        """The numbers of the regions whose masks are carried along: of files, and of parts that were found."""
        said = {k: formula(region.mask) for k, region in enumerate(self.recipe.regions)}
        return [k for k, mask in said.items() if k not in self._folders and (not mask or mask.name in (PART, SEGMENT))]

    @cached_property
    def _folders(self) -> dict[int, tuple[str, Sequence[Path]]]:
        return {k: (p.path.name, frames_in(p.path)) for k, p in self._files.items() if p.path and _is_folder(p)}


def mask_folder(folder: Path, max_pixels: int) -> Photo:
    """The masks in a folder, one for each frame, as one picture: the first, with the hash of them all.

    Raises UsageError where there are none.
    """
    files = frames_in(folder)
    if not files:
        raise UsageError(f"{folder}: there are no pictures in this folder; it needs a mask for each frame of the clip")
    return replace(load(files[0], max_pixels=max_pixels), path=folder, sha256=digest_of(folder))


def _is_folder(photo: Photo) -> bool:
    return photo.path is not None and photo.path.is_dir()


def _filled(masks: Tensor, trust: Tensor, frame: Tensor) -> Tensor:
    """Masks (1, n, H, W) as they are where there is trust, (1, 1, H, W), and elsewhere as what is near and alike is."""
    from kornia.filters import joint_bilateral_blur

    height, width = frame.shape[-2:]
    shrink = min(1.0, _SIDE / max(height, width))
    size = (max(_KERNEL, round(height * shrink)), max(_KERNEL, round(width * shrink)))
    known, seen, guide = (resize(each, size).clamp_(0, 1) for each in (masks, trust, frame))
    both = torch.cat([known * seen, seen], 1)
    sums = joint_bilateral_blur(both, guide, _KERNEL, _COLOUR, (_SPACE, _SPACE))
    found = torch.where(sums[:, -1:] > 1e-3, sums[:, :-1] / sums[:, -1:].clamp(min=1e-3), known)
    decided = eased(eased(found.clamp(0, 1)))  # a slight majority decides
    return resize(decided, (height, width)).clamp_(0, 1)
