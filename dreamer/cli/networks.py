"""`dreamer networks`: list and show networks, download weights; `train` has the other commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.groups import Commands
from dreamer.cli.streams import echo
from dreamer.cli.tables import table
from dreamer.cli.train import motifs, train

if TYPE_CHECKING:
    from dreamer.networks.network import Network


@click.group(cls=Commands, commands=[train, motifs])
def networks() -> None:
    """List, inspect, download and train networks."""


@networks.command("list")
def list_() -> None:
    """List the networks and whether their weights are installed."""
    from dreamer.api import registry

    rows = [
        (entry.name, "each by its name" if entry.name.endswith("*") else _weights(entry.value), entry.source)
        for entry in registry().networks
    ]
    table(("network", "weights", "from"), rows)


@networks.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a network's preprocessing, licence, labels and recipe."""
    network = _look(name)
    layer = network.layer(network.default_layer)
    lines: dict[str, str] = {
        "name": network.name,
        "source": network.source,
        "licence": network.licence,
        "mean": ", ".join(f"{value:g}" for value in network.mean),
        "std": ", ".join(f"{value:g}" for value in network.std),
        "default layer": f"{layer.name} ({layer.channels} channels)",
        "smallest picture": f"{network.smallest([layer.name])} pixels a side, up to the default layer",
        "parameters": f"{sum(p.numel() for p in network.module.parameters()) / 1e6:.1f} million",
    }
    for at, (_, weight, _) in network.figures.items():
        lines["known whole"] = f"{len(weight)} of its labels, at {at}"
    lines |= _keys(network.defaults)
    if network.labels:
        lines["labels"] = ", ".join(network.labels)
    lines |= {f"group {name}": ", ".join(labels) for name, labels in network.groups.items()}
    width = max(map(len, lines))
    for key, value in lines.items():
        echo(f"{key.ljust(width)}  {value}")


@networks.command()
@click.argument("name")
def layers(name: str) -> None:
    """List a network's layers.

    The columns are the number of channels, and the stride and the receptive field in pixels. A layer with dashes
    depends on the whole picture and cannot be used with tiles.
    """
    network = _look(name)
    rows = []
    for layer in network.layers():
        field = (layer.rows.stride, layer.rows.size) if layer.rows else ("-", "-")
        mark = "default" if layer.name == network.default_layer else ""
        rows.append((layer.name, layer.channels, *field, mark))
    table(("layer", "channels", "stride", "field", ""), rows)


@networks.command()
@click.argument("name")
def fetch(name: str) -> None:
    """Download a network's weights and check their hash."""
    from dreamer.api import load_network

    network = load_network(name, fetch=True)
    echo(f"{network.name} is ready: dreamer render PHOTO --network {shlex.quote(name)}")


def _keys(words: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a recipe as --set takes them: `octaves.steps` and `12`."""
    for head, value in words.items():
        tables = {head: value} if isinstance(value, Mapping) else {}
        if isinstance(value, list):
            tables = {f"{head}.{item.get('id', item['name'])}": item for item in value}
        for path, table_ in tables.items():
            for key, option in table_.items():
                if key not in ("name", "id"):
                    yield (f"{path}.{key}", ",".join(map(str, option)) if isinstance(option, list) else str(option))
        if not tables:
            yield head, str(value)


def _weights(factory: object) -> str:
    """`ready`, or the size of the weights to download."""
    from dreamer.networks.torchvision import Classic

    if isinstance(factory, Classic) and not factory.weights_path().exists():
        return f"to download, {factory.weights_size():.0f} MB"
    return "ready"


def _look(name: str) -> Network:
    from dreamer.api import registry
    from dreamer.networks import untrained

    return untrained(registry().networks, name)
