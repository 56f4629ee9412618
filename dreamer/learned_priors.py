"""Priors that were learnt from pictures: a decoder's code to paint with, and the distance from what it can draw.

The decoder is reverie's, or one of a person's own: NAME.safetensors in a folder of theirs, as `dreamer networks train
--decoder` makes it. A recipe says only the name, and can have no other file read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from dreamer.config import config_folder
from dreamer.errors import NetworkError, did_you_mean
from dreamer.hookspecs import Register, hookimpl
from dreamer.networks.decoder import Autoencoder, weights_path
from dreamer.networks.decoder import decoder as read

_NAME = re.compile(r"\w[\w .-]*")


def autoencoder(image: Tensor, *, decoder: str = "reverie") -> Tensor:
    """Distance from what the decoder can draw: the mean squared difference to the redrawn picture (Nguyen 2017).

    The redrawn picture is held, so that the gradient leads straight to it: the direction of likelier pictures (Alain,
    Bengio 2014).
    """
    with torch.no_grad():
        drawn = _decoder(decoder, image.device).redraw_by_tiles(image)
    return (image - drawn).square().mean()


def decoders_folder() -> Path:
    """Where a person's own decoders are; it may not be there yet."""
    return config_folder() / "decoders"


def _decoder(name: str, device: torch.device) -> Autoencoder:
    """The decoder of that name; raises NetworkError with the nearest names, or where the file does not fit."""
    path = weights_path() if name == "reverie" else decoders_folder() / f"{name}.safetensors"
    if not _NAME.fullmatch(name) or not path.is_file():
        names = ["reverie", *sorted(path.stem for path in decoders_folder().glob("*.safetensors"))]
        hint = f"your own are looked for in {decoders_folder()}"
        raise NetworkError(f"no decoder is called {name!r}{did_you_mean(name, names)}; {hint}")
    return _loaded(path, path.stat().st_mtime_ns, str(device))


@lru_cache(maxsize=2)
def _loaded(path: Path, changed: int, device: str) -> Autoencoder:
    """Every step asks for it again; `changed` so that a newer file is read."""
    return read(path).to(device).to(memory_format=torch.channels_last)


@hookimpl
def register_priors(register: Register) -> None:
    """The built-in learned priors."""
    register(autoencoder)
