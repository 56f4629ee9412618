"""An atlas as a single self-contained HTML page, which opens offline."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamer import limits
from dreamer.errors import UsageError
from dreamer.files import read_bounded
from dreamer.visualization.atlas.activation_maps import Activations
from dreamer.visualization.atlas.channel_images import is_image
from dreamer.visualization.atlas.commands import Commands
from dreamer.visualization.atlas.layer_section import LayerSection

_DATA, _END = b'<script type="application/json" id="atlas">', b"</script>"


@dataclass(frozen=True)
class Atlas:
    """Sections of one network; `weights` is the file given for it, if any, `seen` the activations on a photo.

    With `concepts`, the name of their file, it shows concepts in the place of channels, of the pictures in `folder`.
    """

    network: str
    sections: tuple[LayerSection, ...]
    weights: str = ""
    seen: Activations | None = None
    concepts: str = ""
    folder: str = ""

    @property
    def title(self) -> str:
        """The title of the page."""
        folder = self.folder.encode(errors="replace").decode()
        return f"Concepts of {folder} in {self.network}" if self.concepts else f"Atlas of {self.network}"

    def to_dict(self) -> dict[str, Any]:
        """The page's data, for JSON; only channels that have an image."""
        photo = self.seen and {
            "name": self.seen.name,
            "width": self.seen.width,
            "height": self.seen.height,
            "picture": _base64(self.seen.picture),
        }
        shown = [section.so_far() for section in self.sections]
        layers = [self._layer(one) for one in shown if one.channels]
        words = {"title": self.title, "noun": "concept" if self.concepts else "channel"}
        return {"network": self.network, **words, "photo": photo, "layers": layers}

    def page(self) -> str:
        """The page's HTML.

        All untrusted text is in one block of JSON, which the page's script inserts as text, never as HTML. The content
        security policy allows only this script and this style, and no loading.
        """
        script, style = (_part(name) for name in ("page.js", "page.css"))
        text = json.dumps(self.to_dict(), separators=(",", ":"))
        for character in "<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return Template(_part("page.html")).substitute(
            title=html.escape(self.title),
            policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=style,
            script=script,
            atlas=text,
        )

    def _layer(self, section: LayerSection) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "name": section.layer,
            "made": section.recipe_hash,
            "channels": [self._channel(section, channel) for channel in section.channels],
        }
        if self.seen:
            found = self.seen.maps(section.layer, section.channels)
            entry["heat"] = {
                "height": found.maps.shape[1],
                "width": found.maps.shape[2],
                "maps": _packed(found.maps, "u1"),
                "low": _packed(found.low, "<f4"),
                "high": _packed(found.high, "<f4"),
                "strongest": _packed(found.strongest, "<u2"),
                "values": _packed(found.values, "<f4"),
            }
        return entry

    def _channel(self, section: LayerSection, channel: int) -> dict[str, Any]:
        commands = Commands(self.network, section.layer, self.weights, self.concepts)
        name = section.names.get(channel, "")
        return {
            "number": channel,
            "name": name,
            "plate": _base64(section.images[channel]),
            "crops": [asdict(crop) | {"picture": _base64(crop.picture)} for crop in section.crops.get(channel, ())],
            "maps": [_base64(data) for data in section.maps.get(channel, ())],
            "visualize": commands.visualize(channel),
            "render": commands.render(channel),
            "preset": commands.preset(channel, name or f"{section.layer} {channel}"),
        }


def reuse_images(path: Path, sections: Iterable[LayerSection]) -> None:
    """Copy the channel images of a page into these sections, where they were made by the same recipe.

    The page is not trusted: data that is not valid is ignored. Raises UsageError for a page that is not an atlas.
    """
    if not path.is_file():
        return
    try:
        page = read_bounded(path, limits.ATLAS_BYTES)
    except OSError:
        page = b""
    begin = page.find(_DATA) + len(_DATA)
    end = page.find(_END, begin)
    if begin < len(_DATA) or end < 0:
        raise UsageError(f"{path} is not an atlas that can be continued; --force replaces it, -o chooses another name")
    if sum(page.count(mark, begin, end) for mark in (b",", b":", b"[", b"{")) > limits.ATLAS_VALUES:
        return
    try:
        layers = {layer["name"]: layer for layer in json.loads(str(page[begin:end], "ascii"))["layers"]}
        for section in sections:
            layer = layers.get(section.layer, {"made": None})
            if layer["made"] != section.recipe_hash:
                continue
            for channel in layer["channels"]:
                image = base64.b64decode(channel["plate"], validate=True)
                if channel["number"] in section.channels and is_image(image, section.side):
                    section.images[int(channel["number"])] = image
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _part(name: str) -> str:
    """A file of the page's template."""
    return (files("dreamer.visualization.atlas") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash of a script or style for the content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(values: NDArray[Any], kind: str) -> str:
    """An array as base64 of its values in a NumPy dtype."""
    return _base64(np.ascontiguousarray(values, dtype=kind).tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
