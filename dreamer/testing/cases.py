"""The inputs that an ingredient is checked with: tensors, extreme options, and the reserved keywords."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.image import OPEN
from dreamer.networks.network import Network
from dreamer.recipes.options import Option
from dreamer.recipes.registry import IngredientKind
from dreamer.testing.tiny import as_image, photo, tiny_network

STEP = Step(0, 1, 3, 10, 0.3, (72, 96))
FAINT = 1e-20  # a random network's gradient can be this small, and its square is 0 in float32


@dataclass(frozen=True)
class Case:
    """A tensor and options to call an ingredient with; `where` ends a sentence about it, as in " with pixels = 0"."""

    tensor: Tensor
    where: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    unchanged: bool = False
    """Whether `photo` and `image` are this tensor as well, as at the first step of a dream."""


@dataclass(frozen=True)
class Fixtures:
    """The tiny network, with the tensors and reserved keywords that ingredients are called with."""

    network: Network = field(default_factory=tiny_network)

    @cached_property
    def image(self) -> Tensor:
        """The picture being dreamt, slightly different from the photo, (1, 3, 72, 96)."""
        return (as_image(photo()) * 0.98).roll(1, -1)

    @cached_property
    def guide(self) -> Tensor:
        """The guide's features at the default layer, (1, C, 10, 14)."""
        return self.features(as_image(photo(56, 40)).flip(-1))

    def features(self, image: Tensor) -> Tensor:
        """An image's features at the default layer, (B, C, h, w)."""
        with torch.no_grad():
            return self.network.features(image, [self.network.default_layer])[self.network.default_layer]

    def cases(self, kind: str, ingredient: IngredientKind) -> Iterator[Case]:
        """A sample with the default options, with the extremes of each option, and unusual tensors.

        For optimisers, a tensor is the target (12,) that the parameters have to reach.
        """
        sample = self._sample(kind, self.image)
        yield Case(sample)
        for option, value in extremes(ingredient.options):
            yield Case(sample, f" with {option} = {value}", {option: value})
        if kind == "optimisers":
            return
        if kind == "objectives":
            yield Case(torch.zeros(1, sample.shape[1], 2, 2), " where every feature is 0", unchanged=True)
        elif kind == "gradient_filters":
            yield Case(sample * FAINT, f" on a gradient as faint as {FAINT:g}")
        elif kind == "canvases":
            yield Case(torch.full((1, 3, 40, 56), 0.5), " from plain grey", unchanged=True)
        else:
            yield Case(torch.zeros(1, 3, 40, 56), " on a black picture that is the photo itself", unchanged=True)
        odd = as_image(photo(53, 37))
        yield Case(self._sample(kind, odd), " on a picture of 53x37 pixels")
        yield Case(self._sample(kind, torch.cat((self.image, self.image.flip(-2)))), " on two pictures at once")

    def call(self, ingredient: IngredientKind, tensor: Tensor, case: Case, seed: int = 0) -> Any:
        """The ingredient's result for `tensor`, with the case's options, under a seed; torch's random state is kept."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return ingredient.function(tensor, **case.options, **self.reserved_arguments(ingredient, case))

    def reserved_arguments(self, ingredient: IngredientKind, case: Case) -> dict[str, Any]:
        """The reserved keywords that an ingredient takes, of the tensor's type; new copies at each call."""
        known: dict[str, Any] = {"step": STEP, "network": self.network, "layer": self.network.default_layer}
        known["edges"] = OPEN
        known["guide"] = known["overview"] = self.guide.to(case.tensor)
        if case.tensor.shape[1] == 3:  # an image: photo and picture have its size
            size = (len(case.tensor), 3, *case.tensor.shape[-2:])
            known["photo"] = case.tensor if case.unchanged else as_image(photo(size[3], size[2])).expand(size)
            known["image"] = case.tensor if case.unchanged else known["photo"].roll(2, -1)
            known["gradient"] = known["image"].diff(dim=-1, append=known["image"][..., :1])
        else:
            known["photo"] = as_image(photo())
            known["image"] = self.image
            known["photo_features"] = case.tensor if case.unchanged else case.tensor.detach().cos().abs()
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
        return torch.linspace(-1, 2, 12) if kind == "optimisers" else image


def extremes(options: Mapping[str, Option]) -> Iterator[tuple[str, Any]]:
    """(option, value) for the extreme values of each option: both ends of a range, every choice, true and false."""
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
