"""Several networks that look at one picture, as one network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from dreamer.errors import NetworkError
from dreamer.networks.network import Network


class _Joint(nn.Module):
    """Gives a picture (B, 3, H, W) in [0, 1] to each network in turn, with its own preprocessing."""

    def __init__(self, networks: Mapping[str, Network]) -> None:
        super().__init__()
        self._preprocessing = {name: (network.mean, network.std) for name, network in networks.items()}
        for name, network in networks.items():
            self.add_module(name, network.module)

    def forward(self, image: Tensor) -> None:
        for name, network in self.named_children():
            mean, std = (image.new_tensor(values)[:, None, None] for values in self._preprocessing[name])
            network((image - mean) / std)


def join(networks: Mapping[str, Network]) -> Network:
    """One network of several, whose layers are called by both names, as in a.inception4c.

    Classes have names where all networks know the same ones.

    Raises NetworkError for a name that cannot stand before a layer's.
    """
    wrong = [name for name in networks if not name.isidentifier()]
    if wrong:
        raise NetworkError(f"network: {wrong[0]!r} cannot stand before the names of layers; use letters, as in a")
    name, first = next(iter(networks.items()))
    agree = all(network.labels == first.labels for network in networks.values())
    return Network(
        name=" and ".join(network.name for network in networks.values()),
        module=_Joint(networks),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        licence=", ".join(dict.fromkeys(network.licence for network in networks.values())),
        source="several networks, handed over together",
        default_layer=f"{name}.{first.default_layer}",
        guide_layer=f"{name}.{first.guide_layer}" if first.guide_layer else "",
        defaults={"octaves": first.defaults.get("octaves", {})},
        statistics={f"{n}.{at}": value for n, one in networks.items() for at, value in one.statistics.items()},
        heads={f"{n}.{at}": head for n, one in networks.items() for at, head in one.heads.items() if agree},
        labels=first.labels if agree else (),
        figures={f"{n}.{at}": drawn for n, one in networks.items() for at, drawn in one.figures.items() if agree},
        channels={f"{n}.{at}": value for n, one in networks.items() for at, value in one.channels.items()},
        groups=first.groups if agree else {},
        background=first.background if agree else "",
    )
