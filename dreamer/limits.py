"""Bounds on the files of strangers, each checked before the file is unpacked.

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
"""Size of a TOML file; the time of Python's parser grows with the square of a key's parts."""
TOML_DOTS: Final = 32
"""Dots in a line outside of quotes: the parts of a dotted key or of a table's name."""
KEYFRAMES_BYTES: Final = 1 * MB
"""Size of a TOML file of keyframes; there may be thousands of them."""
JSON_BYTES: Final = 1 * MB
"""Size of a recipe inside a picture, and of a distribution's direct_url.json."""
SHEET_CELLS: Final = 1000
"""Pictures of a sheet whose recipes are read; dreamer's own sheets have a hundred at most."""

THUMBNAIL_BYTES: Final = 1 * MB
"""Size of a preset's thumbnail."""
THUMBNAIL_PIXELS: Final = 1 * MB
"""Pixels of a preset's thumbnail; dreamer's own have 240x160."""

# Notes: ledgers, manifests of clips, searches that are continued
NOTES_BYTES: Final = 64 * MB

# Clips
ANIMATION_BYTES: Final = 512 * MB
"""Size of an animated picture; Pillow reads the whole file into memory."""

SONG_SECONDS: Final = 4 * 3600
"""Length of a song; the sound after it is not analysed."""
SONG_BYTES: Final = 64 * MB
"""Size of a song's analysis in the cache: some 3 kB for each second."""
CURVE_BYTES: Final = 16 * MB
"""Size of a CSV file whose values drive a clip."""

# Storages behind an address, such as a bucket
LISTED_FILES: Final = 1_000_000
"""Files in a folder and its subfolders."""
LISTED_FOLDERS: Final = 10_000
"""Folders below a folder; web pages may lead from one to the next for ever."""
LISTED_DEPTH: Final = 32
"""Depth of folders in folders."""

# Networks: weights, checkpoints of trainings
WEIGHTS_BYTES: Final = 8 * GB
"""Size of a weights file: no network that anybody dreams with is larger."""
OWN_WEIGHTS_BYTES: Final = 64 * MB
"""Size of a file of reverie or of the decoder: none is larger, whatever its width."""
CHECKPOINT_BYTES: Final = 1 * GB
"""Size of the checkpoint of an interrupted training."""
PICKLE_BYTES: Final = 4 * MB
"""Size of the pickle in a .pth file, some 200 bytes for each tensor; unpickled, it takes up to a hundred times that."""
ZIP_DIRECTORY_BYTES: Final = 4 * MB
"""Size of the list of a .pth file's parts, some 100 bytes each."""
SAFETENSORS_HEADER_BYTES: Final = 8 * MB
"""Size of the header of a .safetensors file, which describes its tensors."""
DIMENSIONS: Final = 8
"""Dimensions of a tensor; weights have five at most."""
DESCRIBED: Final = 4
"""Total size of a file's tensors, as a multiple of the file's: several may share values."""
STATE_DICTS: Final = 1000
"""Mappings within a .pth file among which the weights are looked for."""
CLASSES: Final = 100_000
"""Classes of a classifier of another size than the network's own."""
ATLAS_BYTES: Final = 512 * MB
"""Size of an atlas whose pictures are used again."""
ATLAS_VALUES: Final = 2_000_000
"""Commas, colons and brackets in the data of an atlas: each value of it takes some hundred bytes once it is read."""
DIRECTION_BYTES: Final = 1 * MB
"""Size of a file with directions: enough for any layer."""
CONCEPTS_BYTES: Final = 16 * MB
"""Size of a file of concepts."""
CONCEPTS: Final = 64
"""Concepts in one file."""

# Unfinished clips, in the hidden folder beside an output
MANIFEST_BYTES: Final = 8 * MB
"""Size of a manifest: some 100 bytes for each second of the clip, and its recipe."""
MANIFEST_DEPTH: Final = 32
"""Depth of the tables and lists in a manifest."""
CLIP_SECONDS: Final = 10**9
"""Time of a frame in seconds; 31 years."""
CLIP_TICKS: Final = 2**60
"""Time of a frame in ticks of a clip's clock, which libav counts in 64 bits."""

# Pictures: metadata, which is left out with a notice if it exceeds a bound, and the packing of pixels
EXIF_BYTES: Final = 4 * MB
"""Size of an EXIF block, of one field in it, and of all fields together."""
XMP_BYTES: Final = 1 * MB
"""Size of an XMP packet, of a text in a PNG, and of a recipe."""
PROFILE_BYTES: Final = 4 * MB
"""Size of an ICC profile, unpacked."""
CAPTION_BYTES: Final = 1 * MB
"""Size of IPTC captions."""
COMMENT_BYTES: Final = 1 * MB
"""Size of all comments together."""
METADATA_PARTS: Final = 10_000
"""Chunks or segments of metadata in one picture; those after them are ignored."""
PNG_CHUNKS: Final = 1_000_000
"""Chunks in one PNG, with those of the pixels."""
DEPTH_BYTES: Final = 16 * MB
"""Size of a depth map inside a photo, packed; in XMP it takes up to twice as much."""
DEPTH_PICTURES: Final = 100
"""Pictures behind a JPEG among which its depth is looked for."""
TRAILER_BYTES: Final = 64 * MB
"""Bytes behind a JPEG that are searched for other pictures and films."""
WEBP_CHUNKS: Final = 100_000
GIF_BLOCKS: Final = 2_000_000
"""Data blocks of at most 255 bytes, up to the second picture."""
HEIF_META_BYTES: Final = 16 * MB
"""Size of the description of a HEIC's or AVIF's items."""
HEIF_ITEMS: Final = 10_000
"""Boxes, items, or pieces of items in a HEIC or AVIF."""
JPEG_SEGMENTS: Final = 100_000
"""Segments of one JPEG, with those that hold pixels."""
JPEG_SCANS: Final = 100
"""Scans of one JPEG; each is decoded over all its pixels, and cameras and programs write about ten."""
TIFF_FIELDS: Final = 4096
"""Fields in one directory of a TIFF."""
TIFF_LAYOUT_BYTES: Final = 16 * MB
"""Size of one field with the positions of a TIFF's pixels: two million strips or tiles."""
TIFF_TILE_PIXELS: Final = 1 << 24
"""Pixels of a tile that is larger than its picture."""
LZMA_BYTES: Final = 128 * MB
"""Memory to unpack LZMA."""
STREAM_BYTES: Final = 2 * GB
"""Size of a picture from a pipe, which tells no length."""
