"""The keys of a recipe, as types: an editor completes them, and a type checker finds a misspelt one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypedDict

from numpy.typing import NDArray
from torch import Tensor

from dreamer.api.regions import OneRegion
from dreamer.api.values import AnyNetwork, Device, Precision
from dreamer.engine.step import Step
from dreamer.image import Picture
from dreamer.recipes.preset import Preset

OneIngredient = str | Mapping[str, Any] | Callable[..., Any]
"""An ingredient by its name, as a recipe has it, or as a function."""
Ingredients = Sequence[OneIngredient] | OneIngredient


class OctaveChanges(TypedDict, total=False):
    """See `dreamer.recipes.recipe.Octaves`."""

    smallest: int
    count: int
    scale: float
    feature_size: float
    steps: int
    step_size: float
    taper: float
    way: float
    reinject: bool


class Look(TypedDict, total=False):
    """See `dreamer.recipes.recipe.Recipe`."""

    seed: int
    strength: float
    colour: float
    spare: float
    feather: float
    wrap: Literal["none", "x", "y", "both", "sphere"]
    balance: bool
    redirect: int
    smooth_pooling: bool
    weight_noise: float
    octaves: OctaveChanges
    priors: Ingredients
    transforms: Ingredients
    gradient_filters: Ingredients
    updates: Ingredients
    objectives: Ingredients
    init: Literal["photo", "noise", "grey", "canvas"]
    pictures: int
    cutout: bool


class UnitChanges(Look, total=False):
    """Recipe keys that `dreamer.visualize` accepts as keyword arguments."""

    size: int


class Changes(UnitChanges, total=False):
    """Recipe keys that `dreamer.dream` and `dreamer.video` accept as keyword arguments."""

    canvas: OneIngredient
    optimiser: OneIngredient


class Settings(TypedDict, total=False):
    """Arguments shared by `dreamer.dream` and `dreamer.visualize` that are no recipe keys."""

    preset: str | Path | Preset | None
    weights: str | Path | None
    layer: str | None
    guide: Picture | None
    device: Device
    precision: Precision
    fetch: bool
    steps: int | None
    max_pixels: int
    on_step: Callable[[Step], None] | None


class DreamSettings(Settings, Changes, total=False):
    """Every keyword of `dreamer.dream` but `returns` and `keep`."""

    network: AnyNetwork | None
    tile: int | None
    regions: Sequence[OneRegion] | None


class UnitSettings(Settings, UnitChanges, total=False):
    """Every keyword of `dreamer.visualize` but `returns` and `keep`."""

    channel: int | str | None
    neuron: int | Sequence[int] | None
    direction: Sequence[float] | NDArray[Any] | Tensor | None
    photo: Picture | None
    canvas: OneIngredient | None
    optimiser: OneIngredient | None
    count: int
    facets: int | None
    folder: str | Path | None
    tile: int


class WalkChanges(Look, total=False):
    """Recipe keys that `dreamer.walk` accepts as keyword arguments."""

    canvas: OneIngredient
    optimiser: OneIngredient


class ZoomChanges(WalkChanges, total=False):
    """Recipe keys and settings of the motion that `dreamer.zoom` accepts as keyword arguments."""

    seconds: float
    fps: float | str | Fraction
    rate: float
    angle: float
    centre: Sequence[float] | Literal["follow"]
    pan: Sequence[float]
    ease: Literal["none", "in", "out", "both"]
    direction: Literal["in", "out"]
    loop: bool
    dolly: float
    orbit: float
    parallax: float
    mode: Literal["keyframes", "feedback"]
    keyframes: Sequence[Mapping[str, Any]]
    drives: Sequence[Mapping[str, Any]]
