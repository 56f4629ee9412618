"""The commands and the preset that show a channel, as text for the page."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any

import tomli_w

from dreamer.recipes.recipe import SCHEMA, Recipe


@dataclass(frozen=True)
class Commands:
    """Commands for the channels of one layer; `weights` is the file given for the network, if any."""

    network: str
    layer: str
    weights: str = ""

    def visualize(self, channel: int) -> str:
        """The command that makes a large visualization of a channel."""
        output = f"{re.sub('[^A-Za-z0-9_.]', '-', self.layer).strip('-')}-{channel}.png"
        return self._command("visualize", "-o", output, "--layer", self.layer, "--channel", str(channel))

    def render(self, channel: int) -> str:
        """The command that dreams a channel over a photo."""
        objective = f'objectives=[{{name = "channel", layer = {_toml(self.layer)}, index = [{channel}]}}]'
        return self._command("render", "photo.jpg", "--set", objective)

    def preset(self, channel: int, title: str) -> str:
        """The same as the TOML text of a preset, which cannot name a weights file."""
        network = "" if self.network == Recipe.network else f"network = {_toml(self.network)}\n"
        return (
            f"schema = {SCHEMA}\ntitle = {_toml(title)}\n{network}\n"
            f'[[objectives]]\nname = "channel"\nlayer = {_toml(self.layer)}\nindex = [{channel}]\n'
        )

    def _command(self, command: str, *words: str) -> str:
        """A command line, quoted for a shell."""
        network = ["--network", self.network] if self.network != Recipe.network else []
        weights = ["--weights", self.weights] if self.weights else []
        return shlex.join(["dreamer", command, *words, *network, *weights])


def _toml(value: Any) -> str:
    """A value as TOML."""
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
