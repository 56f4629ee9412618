"""From proof to print: octaves above the proof's size, each of which only draws finer what is there.

A dream of 16000 pixels that is begun at its own size is another dream than one of 600: it has more octaves with forms
of their own, other draws, and as long a way to go in each. So a print begins as the proof, the same to the last bit,
and goes on from its change. Each octave above has two steps, and goes `FALL` of the way of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import psutil
import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.colour import within
from dreamer.engine.device import Machine, available_memory
from dreamer.engine.octaves import Octave, rising_sizes
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step
from dreamer.errors import UsageError, argument, either
from dreamer.image import Photo, resize, size_at
from dreamer.image.storage import empty
from dreamer.pipeline.demand import Demand
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, look_memory
from dreamer.pipeline.regions import areas_of, strength_in, strength_of

PROOF = 600
"""Default for the long side of the proof, in pixels."""
FALL = 0.7
"""The way of an octave above the proof, as a share of the one before's: so changes of wide areas stay bounded."""
_STEPS = 2
_BESIDES = 12  # bytes of a pixel beside those of a dream: the change that an octave begins with, and a mask
_IN_FILES, _NOT_IN_FILES = 84, 14  # bytes of a pixel in mapped files, and beside them, by the usual ingredients
_FRUGAL = {"jitter", "warp", "noise", "laplacian", "normalise", "even", "chroma"}  # make no large tensor elsewhere
_OTHERS, _AREA = 48, 16  # bytes of a pixel for an ingredient that does, and for a region
_SPARE = 0.9  # largest share of the free memory that is taken
_CELLS = 12  # across a picture, among which the one that has changed most is looked for

Size = tuple[int, int]
"""(height, width) in pixels."""
Box = tuple[float, float, float, float]
"""A part of a picture: top, left, bottom, right, as shares of its height and width."""


def finer_octaves(proof: Octave, height: int, width: int, scale: float) -> tuple[Octave, ...]:
    """The octaves above the last one of a proof, small to large, up to the print's size; none for one as small."""
    sizes = rising_sizes(height, width, smallest=min(proof.size), scale=scale)
    way = proof.steps * proof.step_size
    steps = min(proof.steps, _STEPS)
    return tuple(
        Octave(size, steps, way * FALL**number / max(steps, 1))
        for number, size in enumerate((size for size in sizes if min(size) > min(proof.size)), 1)
    )


@dataclass(frozen=True, eq=False)
class Enlargement:
    """The way from a proof to a print.

    `photo` (1, 3, H, W) in [0, 1] has any size. `octaves` are those above the proof's. The machines of the plans are
    those of proof and print; `size` is the print's. One that does not fit into memory is made in files that are mapped
    into it (`in_files`): inside of `image.storage.on_disk` all of its methods keep what is large there.
    """

    pipeline: Pipeline
    photo: Tensor
    first: Plan
    octaves: tuple[Octave, ...]
    machine: Machine
    size: Size
    in_files: bool = False

    @classmethod
    def planned(
        cls, pipeline: Pipeline, photo: Photo, long_side: int, proof: int, *, in_files: bool = True
    ) -> Enlargement:
        """The way to a print of so many pixels from a proof of so many at most; in files if it may and has to be.

        Raises UsageError for a recipe without a photo or of several pictures, and for a size that is too small for the
        network or too large for the memory.
        """
        recipe, (height, width) = pipeline.recipe, size_at(photo.height, photo.width, long_side)
        if recipe.pictures > 1 or recipe.cutout or recipe.init != "photo":
            raise UsageError("a print is of one photo; leave out pictures, cutout and init")
        if pipeline.edges:
            flat = either("wrap='none'", "--set wrap=none")
            how = f"dream it at the print's {argument('size')} with `dreamer render`, or say {flat}"
            raise UsageError(f"wrap: the octaves of a print do not go round; {how}")
        machine = pipeline.plan(height, width, check_memory=False).machine
        small = size_at(photo.height, photo.width, min(proof, long_side, max(photo.height, photo.width)))
        first = pipeline.plan(*small)
        octaves = finer_octaves(first.octaves[-1], height, width, recipe.octaves.scale)
        image = photo.image()
        made = cls(pipeline.over(image), image, first, octaves, machine, (height, width))
        free = _SPARE * available_memory(machine.device)
        made = replace(made, in_files=in_files and made.memory > free and torch.device(machine.device).type == "cpu")
        if made.memory > free:
            beside = ", beside its files," if made.in_files else ""
            raise UsageError(
                f"a print of {width}x{height} pixels would need {made.memory / 2**30:.1f} GiB of memory{beside} and "
                f"{free / 2**30:.1f} GiB are free; lower {argument('size')} or {argument('tile')}"
            )
        return made

    @classmethod
    def of_dream(cls, pipeline: Pipeline, photo: Photo, proof: int) -> Enlargement:
        """The way of a dream over a photo, itself and no print: begun in its octaves of at most `proof` pixels.

        Its `piece` is a proof of what the dream will be. Raises UsageError as `planned` does.
        """
        recipe = pipeline.recipe
        if recipe.pictures > 1 or recipe.cutout or recipe.init != "photo":
            raise UsageError("a proof is of one dream over a photo; leave out pictures, cutout and init")
        plan = pipeline.plan(photo.height, photo.width)
        small = max(1, sum(max(octave.size) <= proof for octave in plan.octaves))
        first = Plan(plan.octaves[:small], plan.machine)
        return cls(pipeline, photo.image(), first, plan.octaves[small:], plan.machine, (photo.height, photo.width))

    def begun(self, on_step: Callable[[Step], None] = lambda step: None) -> Tensor:
        """The change (1, 3, h, w) of the photo after the first octaves."""
        image = self.undreamt(self.first.size)
        return self.pipeline.ascend(image, plan=self.first, on_step=on_step).cpu().sub_(image)

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The sizes of the proof and of the octaves above."""
        return (self.first.size, *(octave.size for octave in self.octaves))

    @property
    def memory(self) -> float:
        """The bytes of memory that it takes at least."""
        pipeline, look = self.pipeline, self._look
        if not self.in_files:
            return self._demand.memory(look) + _BESIDES * math.prod(self.size)
        recipe = pipeline.recipe
        names = {item.name for item in (*recipe.transforms, *recipe.gradient_filters, *recipe.updates, *recipe.priors)}
        others = _OTHERS * (bool(names - _FRUGAL) + (not pipeline.on_pixels)) + _AREA * len(recipe.regions)
        return look + (_NOT_IN_FILES + others) * math.prod(self.size) + 12 * math.prod(self.photo.shape[-2:])

    @property
    def peak(self) -> float:
        """About the bytes of memory that the process comes to, or of a graphics card's that are taken.

        A look's tensors are freed in another order than they are made, and leave gaps of about its own size.
        """
        own = psutil.Process().memory_info().rss if self.machine.device == "cpu" else 0
        return own + self.memory + self._look

    @property
    def _look(self) -> float:
        """The bytes that the network takes at once."""
        pipeline, (count, height, width) = self.pipeline, self._demand.seen
        return look_memory(self.machine.tile, pipeline.network, pipeline.terms, height, width, count)

    @property
    def _demand(self) -> Demand:
        return self.pipeline.session.demand(self.pipeline.binder, *self.size)

    @property
    def disk(self) -> int:
        """The bytes of its mapped files; 0 where it fits into memory."""
        return _IN_FILES * math.prod(self.size) if self.in_files else 0

    def proof(self, small: Photo) -> Tensor:
        """The change (1, 3, h, w) of the photo at the proof's size, as a dream of this size makes it."""
        image = small.image()
        return self.pipeline.ascend(image, plan=self.first).cpu().sub_(image)

    def strong(self, change: Tensor) -> Tensor:
        """A change of the whole picture (1, 3, h, w), as strong as recipe and regions say."""
        recipe, masks = self.pipeline.recipe, self.pipeline.masks
        image = self.undreamt((change.shape[-2], change.shape[-1])) if recipe.regions else change
        strength = recipe.strength * strength_of(recipe, masks, image, self.pipeline.registry)
        return torch.mul(change, strength, out=empty(change.shape, change))

    def undreamt(self, size: Size) -> Tensor:
        """The photo at a size, (1, 3, *size) in [0, 1]."""
        sized = resize(self.photo, size)
        return sized if sized is self.photo else sized.clamp_(0, 1)

    def octave(self, number: int, change: Tensor, on_step: Callable[[Step], None] = lambda step: None) -> Tensor:
        """The change (1, 3, h, w) that the octave of that number, from 0, leaves of the one before it, of any size.

        It depends on nothing else, so that a print goes on from any octave to the identical picture.
        """
        return self._drawn(number, self.undreamt(self.octaves[number].size), change, on_step=on_step)

    def drawn(
        self,
        change: Tensor,
        done: int = 0,
        on_step: Callable[[Step], None] = lambda step: None,
        on_octave: Callable[[int, Tensor], None] = lambda number, change: None,
    ) -> Tensor:
        """The change that all octaves leave of that of the one before them, where so many are `done` already.

        Steps are counted over what is to do; `on_octave` is given each octave's number and what it has left.
        """
        for number, (begin, end) in enumerate(_shares(self.octaves[done:]), done):

            def told(step: Step, number: int = number, begin: float = begin, end: float = end) -> None:
                count, share = len(self.octaves), begin + (end - begin) * step.share
                on_step(replace(step, octave=number, octaves=count, share=share))

            change = self.octave(number, change, told)
            on_octave(number, change)
        return change

    def piece(
        self,
        change: Tensor,
        most: Size,
        centre: tuple[float, float] | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> Tensor:
        """A part of the print, (1, 3, h, w) in [0, 1], `most` large, around what the proof has changed most.

        Or around a centre (down, right), each 0 to 1.

        Of every octave only as much is drawn. Forms are as large and as strong as in the print, and those of the proof
        are the same; the small ones are others, since those outside of the part count as well in the print.
        """
        recipe, centre, before = self.pipeline.recipe, centre or _busiest(change), (0.0, 0.0, 1.0, 1.0)
        seen = self.undreamt(self.first.size)
        areas = whole = areas_of(recipe, self.pipeline.masks, seen, self.pipeline.registry)
        for number, octave in enumerate(self.octaves):
            high, wide = octave.size
            size = min(high, most[0]), min(wide, most[1])
            top, left = (
                min(max(0, round(middle * whole - side / 2)), whole - side)
                for middle, whole, side in zip(centre, octave.size, size, strict=True)
            )
            box = top / high, left / wide, (top + size[0]) / high, (left + size[1]) / wide
            seen = _part(self.photo, box, size).clamp(0, 1)
            areas = whole and Areas(_part(whole.shares, box, size).clamp(0, 1))
            change = self._drawn(number, seen, _part(change, _inside(box, before), size), areas, on_step)
            before = box
        return seen.add_(change * (recipe.strength * strength_in(recipe, areas))).clamp_(0, 1)

    def tried(self, piece: Tensor, scorer: Scorer) -> Tensor:
        """Dream the last octave over a piece of the photo (1, 3, h, w), as far as `scorer` looks at it."""
        return self._drawn(len(self.octaves) - 1, piece, torch.zeros_like(piece), scorer=scorer)

    def _drawn(
        self,
        number: int,
        photo: Tensor,
        change: Tensor,
        areas: Areas | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
        scorer: Scorer | None = None,
    ) -> Tensor:
        """The change of a photo, or of a part of it, after an octave; each octave has a seed of its own."""
        size = (photo.shape[-2], photo.shape[-1])
        recipe = self.pipeline.recipe
        pipeline = replace(self.pipeline, recipe=replace(recipe, seed=(recipe.seed + number + 1) % 2**63))
        octave = replace(self.octaves[number], size=size)
        start = within(resize(change, size).add_(photo), photo)
        plan = Plan((octave,), self.machine)
        dreamt = pipeline.ascend(photo, plan=plan, start=start, areas=areas, scorer=scorer, on_step=on_step)
        return dreamt.cpu().sub_(photo)


def _shares(octaves: tuple[Octave, ...]) -> Iterator[tuple[float, float]]:
    """For each octave the shares of all work that are done before it and after it."""
    works = [math.prod(octave.size) * max(octave.steps, 1) for octave in octaves]
    done = 0
    for work in works:
        yield done / sum(works), (done + work) / sum(works)
        done += work


def _busiest(change: Tensor) -> tuple[float, float]:
    """The place (down, right), from 0 to 1, at which a change (1, 3, H, W) is strongest."""
    cells = torch.nn.functional.adaptive_avg_pool2d(change.abs().mean(1), _CELLS)[0]
    row, column = divmod(int(cells.argmax()), _CELLS)
    return (row + 0.5) / _CELLS, (column + 0.5) / _CELLS


def _inside(box: Box, before: Box) -> Box:
    """A box as shares of another one that holds it."""
    high, wide = before[2] - before[0], before[3] - before[1]
    top, left, bottom, right = (
        min(max((here - from_) / side, 0.0), 1.0)
        for here, from_, side in zip(box, before[:2] * 2, (high, wide) * 2, strict=True)
    )
    return top, left, bottom, right


def _part(picture: Tensor, box: Box, size: Size) -> Tensor:
    """A part of a picture (1, C, H, W), resized to `size` (height, width); right to a pixel of the result."""
    starts, ends, wholes = [], [], []
    for begin, end, length, side in zip(box[:2], box[2:], picture.shape[-2:], size, strict=True):
        first, last = math.floor(begin * length + 1e-6), math.ceil(end * length - 1e-6)
        whole = max(side, round((last - first) * side / ((end - begin) * length)))
        wholes.append((first, last, whole))
        starts.append(min(round((begin * length - first) / (last - first) * whole), whole - side))
        ends.append(starts[-1] + side)
    (top, bottom, high), (left, right, wide) = wholes
    cut = resize(picture[..., top:bottom, left:right], (high, wide))
    return cut[..., starts[0] : ends[0], starts[1] : ends[1]].contiguous()
