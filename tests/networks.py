"""Networks for tests: tiny, odd, or torchvision's with random weights that still pass a signal on."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from dreamer.motifs.sample_scene import scene
from dreamer.networks import reverie
from dreamer.networks.network import Network
from dreamer.networks.torchvision import classics
from dreamer.testing import tiny_network


@cache
def calibrated(name: str) -> Network:
    """A torchvision network with random weights whose batch norm has seen one batch (else scores are 1e-17)."""
    if name == "reverie":
        return reverie()
    torch.manual_seed(0)
    if name in ("googlenet", "inception_v3"):
        from torchvision.models import get_model

        network = next(c for c in classics() if c.name == name)
        module = get_model(name, weights=None, init_weights=True, aux_logits=False, transform_input=False)
        network = replace(network.untrained(), module=module)
    else:
        network = next(c for c in classics() if c.name == name).untrained()
    if name.startswith("vgg"):
        network.module.classifier = nn.Identity()  # behind all layers, and most of the weights
    norms = [module for module in network.module.modules() if isinstance(module, nn.BatchNorm2d)]
    if norms:
        for norm in norms:
            norm.momentum = None
            norm.reset_running_stats()
            norm.train()
        with torch.no_grad():
            network.module((views() - 0.5) * 4)
        network.module.eval()
    return network


@cache
def views() -> Tensor:
    """Two photos, (2, 3, 299, 299)."""
    return torch.cat([scene(299, 299, seed) for seed in range(2)])


@cache
def tiny() -> Network:
    """dreamer's own for tests, made once: 8 channels at `one`, 16 at `two`."""
    return tiny_network()


@cache
def pooling() -> Network:
    """What the tiny one has not, max-pooling and activations in place: 8 channels at `one`, 12 at `two`."""
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("one", nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)))
    module.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))
    module.add_module("two", nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(inplace=True)))
    return Network("pooling", module, (0.5,) * 3, (0.25,) * 3, "none", "random, seeded", "two")


def settled(network: Network) -> Network:
    """The network with ties in max-pooling settled on the values rounded to float32.

    torch's float64 convolution rounds its last bit differently from place to place, so that on a perfectly flat area
    equal values stop being equal and which of them is the maximum is chance. (Its float32 convolution does not, but
    for Winograd's way.)
    """
    module = copy.deepcopy(network.module)
    for name, pool in module.named_modules():
        if isinstance(pool, nn.MaxPool2d):
            module.set_submodule(name, Settled(pool))
    copied = replace(network, module=module)
    copied._shapes.layers = network.anatomy
    return copied


class Settled(nn.Module):
    """A max-pooling that compares float32 and gives float64."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self.pool = copy.copy(pool)
        self.pool.return_indices = True

    def forward(self, seen: Tensor) -> Tensor:
        _, where = self.pool(seen.float())
        return seen.flatten(2).gather(2, where.flatten(2)).view(where.shape)


def tiny_transformer() -> Network:
    """A vision transformer of two blocks, seeded: patches of 8 px, 16 channels, learnt at 32x32 px."""
    from torchvision.models.vision_transformer import VisionTransformer

    from dreamer.networks.vit import AnySize

    torch.manual_seed(0)
    module = AnySize(VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5))
    layer = "encoder.layers.encoder_layer_1"
    return Network("tiny transformer", module, (0.5,) * 3, (0.25,) * 3, "none", "random, seeded", layer)
