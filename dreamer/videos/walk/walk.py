"""Walk from look to look over one photo: each frame begins with the dream of the frame before, so that forms change.

As in films only the dream's change is kept, a share of it, and the same share of the steps is left out. Between two
looks the steps are those of the recipe between them; where there is none, as from one network to another, a frame takes
the first's steps and then the second's, each in its share.

Forms that are there once would find themselves in everything that follows, and no later look would be what it is by
itself. So each look's own dream over the photo is made when the way to it begins, and what is kept is drawn towards
them, in the shares that the looks have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.step import Step
from dreamer.errors import argument, collect_problems, reported_together
from dreamer.image.easing import eased
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, plan_octaves
from dreamer.pipeline.regions import areas_of, strength_in
from dreamer.videos.clip.state import StateStore
from dreamer.videos.film.film import load_change, save_change
from dreamer.videos.film.passage import Dreamt, eight_bits
from dreamer.videos.walk.mixture import mixed

STABILITY = 0.92  # higher than a film's, as nothing moves
SECONDS, FPS = 20.0, Fraction(30)
_HELD = 0.12  # of the way between two looks: so long does each stay as it is, after it is reached and before it is left
_MIN_SHARE = 0.05  # of the steps of a frame
_DRAWN = 0.2  # of what is kept: how much of the looks' own dreams comes in its place in each frame ...
_SOON = 12  # ... and more where there are fewer frames than some of these from look to look
_SETTLING = 6  # frames before the first one, after which a look hardly changes


def frame_count(seconds: float, fps: Fraction) -> int:
    """The number of frames of a walk."""
    return max(1, round(seconds * fps))


@dataclass(frozen=True)
class Walk:
    """A walk over a photo (1, 3, H, W) in [0, 1].

    `looks` are reached one after the other, at even distances in time; with `loop` the first one comes again, and the
    end meets the start. `stability` is the share of a frame's dream that the next one keeps. All looks share a
    machine, with the tile settled.
    """

    photo: Tensor
    looks: Sequence[Pipeline]
    frames: int
    loop: bool = False
    stability: float = STABILITY
    on_step: Callable[[Step], None] = lambda step: None
    _plans: dict[int, tuple[Pipeline, Plan]] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[tuple[object, ...], Areas | None] = field(default_factory=dict, compare=False, repr=False)

    def dreams(self, store: StateStore, begin: int = 0) -> Iterator[Dreamt]:
        """The frames from number `begin` on; what the next one needs is in the store when a frame is given.

        Raises UsageError where the state of frame `begin` is missing, NotFiniteError, Interrupted.
        """
        change = load_change(store, begin, self.size)
        for number in range(begin, self.frames):
            if change is None:
                change = self._look_change(0, store)
                for _ in range(_SETTLING):
                    change = self._change(0, change, store)
            else:
                change = self._change(number, change, store)
            save_change(store, number + 1, change)
            leg, share = self.place(number)
            first, second = (self._strength(self._look(k)) for k in (leg, leg + 1))
            dream = self.photo + change.float() * (first + (second - first) * share)
            yield Dreamt(eight_bits(dream), Fraction(number), change)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.photo.shape[-2], self.photo.shape[-1]

    def place(self, number: int) -> tuple[int, float]:
        """Between which two looks a frame is: the first one's number, and the share of the second, 0 to 1."""
        passed = Fraction(number * self._legs, max(1, self.frames - (not self.loop)))
        leg = min(int(passed), self._legs - 1)
        way = float(passed - leg)
        return leg, eased(min(max((way - _HELD) / (1 - 2 * _HELD), 0.0), 1.0))

    @property
    def _drawn(self) -> float:
        """How much of what is kept gives way to the looks' own dreams in each frame."""
        return max(_DRAWN, 1 - math.exp(-_SOON * self._legs / self.frames))

    @property
    def _legs(self) -> int:
        """How many ways there are from look to look."""
        return len(self.looks) - (not self.loop)

    def _change(self, number: int, before: Tensor, store: StateStore) -> Tensor:
        """The change of a frame, (1, 3, H, W) at half precision, from that of the one before."""
        leg, way = self.place(number)
        goals = (self._look_change(leg + ahead, store).float() for ahead in ((0, 1) if way else (0,)))
        kept = before.float().lerp(_between(*goals, share=way), self._drawn)
        share = max(1 - self.stability, _MIN_SHARE)
        picture = self.photo + kept * (1 - share)
        for pipeline, part in self._parts(leg, way):
            picture = self._dreamt(pipeline, picture, share * part)
        return (picture - self.photo).half()

    def _look_change(self, number: int, store: StateStore) -> Tensor:
        """The change that a look makes to the photo by itself, (1, 3, H, W) at half precision."""
        name = f"look-{number % len(self.looks):04d}"
        change = store.load(name, self.size, torch.float16)
        if change is None:
            change = (self._dreamt(self._look(number), None, 1.0) - self.photo).half()
            store.save(name, change)
        return change

    def _dreamt(self, pipeline: Pipeline, start: Tensor | None, share: float) -> Tensor:
        """The photo dreamt over from `start`, with a share of the steps, (1, 3, H, W)."""
        plan = self._plan(pipeline)
        areas = self._areas(pipeline)
        return pipeline.ascend(self.photo, plan=plan, start=start, share=share, areas=areas, on_step=self.on_step).cpu()

    def _strength(self, look: Pipeline) -> Tensor:
        """How strong a look is at each place, (1, 1, H, W) or ()."""
        return look.recipe.strength * strength_in(look.recipe, self._areas(look)).cpu()

    def _areas(self, pipeline: Pipeline) -> Areas | None:
        """Where a look grows, found once for all frames; None if everywhere."""
        recipe = pipeline.recipe
        if (key := recipe.places) not in self._known:
            self._known[key] = areas_of(recipe, pipeline.masks, self.photo, pipeline.registry)
        return self._known[key]

    def _parts(self, leg: int, share: float) -> list[tuple[Pipeline, float]]:
        """What dreams a frame, and the share of the steps of each."""
        first, second = self._look(leg), self._look(leg + 1)
        if share in (0, 1):
            return [(second if share else first, 1.0)]
        between = mixed(first.recipe, second.recipe, share, first.registry.vocabulary)
        if between is None:
            return [(first, 1 - share), (second, share)]
        return [(replace(first, recipe=between), 1.0)]

    def _look(self, number: int) -> Pipeline:
        return self.looks[number % len(self.looks)]

    def _plan(self, pipeline: Pipeline) -> Plan:
        """The plan of a look, kept, or of a recipe between two."""
        kept = self._plans.get(id(pipeline))
        if kept and kept[0] is pipeline:
            return kept[1]
        wanted, whole = pipeline.recipe.octaves, pipeline.wholes.get(self.size)
        octaves = plan_octaves(wanted, pipeline.network, pipeline.terms, *self.size, whole)
        plan = Plan(octaves, pipeline.machine)
        if pipeline in self.looks:
            self._plans[id(pipeline)] = pipeline, plan
        return plan


def _between(change: Tensor, other: Tensor | None = None, *, share: float) -> Tensor:
    """A change `share` of the way to another, and as strong; a mean of forms that are not alike would be faint."""
    if other is None:
        return change
    mean = change.lerp(other, share)
    strong, before, after = (float(each.square().mean().sqrt()) for each in (mean, change, other))
    return mean * min((before + (after - before) * share) / max(strong, 1e-9), 1.5)


def settled(
    looks: Sequence[Pipeline], photo: Tensor, *, names: Sequence[str], tile: int | None = None
) -> list[Pipeline]:
    """The looks of a walk with one machine, so that all frames are cut alike, and with one copy of each network.

    Args:
        looks: The pipelines.
        photo: What is walked over, as large as the frames, (1, 3, H, W).
        names: What people call the looks.
        tile: The tile of an interrupted walk; without one, the smallest that a look needs.

    Raises:
        UsageError: A walk cannot have these looks; names every problem.
    """
    machines = []
    with reported_together() as problems:
        for name, look in zip(names, looks, strict=True):
            with collect_problems(problems):
                if look.recipe.init != "photo":
                    problems.append(
                        f"{name}: init: the clip begins with the photo, and this look with {look.recipe.init}; "
                        f"change it ({argument('init', 'photo')})"
                    )
                else:
                    machines.append(look.plan_frames(photo.shape[-2], photo.shape[-1]).machine)
                    areas_of(look.recipe, look.masks, photo, look.registry)  # which refuses masks that leave nothing
    smallest = min((machine.tile for machine in machines if machine.tile), default=0)
    machines = [replace(machine, tile=smallest if tile is None else tile) for machine in machines]
    sessions = [next(one.session for one in looks if _is_alike(one, look)) for look in looks]
    return [
        replace(look, machine=machine, session=session).over(photo)
        for look, machine, session in zip(looks, machines, sessions, strict=True)
    ]


def _is_alike(one: Pipeline, other: Pipeline) -> bool:
    """Whether two looks are of one network, so that one copy will do for both."""
    if one is other:
        return True
    same = one.network is other.network or one.network.weights == other.network.weights != ""
    return same and one.network.name == other.network.name and not (one.guide or other.guide)
