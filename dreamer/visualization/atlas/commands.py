"""The words that dream a channel: what a person types, and a look to keep."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import tomli_w

from dreamer.recipes.recipe import SCHEMA, Recipe


@dataclass(frozen=True)
class Commands:
    """For the channels of one layer; `weights` is the file that was given, if any."""

    network: str
    layer: str
    weights: str = ""

    def visualize(self, channel: int) -> str:
        """The command that shows a channel large."""
        output = f"{re.sub('[^A-Za-z0-9_.]', '-', self.layer).strip('-')}-{channel}.png"
        return self._typed("visualize", "-o", output, "--layer", self.layer, "--channel", str(channel))

    def render(self, channel: int) -> str:
        """The command that dreams a channel over a photo."""
        objective = f'objectives=[{{name = "channel", layer = {_toml(self.layer)}, index = [{channel}]}}]'
        return self._typed("render", "photo.jpg", "--set", objective)

    def preset(self, channel: int, title: str) -> str:
        """The same as a preset's TOML, which names no file of weights."""
        network = "" if self.network == Recipe.network else f"network = {_toml(self.network)}\n"
        return (
            f"schema = {SCHEMA}\ntitle = {_toml(title)}\n{network}\n"
            f'[[objectives]]\nname = "channel"\nlayer = {_toml(self.layer)}\nindex = [{channel}]\n'
        )

    def _typed(self, command: str, *words: str) -> str:
        network = ["--network", self.network] if self.network != Recipe.network else []
        weights = ["--weights", self.weights] if self.weights else []
        return shlex.join(["dreamer", command, *words, *network, *weights])


def _toml(value: Any) -> str:
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
