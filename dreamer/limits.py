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

# Notes: ledgers, manifests of clips, searches that are continued
NOTES_BYTES: Final = 64 * MB

# Unfinished clips: what lies in the hidden folder beside an output
MANIFEST_BYTES: Final = 8 * MB
"""Of a manifest: some 100 bytes for each second of the clip, and its recipe."""
MANIFEST_DEPTH: Final = 32
"""Of the tables and lists in it."""
CLIP_SECONDS: Final = 10**9
"""Of the time of a frame; 31 years."""
CLIP_TICKS: Final = 2**60
"""Of the time of a frame in a clip's clock, which libav counts in 64 bits."""
