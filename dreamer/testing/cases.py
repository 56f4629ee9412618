"""What an ingredient is tried on: pictures and features, its options' extremes, and all that it may ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.networks.network import Network
from dreamer.recipes.options import Option
from dreamer.recipes.registry import IngredientKind
from dreamer.testing.tiny import as_image, photo, tiny_network

STEP = Step(0, 1, 3, 10, 0.3, (72, 96))
FAINT = 1e-20  # a random network's gradient can be this small, and its square is 0 in float32


@dataclass(frozen=True)
class Case:
    """One tensor with some options; `where` tells them apart in a sentence, as in " with pixels = 0"."""

    tensor: Tensor
    where: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    flat: bool = False
    """Whether photo and picture are this tensor too, as at the first step of a dream."""


@dataclass(frozen=True)
class Bench:
    """The tiny network, its features and gradients, and the reserved keywords."""

    network: Network = field(default_factory=tiny_network)

    @cached_property
    def image(self) -> Tensor:
        """The picture being dreamt: somewhat off the photo, (1, 3, 72, 96)."""
        return (as_image(photo()) * 0.98).roll(1, -1)

    @cached_property
    def guide(self) -> Tensor:
        """Another picture's features at the default layer, (1, C, 10, 14)."""
        return self.features(as_image(photo(56, 40)).flip(-1))

    def features(self, image: Tensor) -> Tensor:
        """What the default layer answers."""
        with torch.no_grad():
            return self.network.features(image, [self.network.default_layer])[self.network.default_layer]

    def cases(self, kind: str, ingredient: IngredientKind) -> Iterator[Case]:
        """The sample with the defaults, with each option's extremes, and what lies at the edges."""
        sample = self._sample(kind, self.image)
        yield Case(sample)
        for option, value in extremes(ingredient.options):
            yield Case(sample, f" with {option} = {value}", {option: value})
        if kind == "objectives":
            yield Case(torch.zeros(1, sample.shape[1], 2, 2), " where every feature is 0", flat=True)
        elif kind != "gradient_filters":
            yield Case(torch.zeros(1, 3, 40, 56), " on a black picture that is the photo itself", flat=True)
        if kind == "gradient_filters":
            yield Case(sample * FAINT, f" on a gradient as faint as {FAINT:g}")
        odd = as_image(photo(53, 37))
        yield Case(self._sample(kind, odd), " on a picture of 53x37 pixels")
        yield Case(self._sample(kind, torch.cat((self.image, self.image.flip(-2)))), " on two pictures at once")

    def call(self, ingredient: IngredientKind, tensor: Tensor, case: Case, seed: int = 0) -> Any:
        """What the ingredient makes of `tensor`, in the case's company; torch's random state outside stays."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ingredient.function(tensor, **case.options, **self.company(ingredient, case))

    def company(self, ingredient: IngredientKind, case: Case) -> dict[str, Any]:
        """What an ingredient asks for besides its tensor, of that tensor's type; each time anew."""
        known: dict[str, Any] = {"step": STEP, "network": self.network, "layer": self.network.default_layer}
        known["guide"] = self.guide.to(case.tensor)
        if case.tensor.shape[1] == 3:  # photo and picture have the tensor's size
            size = (len(case.tensor), 3, *case.tensor.shape[-2:])
            known["photo"] = case.tensor if case.flat else as_image(photo(size[3], size[2])).expand(size)
            known["image"] = case.tensor if case.flat else known["photo"].roll(2, -1)
            known["gradient"] = known["image"].diff(dim=-1, append=known["image"][..., :1])
        else:
            known["photo"] = as_image(photo())
            known["image"] = self.image
            known["photo_features"] = case.tensor if case.flat else case.tensor.detach().cos().abs()
        return {
            name: value.to(case.tensor).clone() if isinstance(value, Tensor) else value
            for name, value in known.items()
            if name in ingredient.wanted
        }

    def _sample(self, kind: str, image: Tensor) -> Tensor:
        if kind == "objectives":
            return self.features(image)
        if kind == "gradient_filters":
            return 1e-3 * (image.roll(3, -2) - image)
        return image


def extremes(options: Mapping[str, Option]) -> Iterator[tuple[str, Any]]:
    """Each option with the values at the ends of what it declares: its range, every choice, true and false."""
    for name, option in options.items():
        values: list[Any] = []
        if option.type in (int, float):
            ends = (option.range.low, option.range.high)
            values = [option.type(end) for end in ends if abs(end) != float("inf")]
        elif option.type is bool:
            values = [False, True]
        elif get_origin(option.type) is Literal:
            values = list(get_args(option.type))
        if option.optional:
            values.append(None)
        yield from ((name, value) for value in values if value != option.default)
