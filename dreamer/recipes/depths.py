"""Depth in words: a picture's name, `photo` for what the photo's file holds, or a plugin's name; and `not:`."""

from __future__ import annotations

from dataclasses import dataclass

from dreamer.files.suffixes import is_file_name
from dreamer.recipes.masks import NOT

PHOTO = "photo"
"""The depth that a phone has put into the photo."""


@dataclass(frozen=True)
class DepthWords:
    """The source of a depth; `turned` if bright is far instead of near."""

    name: str
    turned: bool = False

    @classmethod
    def read(cls, text: str) -> DepthWords:
        """Read `[not:]NAME`."""
        return cls(text.removeprefix(NOT).strip(), text.startswith(NOT))

    @property
    def names_file(self) -> bool:
        """Whether the name can only be a file's."""
        return self.name != PHOTO and is_file_name(self.name)
