"""The way through a film's frames, from one that is dreamt over to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.colour import hold
from dreamer.pipeline.regions import strength_in
from dreamer.videos.clip.encode import Frame
from dreamer.videos.film.between import blended
from dreamer.videos.film.motion import Motion, find_motion

if TYPE_CHECKING:
    from dreamer.videos.film.film import Film

_FAINT = 1e-3  # smallest value of a mask by which the carried change is divided


@dataclass(frozen=True)
class Dreamt:
    """A dreamt frame: (H, W, 3), or with the source frame's alpha (H, W, 4), uint8.

    `time` is the source frame's in seconds; a walk, which has no source, gives the frame's number.

    `change` is the dream minus the source frame, (1, 3, H, W) at half precision and at full strength, with which the
    next frame starts; `masks` are those that are carried along, (1, n, H, W) at half precision. `barren` says that the
    regions leave no place in it in which anything could grow.
    """

    frame: Frame
    time: Fraction
    change: Tensor
    masks: Tensor | None = None
    barren: bool = False


@dataclass(frozen=True)
class Waiting:
    """A frame that is not dreamt over yet: its colours (1, 3, H, W), and its alpha (1, 1 or 0, H, W), in [0, 1]."""

    number: int
    time: Fraction
    picture: Tensor
    alpha: Tensor


class Passage:
    """Goes through the frames of a film; `change` and `masks` are those of the last frame that was dreamt over."""

    def __init__(self, film: Film, change: Tensor | None, masks: Tensor | None) -> None:
        self._film, self._change, self._masks = film, change, masks
        self._before: Tensor | None = None
        self._areas: Areas | None = None

    def resume(self, last: Waiting) -> None:
        """Go on from a frame that has been dreamt over."""
        now = last.picture.to(self._film.looks.usual.scorer.device)
        if regions := self._film.regions:
            self._masks = regions.first(now) if self._masks is None else self._masks
            self._areas = regions.areas(now, self._masks, last.number * self._film.step)
        self._before = now

    def dreamt(self, group: Sequence[Waiting], begin: int) -> Iterator[Dreamt]:
        """Dream over the last frame of a group; yields all of it from number `begin` on, in order."""
        *waiting, last = group
        before, change, masks = self._before, self._change, self._masks
        end = self._dream(last)
        for one in waiting:
            if one.number >= begin:
                assert before is not None and change is not None  # the first group is one frame
                share = (one.number - waiting[0].number + 1) / len(group)
                yield self._between(one, (before, change), end.change, share, masks)
        yield end

    def _dream(self, one: Waiting) -> Dreamt:
        """Dream over a frame, which is the last one from now on."""
        now = self._placed(one)
        motion = self._motion(now)
        masks, areas = self._found(one, now, motion, self._masks)
        start = self._start(now, motion, areas)
        change = self._ascended(one, now, start, areas).half().cpu()
        self._before, self._change, self._masks, self._areas = now, change, masks, areas
        return Dreamt(self._shown(one, change, areas), one.time, change, masks, _barren(areas))

    def _between(
        self, one: Waiting, before: tuple[Tensor, Tensor], after: Tensor, share: float, masks: Tensor | None
    ) -> Dreamt:
        """A frame between two that were dreamt over; those after it go on from the one before, as it does."""
        now = self._placed(one)
        assert self._before is not None
        back, ahead = (find_motion(now, frame, returned=False) for frame in (before[0], self._before))
        _, areas = self._found(one, now, None if back.cut else back, masks)
        change = blended([(back, before[1], 1 - share), (ahead, after, share)])
        if change is None:
            change = self._ascended(one, now, None, areas)
        elif areas:
            change = areas.kept(change, torch.zeros_like(change))
        return Dreamt(self._shown(one, change.half().cpu(), areas), one.time, before[1], masks, _barren(areas))

    def _found(
        self, one: Waiting, now: Tensor, motion: Motion | None, masks: Tensor | None
    ) -> tuple[Tensor | None, Areas | None]:
        """The carried masks of a frame, given those of one before and the motion since, and where its looks are."""
        regions = self._film.regions
        if not regions:
            return None, None
        masks = regions.first(now) if motion is None or masks is None else regions.moved(masks, motion, now)
        return masks, regions.areas(now, masks, one.number * self._film.step)

    def _placed(self, one: Waiting) -> Tensor:
        """The frame's colours, where the network is."""
        return one.picture.to(self._film.looks.usual.scorer.device)

    def _ascended(self, one: Waiting, now: Tensor, start: Tensor | None, areas: Areas | None) -> Tensor:
        """The change that a dream over a frame makes, (1, 3, H, W)."""
        look, told = self._film.looks.at(float(one.time)), self._film.on_step
        share = 1.0 if start is None else self._film.share
        picture = look.pipeline.ascend(
            now, plan=look.plan, start=start, share=share, scorer=look.scorer, areas=areas, on_step=told
        )
        return picture - now

    def _shown(self, one: Waiting, change: Tensor, areas: Areas | None) -> Frame:
        """A frame with a change at full strength, (1, 3, H, W) at half precision, as the film shows it."""
        drives, time = self._film.drives, float(one.time)
        recipe = self._film.looks.at(time).pipeline.recipe
        strength, full = recipe.strength * strength_in(recipe, areas).cpu(), change.float()
        if (share := drives.number("strength", time)) is not None:
            strength = strength * share
        if (gain := drives.colour_gain(time, recipe.colour)) != 1:
            hold(full, 1 - gain)
        return eight_bits(torch.cat([one.picture + full * strength, one.alpha], 1))

    def _motion(self, now: Tensor) -> Motion | None:
        """The motion since the last frame that was dreamt over, where it is needed; None after a cut."""
        film = self._film
        if self._before is None or film.resets:
            return None
        motion = find_motion(now, self._before)
        return None if motion.cut else motion

    def _start(self, now: Tensor, motion: Motion | None, areas: Areas | None) -> Tensor | None:
        """The frame plus the kept part of the last frame's change, moved along; None where there is none.

        What has moved to where less of the dream is to be, or none, is lessened as much.
        """
        share = self._film.share
        if motion is None or self._change is None or share >= 1:
            return None
        kept = motion.carry(self._change.float().to(now.device)) * (1 - share)
        if self._areas is not None and areas is not None:
            kept *= (areas.whole / motion.moved(self._areas.whole).clamp(min=_FAINT)).clamp(max=1)
        return now + kept


def _barren(areas: Areas | None) -> bool:
    return areas is not None and not areas.whole.any()


def eight_bits(picture: Tensor) -> Frame:
    """A picture (1, C, H, W) in [0, 1] as a frame (H, W, C), uint8, rounded and clipped."""
    return picture[0].permute(1, 2, 0).mul(255).round_().clamp_(0, 255).byte().numpy()
