"""A recipe's regions: the words of their looks become objectives, and their masks areas of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.areas import Areas, ellipse, layered, near, side
from dreamer.errors import RecipeError, UsageError, argument, collect_problems, either
from dreamer.image import Edges, Photo, mask_of
from dreamer.pipeline.segments import Segments, segments_of
from dreamer.recipes.masks import ALL, KEEP, PART, SEGMENT, SIDES, Formula, formula
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import Preset, find_preset
from dreamer.recipes.recipe import DEFAULTS, Recipe, RecipeDict, Region
from dreamer.recipes.registry import Registry

_CENTRE = (0.5, 0.5, 0.5, 0.5)  # the ellipse: half as wide and high as the picture
_ALIKE = 0.02  # by how much the proportions of a mask and a picture may differ


def with_looks(
    words: RecipeDict, registry: Registry, defaults: RecipeDict, masks: Sequence[Photo], problems: list[str]
) -> dict[str, Any]:
    """A recipe's words in which every region has the objectives of its look, and the hash of its mask's file.

    A recipe whose regions only keep gets one below them that is everywhere.

    Args:
        words: The recipe's, complete but for its regions.
        registry: Where presets are looked up.
        defaults: What presets without objectives of their own are laid upon.
        masks: The pictures of all masks.
        problems: What is wrong with looks and masks is added.
    """
    regions = words.get("regions")
    if not regions or not isinstance(regions, list) or not all(isinstance(region, Mapping) for region in regions):
        return dict(words)  # what is no list of tables is told by reading
    if all(region.get("look") == KEEP for region in regions):
        regions = [{"mask": ALL}, *regions]
    found = []
    for number, region in enumerate(regions):
        with collect_problems(problems):
            region = _with_file(region, masks)
            segmenter_of(region.get("mask"), registry)
        with collect_problems(problems):
            region = _with_objectives(region, f"regions[{number}].look", words, registry, defaults)
        found.append(region)
    return {**words, "regions": found}


def grows_nowhere(name: str | Path | Preset, words: RecipeDict, registry: Registry) -> str:
    """A sentence where each region that grows has another look than the preset, whose words these are; else empty."""
    regions = words.get("regions")
    if not isinstance(regions, list) or not all(isinstance(region, Mapping) for region in regions):
        return ""
    looks = [region.get("look", "") for region in regions if region.get("look") != KEEP]
    if not looks or not all(looks):
        return ""
    with suppress(RecipeError):  # which is told where it is read
        own = find_preset(registry, name).words
        if all(find_preset(registry, look).words != own for look in looks):
            called = name.name if isinstance(name, Preset) else name
            how = either("a region whose look is None", "a --region without =LOOK")
            return (
                f"preset {called}: each region has a look of its own, so its forms grow nowhere; {how} has the preset's"
            )
    return ""


def mask_for(region: Mapping[str, Any], masks: Sequence[Photo]) -> Photo | None:
    """The picture of a region's mask: by its hash, else by the file's name."""
    named = [mask for mask in masks if mask.path and mask.path.name == region.get("mask")]
    return next((mask for mask in [*masks, *named] if mask.sha256 == region.get("sha256")), next(iter(named), None))


def segmenter_of(mask: Any, registry: Registry) -> str:
    """The distribution of the segmenter that a mask needs, empty if none; raises RecipeError for an unknown one."""
    said = formula(mask) if isinstance(mask, str) else None
    return registry.segmenters.get(said.segmenter).source if said and said.segmenter else ""


def areas_of(recipe: Recipe, masks: Sequence[Photo], image: Tensor, registry: Registry) -> Areas | None:
    """The areas of a recipe's looks in a picture (1, 3, H, W); None if they are everywhere.

    Raises UsageError where nothing is left to grow in, and for a part that the picture does not have.
    """
    if not recipe.regions:
        return None
    areas = laid(recipe, masks_of(recipe, masks, image, registry))
    if not areas.whole.any():
        raise UsageError(f"the regions leave no place in which anything could grow; {where_it_grows(recipe)}")
    return areas.to(image)


def where_it_grows(recipe: Recipe) -> str:
    """The part of a sentence that says what to do where the regions leave no place to grow in."""
    soft = f"a narrower soft edge than {recipe.feather:g} % of the short side, as in {argument('feather', 0)}"
    return f"give a mask with more white, which is where its look grows, or {soft}"


def masks_of(
    recipe: Recipe,
    masks: Sequence[Photo],
    image: Tensor,
    registry: Registry,
    given: Mapping[int, Tensor] = MappingProxyType({}),
) -> list[Tensor]:
    """The mask of each region for a picture (1, 3, H, W): (1, 1, H, W) in [0, 1], none of them turned round.

    `given` holds those, by their regions' numbers, that lie elsewhere than their files say.
    """
    known: dict[tuple[str, tuple[float, ...]], Segments] = {}
    return [
        given[k] if k in given else _mask(region, masks, image, registry, known)
        for k, region in enumerate(recipe.regions)
    ]


def laid(recipe: Recipe, found: Sequence[Tensor]) -> Areas:
    """The areas of a recipe's looks, given the mask of each region, (1, 1, H, W); nothing may be left of them."""
    turned = [1 - mask if region.invert else mask for region, mask in zip(recipe.regions, found, strict=True)]
    still = [region.look == KEEP for region in recipe.regions]
    return layered(turned, still, recipe.feather, Edges.of(recipe.wrap))


def check(recipe: Recipe, *, over_photo: bool) -> None:
    """Raises UsageError for regions in a recipe that is not for photos."""
    if recipe.regions and not over_photo:
        raise UsageError("regions: they are parts of a photo, and pictures from nothing have none; leave them out")


def strength_of(recipe: Recipe, masks: Sequence[Photo], image: Tensor, registry: Registry) -> Tensor:
    """The regions' strength at each place of a picture (1, 3, H, W): (1, 1, H, W) or (); a factor of the recipe's."""
    return torch.ones(()) if _is_full(recipe) else strength_in(recipe, areas_of(recipe, masks, image, registry))


def strength_in(recipe: Recipe, areas: Areas | None) -> Tensor:
    """The same, given where the recipe's looks are."""
    each = [region.strength for region in recipe.regions if region.look != KEEP]
    return torch.ones(()) if areas is None or _is_full(recipe) else areas.strengths(each)


def _is_full(recipe: Recipe) -> bool:
    return all(region.strength == 1 for region in recipe.regions if region.look != KEEP)


def remarks(recipe: Recipe, masks: Sequence[Photo], height: int, width: int) -> list[str]:
    """A sentence for each mask that has other proportions than a picture of that size."""
    told = {}
    for region in recipe.regions:
        mask = mask_for({"mask": region.mask, "sha256": region.sha256}, masks)
        if mask and abs(mask.width * height / (mask.height * width) - 1) > _ALIKE:
            how = f"{mask.width}x{mask.height} pixels was stretched to the picture's {width}x{height}"
            told[region.mask] = f"{region.mask}: a mask of {how}"
    return list(told.values())


def _with_file(region: Mapping[str, Any], masks: Sequence[Photo]) -> Mapping[str, Any]:
    name = region.get("mask")
    if not isinstance(name, str) or formula(name):
        return region
    if mask := mask_for(region, masks):
        return {**region, "sha256": mask.sha256}
    how = either(f"regions=[({name!r}, LOOK)]", f"--region {name}")
    raise RecipeError(f"{name[:60]}: the recipe has a region with this mask, and its file is needed: {how}")


def _with_objectives(
    region: Mapping[str, Any], where: str, words: RecipeDict, registry: Registry, defaults: RecipeDict
) -> Mapping[str, Any]:
    look = region.get("look", "")
    if look in ("", KEEP) or not isinstance(look, str) or region.get("objectives"):
        return region
    try:
        preset = find_preset(registry, look)
    except RecipeError as error:
        raise RecipeError(*(f"{where}: {problem}" for problem in error.problems)) from None
    theirs, ours = preset.words.get("network", Recipe.network), words.get("network", Recipe.network)
    if theirs != ours:
        raise RecipeError(
            f"{where}: {preset.name} is a look of the network {theirs}, and this dream's is {ours}; all regions share "
            f"one: choose another look, or {either(f'network={theirs!r}', f'--network {theirs}')}"
        )
    objectives = merged(merged(DEFAULTS, defaults), preset.words)["objectives"]
    return {**region, "look": preset.name, "objectives": objectives}


def _mask(
    region: Region,
    masks: Sequence[Photo],
    image: Tensor,
    registry: Registry,
    known: dict[tuple[str, tuple[float, ...]], Segments],
) -> Tensor:
    """A region's mask for a picture (1, 3, H, W): (1, 1, H, W), not turned round; `known` are its segments so far."""
    size = image.shape[-2], image.shape[-1]
    said = formula(region.mask)
    if said is None:
        photo = mask_for({"mask": region.mask, "sha256": region.sha256}, masks)
        assert photo  # `with_looks` has seen to that
        if photo.path and photo.path.is_dir():
            raise UsageError(f"{photo.path}: a folder of masks is for the frames of a clip; name one of them here")
        return mask_of(photo, size)
    if said.name in (PART, SEGMENT):
        key = said.segmenter, said.numbers
        if key not in known:
            options = {"count": int(said.numbers[0])} if said.name == PART else {}
            known[key] = segments_of(registry, said.segmenter, image, **options)
        return known[key].mask(said.which, size)
    return _drawn(said, image)


def _drawn(said: Formula, image: Tensor) -> Tensor:
    """The mask of any other formula."""
    size = image.shape[-2], image.shape[-1]
    if said.name in SIDES:
        return side(said.name, said.numbers[0], size)
    if said.name == "colour":
        return near(image.cpu().float(), said.numbers[:3], said.numbers[3])
    return torch.ones(1, 1, *size) if said.name == ALL else ellipse(said.numbers or _CENTRE, size)
