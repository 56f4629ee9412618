"""Options that several commands share.

One style for all: the help begins with a verb or a full noun and ends with the default, as in [2048].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dreamer.cli.values import DEVICE, FILE, INIT, PRECISION, THREADS, FiniteRange, Number, Pixels, Seeds
from dreamer.recipes.sweeps import CELLS

if TYPE_CHECKING:
    from click.types import OptionHelpExtra


Command = TypeVar("Command", bound=Callable[..., Any])
_FEATURE_SIZE = "Size of the features, in percent of the short side."
_KEEP = "How much of what stands out in the photo stays; `spare` in a recipe. [0.3]"
STRENGTH = "From the photo (0) to the whole dream (1). [1]"


class _Option(click.Option):
    """An option without click's own note of its range, [1<=x<=100]."""

    def get_help_extra(self, ctx: click.Context) -> OptionHelpExtra:
        """Return what click appends to the help: `[required]` alone."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """`click.option`, whose help names default and range itself."""
    return click.option(*names, cls=_Option, **settings)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return several options as one decorator, shown in this order in the help."""

    def decorate(command: Command) -> Command:
        for one in reversed(options):
            command = one(command)
        return command

    return decorate


_network_options = together(
    option("--network", metavar="NAME", help="The network that dreams; downloaded if missing. [reverie]"),
    option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file."),
)
_set_option = option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change any part of the recipe, as in octaves.steps=20; may be repeated.",
)
source_options = together(
    option("--preset", metavar="NAME", help="A look: a name from `dreamer presets list`, or a .toml file."),
    option("--recipe", metavar="FILE", help="Repeat a recipe: a picture made by dreamer, or a .toml file."),
    _network_options,
    option("--layer", metavar="LAYER", help="The layer whose features grow; see `dreamer networks layers`."),
    _set_option,
)
"""Options for the source of a recipe, and for its network."""


_SEED = "Random seed: another seed, another dream."
_ONE_SEED = option("--seed", type=int, metavar="N", help=f"{_SEED} [0]")


def _amounts_for(size: str, seed: Callable[[Any], Any] = _ONE_SEED) -> Callable[[Command], Command]:
    """Return the options that are numbers, and the size."""
    return together(
        option("--strength", type=Number(1), metavar="0..1", help=STRENGTH),
        option(
            "--keep",
            type=Number(1),
            metavar="0..1",
            help="How much of what stands out in the photo stays: the recipe's `spare`. [0.3]",
        ),
        option("--feature-size", type=Number(100), metavar="PERCENT", help=_FEATURE_SIZE),
        option("--size", type=Pixels({"full": 0}, 16), metavar="PIXELS|full", help=size),
        seed,
    )


def changes_for(size: str) -> Callable[[Command], Command]:
    """Return the options that change looks which are named otherwise, all of them alike; `size` is --size's help."""
    return together(_network_options, _set_option, _amounts_for(size))


def recipe_options_for(size: str, seed: Callable[[Any], Any] = _ONE_SEED) -> Callable[[Command], Command]:
    """Return the options that decide the picture.

    With `machine_options` and --max-pixels they are the fields of `RenderOptions`. `size` is the help of --size, whose
    default differs between commands, and `seed` the option --seed.
    """
    return together(
        source_options,
        option("--motif", metavar="NAME,...", help="Dream these motifs or groups of the network, as in flowers,eye."),
        option("--channel", metavar="N|NAME", help="Dream a channel of the layer."),
        _amounts_for(size, seed),
        option("--init", type=INIT, help="Picture to start from. [photo]"),
        option("--guide", metavar="FILE", type=FILE, help="Grow the features of this picture."),
    )


_SIZE = "Limit of the long side; `full` keeps the photo's. [2048]"
recipe_options = recipe_options_for(_SIZE)
_SEEDS = option(
    "--seed",
    "seeds",
    type=Seeds(CELLS),
    default=(),
    metavar="N|N-M",
    help=f"{_SEED} Several make a sheet. [0]",
)
still_options = recipe_options_for(_SIZE, _SEEDS)
"""`recipe_options` with several seeds, which make a sheet."""

sheet_options = together(
    option(
        "--sweep",
        multiple=True,
        metavar="KEY=VALUE,...",
        help="Make a labelled sheet of these values; two sweeps are its rows and columns.",
    ),
    option(
        "--variations",
        type=click.IntRange(2, CELLS),
        metavar="N",
        help="Make a sheet of N seeds, or with --around of N small changes.",
    ),
    option(
        "--around",
        type=FiniteRange(0, 1),
        metavar="0..1",
        help="Vary the numbers of the recipe by up to this share, as in 0.2.",
    ),
    option("--like", metavar="SHEET#N", help="Go on from a picture of a sheet, as in sheet.jpg#4."),
    option("--html", "as_page", is_flag=True, help="Also write the sheet as a web page with the commands."),
)
"""Options that make a sheet of many dreams."""

machine_options = together(
    option(
        "--tile",
        type=Pixels({"auto": -1, "none": 0}, 32),
        metavar="PIXELS|auto|none",
        help="Side of the tiles; auto fits them to the memory. [auto]",
    ),
    option("--device", type=DEVICE, help="Where to compute. [auto]"),
    option(
        "--precision",
        type=PRECISION,
        help="Numeric precision of the network; auto is bfloat16 for large pictures where it is faster. [auto]",
    ),
    option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]"),
)
"""Options for the machine that computes the picture."""

max_pixels_option = option(
    "--max-pixels",
    type=click.IntRange(1),
    default=200_000_000,
    metavar="N",
    help="Refuse pictures of more pixels. [200000000]",
)
progress_option = option(
    "--progress",
    "how",
    type=click.Choice(["auto", "plain", "json", "none"]),
    default="auto",
    help="Progress output: a bar (in a terminal), plain lines, JSON lines on stdout, or none. [auto]",
)
