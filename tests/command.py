"""The command line as a function, and small photos for it."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from dreamer.cli import main
from dreamer.image import Photo, encode, read_recipe

QUICK = ("--set", "octaves.steps=1")
"""One step: enough to make another picture of a photo."""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout; anything else there fails."""
        return [json.loads(line) for line in self.out.splitlines()]


def dreamer(*arguments: str | Path) -> Ran:
    """Run a command in this process; a bug comes through as its own exception."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def render(*arguments: str | Path) -> Ran:
    """`dreamer render` with one step an octave."""
    return dreamer("render", *QUICK, *arguments)


def refused(ran: Ran, *words: str, code: int = 2) -> None:
    """Check that a command ended with one sentence a problem, no traceback, and these words."""
    assert ran.code == code, ran.err
    assert ran.err.strip() and all(line.startswith("dreamer: ") for line in ran.err.splitlines()), ran.err
    assert "Traceback" not in ran.err and "internal error" not in ran.err
    for word in words:
        assert word in ran.err


def pixels(width: int = 96, height: int = 72, channels: int = 3, depth: Any = np.uint8) -> NDArray[Any]:
    """A gradient with some noise on it, (height, width, channels)."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0.1, 0.7, width)[None, :, None] + 0.2 * random.random((height, width, channels))
    return (ramp * np.iinfo(depth).max).astype(depth)


def photo(path: Path, width: int = 96, height: int = 72, depth: Any = np.uint8, shift: int = 0) -> Path:
    """Write a photo in the format that the path names; `shift` makes another one of it."""
    formats = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP"}
    values = np.roll(pixels(width, height, depth=depth), shift, axis=1)
    if path.suffix in formats:
        path.write_bytes(encode(Photo(values), values, formats[path.suffix]))
    else:
        Image.fromarray(values).save(path)
    return path


def stamp_of(path: Path) -> dict[str, Any]:
    """What stands inside a picture that dreamer made."""
    text = read_recipe(path)
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


def forged(path: Path, text: str) -> Path:
    """A PNG with any text where dreamer's own pictures carry their recipe."""
    values = pixels(16, 16)
    path.write_bytes(encode(Photo(values), values, "PNG", recipe=text))
    return path


def left_in(folder: Path) -> list[str]:
    """Every file of a folder, hidden ones too."""
    return sorted(entry.name for entry in folder.iterdir())


def commands_in(text: str) -> list[str]:
    """The lines of a Markdown text's shell blocks that run dreamer, without their comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.S)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("dreamer ")]


def understood(line: str) -> click.Context:
    """What the command line makes of a command, without running it; a wrong one raises."""
    _, *words = shlex.split(line)
    command: Any = main
    while isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    context: click.Context = command.make_context("dreamer", words)
    return context


def process(*arguments: str | Path) -> list[str]:
    """The command line of a real process."""
    return [sys.executable, "-m", "dreamer", *map(str, arguments)]


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "DREAMER_PLUGINS": ""}
"""Of a real process."""
