"""The shortest plugin for dreamer: one prior."""

from collections.abc import Callable
from typing import Annotated

from torch import Tensor

from dreamer import Range, hookimpl


def echo(image: Tensor, *, photo: Tensor, pixels: Annotated[int, Range(1, 512)] = 48) -> Tensor:
    """Unlikeness of the dream to itself some pixels to the right: what grows once grows again and again."""
    dream = image - photo
    return (dream - dream.roll(pixels, -1)).square().mean()


@hookimpl
def register_priors(register: Callable[..., None]) -> None:
    """The prior that this plugin adds."""
    register(echo)
