"""Many dreams over one photo: sweeps through values, seeds and small changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Unpack, cast, overload

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import DreamSettings
from dreamer.api.notebook import watched
from dreamer.api.request import machine_of, photo_of, request
from dreamer.api.values import Returns, given, network_of, plain
from dreamer.engine.modes import plain_modes
from dreamer.errors import Interrupted, UsageError, collect_problems, quoted, reported_together
from dreamer.image import Picture, load
from dreamer.networks.network import Network
from dreamer.pipeline.build import Loaded, Request
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.sweep import groups, sharing
from dreamer.recipes.arguments import check, is_number, is_whole
from dreamer.recipes.preset import Preset
from dreamer.recipes.registry import Registry
from dreamer.recipes.sweeps import CELLS, VARIATION, Axis, blamed, cells_of, check_axis, counted, headings, wrapped
from dreamer.recipes.sweeps import Cell as Place
from dreamer.recipes.variations import varied

Shown = TypeVar("Shown")
_ARGUMENTS = ("preset", "network", "weights", "layer", "guide", "regions", "steps")
"""Arguments of `dreamer.dream` that are no recipe keys."""
_COUNT = 9  # variations, where nobody says how many


@dataclass(frozen=True)
class Cell(Generic[Shown]):
    """One dream of a sweep: its number from 1, what is special about it, its whole recipe, and the picture.

    `dreamer.sweep(photo, variations=9, around=0.2, **cell.recipe)` goes on from it.
    """

    number: int
    labels: tuple[str, ...]
    recipe: dict[str, Any] = field(repr=False)
    picture: Shown

    def _repr_png_(self) -> bytes | None:
        return self.picture._repr_png_() if isinstance(self.picture, Image.Image) else None


class Sweep(list[Cell[Shown]]):
    """The cells of a sweep in the order of reading; a notebook shows them as a labelled sheet."""

    def __init__(self, axes: Sequence[Axis]) -> None:
        self._axes = axes

    def sheet(self: Sweep[Image.Image]) -> Image.Image:
        """The cells on one labelled picture; those are to be Pillow's images."""
        from dreamer.visualization.contact_sheet import Look, sheet

        across, down = headings(self._axes)
        titles = [cell.title for cell in cells_of(self._axes)]
        looks = [Look(titles[cell.number - 1], "", cell.picture) for cell in self]
        if across:
            looks = [replace(look, name=look.name.partition(" ")[0]) for look in looks]
        return sheet(looks, wrapped(self._axes), across=across, down=down)

    def _repr_png_(self) -> bytes | None:
        if not self or not all(isinstance(cell.picture, Image.Image) for cell in self):
            return None
        return cast("Sweep[Image.Image]", self).sheet()._repr_png_()


Axes = Mapping[str, Sequence[Any]]


@overload
def sweep(
    photo: Picture,
    axes: Axes | None = None,
    *,
    variations: int | None = None,
    around: float | None = None,
    returns: Literal["pil"] = "pil",
    **settings: Unpack[DreamSettings],
) -> Sweep[Image.Image]: ...
@overload
def sweep(
    photo: Picture,
    axes: Axes | None = None,
    *,
    variations: int | None = None,
    around: float | None = None,
    returns: Literal["tensor"],
    **settings: Unpack[DreamSettings],
) -> Sweep[Tensor]: ...
@overload
def sweep(
    photo: Picture,
    axes: Axes | None = None,
    *,
    variations: int | None = None,
    around: float | None = None,
    returns: Literal["array"],
    **settings: Unpack[DreamSettings],
) -> Sweep[NDArray[Any]]: ...
@plain_modes()
def sweep(
    photo: Picture,
    axes: Axes | None = None,
    *,
    variations: int | None = None,
    around: float | None = None,
    returns: Returns = "pil",
    **settings: Unpack[DreamSettings],
) -> Sweep[Any]:
    """Dream over a photo in many ways at once: the network is loaded once, and what dreams share is made once.

    Args:
        photo: As `dreamer.dream` takes it.
        axes: Up to three keys with the values that they take in turn, the last one changing fastest, as in
            `{"strength": [0.3, 0.6], "objectives.motif.layer": ["m4a", "m4b"]}`. Keys are those of a recipe, with dots
            as `--set` has them, and `preset`, `network`, `weights`, `layer`, `guide`, `regions` and `steps`.
        variations: How many seeds, from the recipe's own on; with `around` how many small changes. [9]
        around: How far the numbers of the recipe may be from their own values, from 0 to 1: 0.2 is up to a fifth more
            or a sixth less. The seed stays, and the first variation is the recipe itself.
        returns: As in `dreamer.dream`.
        **settings: All else that `dreamer.dream` takes, but `keep`.

    Returns:
        The cells, each the same dream as `dreamer.dream` makes of its values; `sheet()` shows them on one picture.

    Raises:
        DreamerError: The photo cannot be read, or cells have mistakes, all of which are named before the first dream.
        Interrupted: Ctrl-C; its `picture` has the finished cells.
    """
    asked: dict[str, Any] = dict(settings)
    on_step, most = asked.pop("on_step", None), asked.get("max_pixels", MAX_PIXELS)
    check(returns=returns, on_step=on_step, max_pixels=most)
    source = load(photo, max_pixels=most)
    prepare: dict[str, Callable[[Any], Any]] = {"network": network_of, "guide": lambda picture: photo_of(picture, most)}
    asked |= {key: prepare[key](asked[key]) for key in prepare if key in asked}
    found = []
    with reported_together() as problems:
        for key, values in (axes or {}).items():
            with collect_problems(problems):
                found.append(_axis(key, values, prepare.get(key, lambda value: value)))
        with collect_problems(problems):
            found += _varying(asked, variations, around)
        if not problems and not found:
            problems.append("sweep: there is nothing to go through; give axes, or variations=9")
    made = _pipelines(asked, cells_of(found), around or 0.0)
    result: Sweep[Any] = Sweep(found)
    dreams: dict[int, Any] = {}
    try:
        with watched(on_step) as watching:
            for group in groups(made):
                for number, dream in group.dreams(group.whole.sized(source), [*group.strengths], watching):
                    dreams[number] = given(dream.sheet(), returns)
    except KeyboardInterrupt:
        result.extend(_cell(place, made, dreams) for place in cells_of(found) if place.number - 1 in dreams)
        raise Interrupted(result) from None
    result.extend(_cell(place, made, dreams) for place in cells_of(found))
    return result


def _cell(place: Place, made: Sequence[Pipeline], dreams: Mapping[int, Any]) -> Cell[Any]:
    number = place.number - 1
    return Cell(place.number, place.labels, dict(made[number].to_dict()), dreams[number])


def _axis(key: str, values: Sequence[Any], prepare: Callable[[Any], Any]) -> Axis:
    """An axis of Python's values."""
    if not isinstance(key, str):
        raise UsageError(f"axes: {quoted(key)} is no key; write one as in strength or octaves.steps")
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise UsageError(f"axes: {key}: expected a list of values, as in {{{key!r}: [...]}}, not {quoted(values)}")
    found = [prepare(value) if key in _ARGUMENTS else plain(value) for value in islice(values, CELLS + 1)]
    axis = Axis(key, tuple(found), tuple(_text(value, number) for number, value in enumerate(found, 1)))
    check_axis(axis, f"axes: {key}", _ARGUMENTS)
    return axis


def _text(value: Any, number: int) -> str:
    """The label of a value on the sheet."""
    if isinstance(value, (Network, Preset)):
        return value.name
    if isinstance(value, (str, int, float, Path)) or value is None:
        return str(value)
    return str(getattr(value, "__name__", f"no. {number}"))


def _varying(asked: Mapping[str, Any], variations: int | None, around: float | None) -> list[Axis]:
    if around is not None and not (is_number(around) and 0 <= around <= 1):
        raise UsageError(f"around: {quoted(around)} is not a number from 0 to 1")
    if variations is not None and not (is_whole(variations) and variations > 0):
        raise UsageError(f"variations: {quoted(variations)} is not a whole number from 1")
    if around is not None:
        return [counted(VARIATION, range(1, (variations or _COUNT) + 1))]
    if variations is None:
        return []
    first, names = _request(asked)
    seed = first.recipe(names, {}).seed
    return [counted("seed", range(seed, seed + variations))]


def _request(asked: Mapping[str, Any], changes: Sequence[tuple[str, Any]] = ()) -> tuple[Request, Registry]:
    """The request of these arguments of `dreamer.dream`, and the names that it may use."""
    keys = dict(asked)
    own = {key: keys.pop(key, None) for key in _ARGUMENTS}
    machine = machine_of(keys.pop("device", "auto"), keys.pop("precision", "auto"), keys.pop("tile", None))
    fetch, most = keys.pop("fetch", False), keys.pop("max_pixels", MAX_PIXELS)
    named = (own["preset"], keys, own["network"], own["weights"], own["layer"], fetch, machine)
    found, names = request(*named, own["guide"], own["steps"], most, own["regions"])
    return replace(found, changes=[*changes]), names


def _pipelines(asked: Mapping[str, Any], places: Sequence[Place], amount: float) -> list[Pipeline]:
    """A pipeline for each cell; raises UsageError with the mistakes of all."""
    loaded: Loaded = {}
    made: list[Pipeline] = []

    def build(place: Place, changes: Sequence[tuple[str, Any]] = ()) -> Pipeline:
        sets = {key: value for key, value in place.sets.items() if key != VARIATION}
        dotted = [(key, value) for key, value in sets.items() if "." in key]
        whole = {key: value for key, value in sets.items() if "." not in key}
        found, names = _request({**asked, **whole}, [*dotted, *changes])
        return replace(found, loaded=loaded).build(names)

    with blamed(places) as wrong:
        for place in places:
            with wrong(place):
                pipeline, number = build(place), place.sets.get(VARIATION, 1)
                if number > 1:
                    drawn = varied(pipeline.to_dict(), pipeline.registry.vocabulary, amount, number)
                    pipeline = build(place, [(key, value) for key, value, _ in drawn])
                made.append(pipeline)
    return sharing(made)
