"""The pictures of a folder that excite units most, or least, and the places in them that do (Zeiler, Fergus 2013).

A search is for one unit or for many at once, in one pass of the network per picture. One picture is in memory at a
time, and no more than the best are remembered, as names and places: any number can be gone through. What is known is
noted down every so often, so that an interrupted search goes on.
"""

from __future__ import annotations

import json
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from dreamer.errors import DreamerError, UsageError, did_you_mean
from dreamer.files import write_atomically
from dreamer.image import Photo, load, to_pil
from dreamer.networks.layers import Layer
from dreamer.networks.network import Network
from dreamer.visualization.contact_sheet import Look

_EVERY = 50  # pictures between two notes
SIZE = 320  # px: the long side of a picture when it is looked at
_SHARP = 1600  # px: of one that a crop is cut from
_GROUND, _FRAME = (22, 22, 26), (255, 196, 61)


Place = tuple[float, float, float, float]
"""Left, top, right and bottom in shares of a picture."""
Match = tuple[tuple[float, ...], Place]
"""How a picture is ranked for a unit, lower first, and the place in it that counts."""
Answer = Callable[[Tensor], Sequence[Match | None]]
"""What a picture (1, 3, H, W) is to each unit; None where it does not excite it at all."""


class Ranker(Protocol):
    """What a folder can be searched for: one unit, or several that are ranked in one pass."""

    @property
    def units(self) -> int:
        """How many units there are."""

    def shown(self, photo: Photo) -> Tensor:
        """What is looked at of a photo, (1, 3, H, W)."""

    def on(self, device: torch.device) -> Answer:
        """What ranks it, on a device. Raises UsageError for a picture that cannot be ranked."""

    def identity(self) -> dict[str, Any]:
        """What decides the answers, to tell one search from another."""


@dataclass(frozen=True)
class Channel:
    """One channel of a layer, looked at in pictures whose long side is at most `size` pixels."""

    network: Network
    layer: str
    channel: int
    size: int = SIZE
    least: bool = False
    units: ClassVar[int] = 1

    @classmethod
    def named(cls, network: Network, layer: str, channel: str, **wishes: Any) -> Channel:
        """The channel that is called so: by number, by its own name, or as a class of the network.

        Raises UsageError.
        """
        return cls(network, layer, channel_number(network, layer, channel), **wishes)

    def answer(self, image: Tensor) -> list[Match]:
        """How a picture (1, 3, H, W) is ranked, lower first, and what its best place sees, in shares of the picture.

        The best place is that of the highest activation; where the least is wanted, of the lowest, and pictures that
        have equal ones (a ReLU's are 0) are ranked by their highest. Raises UsageError for a picture that is too small.
        """
        height, width = image.shape[-2:]
        self.network.sizes(height, width, [self.layer])
        with torch.no_grad():
            seen = self.network.features(image, [self.layer])[self.layer][0, self.channel].cpu().double()
        check_finite(seen)
        low, high = float(seen.min()), float(seen.max())
        ranks, value = ((low, high), low) if self.least else ((-high,), high)
        # Of several equal places the one nearest to the middle.
        places = (seen == value).nonzero().double()
        middle = torch.tensor([(side - 1) / 2 for side in seen.shape], dtype=torch.float64)
        y, x = (int(place) for place in places[(places - middle).square().sum(1).argmin()])
        return [(ranks, seen_at(self.network.layer(self.layer), y, x, height, width))]

    def objective(self) -> dict[str, Any]:
        """In a recipe's words: its mean activation; as little of it as can be, where the least is wanted."""
        plain = {"name": "channel", "layer": self.layer, "index": [self.channel], "normalise": False, "square": False}
        return {**plain, "weight": -1.0 if self.least else 1.0}

    def shown(self, photo: Photo) -> Tensor:
        """The photo, no larger than `size`."""
        return photo.at_most(self.size).image()

    def on(self, device: torch.device) -> Answer:
        """The same on a device, its network made fast."""
        return replace(self, network=self.network.prepared([self.layer], device, torch.float32)).answer

    def identity(self) -> dict[str, Any]:
        """What decides the answers, to tell one search from another."""
        named = {"network": self.network.name, "weights": self.network.weights, "layer": self.layer}
        return {**named, "channel": self.channel, "size": self.size, "least": self.least}


def channel_names(network: Network, layer: str) -> dict[str, int]:
    """The numbers of a layer's channels that have a name, their own or a class's."""
    named = network.labels if len(network.labels) == network.layer(layer).channels else ()
    return {label: number for number, label in enumerate(named)} | dict(network.channels.get(layer, {}))


def channel_number(network: Network, layer: str, channel: str, option: str = "--channel") -> int:
    """The number of a channel, given by number or name; raises UsageError."""
    count, names = network.layer(layer).channels, channel_names(network, layer)
    number = int(channel) if channel.isdecimal() else names.get(channel, -1)
    if not 0 <= number < count:
        what = f"layer {layer} of {network.name} has channels 0 to {count - 1}"
        raise UsageError(f"{option} {channel}: {what}{did_you_mean(channel, names)}")
    return number


def seen_at(layer: Layer, y: int, x: int, height: int, width: int) -> Place:
    """What a position of a layer's map sees of a picture: (left, top, right, bottom) in shares of it."""
    top, bottom, left, right = 0, height, 0, width
    if layer.rows and layer.columns:
        top, bottom = _within(y * layer.rows.stride, layer.rows.first, layer.rows.last, height)
        left, right = _within(x * layer.columns.stride, layer.columns.first, layer.columns.last, width)
    return left / width, top / height, right / width, bottom / height


@dataclass(frozen=True, order=True)
class Exemplar:
    """A picture by its name in the folder, its rank, lower first, and a place (left, top, right, bottom) in shares."""

    rank: tuple[float, ...]
    name: str
    place: Place


@dataclass
class Search:
    """How far a search is: each unit's `count` best pictures by now, those done, and those that cannot be looked at."""

    count: int
    best: list[list[Exemplar]]
    done: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, matches: Sequence[Match | None]) -> None:
        """Remember a picture for each unit to which it is among the best."""
        for best, match in zip(self.best, matches, strict=True):
            if match is not None:
                insort(best, Exemplar(match[0], name, match[1]))
                del best[self.count :]


def search(
    folder: Path,
    names: Sequence[str],
    ranker: Ranker,
    *,
    count: int = 9,
    notes: Path,
    device: torch.device,
    max_pixels: int = 200_000_000,
    on_picture: Callable[[Search], None] = lambda so_far: None,
) -> Search:
    """Look at every picture of these names, and remember the best of each unit.

    Args:
        folder: Where the pictures are.
        names: Their names, relative to the folder; see `pictures_in`.
        ranker: The units, and what a picture is to each.
        count: How many pictures are remembered for each unit.
        notes: A file that an interrupted search of the same goes on from; whoever has the result takes it away.
        device: Where the network computes.
        max_pixels: Larger pictures are left out.
        on_picture: Is told how far the search is, at the beginning and after each picture.

    Returns:
        The whole search.

    Raises:
        WriteError: The notes cannot be written.
    """
    identity = {"folder": str(folder.resolve()), "count": count, **ranker.identity()}
    so_far = _noted(notes, identity, names, ranker.units) or Search(count, [[] for _ in range(ranker.units)])
    answer = ranker.on(device)
    try:
        on_picture(so_far)
        for name in names:
            if name in so_far.done:
                continue
            try:
                photo = load(folder / name, max_pixels=max_pixels)
                so_far.take(name, answer(ranker.shown(photo).to(device)))
            except DreamerError as error:
                so_far.skipped[name] = str(error)
            so_far.done.add(name)
            if len(so_far.done) % _EVERY == 0:
                _note(notes, identity, so_far)
            on_picture(so_far)
    except KeyboardInterrupt:
        _note(notes, identity, so_far)
        raise
    return so_far


def sharp(folder: Path, name: str, max_pixels: int) -> Image.Image:
    """A picture that crops are cut from. Raises PhotoError."""
    return to_pil(load(folder / name, max_pixels=max_pixels).at_most(_SHARP).image())


def looks(folder: Path, found: Sequence[Exemplar], side: int = 200, *, max_pixels: int = 200_000_000) -> list[Look]:
    """Each picture with the place framed, and beside it the place itself, (5/2 `side`) x `side` pixels, labelled."""
    result = []
    for number, exemplar in enumerate(found, 1):
        picture = sharp(folder, exemplar.name, max_pixels)
        left, top, right, bottom = exemplar.place
        wide, high = picture.size
        box = (round(left * wide), round(top * high), round(right * wide), round(bottom * high))
        crop = ImageOps.pad(picture.crop(box), (side, side), color=_GROUND)
        framed = picture.copy()
        ImageDraw.Draw(framed).rectangle(box, outline=_FRAME, width=max(2, max(picture.size) // 100))
        tile = Image.new("RGB", (side * 5 // 2, side), _GROUND)
        tile.paste(ImageOps.pad(framed, (side * 5 // 2 - side - 4, side), color=_GROUND))
        tile.paste(crop, (side * 5 // 2 - side, 0))
        result.append(Look(f"{number}. {exemplar.name}", f"activation {_activation(exemplar):.3g}", tile))
    return result


def seen(picture: Image.Image, unit: Channel, side: int = 200) -> Look:
    """The channel's visualization, to stand before the others."""
    tile = ImageOps.pad(picture, (side * 5 // 2, side), color=_GROUND)
    return Look("what it avoids" if unit.least else "what it wants", f"channel {unit.channel} of {unit.layer}", tile)


def _activation(exemplar: Exemplar) -> float:
    return exemplar.rank[0] if len(exemplar.rank) > 1 else -exemplar.rank[0]


def check_finite(seen: Tensor) -> None:
    """Raise UsageError where a network has answered with NaN or Inf."""
    if not seen.isfinite().all():
        raise UsageError("the network's answer is not finite")


def _within(start: int, first: int, last: int, side: int) -> tuple[int, int]:
    """The part of a field that lies in the picture: [start, stop), never empty."""
    begin = min(max(0, start + first), side - 1)
    return begin, max(begin + 1, min(side, start + last + 1))


def _note(notes: Path, identity: dict[str, Any], search: Search) -> None:
    best = [[asdict(exemplar) for exemplar in unit] for unit in search.best]
    words = {"of": identity, "best": best, "done": sorted(search.done), "skipped": search.skipped}
    write_atomically(notes, json.dumps(words).encode())


def _noted(notes: Path, identity: dict[str, Any], names: Sequence[str], units: int) -> Search | None:
    """What the notes tell of the same search; None where there are none, or they make no sense any more."""
    try:
        words = json.loads(notes.read_text(encoding="utf-8"))
        found = [
            [Exemplar(tuple(one["rank"]), one["name"], tuple(one["place"])) for one in unit] for unit in words["best"]
        ]
        known = {exemplar.name for unit in found for exemplar in unit} <= set(names)
        if words["of"] != identity or len(found) != units or not known:
            return None
        done = set(words["done"]) & set(names)
        # Whoever pressed Ctrl-C may have done so while a picture was taken for some of the units: it comes again.
        best = [sorted(one for one in unit if one.name in done)[: identity["count"]] for unit in found]
        skipped = {name: str(why) for name, why in words["skipped"].items() if name in done}
        return Search(identity["count"], best, done, skipped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
