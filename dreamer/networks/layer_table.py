"""A network's layers as a table for a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from dreamer.networks.layers import Layer


def layer_table(title: str, layers: Iterable[Layer]) -> str:
    """HTML of a table of layers, folded up under its title."""
    rows = "".join(
        f"<tr><td>{escape(layer.name)}</td><td>{layer.channels}</td><td>{field.stride if field else ''}</td>"
        f"<td>{field.size if field else 'all'}</td></tr>"
        for layer in layers
        for field in [layer.rows]
    )
    head = "<tr><th>layer</th><th>channels</th><th>stride, px</th><th>sees, px</th></tr>"
    return f"<details><summary>{escape(title)}</summary><table>{head}{rows}</table></details>"
