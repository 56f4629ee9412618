"""Walk from look to look over one photo: each frame begins with the dream of the frame before, so that forms change.

As in films only the dream's change is kept, a share of it, and the same share of the steps is left out. Between two
looks the steps are those of the recipe between them; where there is none, as from one network to another, a frame takes
the first's steps and then the second's, each in its share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.errors import argument, collect_problems, reported_together
from dreamer.image.easing import eased
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, plan_octaves
from dreamer.videos.clip.state import StateStore
from dreamer.videos.film.film import STABILITY, Dreamt, eight_bits, load_change, save_change
from dreamer.videos.walk.mixture import mixed

SECONDS, FPS = 20.0, Fraction(30)
MOST_LOOKS = 32
_HELD = 0.12  # of the way between two looks: so long does each stay as it is, after it is reached and before it is left
_MIN_SHARE = 0.05  # of the steps of a frame
_FIRST = "first"


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

    def dreams(self, store: StateStore, begin: int = 0) -> Iterator[Dreamt]:
        """The frames from number `begin` on; what the next one needs is in the store when a frame is given.

        Raises UsageError where the state of frame `begin` is missing, NotFiniteError, Interrupted.
        """
        size = (self.photo.shape[-2], self.photo.shape[-1])
        change = load_change(store, begin, size)
        first = store.load(_FIRST, size, torch.float16)
        for number in range(begin, self.frames):
            change = self._change(number, change, first)
            if self.loop and number == 0:
                first = change
                store.save(_FIRST, change)
            save_change(store, number + 1, change)
            leg, share = self.place(number)
            strength = (1 - share) * self._look(leg).recipe.strength + share * self._look(leg + 1).recipe.strength
            yield Dreamt(eight_bits(self.photo + change.float() * strength), Fraction(number), change)

    def place(self, number: int) -> tuple[int, float]:
        """Between which two looks a frame is: the first one's number, and the share of the second, 0 to 1."""
        leg, way = self._way(number)
        return leg, eased(min(max((way - _HELD) / (1 - 2 * _HELD), 0.0), 1.0))

    def _way(self, number: int) -> tuple[int, float]:
        """The leg that a frame is on, and the share of it that lies behind."""
        legs = len(self.looks) - (not self.loop)
        passed = Fraction(number * legs, max(1, self.frames - (not self.loop)))
        leg = min(int(passed), legs - 1)
        return leg, float(passed - leg)

    def _change(self, number: int, before: Tensor | None, first: Tensor | None) -> Tensor:
        """The change of a frame, (1, 3, H, W) at half precision, from that of the one before."""
        share, start = 1.0, None
        leg, way = self._way(number)
        if before is not None:
            share = max(1 - self.stability, _MIN_SHARE)
            kept = before.float()
            import os
            if os.environ.get("PULL"):
                lo = float(os.environ["PULL"])
                def s(n):
                    l, x = self.place(n)
                    return min(max((x - lo) / (1 - lo), 0.0), 1.0) if l == leg else 0.0
                now, bef = s(number), s(number - 1)
                pull = (now - bef) / (1 - bef) if bef < 1 else 1.0
                if pull:
                    goal = self._goal(leg + 1)
                    kept = kept.lerp(goal, pull)
            start = self.photo + kept * (1 - share)
        for pipeline, part in self._parts(*self.place(number)):
            plan = self._plan(pipeline)
            start = pipeline.ascend(self.photo, plan=plan, start=start, share=share * part, on_step=self.on_step)
            start = start.to(self.photo.device)
        assert start is not None
        return (start - self.photo).half()

    def _parts(self, leg: int, share: float) -> list[tuple[Pipeline, float]]:
        """What dreams a frame, and the share of the steps of each."""
        first, second = self._look(leg), self._look(leg + 1)
        if share in (0, 1):
            return [(second if share else first, 1.0)]
        between = mixed(first.recipe, second.recipe, share, first.registry.vocabulary)
        import os
        if os.environ.get("SEQ") or between is None or first.guide is not second.guide:
            return [(first, 1 - share), (second, share)]
        return [(replace(first, recipe=between), 1.0)]

    def _goal(self, number: int) -> Tensor:
        if ("goal", number) not in self._plans:
            look = self._look(number)
            self._plans["goal", number] = look.ascend(self.photo, plan=self._plan(look)) - self.photo
        return self._plans["goal", number]

    def _look(self, number: int) -> Pipeline:
        return self.looks[number % len(self.looks)]

    def _plan(self, pipeline: Pipeline) -> Plan:
        """The plan of a look, kept, or of a recipe between two."""
        size = (self.photo.shape[-2], self.photo.shape[-1])
        kept = self._plans.get(id(pipeline))
        if kept and kept[0] is pipeline:
            return kept[1]
        octaves = plan_octaves(pipeline.recipe.octaves, pipeline.network, pipeline.terms, *size)
        plan = Plan(octaves, pipeline.machine)
        if pipeline in self.looks:
            self._plans[id(pipeline)] = pipeline, plan
        return plan


def settled(looks: Sequence[Pipeline], height: int, width: int, names: Sequence[str]) -> list[Pipeline]:
    """The looks of a walk with one machine and the smallest tile of all, so that all frames are cut alike.

    Raises UsageError, with every problem, for looks that a walk cannot have.
    """
    tiles = []
    with reported_together() as problems:
        for name, look in zip(names, looks, strict=True):
            with collect_problems(problems):
                if look.recipe.init != "photo":
                    problems.append(
                        f"{name}: init: a walk begins with the photo, and this look with {look.recipe.init}; "
                        f"change it ({argument('init', 'photo')})"
                    )
                else:
                    tiles.append(look.plan_frames(height, width).machine.tile)
    tile = min((tile for tile in tiles if tile), default=0)
    machine = replace(looks[0].machine, tile=tile)
    return [replace(look, machine=machine) for look in looks]
