"""Networks for tests: small, seeded, or torchvision's with random weights that still pass a signal on."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from dreamer.network import Network
from dreamer.networks import reverie
from dreamer.networks.classic import classics
from dreamer.sample import scene


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
        network = network._network(module, "")
    else:
        network = next(c for c in classics() if c.name == name).untrained()
    norms = [module for module in network.module.modules() if isinstance(module, nn.BatchNorm2d)]
    if norms:
        for norm in norms:
            norm.momentum = None
            norm.reset_running_stats()
            norm.train()
        with torch.no_grad():
            views = torch.cat([scene(299, 299, seed) for seed in range(2)])
            network.module((views - 0.5) * 4)
        network.module.eval()
    return network


@cache
def tiny() -> Network:
    """Two convolutions and a pooling, seeded: 8 channels at `one`, 12 at `two`."""
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("one", nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True)))
    module.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))
    module.add_module("two", nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(inplace=True)))
    return Network("tiny", module, (0.5,) * 3, (0.25,) * 3, "none", "random, seeded", "two")
