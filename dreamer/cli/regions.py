"""--region of a command: masks and looks as typed, checked before torch is imported, and read."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import collect_problems
from dreamer.recipes.masks import KEEP, formula, no_such_mask, region_words

if TYPE_CHECKING:
    from dreamer.image import Photo


def check_regions(regions: Sequence[str], problems: list[str]) -> None:
    """Add what is wrong with regions, as far as it takes no torch to know: their words, files and presets."""
    from dreamer.cli.missing import check_preset

    for text in dict.fromkeys(regions):
        with collect_problems(problems):
            words = region_words(text)
            if formula(words["mask"]) is None and not os.path.exists(words["mask"]):
                problems.append(f"--region {text[:60]}: {no_such_mask(words['mask'])}")
            if words.get("look", KEEP) != KEEP:
                check_preset(words["look"])


def mask_files(regions: Sequence[str]) -> list[Path]:
    """The files of masks that regions name."""
    return [Path(mask) for text in regions if formula(mask := region_words(text)["mask"]) is None]


def with_regions(
    words: Mapping[str, Any], regions: Sequence[str], max_pixels: int, problems: list[str]
) -> tuple[Mapping[str, Any], tuple[Photo, ...]]:
    """A recipe's words with the regions in place of its own, and the pictures of masks; problems are added.

    Where the recipe has regions and nothing but files is named, without looks, these are its own masks.
    """
    from dreamer.image import load
    from dreamer.videos.film.masks import mask_folder

    found: list[dict[str, Any]] = []
    masks: list[Photo] = []
    for text in regions:
        with collect_problems(problems):
            region = region_words(text)
            if formula(region["mask"]) is None:
                file = Path(region["mask"])
                masks.append(mask_folder(file, max_pixels) if file.is_dir() else load(file, max_pixels=max_pixels))
                name = file.name or file.resolve().name  # "." has none
                region |= {"mask": name.encode(errors="replace").decode(), "sha256": masks[-1].sha256}
            found.append(region)
    supplied = words.get("regions") and all(region.keys() == {"mask", "sha256"} for region in found)
    return words if supplied or not found else {**words, "regions": found}, tuple(masks)
