"""Options that several commands share, and the kinds of values that they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

Command = TypeVar("Command", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)


class Pixels(ParamType):
    """A number of pixels, or a word that stands for one."""

    def __init__(self, words: dict[str, int], least: int) -> None:
        self.words, self.least = words, least
        self.name = "|".join([*words, "pixels"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; a sentence when it is neither."""
        if isinstance(value, int):
            return value
        if value in self.words:
            return self.words[value]
        if value.isdecimal() and int(value) >= self.least:
            return int(value)
        self.fail(f"{value!r} is not {', '.join(self.words)} or a number of pixels from {self.least} on", param, ctx)


class Numbers(ParamType):
    """Whole numbers from 1 on, with commas between."""

    name = "n,m"

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, ...]:
        """The numbers; a sentence when they are not."""
        if isinstance(value, tuple):
            return value
        if not all(part.strip().isdecimal() and int(part) > 0 for part in value.split(",")):
            self.fail(f"{value!r} is not a list of step numbers, as in 10,20,40", param, ctx)
        return tuple(int(part) for part in value.split(","))


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in this order in the help."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


source_options = together(
    click.option("--preset", metavar="NAME", help="A look: a name from `dreamer presets list`, or a .toml file."),
    click.option("--recipe", metavar="FILE", help="Repeat a recipe: a picture that dreamer made, or a .toml file."),
    click.option("--network", metavar="NAME", help="The network that dreams; fetched when absent. [reverie]"),
    click.option("--weights", metavar="FILE", type=_FILE, help="Its weights: .safetensors or .pth."),
    click.option("--layer", metavar="LAYER", help="The layer whose features grow; see `dreamer networks layers`."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any part of the recipe: octaves.steps=20.",
    ),
)
"""Where a recipe comes from, and its network."""


def recipe_options_for(size: str) -> Callable[[Command], Command]:
    """What decides the picture: with `machine_options` and --max-pixels the fields of `RenderOptions`.

    `size` is the help of --size, whose default differs.
    """
    return together(
        source_options,
        click.option("--strength", type=float, metavar="0..1", help="From the photo (0) to the whole dream (1). [1]"),
        click.option("--feature-size", type=float, metavar="PERCENT", help="Size of features, in % of the short side."),
        click.option("--size", type=Pixels({"full": 0}, 16), help=size),
        click.option("--seed", type=int, metavar="N", help="Number of the dream: another seed, another dream. [0]"),
        click.option(
            "--init", type=click.Choice(["photo", "noise", "grey", "canvas"]), help="What to start from. [photo]"
        ),
        click.option("--guide", metavar="PICTURE", type=_FILE, help="A picture whose features to grow."),
    )


recipe_options = recipe_options_for("Limit of the long side, in pixels; `full` keeps the photo's. [2048]")

machine_options = together(
    click.option("--tile", type=Pixels({"auto": -1, "none": 0}, 32), help="Side of a tile; auto: as memory allows."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to compute. [auto]"),
    click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="Of the network. [auto]"),
    click.option("--threads", type=click.IntRange(1), metavar="N", help="Processor threads. [all cores]"),
)

max_pixels_option = click.option(
    "--max-pixels", type=click.IntRange(1), default=200_000_000, metavar="N", help="Refuse larger pictures."
)
progress_option = click.option(
    "--progress",
    "how",
    type=click.Choice(["auto", "plain", "json", "none"]),
    default="auto",
    help="How to tell of it: a bar in a terminal, lines, JSON lines on stdout, or not at all.",
)
