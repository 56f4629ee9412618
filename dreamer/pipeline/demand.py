"""The pixels and the memory that a dream needs at once, found before anything is allocated.

A recipe may be a stranger's, and a few of its values multiply: pictures, transforms that enlarge, a canvas' channels.
Its transforms and its canvas are therefore tried on torch's `meta` device, where tensors have a shape and no values;
transforms of small pictures on the CPU, since the first operation on `meta` imports sympy, which takes a third of a
second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from dreamer.engine.ascent import Draw
from dreamer.engine.device import Machine, available_memory
from dreamer.engine.step import Step, StepContext
from dreamer.errors import UsageError, argument
from dreamer.networks.randomness import Randomness
from dreamer.networks.without_compiler import without_compiler
from dreamer.pipeline.bind import IngredientBinder
from dreamer.recipes.recipe import Recipe

MAX_PIXELS = 200_000_000
"""Default for the most pixels that are dreamt over at once."""
_COPIES = 4  # pictures that a step has at the same time: the undreamt, the dreamt, the moved one, the gradient
_SURE = 0.5  # share of a network pass's reckoned memory that is certain: some results need not be kept
_BYTES = 3 * 4  # bytes of a pixel in float32
_SMALL = 1_000_000  # pixels at most that are tried on the CPU
_GROWTH = 2  # by how much transforms may always enlarge the pictures, as a border around them does

Shape = tuple[int, int, int]
"""Number of pictures, height, width."""


@dataclass(frozen=True)
class Demand:
    """The tensors that a recipe needs for pictures of one size.

    `pictures` is what is dreamt over, `sizes` is what each transform makes of it, and `kept` are the bytes that
    transforms, canvas and optimiser keep beside that.
    """

    pictures: Shape
    sizes: Sequence[Shape]
    kept: int

    @property
    def seen(self) -> Shape:
        """The largest that the network looks at: before all transforms, or after them."""
        return max([self.pictures, *self.sizes[-1:]], key=_pixels)

    def check(self, recipe: Recipe, max_pixels: int) -> None:
        """Raises UsageError for pictures that the transforms make too many or too large."""
        most = max(max_pixels, _GROWTH * _pixels(self.pictures))
        largest = max([self.pictures, *self.sizes], key=_pixels)
        if _pixels(largest) > most:
            names = ", ".join(item.id or item.name for item in recipe.transforms)
            raise UsageError(
                f"transforms: {names} make {_called(largest)} of {_called(self.pictures)}, "
                f"{_pixels(largest) / 1e6:.0f} million pixels at once, and the limit is {most / 1e6:.0f} million; "
                f"leave some of them out, or lower their values or {argument('size')}"
            )

    def memory(self, look: float) -> float:
        """The bytes that it takes at least, with those of the network's `look`."""
        return _COPIES * _BYTES * _pixels(self.pictures) + self.kept + look * _SURE

    def check_memory(self, machine: Machine, look: float) -> None:
        """Raises UsageError where there is certainly not enough memory for it, and for the network's `look`, in bytes.

        `machine` has its tile settled.
        """
        needed = self.memory(look)
        if needed > (free := available_memory(machine.device)):
            lower = ["pictures"] if self.pictures[0] > 1 else []
            if self.kept > look or _pixels(self.seen) > _GROWTH * _pixels(self.pictures):
                lower.append("the values of transforms, canvas and optimiser")
            lower.append(argument("size") + ("" if machine.tile else f", or use {argument('tile', 256)}"))
            raise UsageError(
                f"{_called(self.pictures)} would need {needed / 2**30:.1f} GiB of memory with this recipe, and "
                f"{free / 2**30:.1f} GiB are free; lower {', '.join(lower)}"
            )


def check_pixels(recipe: Recipe, height: int, width: int, max_pixels: int) -> None:
    """Raises UsageError for more pixels than are allowed, in all of a recipe's pictures together."""
    if (pixels := recipe.pictures * height * width) > max_pixels:
        lower = ("pictures or " if recipe.pictures > 1 else "") + argument("size")
        raise UsageError(
            f"{_called((recipe.pictures, height, width))} are {pixels / 1e6:.0f} million pixels, and the limit is "
            f"{max_pixels / 1e6:.0f} million; lower {lower}, or raise {argument('max_pixels')}"
        )


def demand_of(binder: IngredientBinder, height: int, width: int) -> Demand:
    """The demand of a recipe for pictures of this size."""
    pictures = (binder.recipe.pictures, height, width)
    with without_compiler():
        sizes = transformed(binder.transforms(), pictures)
        return Demand(pictures, sizes, _BYTES * sum(map(_pixels, sizes)) + _painted(binder, pictures))


def transformed(draws: Sequence[Draw], pictures: Shape) -> list[Shape]:
    """The largest shape of pictures after each of the transforms.

    Each is drawn twice, once with the lowest of all random numbers and once with the highest; one that cannot be tried
    is taken to change nothing.
    """
    sizes: list[Shape] = []
    for draw in draws:
        found = [_applied(draw, sizes[-1] if sizes else pictures, end) for end in (0, 1)]
        sizes.append(max(found, key=_pixels))
    return sizes


def _applied(draw: Draw, pictures: Shape, end: int) -> Shape:
    count, height, width = pictures
    device = "cpu" if _pixels(pictures) <= _SMALL else "meta"
    image = torch.zeros(count, 3, height, width, device=device)
    try:
        with torch.no_grad(), Randomness(0), _Extreme(end):
            made = draw(image, StepContext(image, image, Step(0, 1, 0, 1, 0.0, (height, width))))(image)
    except Exception:  # a plugin's may need values, or fail: it will tell when it runs
        return pictures
    return len(made), made.shape[-2], made.shape[-1]


class _Extreme(TorchFunctionMode):
    """Inside, random numbers are the lowest (`end` 0) or highest (1) of their range, and normal ones 0, on a `device`.

    torch's generator stays as it is.
    """

    def __init__(self, end: int, device: str = "cpu") -> None:
        super().__init__()
        self.end, self.device = end, device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = {key: value for key, value in (kwargs or {}).items() if key != "generator"}
        if func is torch.rand:
            return torch.zeros(*args, **named) + self.end
        if func is torch.randn:
            return torch.zeros(*args, **{**named, "device": self.device})
        if func is torch.randint:
            *limits, size = args
            low, high = (0, *limits)[-2:]
            return torch.full(size, high - 1 if self.end else low, **named)
        # torch finds the shapes of these two in a hundred operations; no values are kept for their gradients.
        if func is F.grid_sample:
            image, grid = args
            return image.new_empty(*image.shape[:2], *grid.shape[1:-1])
        if func is F.interpolate and args[0].is_meta and isinstance(size := named.get("size"), (tuple, list)):
            return args[0].new_empty(*args[0].shape[:2], *size).requires_grad_(args[0].requires_grad)
        return func(*args, **(kwargs or {}))


def _painted(binder: IngredientBinder, pictures: Shape) -> int:
    """The bytes that the canvas keeps for its gradients, and the optimiser of its parameters."""
    recipe = binder.recipe
    if recipe.canvas.name == Recipe.canvas.name:
        return 0
    count, height, width = pictures
    count *= 2 if recipe.cutout else 1  # alphas are on a canvas, too
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    try:
        with torch.enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor), _Extreme(0, "meta"):
            image = torch.empty(count, 3, height, width, device="meta")
            canvas = binder.canvas(StepContext(image, image, Step(0, 1, 0, 1, 0.0, (height, width))))
            canvas.paint()
    except Exception:  # a plugin's, or one that begins with the picture's own values
        return 0
    told = recipe.optimiser.options
    copies = 2 * int(told.get("history", 1)) + int(told.get("population") or 0)
    return 4 * canvas.count * copies + sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _pixels(pictures: Shape) -> int:
    return pictures[0] * pictures[1] * pictures[2]


def _called(pictures: Shape) -> str:
    count, height, width = pictures
    return f"{'one picture' if count == 1 else f'{count} pictures'} of {width}x{height} pixels"
