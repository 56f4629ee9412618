"""The shortest plugin for dreamer: one prior."""

from collections.abc import Callable
from typing import Annotated

from torch import Tensor

from dreamer import Range, hookimpl


def echo(image: Tensor, *, photo: Tensor, pixels: Annotated[int, Range(1, 512)] = 48) -> Tensor:
    """Difference between the dream and the same dream some pixels to the right, so that its forms repeat."""
    dream = image - photo
    return (dream - dream.roll(pixels, -1)).square().mean()


@hookimpl
def register_priors(register: Callable[..., None]) -> None:
    """The prior that this plugin adds."""
    register(echo)
