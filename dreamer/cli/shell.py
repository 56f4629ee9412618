"""Words and commands as a shell reads them, to be copied from pages and sentences."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path


def shell_word(word: str) -> str:
    """The word as a shell reads it; what cannot be seen or printed is written as $'...', as POSIX and bash have it."""
    if word.isprintable():
        return shlex.quote(word)
    letters = (letter if letter.isprintable() and letter not in "'\\" else _bytes_of(letter) for letter in word)
    return f"$'{''.join(letters)}'"


def render_command(photo: Path | None, words: Iterable[str]) -> str:
    """The command that dreams over a photo, None for the sample scene, with these options."""
    name = "--sample" if photo is None else f"./{photo}" if str(photo).startswith("-") else str(photo)
    return " ".join(map(shell_word, ("dreamer", "render", name, *words)))


def _bytes_of(letter: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))
