"""How much of a stranger's file is read at most: one table, each bound checked before the file is unpacked.

A bound is on bytes, on depth, on a number of things or on pixels. What exceeds one is refused, in a sentence that names
the file and the bound. Bounds that protect a computation of dreamer itself stand beside that computation.
"""

from __future__ import annotations

from typing import Final

KB: Final = 2**10
MB: Final = 2**20
GB: Final = 2**30

# Text: presets, recipes, keyframes, packs, pyproject.toml
TOML_BYTES: Final = 100 * KB
"""Of a TOML file; the time of Python's parser grows with the square of a key's parts."""
TOML_DOTS: Final = 32
"""Dots in a line outside of quotes: the parts of a dotted key or of a table's name."""
KEYFRAMES_BYTES: Final = 1 * MB
"""Of a TOML file of keyframes, of which there may be thousands."""
JSON_BYTES: Final = 1 * MB
"""Of a recipe inside a picture, and of a distribution's direct_url.json."""

THUMBNAIL_BYTES: Final = 1 * MB
"""Of a preset's thumbnail."""
THUMBNAIL_PIXELS: Final = 1 * MB
"""Of a preset's thumbnail; dreamer's own have 240x160."""

# Notes: ledgers, manifests of clips, searches that are continued
NOTES_BYTES: Final = 64 * MB
