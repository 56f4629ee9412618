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
SHEET_CELLS: Final = 1000
"""Pictures of a sheet whose recipes are read; dreamer's own sheets have a hundred at most."""

THUMBNAIL_BYTES: Final = 1 * MB
"""Of a preset's thumbnail."""
THUMBNAIL_PIXELS: Final = 1 * MB
"""Of a preset's thumbnail; dreamer's own have 240x160."""

# Notes: ledgers, manifests of clips, searches that are continued
NOTES_BYTES: Final = 64 * MB

# Clips
ANIMATION_BYTES: Final = 512 * MB
"""Of an animated picture; Pillow reads the whole file into memory."""

SONG_SECONDS: Final = 4 * 3600
"""Of a song that is listened to; what comes later is not heard."""
SONG_BYTES: Final = 64 * MB
"""Of what is kept of a song in the cache: some 3 kB for each second."""
CURVE_BYTES: Final = 16 * MB
"""Of a CSV file whose values drive a clip."""

# Storages: what is behind an address, as of a bucket
LISTED_FILES: Final = 1_000_000
"""In a folder and its subfolders."""
LISTED_FOLDERS: Final = 10_000
"""In a folder; a page of the web may lead from one to the next for ever."""
LISTED_DEPTH: Final = 32
"""Of folders in folders."""

# Networks: weights, checkpoints of trainings
WEIGHTS_BYTES: Final = 8 * GB
"""Of a weights file: no network that anybody dreams with is larger."""
OWN_WEIGHTS_BYTES: Final = 64 * MB
"""Of a file of reverie or of the decoder: none is larger, whatever its width."""
CHECKPOINT_BYTES: Final = 1 * GB
"""Of the checkpoint of an interrupted training."""
PICKLE_BYTES: Final = 4 * MB
"""Of what a .pth file says of its tensors, some 200 bytes each; read, it takes up to a hundred times as much."""
ZIP_DIRECTORY_BYTES: Final = 4 * MB
"""Of the list of a .pth file's parts, some 100 bytes each."""
SAFETENSORS_HEADER_BYTES: Final = 8 * MB
"""Of what a .safetensors file says of its tensors."""
DIMENSIONS: Final = 8
"""Of a tensor; weights have five at most."""
DESCRIBED: Final = 4
"""How many times a file's own size its tensors may come to, as several may share values."""
STATE_DICTS: Final = 1000
"""Mappings within a .pth file among which the weights are looked for."""
CLASSES: Final = 100_000
"""Of a classifier of another size than the network's own."""
ATLAS_BYTES: Final = 512 * MB
"""Of an atlas whose pictures are used again."""
ATLAS_VALUES: Final = 2_000_000
"""Commas, colons and brackets in the data of an atlas: each value of it takes some hundred bytes once it is read."""
DIRECTION_BYTES: Final = 1 * MB
"""Of a file with directions: enough for any layer."""
CONCEPTS_BYTES: Final = 16 * MB
"""Of a file of concepts."""
CONCEPTS: Final = 64
"""Concepts in it."""

# Unfinished clips: what lies in the hidden folder beside an output
MANIFEST_BYTES: Final = 8 * MB
"""Of a manifest: some 100 bytes for each second of the clip, and its recipe."""
MANIFEST_DEPTH: Final = 32
"""Of the tables and lists in it."""
CLIP_SECONDS: Final = 10**9
"""Of the time of a frame; 31 years."""
CLIP_TICKS: Final = 2**60
"""Of the time of a frame in a clip's clock, which libav counts in 64 bits."""

# Pictures: what a file says besides its pixels, and how these are packed. What says more is left out, with a notice
EXIF_BYTES: Final = 4 * MB
"""Of an EXIF block, of one field in it, and of all fields together."""
XMP_BYTES: Final = 1 * MB
"""Of an XMP packet, of a text in a PNG, and of a recipe."""
PROFILE_BYTES: Final = 4 * MB
"""Of an ICC profile, unpacked."""
CAPTION_BYTES: Final = 1 * MB
"""Of IPTC captions."""
METADATA_PARTS: Final = 10_000
"""Chunks or segments of metadata in one picture; those behind them are passed over."""
PNG_CHUNKS: Final = 1_000_000
"""In one file, with those of the pixels."""
DEPTH_BYTES: Final = 16 * MB
"""Of a depth map inside a photo, packed; in XMP it takes up to twice as much."""
DEPTH_PICTURES: Final = 100
"""Behind a JPEG among which its depth is looked for."""
TRAILER_BYTES: Final = 64 * MB
"""Looked through behind a JPEG for other pictures and films."""
WEBP_CHUNKS: Final = 100_000
GIF_BLOCKS: Final = 2_000_000
"""Data blocks of at most 255 bytes, up to the second picture."""
HEIF_META_BYTES: Final = 16 * MB
"""Of what describes the items of a HEIC or AVIF."""
HEIF_ITEMS: Final = 10_000
"""Boxes, items, or pieces of items at most."""
JPEG_SEGMENTS: Final = 100_000
"""Of one picture, with those that hold pixels."""
JPEG_SCANS: Final = 100
"""Of one picture; each is decoded over all its pixels, and cameras and programs write about ten."""
TIFF_FIELDS: Final = 4096
"""In one directory."""
TIFF_LAYOUT_BYTES: Final = 16 * MB
"""Of one field that says where a TIFF's pixels are: two million strips or tiles."""
TIFF_TILE_PIXELS: Final = 1 << 24
"""Of a tile that is larger than its picture."""
LZMA_BYTES: Final = 128 * MB
"""Of memory to unpack LZMA."""
STREAM_BYTES: Final = 2 * GB
"""Of a picture from a pipe, which tells no length."""
