"""Priors learnt from pictures: a decoder's code as a canvas, and the distance from what the decoder can draw.

The decoder is reverie's, or a user's own: NAME.safetensors in `decoders_folder()`, as `dreamer networks train
--decoder` writes it. A recipe gives only the name, so that it can have no other file read.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from dreamer.engine.canvas import Canvas, is_flat
from dreamer.errors import NetworkError, did_you_mean
from dreamer.files.folders import config_folder
from dreamer.hookspecs import Register, hookimpl
from dreamer.networks.autoencoder import Autoencoder, weights_path
from dreamer.networks.autoencoder import decoder as read
from dreamer.recipes.options import Range, leaving_edges

_NAME = re.compile(r"\w[\w .-]*")


@leaving_edges
def autoencoder(image: Tensor, *, decoder: str = "reverie") -> Tensor:
    """Distance from what the decoder can draw: the mean squared difference to the redrawn picture (Nguyen 2017).

    The redrawn picture is held constant, so that the gradient leads straight to it: the direction of likelier pictures
    (Alain, Bengio 2014).
    """
    with torch.no_grad():
        drawn = _decoder(decoder, image.device).redraw_by_tiles(image)
    return (image - drawn).square().mean()


@leaving_edges
def latent(image: Tensor, *, decoder: str = "reverie", sigma: Annotated[float, Range(0, 10)] = 0.3) -> Canvas:
    """A decoder's code: pictures look like those that the decoder was trained on (Nguyen 2016).

    From nothing the code is drawn from a Gaussian with the mean of the training pictures' codes and `sigma` times their
    standard deviation; over a photo it begins as the photo's own.
    """
    module = _decoder(decoder, image.device)
    with torch.no_grad():
        code = module.encode(image.float())
        if is_flat(image):
            chance = sigma * torch.randn(code.shape).to(code)
            code = module.mean[:, None, None] + chance * module.std[:, None, None]
    code.requires_grad_()

    def paint() -> Tensor:
        drawn: Tensor = _Clipped.apply(module.decode_by_tiles(code, (image.shape[-2], image.shape[-1])))
        return drawn.to(image.dtype)

    return Canvas((code,), paint)


class _Clipped(torch.autograd.Function):
    """Clips to [0, 1]; outside, gradients that lead back inside still pass."""

    @staticmethod
    def forward(ctx: Any, drawn: Tensor) -> Tensor:
        ctx.save_for_backward(drawn)
        return drawn.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (drawn,), (gradient,) = ctx.saved_tensors, gradients
        outwards = (drawn < 0) & (gradient > 0) | (drawn > 1) & (gradient < 0)
        return gradient.masked_fill(outwards, 0)


def decoders_folder() -> Path:
    """The folder of the user's own decoders; it may not exist yet."""
    return config_folder() / "decoders"


def _decoder(name: str, device: torch.device) -> Autoencoder:
    """The decoder of that name; raises NetworkError with the nearest names, or if the file is not a decoder."""
    path = weights_path() if name == "reverie" else decoders_folder() / f"{name}.safetensors"
    if not _NAME.fullmatch(name) or not os.path.isfile(path):  # which raises for no name and no folder
        names = ["reverie", *_own_decoders()]
        hint = f"your own are looked for in {decoders_folder()}"
        raise NetworkError(f"no decoder is called {name!r}{did_you_mean(name, names)}; {hint}")
    return _loaded(path, path.stat().st_mtime_ns, str(device))


def _own_decoders() -> list[str]:
    with suppress(OSError):
        return sorted(path.stem for path in decoders_folder().glob("*.safetensors"))
    return []


@lru_cache(maxsize=2)
def _loaded(path: Path, changed: int, device: str) -> Autoencoder:
    """Cached, since every step asks for it; `changed` is the file's time, so that a newer file is read."""
    return read(path).to(device).to(memory_format=torch.channels_last)


@hookimpl
def register_canvases(register: Register) -> None:
    """The built-in learned canvases."""
    register(latent)


@hookimpl
def register_priors(register: Register) -> None:
    """The built-in learned priors."""
    register(autoencoder)
