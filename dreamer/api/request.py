"""A Python program's arguments as a request."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dreamer.api.changes import DreamSettings
from dreamer.api.names import registry
from dreamer.api.regions import OneRegion, regions_of
from dreamer.api.values import AnyNetwork, Device, Precision, network_of, plain, with_functions
from dreamer.engine.device import Machine
from dreamer.errors import RecipeError, UsageError, collect_problems, reported_together
from dreamer.files.suffixes import is_file_name
from dreamer.image import Photo, Picture, load
from dreamer.networks.network import Network
from dreamer.pipeline.build import Request
from dreamer.pipeline.concepts import named_files
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.regions import grows_nowhere
from dreamer.recipes.arguments import check
from dreamer.recipes.overrides import merged
from dreamer.recipes.preset import BESIDE, Preset, find_preset
from dreamer.recipes.provenance import Provenance
from dreamer.recipes.registry import Registry
from dreamer.videos.clip.reader import recipe_text

_ARGUMENTS = (*DreamSettings.__annotations__, "returns", "keep")


def photo_of(picture: Picture | None, max_pixels: int) -> Photo | None:
    """The picture as a Photo, if there is one; raises PhotoError."""
    return None if picture is None else load(picture, max_pixels=max_pixels)


def machine_of(device: Device, precision: Precision, tile: int | None) -> Machine:
    """The machine for a device and a precision, named as torch does or in words; availability is checked later."""
    device = str(device) if isinstance(device, torch.device) else device
    precision = str(precision).removeprefix("torch.") if isinstance(precision, torch.dtype) else precision
    return Machine(device, precision, -1 if tile is None else tile)


def request(
    preset: str | Path | Preset | None,
    changes: Mapping[str, Any],
    network: str | Network | None,
    weights: str | Path | None,
    layer: str | None,
    fetch: bool,
    machine: Machine,
    guide: Photo | None,
    steps: int | None,
    max_pixels: int,
    regions: Sequence[OneRegion] | None = None,
) -> tuple[Request, Registry]:
    """The request, and the names that it may use: functions among the changes have names of their own there.

    Raises UsageError with every problem; where there are any, with those of the changes' plain values, too.
    """
    check(preset=preset, layer=layer, weights=weights, fetch=fetch, steps=steps)
    names, words = registry(), dict[str, Any]()
    masks: tuple[Photo, ...] = ()
    found, own = list[dict[str, Any]](), dict[str, Any]()
    beside = (*_ARGUMENTS, *(BESIDE if preset is not None else ()))
    with reported_together() as problems:
        if weights and isinstance(network, Network):
            problems.append("weights: they are for a network's name; this network has its own, so leave them out")
        octaves = changes.get("octaves")
        if steps is not None and isinstance(octaves, Mapping) and "steps" in octaves:
            problems.append("steps: octaves has them as well; leave one of them out")
        with collect_problems(problems):
            words = dict(find_preset(names, _made_by_dreamer(preset, names)).words) if preset is not None else {}
        if steps is not None:
            words = merged(words, {"octaves": {"steps": plain(steps)}})
        with collect_problems(problems):
            found, masks = regions_of(regions, max_pixels) if regions is not None else ([], ())
            for region in found:
                objectives, names = with_functions({key: region[key] for key in region.keys() & {"objectives"}}, names)
                region |= objectives
        with collect_problems(problems):
            own, names = with_functions(changes, names)
        if problems:  # what stands in tables may make sense with the preset alone
            bare = {key: value for key, value in own.items() if not isinstance(value, (Mapping, list))}
            with collect_problems(problems):
                Request(bare, network=network, beside=beside).recipe(names, {})
    words |= {"regions": found} if regions is not None else {}
    if preset is not None and (sentence := grows_nowhere(preset, words, names)):
        warned(sentence)
    asked = Request(
        merged(words, own),
        network=network,
        weights=Path(weights) if weights else None,
        layer=layer,
        fetch=fetch,
        guide=guide,
        machine=machine,
        notify=warned,
        max_pixels=max_pixels,
        masks=masks,
        beside=beside,
        concept_files=named_files([*own.items(), *((f"regions[{k}]", region) for k, region in enumerate(found))]),
    )
    return asked, names


def warned(sentence: str) -> None:
    """Warn a program, at the line that has called dreamer, of what was done otherwise than it might expect."""
    level, frame = 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in ("dreamer", "contextlib"):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, stacklevel=level)


def _made_by_dreamer(preset: str | Path | Preset, names: Registry) -> str | Path | Preset:
    """A picture or clip as a preset of the recipe inside it, and any other preset as it is.

    Raises UsageError where there is none inside, or its plugins are missing.
    """
    if isinstance(preset, Preset) or not is_file_name(str(preset)):
        return preset
    path = Path(preset)
    if path.suffix == ".toml" or not path.exists():
        return preset
    made = Provenance.read(recipe_text(path), str(path))
    if missing := names.missing(made.plugins, made.places()):
        raise RecipeError(*(f"{preset}: {sentence}" for sentence in missing))
    return Preset(path.name, "", "", "", made.recipe)


def guide_and_network(
    guide: Picture | None, network: AnyNetwork | None, max_pixels: int, problems: list[str]
) -> tuple[Photo | None, str | Network | None]:
    """The guide and the network that were handed over, each None where it cannot be used; problems are added."""
    guided: Photo | None = None
    known: str | Network | None = None
    with collect_problems(problems):
        guided = photo_of(guide, max_pixels)
    with collect_problems(problems):
        known = network_of(network)
    return guided, known


def build_beside(asked: Request, names: Registry, problems: Sequence[str]) -> Pipeline:
    """The pipeline; beside earlier problems no network is loaded, and the recipe's own mistakes alone are told.

    Raises UsageError.
    """
    if problems:
        asked.recipe(names, {})
        raise UsageError(*problems)
    return asked.build(names)


def photo_and_pipeline(
    photo: Picture,
    preset: str | Path | Preset | None,
    changes: Mapping[str, Any],
    network: AnyNetwork | None,
    weights: str | Path | None,
    layer: str | None,
    guide: Picture | None,
    regions: Sequence[OneRegion] | None,
    device: Device,
    precision: Precision,
    tile: int | None,
    fetch: bool,
    steps: int | None,
    max_pixels: int,
) -> tuple[Photo, Pipeline]:
    """A photo, and the pipeline that is to dream over it, with the arguments of `dreamer.dream`.

    Raises UsageError with the problems of both; for a photo that cannot be read nothing is fetched.
    """
    with reported_together() as problems:
        with collect_problems(problems):
            source = load(photo, max_pixels=max_pixels)
        guided, known = guide_and_network(guide, network, max_pixels, problems)
        with collect_problems(problems):
            machine = machine_of(device, precision, tile)
            named = (known, weights, layer, fetch, machine, guided, steps, max_pixels, regions)
            pipeline = build_beside(*request(preset, changes, *named), problems)
    return source, pipeline
