"""A camera that looks: it goes where the dream is strongest, and on from there to what it has not seen.

At each keyframe the dream's strength is mapped as seen by the frame; the highest place is the next to go to, after the
places seen lately have been inhibited (Itti, Koch and Niebur 1998). The centre of the zoom follows as a critically
damped spring, and never leaves the frame. What comes of it are plain keyframes: so a film can be repeated, and its way
edited.

The dreams are small ones of their own, the same for a preview and for a film.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dreamer.errors import UsageError, argument
from dreamer.image import Photo, blurred
from dreamer.image.luma import luma
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import SPACING, PipelineAt, Scene
from dreamer.videos.zoom.schedule import MAX_KEYFRAMES
from dreamer.videos.zoom.zoom import Keyframe, Zoom

FOLLOW = "follow"
"""The word for a centre that looks for its own way."""
_SHORT = 160  # px: the short side of the frames that are dreamt to find the way
_SPOT = 0.06  # share of the short side: sigma of the blur, so that a form counts and not its lines
_SEEN = 0.22  # share of the long side: sigma of the inhibition about a place that was seen
_INHIBITED, _FORGOTTEN = 0.95, 0.6  # weight that a place just seen loses, and the factor on that at each keyframe
_HALFWAY = 0.4  # distance from the middle that a place is to have by the next keyframe, as a share of the present one
_EDGE = 0.5  # weight that a place in the frame's corner loses
_SETTLED = 5.0  # time constants of the spring from keyframe to keyframe
_POINTS = 6  # keyframes of the centre that are written from one dream to the next

Point = tuple[float, float]


def small_size(size: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of the frames that are dreamt to find the way of a zoom with frames of `size`."""
    shrink = min(1.0, _SHORT / min(size))
    return round(size[0] * shrink), round(size[1] * shrink)


def followed(photo: Photo, zoom: Zoom, pipeline_at: PipelineAt, size: tuple[int, int]) -> Zoom:
    """A zoom over a photo with keyframes of the centre that follow the dream; see `following`.

    Args:
        photo: What is zoomed into.
        zoom: How the clip moves else.
        pipeline_at: What dreams at a time.
        size: (height, width) of the clip's frames.
    """
    quick: dict[Pipeline, Pipeline] = {}

    def quick_at(time: float) -> Pipeline:
        return quick.setdefault(whole := pipeline_at(time), _quick(whole))

    return following(Scene(photo.image(), zoom, small_size(size), quick_at, MemoryStore(), SPACING))


def _quick(pipeline: Pipeline) -> Pipeline:
    """A pipeline that takes a third of the steps: enough to see where the dream is strong."""
    octaves = pipeline.recipe.octaves
    return replace(
        pipeline, recipe=replace(pipeline.recipe, octaves=replace(octaves, steps=max(1, octaves.steps // 3)))
    )


def way_of(zoom: Zoom) -> list[tuple[float, Point]]:
    """The centres that a zoom's keyframes set, with their times in seconds."""
    return [(key.time, key.centre) for key in zoom.keyframes if key.centre]


def along(zoom: Zoom, way: Sequence[tuple[float, Point]]) -> Zoom:
    """The zoom with keyframes of the centre among its own."""
    return replace(zoom, keyframes=_merged(zoom.keyframes, way))


def following(scene: Scene) -> Zoom:
    """The zoom of a small scene with keyframes of the centre, which follow the dream; other settings stay as they are.

    Raises UsageError where keyframes set a centre already, or would be too many.
    """
    zoom, store = scene.zoom, MemoryStore()
    follow, many = argument("centre", FOLLOW), scene.path.keyframe(zoom.seconds) * _POINTS
    if any(key.centre for key in zoom.keyframes):
        raise UsageError(f"{follow}: the keyframes say where the centre is; leave out one of them")
    if many + len(zoom.keyframes) > MAX_KEYFRAMES:
        raise UsageError(f"{follow}: so long a way has too many turns; make the clip shorter ({argument('seconds')})")
    centre, speed = zoom.centre, (0.0, 0.0)
    ways: list[tuple[float, Point]] = [(0.0, centre)]
    seen: list[_Seen] = []
    number, now, whole = 0, 0.0, KeyframeZoom(scene)
    while now < zoom.seconds:
        so_far = replace(along(zoom, ways), loop=False, mode="keyframes")
        view = KeyframeZoom(replace(scene, zoom=so_far, store=store))
        begin, end = view.reached(number), view.reached(number + 1)
        target, seen = _next(view.change(number), seen)
        growth = max(abs(begin.factor) / abs(end.factor), 1.0)
        later = whole.time_of(number + 1)
        last = later >= zoom.seconds - 1e-6
        goal = zoom.centre if zoom.loop and last else _fixed(target, growth)
        centre, speed, points = _moved(centre, speed, goal, later - now)
        ways += [(now + part * (later - now), point) for part, point in points]
        way = end.inverse().after(begin)
        seen = [each.carried(way.factor, way.shift / max(scene.size)) for each in seen]
        number, now = number + 1, later
    return along(zoom, [each for each in ways if each[0] <= zoom.seconds])


@dataclass(frozen=True)
class _Seen:
    """A place that has been seen, in long sides of the frame from its middle, and how much it is inhibited."""

    place: complex
    weight: float

    def carried(self, factor: complex, shift: complex) -> _Seen:
        """This place as the next keyframe sees it, to which a similarity leads."""
        return _Seen(factor * self.place + shift, self.weight * _FORGOTTEN)


def _next(change: Tensor, seen: Sequence[_Seen]) -> tuple[complex, list[_Seen]]:
    """The next goal, in the frame's width and height from its middle, and the places seen by then.

    `change` (1, 3, h, w) is the dream as seen by the frame.
    """
    height, width = change.shape[-2:]
    side = max(height, width)
    strong = blurred(luma(change).square(), _SPOT * min(height, width), "replicate")[0, 0].double()
    if float(strong.max()) < 1e-9:
        return 0j, list(seen)
    x = (torch.arange(width, dtype=torch.float64) - (width - 1) / 2) / side
    y = ((torch.arange(height, dtype=torch.float64) - (height - 1) / 2) / side)[:, None]
    far = (x.square() + y.square()) / (x.square().max() + y.square().max())
    strong *= 1 - _EDGE * far
    for each in seen:
        distance = (x - each.place.real).square() + (y - each.place.imag).square()
        strong *= 1 - each.weight * torch.exp(-distance / (2 * _SEEN**2))
    row, column = divmod(int(strong.argmax()), width)
    place = complex(float(x[column]), float(y[row, 0]))
    within = complex(place.real * side / width, place.imag * side / height)
    return within, [*(each for each in seen if each.weight > _FORGOTTEN**6), _Seen(place, _INHIBITED)]


def _fixed(target: complex, growth: float) -> Point:
    """The centre to fall into so that a place, from the middle, is nearer to it after so much growth."""
    if growth < 1.01:
        return 0.5, 0.5
    x, y = (0.5 + part * (growth - _HALFWAY) / (growth - 1) for part in (target.real, target.imag))
    return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)


def _moved(centre: Point, speed: Point, goal: Point, seconds: float) -> tuple[Point, Point, list[tuple[float, Point]]]:
    """The place and speed of a critically damped spring towards `goal` after so many seconds, and points on its way.

    The points are (share of the way in time, point), the last one at the end.
    """
    stiff = _SETTLED / seconds
    points, places, speeds = [], centre, speed
    for step in range(1, _POINTS + 1):
        time = seconds * step / _POINTS
        fade = math.exp(-stiff * time)
        found = []
        for at, fast, to in zip(centre, speed, goal, strict=True):
            away, pull = at - to, fast + stiff * (at - to)
            found.append((min(max(to + (away + pull * time) * fade, 0.0), 1.0), (fast - stiff * pull * time) * fade))
        places, speeds = (found[0][0], found[1][0]), (found[0][1], found[1][1])
        points.append((step / _POINTS, (round(places[0], 4), round(places[1], 4))))
    return places, speeds, points


def _merged(keyframes: Sequence[Keyframe], ways: Sequence[tuple[float, Point]]) -> tuple[Keyframe, ...]:
    """Keyframes with those of the centre among them."""
    found = {key.time: key for key in keyframes}
    for time, centre in ways:
        rounded = math.floor(time * 1e4) / 1e4  # which is never after the clip's end
        found[rounded] = replace(found.get(rounded, Keyframe(rounded)), centre=centre)
    return tuple(found[time] for time in sorted(found))
