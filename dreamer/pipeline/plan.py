"""The plan for pictures of one size: octaves, tile and machine, settled once for all frames of a clip."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dreamer.engine.device import Machine, free_memory
from dreamer.engine.objective import WeightedObjective, scored_layers
from dreamer.engine.octaves import Octave, octave_sizes, rising_sizes, tapered
from dreamer.engine.tiling import largest_tile, pass_memory, refuse_whole, steady_tile, stride, surroundings
from dreamer.errors import NetworkError, UsageError, argument, either
from dreamer.image import OPEN, Edges
from dreamer.networks.network import Network
from dreamer.recipes.recipe import Octaves, Recipe

if TYPE_CHECKING:
    from dreamer.pipeline.pipeline import Pipeline

_PYRAMID = 16  # px: a side that can be halved four times


@dataclass(frozen=True)
class Plan:
    """The octaves, small to large, and the machine, on which nothing is left to be settled: the tile neither."""

    octaves: tuple[Octave, ...]
    machine: Machine

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures that it is for."""
        return self.octaves[-1].size

    @property
    def tiled(self) -> bool:
        """Whether the largest octave is looked at in tiles."""
        return 0 < self.machine.tile < max(self.size)

    def lessened(self, share: float) -> Plan:
        """This plan with a share of the steps, from 0 to 1."""
        return replace(self, octaves=tuple(octave.lessened(share) for octave in self.octaves))

    def with_steps(self, steps: int) -> Plan:
        """This plan with this number of steps in each octave."""
        return replace(self, octaves=tuple(replace(octave, steps=steps) for octave in self.octaves))


def check_frames(recipe: Recipe) -> None:
    """Raise UsageError for a recipe that is for stills alone."""
    if recipe.pictures > 1:
        raise UsageError("pictures: the frames of a clip are dreamt one at a time; leave it out")
    if recipe.cutout:
        raise UsageError("cutout: the frames of a clip have no transparency; leave it out")
    if recipe.wrap != Recipe.wrap:
        how = either("wrap='none'", "--set wrap=none")  # it may have come with a picture's recipe
        raise UsageError(f"wrap: only stills go round, and the frames of a clip do not; leave it out, or say {how}")


def plan_octaves(
    wanted: Octaves,
    network: Network,
    terms: Sequence[WeightedObjective],
    height: int,
    width: int,
    whole: tuple[int, int] | None = None,
    edges: Edges = OPEN,
) -> tuple[Octave, ...]:
    """The octaves of a picture, small to large; of a preview those that the whole begins with.

    Args:
        wanted: What the recipe says of them.
        network: The network that looks at them.
        terms: The objectives, whose layers have to fit in.
        height: Of the picture, in pixels.
        width: Likewise.
        whole: (height, width) of what it is a preview of, and shows the same forms at the same places.
        edges: Where the picture goes round. There sizes are multiples of the layers' strides, and of what a pyramid of
            four levels needs, so that no place is unlike the others.

    Raises:
        NetworkError: The picture, or an octave that the recipe asks for, is too small for the network.
        UsageError: `feature_size` is asked for at a layer whose features have no size.
    """
    if whole and whole != (height, width):
        octaves = plan_octaves(wanted, network, terms, *whole, edges=edges)
        away = [abs(math.log(min(octave.size) / min(height, width))) for octave in octaves]
        last = away.index(min(away))
        return (*octaves[:last], replace(octaves[last], size=(height, width)))
    if wanted.feature_size is None:
        sizes = octave_sizes(height, width, smallest=wanted.smallest, scale=wanted.scale, count=wanted.count)
    else:
        smallest = smallest_side(wanted.feature_size, network, terms)
        sizes = rising_sizes(height, width, smallest=smallest, scale=wanted.scale)
    if not (wanted.count or wanted.feature_size):
        widest = max(_template_widths(network, terms).values(), default=0)
        sizes = [size for size in sizes if min(size) >= widest] or sizes[-1:]
        while len(sizes) > 1 and not _fits(sizes[0], network, terms):
            sizes = sizes[1:]
    if edges:
        layers = scored_layers(network, terms).values()
        refuse_whole(layers, edges)
        sizes = list(dict.fromkeys(edges.fitting(size, math.lcm(_PYRAMID, stride(layers))) for size in sizes))
    network.sizes(*sizes[0], layers_of(terms))  # larger ones are large enough, too
    return tapered(sizes, wanted.steps, wanted.step_size, wanted.taper, wanted.way)


def plan_tile(
    machine: Machine,
    network: Network,
    terms: Sequence[WeightedObjective],
    height: int,
    width: int,
    pictures: int = 1,
    memory: int | None = None,
) -> int:
    """The side of the tiles for pictures of that size, in pixels, 0 for none: as asked, else as memory allows now.

    `memory` is the bytes that one pass may take, where that is not what is free. Raises UsageError where tiles are
    asked for and a layer looks at the whole picture.
    """
    layers = scored_layers(network, terms)
    if machine.tile > 0:
        refuse_whole(layers.values())
        return machine.tile
    if machine.tile == 0 or any(layer.rows is None for layer in layers.values()):
        return 0
    largest = largest_tile(layers, free_memory(machine.device) if memory is None else memory, pictures)
    return 0 if max(height, width) <= largest else steady_tile(largest)


def look_memory(
    tile: int, network: Network, terms: Sequence[WeightedObjective], height: int, width: int, pictures: int
) -> float:
    """The bytes that the network takes at once for pictures of that size, whole or in tiles of that side (0: whole)."""
    layers = scored_layers(network, terms)
    side = tile + surroundings(layers) if tile else max(height, width)
    return pass_memory(layers) * pictures * min(side, height) * min(side, width)


def smallest_side(feature_size: float, network: Network, terms: Sequence[WeightedObjective]) -> int:
    """The shortest side of the first octave, in pixels, where features grow to `feature_size` percent of it.

    What a position sees has full weight only near its centre (Luo 2016): half of a receptive field is taken for a
    feature, where none has a width of its own, as whole motifs have.
    """
    layers = [network.layer(name) for name in layers_of(terms)]
    whole = _template_widths(network, terms)
    features = [
        whole.get(layer.name, max(layer.rows.size, layer.columns.size) / 2)
        for layer in layers
        if layer.rows and layer.columns
    ]
    if not features:
        raise UsageError(
            f"octaves.feature_size: layer {layers[0].name} looks at the whole picture ({layers[0].whole}), so that "
            "its features have no size of their own; leave it out, or choose an earlier layer"
        )
    return max(1, round(max(features) * 100 / feature_size))


def layers_of(terms: Sequence[WeightedObjective]) -> list[str]:
    """The layers that the objectives look at, each once."""
    return list(dict.fromkeys(name for term in terms for name in (term.layers or (term.layer,))))


@contextmanager
def reduced(pipeline: Pipeline, size: tuple[int, int], whole: tuple[int, int]) -> Iterator[None]:
    """A block that plans for a picture of `size` (h, w), made from a `whole` one.

    Where the network finds it too small, and the whole one large enough, its NetworkError says so.
    """
    try:
        yield
    except NetworkError as error:
        if max(size) >= max(whole) or not _fits(whole, pipeline.network, pipeline.terms):
            raise
        how = f"a larger {argument('size')} helps, since it is {whole[1]}x{whole[0]} by itself"
        raise NetworkError(*(f"{problem}; {how}" for problem in error.problems)) from error


def _fits(size: tuple[int, int], network: Network, terms: Sequence[WeightedObjective]) -> bool:
    """Whether a picture of this size is large enough for the network."""
    with suppress(NetworkError):
        network.sizes(*size, layers_of(terms))
        return True
    return False


def _template_widths(network: Network, terms: Sequence[WeightedObjective]) -> dict[str, int]:
    """The width of whole motifs in pixels, by layer, where an objective dreams such."""
    layers = {term.layer for term in terms if term.context} & network.figures.keys()
    strides = {name: rows.stride for name in layers if (rows := network.layer(name).rows)}
    return {name: network.figures[name][1].shape[-1] * stride for name, stride in strides.items()}
