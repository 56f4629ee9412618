"""A Python program's regions as a recipe's words, with the pictures of their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamer.api.part import Part
from dreamer.api.values import plain
from dreamer.errors import UsageError, collect_problems, quoted, reported_together
from dreamer.image import Photo, Picture, load
from dreamer.recipes.masks import formula, region_words
from dreamer.videos.film.masks import mask_folder

OneRegion = tuple[Picture | Part, str | Mapping[str, Any] | None]
"""A mask, as a picture, a Part or words, and a look: a preset's name, `keep`, words, or None for the recipe's."""


def regions_of(regions: Sequence[OneRegion], max_pixels: int) -> tuple[list[dict[str, Any]], tuple[Photo, ...]]:
    """The regions' words, and the pictures of their masks; raises UsageError with every problem."""
    words, masks = [], []
    if isinstance(regions, (str, Mapping)) or not isinstance(regions, Sequence):
        raise UsageError(f"regions: expected pairs, as in [('top', 'bloom')], not {quoted(regions)}")
    with reported_together() as problems:
        for number, pair in enumerate(regions):
            with collect_problems(problems):
                region, mask = _region(pair, f"regions[{number}]", max_pixels)
                words.append(region)
                masks += [mask] if mask else []
    return words, tuple(masks)


def _region(pair: Any, where: str, max_pixels: int) -> tuple[dict[str, Any], Photo | None]:
    """A region's words, and the picture of its mask if it has one."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise UsageError(f"{where}: expected a mask and a look, as in ('top', 'bloom'), not {quoted(pair)}")
    given, look = pair
    if isinstance(given, Part):
        given = given.to_pil()
    elif isinstance(given, Tensor) and given.dtype == torch.bool:
        given = given.to(torch.uint8) * 255
    elif isinstance(given, np.ndarray) and given.dtype == bool:
        given = given.astype(np.uint8) * 255
    if not (look is None or isinstance(look, (str, Mapping))):
        raise UsageError(f"{where}: a look is a preset's name, 'keep' or a dict, not {quoted(look)}")
    words: dict[str, Any] = region_words(given) if isinstance(given, str) else {"mask": "mask"}
    words |= plain(look) if isinstance(look, Mapping) else {"look": look} if look else {}
    if isinstance(given, str) and formula(words["mask"]):
        return words, None
    if isinstance(given, str):
        given = Path(words["mask"])
    if isinstance(given, Path) and given.is_dir():
        mask = mask_folder(given, max_pixels)
    else:
        mask = load(given, max_pixels=max_pixels)
    name = mask.path.name if mask.path else Path(words["mask"]).name
    return {**words, "mask": name.encode(errors="replace").decode(), "sha256": mask.sha256}, mask
