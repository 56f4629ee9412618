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


class MachineSettings(TypedDict, total=False):
    """Arguments shared by all functions that dream, that are no recipe keys."""

    weights: str | Path | None
    device: Device
    precision: Precision
    fetch: bool
    steps: int | None
    max_pixels: int


class LookSettings(MachineSettings, total=False):
    """The same, with where a single look comes from."""

    preset: str | Path | Preset | None
    layer: str | None
    guide: Picture | None


class PhotoSettings(TypedDict, total=False):
    """Arguments of functions that dream over photos and clips."""

    network: AnyNetwork | None
    tile: int | None
    regions: Sequence[OneRegion] | None


class Settings(LookSettings, total=False):
    """Arguments shared by `dreamer.dream` and `dreamer.visualize` that are no recipe keys."""

    on_step: Callable[[Step], None] | None


class DreamSettings(Settings, PhotoSettings, Changes, total=False):
    """Every keyword of `dreamer.dream` but `returns` and `keep`."""


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


class PrintSettings(Settings, PhotoSettings, WalkChanges, total=False):
    """Every keyword of `dreamer.enlarge` but `size` and `returns`."""

    proof: int


class ZoomSettings(LookSettings, PhotoSettings, ZoomChanges, total=False):
    """Every keyword of `dreamer.zoom` but `returns`."""

    size: int | None
    on_step: Callable[[int, Step], None] | None
    audio: str | Path | None
    dance: bool
    depth: Picture | None


class VideoSettings(DreamSettings, total=False):
    """Every keyword of `dreamer.video` but `returns`."""

    stability: float
    audio: str | Path | None
    dance: bool
    drives: Sequence[Mapping[str, Any]]
    every: int
    start: float | None
    end: float | None


class LoopSettings(LookSettings, PhotoSettings, WalkChanges, total=False):
    """Every keyword of `dreamer.loop` but `returns`."""

    size: int | None
    on_step: Callable[[int, Step], None] | None
    seconds: float
    fps: float | str | Fraction
    seeds: int


class WalkSettings(MachineSettings, PhotoSettings, WalkChanges, total=False):
    """Every keyword of `dreamer.walk` but `returns`."""

    size: int | None
    on_step: Callable[[Step], None] | None
    seconds: float
    fps: float | str | Fraction
    loop: bool
    stability: float
