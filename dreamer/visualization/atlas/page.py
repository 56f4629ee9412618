"""One page of HTML that is a whole atlas: it needs no other file and asks nothing of the net."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamer.errors import UsageError
from dreamer.visualization.atlas.activation_maps import Activations
from dreamer.visualization.atlas.commands import Commands
from dreamer.visualization.atlas.layer_section import LayerSection

_DATA = re.compile(r'<script type="application/json" id="atlas">(.*?)</script>', re.S)
_LARGEST = 2_000_000_000  # bytes of a page that is read again
_WEBP = re.compile(rb"RIFF....WEBP", re.S)


@dataclass(frozen=True)
class Atlas:
    """Chapters of one network; `weights` is the file that was given, if any, `seen` the photo."""

    network: str
    sections: tuple[LayerSection, ...]
    weights: str = ""
    seen: Activations | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything that the page knows, for JSON; only channels that have a plate."""
        photo = self.seen and {
            "name": self.seen.name,
            "width": self.seen.width,
            "height": self.seen.height,
            "picture": _base64(self.seen.picture),
        }
        shown = [section.so_far() for section in self.sections]
        return {"network": self.network, "photo": photo, "layers": [self._layer(one) for one in shown if one.channels]}

    def page(self) -> str:
        """The HTML. All that is a stranger's stands in one block of JSON, which the page's own script puts in as text.

        The policy in its head lets this script and this style run, and nothing be loaded.
        """
        script, style = (_part(name) for name in ("page.js", "page.css"))
        text = json.dumps(self.to_dict(), separators=(",", ":"))
        for letter in "<>&":
            text = text.replace(letter, f"\\u{ord(letter):04x}")
        return Template(_part("page.html")).substitute(
            title=html.escape(f"Atlas of {self.network}"),
            policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=style,
            script=script,
            atlas=text,
        )

    def _layer(self, section: LayerSection) -> dict[str, Any]:
        words: dict[str, Any] = {
            "name": section.layer,
            "made": section.made,
            "channels": [self._channel(section, channel) for channel in section.channels],
        }
        if self.seen:
            heat = self.seen.heat(section.layer, section.channels)
            words["heat"] = {
                "height": heat.maps.shape[1],
                "width": heat.maps.shape[2],
                "maps": _packed(heat.maps, "u1"),
                "low": _packed(heat.low, "<f4"),
                "high": _packed(heat.high, "<f4"),
                "strongest": _packed(heat.strongest, "<u2"),
                "values": _packed(heat.values, "<f4"),
            }
        return words

    def _channel(self, section: LayerSection, channel: int) -> dict[str, Any]:
        commands = Commands(self.network, section.layer, self.weights)
        name = section.names.get(channel, "")
        return {
            "number": channel,
            "name": name,
            "plate": _base64(section.plates[channel]),
            "crops": [
                {"name": crop.name, "activation": crop.activation, "picture": _base64(crop.picture)}
                for crop in section.crops.get(channel, ())
            ],
            "visualize": commands.visualize(channel),
            "render": commands.render(channel),
            "preset": commands.preset(channel, name or f"{section.layer} {channel}"),
        }


def plates_in(path: Path, sections: Iterable[LayerSection]) -> None:
    """Take the plates over that a page holds of these sections, if it was made in the same way.

    The page may be a stranger's: what makes no sense in it is not heeded. Raises UsageError for one that is no atlas.
    """
    if not path.is_file():
        return
    try:
        found = _DATA.search(path.read_text(encoding="utf-8")) if path.stat().st_size <= _LARGEST else None
    except (OSError, ValueError):
        found = None
    if not found:
        raise UsageError(f"{path} is no atlas to go on with; --force replaces it, -o chooses another name")
    try:
        layers = {layer["name"]: layer for layer in json.loads(found[1])["layers"]}
        for section in sections:
            layer = layers.get(section.layer, {"made": None})
            if layer["made"] != section.made:
                continue
            for channel in layer["channels"]:
                plate = base64.b64decode(channel["plate"], validate=True)
                if channel["number"] in section.channels and _WEBP.match(plate):
                    section.plates[int(channel["number"])] = plate
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _part(name: str) -> str:
    return (files("dreamer.visualization.atlas") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(values: NDArray[Any], kind: str) -> str:
    return _base64(np.ascontiguousarray(values, dtype=kind).tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
