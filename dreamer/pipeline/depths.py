"""Depth of a photo, from a file or from a plugin's function, whose result is checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dreamer.errors import PhotoError, PluginError, UsageError, argument, did_you_mean, quoted
from dreamer.image import Photo, Picture, load
from dreamer.image.depth import depth_inside, nearness_of, stretched
from dreamer.pipeline.segments import SEEN, call_on
from dreamer.recipes.depths import PHOTO, DepthWords
from dreamer.recipes.registry import Registry

_ALIKE = 0.02  # by how much the proportions of a depth map and its photo may differ


@dataclass(frozen=True)
class Depth:
    """The nearness of each part of a photo, (1, 1, h, w) from 0 to 1, and a text that tells it from another."""

    nearness: Tensor
    key: str


def depth_of(given: Picture, photo: Photo, source: Picture, registry: Registry, max_pixels: int) -> Depth:
    """The depth of a photo.

    Args:
        given: A picture of it, or words: see `dreamer.recipes.depths`.
        photo: The photo.
        source: What it was read from.
        registry: The plugins' depths.
        max_pixels: The largest picture that is decoded.

    Raises:
        UsageError: There is nothing of that name, or it is another photo's.
        PhotoError: A picture cannot be read, or the photo holds no depth.
        PluginError: See `depth_by`.
    """
    words = DepthWords.read(given) if isinstance(given, str) else None
    if words and words.name == PHOTO:
        inside = depth_inside(source, photo, max_pixels)
        _check_proportions(str(photo.path or "the photo"), inside.shape[-1], inside.shape[-2], photo)
        return Depth(_turned(inside, words), f"photo {photo.sha256}{_mark(words)}")
    if words and not os.path.exists(words.name):
        if words.names_file or (words.name not in (names := registry.depths.names()) and ":" not in words.name):
            near = did_you_mean(words.name, [PHOTO, *([] if words.names_file else names)])
            raise UsageError(f"{argument('depth', words.name)}: there is no such file, and no plugin's depth{near}")
        return Depth(
            _turned(depth_by(registry, words.name, photo.at_most(SEEN).image()), words), f"{words.name}{_mark(words)}"
        )
    map = load(Path(words.name) if words else given, max_pixels=max_pixels)
    name = str(map.path or argument("depth"))
    _check_proportions(name, map.width, map.height, photo)
    return Depth(nearness_of(map, name, far_is_bright=bool(words and words.turned)), f"{map.sha256}{_mark(words)}")


def depth_by(registry: Registry, name: str, image: Tensor) -> Tensor:
    """The nearness (1, 1, h, w) of an image (1, 3, H, W), by the registered depth of a name, which gets a copy.

    Raises RecipeError for an unknown name, PluginError for one that fails or gives something else.
    """
    entry = registry.depths.get(name)
    who, found = call_on("depth", entry, image)
    if not isinstance(found, Tensor) or found.ndim != 4 or found.shape[:2] != (1, 1) or min(found.shape[2:]) < 2:
        what = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else quoted(found)
        raise PluginError(f"{who}: it must give how near everything is, (1, 1, h, w), and it gave {what}")
    if not found.isfinite().all():
        raise PluginError(f"{who}: what it gives has NaN or Inf")
    try:
        return stretched(found.detach().float().cpu(), who)
    except PhotoError as error:
        raise PluginError(str(error)) from None


def _check_proportions(name: str, width: int, height: int, photo: Photo) -> None:
    """Raise UsageError for a depth map that cannot be the photo's."""
    if abs(width / height / (photo.width / photo.height) - 1) > _ALIKE + 1 / min(width, height):
        raise UsageError(
            f"{name}: its depth has {width} x {height} pixels, which are other proportions than the photo's, "
            f"{photo.width} x {photo.height}; a depth map shows the whole photo and nothing else"
        )


def _turned(nearness: Tensor, words: DepthWords) -> Tensor:
    return 1 - nearness if words.turned else nearness


def _mark(words: DepthWords | None) -> str:
    return " turned" if words and words.turned else ""
