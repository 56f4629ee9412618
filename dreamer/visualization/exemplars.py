"""Exemplars: the pictures of a folder that excite units most, or least, and the places that do (Zeiler, Fergus 2013).

A search is for one unit or for many at once, with one pass of the network per picture. One picture is in memory at a
time, and only the names and places of the best are kept, so that a folder may hold any number. The search is saved
every few pictures, so that it can be continued after an interruption.
"""

from __future__ import annotations

import json
import math
from bisect import insort
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from dreamer import limits
from dreamer.errors import DreamerError, UsageError, did_you_mean
from dreamer.files import is_link, read_bounded, write_atomically
from dreamer.image import Photo, load, to_pil
from dreamer.networks.network import Network
from dreamer.recipes.parsing import whole_number
from dreamer.visualization.contact_sheet import Look
from dreamer.visualization.ranker import Answer, Match, Place, Ranker

_SHOWN = 20  # letters of a channel's name in an error
_EVERY = 50  # pictures between saves
SIZE = 320  # px: the long side at which the network sees a picture
_CROP_SOURCE = 1600  # px: the long side of a picture that crops are cut from
_BACKGROUND, _FRAME = (22, 22, 26), (255, 196, 61)


@dataclass(frozen=True)
class Channel:
    """Ranks pictures for one channel of a layer, or with `least` for those that excite it least.

    The network sees them with a long side of at most `size` pixels.
    """

    network: Network
    layer: str
    channel: int
    size: int = SIZE
    least: bool = False
    units: ClassVar[int] = 1

    @classmethod
    def named(cls, network: Network, layer: str, channel: str, **options: Any) -> Channel:
        """The channel of a number, of its own name, or of a class of the network.

        Raises UsageError for an unknown one.
        """
        return cls(network, layer, channel_number(network, layer, channel), **options)

    def answer(self, image: Tensor) -> list[Match]:
        """The rank of a picture (1, 3, H, W), lower is better, and the receptive field of its best place.

        The best place has the highest activation. With `least` it has the lowest, and pictures with equal ones (0 after
        a ReLU) are ranked by their highest. Raises UsageError for a picture that is too small.
        """
        height, width = image.shape[-2:]
        self.network.sizes(height, width, [self.layer])
        with torch.no_grad():
            seen = self.network.features(image, [self.layer])[self.layer][0, self.channel].cpu().double()
        check_finite(seen)
        low, high = float(seen.min()), float(seen.max())
        ranks, value = ((low, high), low) if self.least else ((-high,), high)
        # Among equal places, take the one nearest to the middle.
        places = (seen == value).nonzero().double()
        middle = torch.tensor([(side - 1) / 2 for side in seen.shape], dtype=torch.float64)
        y, x = (int(place) for place in places[(places - middle).square().sum(1).argmin()])
        return [(ranks, self.network.layer(self.layer).place(y, x, height, width))]

    def objective(self) -> dict[str, Any]:
        """The recipe's objective that maximises the channel's mean activation; with `least`, minimises it."""
        plain = {"name": "channel", "layer": self.layer, "index": [self.channel], "normalise": False, "square": False}
        return {**plain, "weight": -1.0 if self.least else 1.0}

    def shown(self, photo: Photo) -> Tensor:
        """The photo, with a long side of at most `size` pixels: (1, 3, H, W) in [0, 1]."""
        return photo.at_most(self.size).image()

    def on(self, device: torch.device) -> Answer:
        """The method `answer` on a device, with the network prepared for speed."""
        return replace(self, network=self.network.prepared([self.layer], device, torch.float32)).answer

    def identity(self) -> dict[str, Any]:
        """Everything that decides the ranks, to recognise notes of the same search."""
        named = {"network": self.network.name, "weights": self.network.weights_hash, "layer": self.layer}
        return {**named, "channel": self.channel, "size": self.size, "least": self.least}


def channel_names(network: Network, layer: str) -> dict[str, int]:
    """The numbers of a layer's channels by name, for those named by the network or after a class."""
    named = network.labels if len(network.labels) == network.layer(layer).channels else ()
    return {label: number for number, label in enumerate(named) if label != str(number)} | dict(
        network.channels.get(layer, {})
    )


def channel_number(network: Network, layer: str, channel: str, option: str = "--channel") -> int:
    """The number of a channel given by number or name; raises UsageError, naming `option`, for an unknown one."""
    count, names = network.layer(layer).channels, channel_names(network, layer)
    number = whole_number(channel)
    number = names.get(channel, -1) if number is None else number
    if not 0 <= number < count:
        what = f"layer {layer} of {network.name} has channels 0 to {count - 1}"
        raise UsageError(f"{option} {_shortened(channel)}: {what}{did_you_mean(channel, names)}")
    return number


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


@dataclass(frozen=True, order=True)
class Exemplar:
    """A picture by its name in the folder, with its rank (lower is better) and the place that excites the unit."""

    rank: tuple[float, ...]
    name: str
    place: Place


@dataclass
class Search:
    """A search so far: each unit's `count` best pictures, the pictures done, and those skipped, with reasons."""

    count: int
    best: list[list[Exemplar]]
    done: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, matches: Sequence[Match | None]) -> None:
        """Add a picture to the best of each unit, where it belongs to them."""
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
    """Search pictures for the best of each unit.

    Args:
        folder: Where the pictures are.
        names: Their names, relative to the folder; see `pictures_in`.
        ranker: Ranks each picture for the units.
        count: Number of pictures to keep for each unit.
        notes: File from which an interrupted search of the same continues; the caller deletes it.
        device: Where the network computes.
        max_pixels: Larger pictures are skipped.
        on_picture: Called with the search so far, at the start and after each picture.

    Returns:
        The finished search.

    Raises:
        WriteError: The notes cannot be written.
    """
    identity = {"folder": str(folder.resolve()), "count": count, **ranker.identity()}
    so_far = _read_notes(notes, identity, names, ranker.units) or Search(count, [[] for _ in range(ranker.units)])
    answer = ranker.on(device)
    try:
        on_picture(so_far)
        for name in names:
            if name in so_far.done:
                continue
            try:
                photo = load(folder / name, max_pixels=max_pixels)
                so_far.add(name, answer(ranker.shown(photo).to(device)))
            except DreamerError as error:
                so_far.skipped[name] = str(error)
            so_far.done.add(name)
            if len(so_far.done) % _EVERY == 0:
                _write_notes(notes, identity, so_far)
            on_picture(so_far)
    except KeyboardInterrupt:
        _write_notes(notes, identity, so_far)
        raise
    return so_far


def load_for_crops(folder: Path, name: str, max_pixels: int) -> Image.Image:
    """Load a picture at a size that crops can be cut from. Raises PhotoError."""
    return to_pil(load(folder / name, max_pixels=max_pixels).at_most(_CROP_SOURCE).image())


def exemplar_looks(
    folder: Path, found: Sequence[Exemplar], side: int = 200, *, max_pixels: int = 200_000_000
) -> list[Look]:
    """A labelled tile for each exemplar, 5/2 `side` x `side` pixels: the picture, its place framed, and the place."""
    result = []
    for number, exemplar in enumerate(found, 1):
        try:
            picture = load_for_crops(folder, exemplar.name, max_pixels)
        except DreamerError:
            continue  # deleted or changed since the search
        left, top, right, bottom = exemplar.place
        wide, high = picture.size
        box = (round(left * wide), round(top * high), round(right * wide), round(bottom * high))
        crop = ImageOps.pad(picture.crop(box), (side, side), color=_BACKGROUND)
        framed = picture.copy()
        ImageDraw.Draw(framed).rectangle(box, outline=_FRAME, width=max(2, max(picture.size) // 100))
        tile = Image.new("RGB", (side * 5 // 2, side), _BACKGROUND)
        tile.paste(ImageOps.pad(framed, (side * 5 // 2 - side - 4, side), color=_BACKGROUND))
        tile.paste(crop, (side * 5 // 2 - side, 0))
        result.append(Look(f"{number}. {exemplar.name}", f"activation {_activation(exemplar):.3g}", tile))
    return result


def unit_look(picture: Image.Image, unit: Channel, side: int = 200) -> Look:
    """The tile of the channel's own visualization, for the start of a sheet."""
    tile = ImageOps.pad(picture, (side * 5 // 2, side), color=_BACKGROUND)
    return Look("what it avoids" if unit.least else "what it wants", f"channel {unit.channel} of {unit.layer}", tile)


def _activation(exemplar: Exemplar) -> float:
    """The activation at the place of a `Channel`'s exemplar."""
    return exemplar.rank[0] if len(exemplar.rank) > 1 else -exemplar.rank[0]


def never_fires(best: Sequence[Exemplar]) -> bool:
    """Whether a `Channel` fires in none of its exemplars: its activation is nowhere above 0."""
    return all(exemplar.rank[-1] <= 0 if len(exemplar.rank) > 1 else exemplar.rank[0] >= 0 for exemplar in best)


def check_finite(seen: Tensor) -> None:
    """Raise UsageError where activations contain NaN or Inf."""
    if not seen.isfinite().all():
        raise UsageError("the network's activations are not finite (NaN or Inf); choose another layer or weights")


def forget(notes: Path) -> None:
    """Delete the notes of a search, if they are there and are a file; a link is deleted, not what it leads to."""
    with suppress(OSError):
        notes.unlink()


def _write_notes(notes: Path, identity: dict[str, Any], search: Search) -> None:
    """Save a search, unless a folder has the name."""
    best = [[asdict(exemplar) for exemplar in unit] for unit in search.best]
    words = {"of": identity, "best": best, "done": sorted(search.done), "skipped": search.skipped}
    if is_link(notes) or not notes.is_dir():
        write_atomically(notes, json.dumps(words).encode())


def _read_notes(notes: Path, identity: dict[str, Any], names: Sequence[str], units: int) -> Search | None:
    """The saved search; None where there is none, or it is damaged or another one: it may be a stranger's."""
    try:
        words = json.loads(read_bounded(notes, limits.NOTES_BYTES))
        if words["of"] != identity or len(words["best"]) != units:
            return None
        known = set(names)
        found = [[_exemplar(one, known) for one in unit] for unit in words["best"]]
        done = known.intersection(words["done"])
        # Ctrl-C may have come while a picture was added to some of the units only: such a picture is ranked again.
        best = [sorted(one for one in unit if one.name in done)[: identity["count"]] for unit in found]
        skipped = {name: str(why) for name, why in words["skipped"].items() if name in done}
        return Search(identity["count"], best, done, skipped)
    except (OSError, UsageError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError):
        return None


def _exemplar(words: Any, names: Collection[str]) -> Exemplar:
    """An exemplar of the notes; raises ValueError, TypeError or KeyError for one that no search has found."""
    rank, place = tuple(map(float, words["rank"])), tuple(map(float, words["place"]))
    left, top, right, bottom = place
    if words["name"] not in names or len(rank) not in (1, 2) or not all(map(math.isfinite, rank)):
        raise ValueError("no picture of this folder, or no rank")
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError("no place in a picture")
    return Exemplar(rank, words["name"], (left, top, right, bottom))
