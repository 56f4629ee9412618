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
    """Commands for the channels of one layer, or the concepts of a file; `weights` is the network's file, if any."""

    network: str
    layer: str
    weights: str = ""
    concepts: str = ""

    def visualize(self, channel: int) -> str:
        """The command that makes a large visualization of a channel."""
        if self.concepts:
            output = f"concept-{channel}.png"
            return self._command("visualize", "-o", output, "--set", f"objectives=[{self._objective(channel)}]")
        output = f"{re.sub('[^A-Za-z0-9_.]', '-', self.layer).strip('-')}-{channel}.png"
        return self._command("visualize", "-o", output, "--layer", self.layer, "--channel", str(channel))

    def render(self, channel: int) -> str:
        """The command that dreams a channel over a photo."""
        return self._command("render", "photo.jpg", "--set", f"objectives=[{self._objective(channel)}]")

    def preset(self, channel: int, title: str) -> str:
        """A preset for a channel in TOML, without a weights file; for a concept, the command that saves one."""
        if self.concepts:
            return self._command(
                "presets", "save", f"concept-{channel}", "--set", f"objectives=[{self._objective(channel)}]"
            )
        network = "" if self.network == Recipe.network else f"network = {_toml(self.network)}\n"
        return (
            f"schema = {SCHEMA}\ntitle = {_toml(title)}\n{network}\n"
            f'[[objectives]]\nname = "channel"\nlayer = {_toml(self.layer)}\nindex = [{channel}]\n'
        )

    def _objective(self, channel: int) -> str:
        """A recipe's objective, as TOML."""
        if self.concepts:
            return f'{{name = "concept", file = {_toml(self.concepts)}, number = {channel}}}'
        return f'{{name = "channel", layer = {_toml(self.layer)}, index = [{channel}]}}'

    def _command(self, command: str, *words: str) -> str:
        """A command line, quoted for a shell."""
        network = ["--network", self.network] if self.network != Recipe.network else []
        weights = ["--weights", self.weights] if self.weights else []
        return shlex.join(["dreamer", command, *words, *network, *weights])


def _toml(value: Any) -> str:
    """A value as TOML."""
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
