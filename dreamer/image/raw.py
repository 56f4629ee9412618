"""Recognizes raw photos: TIFFs whose first picture is a small preview, and formats of their own.

Of such a file only the preview could be read, and nobody means to dream over that.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import BinaryIO

from PIL.ExifTags import Base

from dreamer.image import exif

SUFFIXES = frozenset(
    ".3fr .arq .arw .cap .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf .ori"
    " .pef .ptx .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f".split()
)
_DNG_VERSION, _CFA, _LINEAR = 50706, 32803, 34892
_MOST_BELOW = 16  # directories below the first that are looked into


def is_raw(name: str, file: BinaryIO) -> bool:
    """Whether this is a raw photo, by what is in the file; a TIFF by its name as well."""
    file.seek(0)
    head = file.read(16)
    if (
        head.startswith((b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb", b"\0MRM", b"ARRI"))
        or head[4:12] == b"ftypcrx "
        or head[6:14] == b"HEAPCCDR"
        or (head[8:10] == b"CR" and head[:2] in (b"II", b"MM"))
    ):
        return True
    try:
        table, directory = exif.first_table(file), exif.read_directory(file)
    except ValueError:
        return False
    if PurePath(name).suffix.lower() in SUFFIXES or _DNG_VERSION in directory.fields:
        return True
    if sum(directory.integers(Base.NewSubfileType)) & 1:
        return True
    below = next((entry for entry in table.entries if entry[0] == Base.SubIFDs and entry[2] <= _MOST_BELOW), None)
    offsets = () if below is None else exif.Field(below[1], table.values(file, below)).integers(table.order)
    tables = [table, *(exif.table_at(file, offset, table.order, table.big) for offset in offsets)]
    return any(
        exif.Field(entry[1], one.values(file, entry)).integers(one.order)[:1] in ((_CFA,), (_LINEAR,))
        for one in tables
        for entry in one.entries
        if entry[0] == Base.PhotometricInterpretation and entry[2] == 1
    )
