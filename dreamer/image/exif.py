"""Reads and writes EXIF byte by byte: directories of typed fields (TIFF 6.0, section 2), left uninterpreted.

Written here since Pillow's writer guesses the types again and replaces every letter outside ASCII, as in a
photographer's name. piexif is no longer maintained, and pyexiv2 is a GPL binary.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL.ExifTags import IFD, Base
from PIL.TiffTags import ASCII, LONG, RATIONAL, SHORT

from dreamer import limits

KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Type -> bytes per value."""
LONG8 = 16
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

LAYOUT = frozenset(
    {
        *(Base.NewSubfileType, Base.SubfileType, Base.ImageWidth, Base.ImageLength, Base.BitsPerSample),
        *(Base.Compression, Base.PhotometricInterpretation, Base.Thresholding, Base.CellWidth, Base.CellLength),
        *(Base.FillOrder, Base.StripOffsets, Base.Orientation, Base.SamplesPerPixel, Base.RowsPerStrip),
        *(Base.StripByteCounts, Base.MinSampleValue, Base.MaxSampleValue, Base.PlanarConfiguration),
        *(Base.GrayResponseUnit, Base.GrayResponseCurve, Base.T4Options, Base.T6Options, Base.PageNumber),
        *(Base.TransferFunction, Base.Predictor, Base.WhitePoint, Base.PrimaryChromaticities, Base.ColorMap),
        *(Base.HalftoneHints, Base.TileWidth, Base.TileLength, Base.TileOffsets, Base.TileByteCounts, Base.SubIFDs),
        *(Base.InkSet, Base.InkNames, Base.NumberOfInks, Base.DotRange, Base.ExtraSamples, Base.SampleFormat),
        *(Base.SMinSampleValue, Base.SMaxSampleValue, Base.TransferRange, Base.ClipPath, Base.XClipPathUnits),
        *(Base.YClipPathUnits, Base.Indexed, Base.JPEGTables, Base.JPEGProc, Base.JpegIFOffset, Base.JpegIFByteCount),
        *(Base.JpegRestartInterval, Base.JpegLosslessPredictors, Base.JpegPointTransforms, Base.JpegQTables),
        *(Base.JpegDCTables, Base.JpegACTables, Base.YCbCrCoefficients, Base.YCbCrSubSampling, Base.YCbCrPositioning),
        *(Base.ReferenceBlackWhite, Base.XMLPacket, Base.IPTCNAA, Base.ImageResources, Base.InterColorProfile),
        *(559, 37724),  # StripRowCounts and Photoshop's ImageSourceData, which Pillow does not name
    }
)
"""Fields of a TIFF's first directory that describe its pixel layout, or that a `Photo` keeps elsewhere."""

PLACES = frozenset({33550, 33920, 33922, 34264, 34735, 34736, 34737, 42112, 50844})
"""Fields of GeoTIFF and GDAL, which say where on the earth the pixels are; Pillow does not name them."""

POINTERS = frozenset({Base.SubIFDs, 400, IFD.Exif, IFD.GPSInfo, IFD.Interop, 50933, 513})
"""Fields that hold the position of something in the file they were read from."""

UNMOVED = frozenset({IFD.MakerNote, 50740, 50741})
"""A maker's notes: their positions count from another place, and they hold places and small pictures unseen."""

MOST: dict[int, int] = {
    Base.XMLPacket: limits.XMP_BYTES,
    Base.IPTCNAA: limits.CAPTION_BYTES,
    Base.InterColorProfile: limits.PROFILE_BYTES,
}
"""Fields of a TIFF that are blocks of their own -> bytes of the longest that is read."""
_LAYOUT_BYTES = 1 << 16

PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
"""First bytes of a field that holds a picture, which is of the undreamt photo."""


@dataclass(frozen=True)
class Field:
    """One value or array: the number of its type, and its bytes in the directory's byte order."""

    kind: int
    data: bytes

    def integers(self, order: str) -> tuple[int, ...]:
        """Its integers; empty for another type."""
        if self.kind not in INTEGERS:
            return ()
        count = len(self.data) // KINDS[self.kind]
        return struct.unpack_from(f"{order}{count}{INTEGERS[self.kind]}", self.data)


Entry = tuple[int, int, int, bytes]
"""(tag, kind, number of values, the values if they are short or else their position)."""


@dataclass(frozen=True)
class Table:
    """A directory as it stands in the file, without its values."""

    offset: int
    order: str
    big: bool
    entries: list[Entry]
    cut: bool
    """Whether entries are missing."""
    last: bool
    """Whether no other directory follows."""

    def values(self, file: BinaryIO, entry: Entry) -> bytes:
        """The bytes of an entry's values, or as many as the file has; the caller bounds their number."""
        _, kind, count, raw = entry
        size = count * KINDS.get(kind, 0)
        return raw[:size] if size <= len(raw) else _at(file, self.end(entry) - size, size)

    def end(self, entry: Entry) -> int:
        """The position in the file where an entry's values end; 0 if they stand in the entry itself."""
        _, kind, count, raw = entry
        size = count * KINDS.get(kind, 0)
        return 0 if size <= len(raw) else int.from_bytes(raw, "little" if self.order == "<" else "big") + size

    def packed(self, entries: list[Entry]) -> bytes:
        """A directory of these entries, of which no other follows, in place of this one."""
        number, entry = ("Q", "HHQ8s") if self.big else ("H", "HHI4s")
        rows = [struct.pack(self.order + entry, *each) for each in entries]
        return b"".join([struct.pack(self.order + number, len(rows)), *rows, bytes(8 if self.big else 4)])


@dataclass
class Directory:
    """Fields by tag, and the subdirectories by the tag that points to them (EXIF, GPS, interoperability)."""

    order: str = "<"
    fields: dict[int, Field] = field(default_factory=dict)
    children: dict[int, Directory] = field(default_factory=dict)
    damaged: bool = False
    """Whether a field could not be read and was left out."""
    missed: set[int] = field(default_factory=set, compare=False)
    """The fields that were left out."""

    def integers(self, tag: int) -> tuple[int, ...]:
        """The integers of a field; empty if it is missing or of another type."""
        return self.fields[tag].integers(self.order) if tag in self.fields else ()

    def data(self, tag: int) -> bytes:
        """The bytes of a field; empty if it is missing."""
        return self.fields[tag].data if tag in self.fields else b""

    def ratio(self, tag: int) -> float | None:
        """The first number of a rational field; None if it is missing or invalid."""
        return next(iter(self.ratios(tag)), None)

    def ratios(self, tag: int) -> list[float]:
        """The numbers of a rational field; empty if it is missing or invalid."""
        found = self.fields.get(tag)
        if found is None or found.kind != RATIONAL:
            return []
        numbers = struct.unpack(f"{self.order}{len(found.data) // 4}I", found.data)
        pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
        return [above / below for above, below in pairs] if all(below for _, below in pairs) else []

    def put(self, tag: int, kind: int, *values: int) -> None:
        """Set an integer field, or a rational one from alternating numerators and denominators."""
        letter = "I" if kind == RATIONAL else INTEGERS[kind]
        self.fields[tag] = Field(kind, struct.pack(f"{self.order}{len(values)}{letter}", *values))

    def put_text(self, tag: int, text: str) -> None:
        """Set a text field."""
        self.fields[tag] = Field(ASCII, text.encode() + b"\0")

    def put_resolution(self, dpi: tuple[float, float]) -> None:
        """Set the resolution, in pixels per inch (across, down)."""
        for tag, value in zip((Base.XResolution, Base.YResolution), dpi, strict=True):
            self.put(tag, RATIONAL, min(round(value * 1000), 0xFFFFFFFF), 1000)
        self.put(Base.ResolutionUnit, SHORT, 2)

    def resolution(self) -> tuple[float, float] | None:
        """The resolution in pixels per inch (across, down); None if it is not given."""
        x, y, unit = self.ratio(Base.XResolution), self.ratio(Base.YResolution), self.integers(Base.ResolutionUnit)
        if not x or not y or unit[:1] == (1,):
            return None
        scale = 2.54 if unit[:1] == (3,) else 1
        return x * scale, y * scale

    def shorten(self, limit: int) -> None:
        """Remove the longest fields until the block fits into `limit` bytes."""
        size = len(self.block())
        places = [self, *self.children.values()]
        fields = [(len(value.data), tag, place) for place in places for tag, value in place.fields.items()]
        for length, tag, place in sorted(fields, key=lambda found: -found[0]):
            if size <= limit:
                return
            del place.fields[tag]
            size -= 12 + (length + length % 2 if length > 4 else 0)

    def packed(self, offset: int, big: bool = False) -> bytes:
        """The directory with its fields' values and its subdirectories, as bytes for `offset` in a TIFF or BigTIFF."""
        tags = sorted(self.fields.keys() | self.children.keys())
        number, entry, pointer, place = ("Q", "HHQ", LONG8, "Q") if big else ("H", "HHI", LONG, "I")
        room = struct.calcsize(place)
        entries, body = [struct.pack(self.order + number, len(tags))], bytearray()
        start = offset + len(entries[0]) + (struct.calcsize("=" + entry) + room) * len(tags) + room
        for tag in tags:
            here = struct.pack(self.order + place, start + len(body))
            if tag in self.children:
                kind, count, value = pointer, 1, here
                body += self.children[tag].packed(start + len(body), big)
            else:
                kind, data = self.fields[tag].kind, self.fields[tag].data
                count, value = len(data) // KINDS[kind], data.ljust(room, b"\0") if len(data) <= room else here
                body += b"" if len(data) <= room else data
            body += bytes(len(body) % 2)
            entries.append(struct.pack(self.order + entry, tag, kind, count) + value)
        return b"".join([*entries, bytes(room), body])

    def block(self) -> bytes:
        """The directory as an EXIF block for JPEG, PNG, WebP and AVIF: a TIFF file without a picture."""
        return header(self.order, 8) + self.packed(8) if self.fields or self.children else b""


def read_directory(file: BinaryIO) -> Directory:
    """The first directory of a TIFF file or EXIF block, with its subdirectories.

    Damaged fields, those that are too long, and a maker's notes are left out. Raises ValueError if the file is no TIFF.
    """
    return _read(file, first_table(file), [limits.EXIF_BYTES], below=(IFD.Exif, IFD.GPSInfo))


def first_table(file: BinaryIO) -> Table:
    """The table of the first directory. Raises ValueError if the file is not a TIFF."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if not order or len(head) < 8 or head[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        raise ValueError("not a TIFF")
    big = 43 in head[2:4]
    if big and len(head) < 16:
        raise ValueError("not a TIFF")
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    return table_at(file, offset, order, big)


def parse(block: bytes) -> Directory:
    """The directory in an EXIF block; an empty one for no bytes, and an empty `damaged` one for anything else."""
    try:
        return read_directory(io.BytesIO(block)) if block else Directory()
    except ValueError:
        return Directory(damaged=True)


def header(order: str, offset: int, big: bool = False) -> bytes:
    """The header of a TIFF or BigTIFF file whose first directory is at `offset`."""
    mark = b"II" if order == "<" else b"MM"
    return (
        struct.pack(order + "2s3HQ", mark, 43, 8, 0, offset) if big else struct.pack(order + "2sHI", mark, 42, offset)
    )


def table_at(file: BinaryIO, offset: int, order: str, big: bool) -> Table:
    """The table of the directory at `offset`, with its first `limits.TIFF_FIELDS` entries."""
    number, entry = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    each, length = struct.calcsize("=" + entry), struct.calcsize("=" + number)
    count = int.from_bytes(_at(file, offset, length), "little" if order == "<" else "big")
    data = _at(file, offset + length, min(count, limits.TIFF_FIELDS) * each)
    entries = list(struct.iter_unpack(order + entry, data[: len(data) // each * each]))
    behind = _at(file, offset + length + count * each, 8 if big else 4)
    return Table(offset, order, big, entries, cut=len(entries) < max(count, 1), last=not any(behind))


def _read(file: BinaryIO, table: Table, budget: list[int], below: tuple[int, ...]) -> Directory:
    """The directory of a table. All fields hold at most `budget` bytes together, so that a small file stays small."""
    directory = Directory(table.order, damaged=table.cut)
    for entry in table.entries:
        tag, kind, values, _ = entry
        needed = values * KINDS.get(kind, 0)
        if needed == 0 or tag in UNMOVED or (tag in POINTERS and tag not in below):
            continue
        most, data = MOST.get(tag), b""
        if needed <= (most or min(budget[0], _LAYOUT_BYTES if tag in LAYOUT else budget[0])):
            budget[0] -= 0 if most else needed
            data = table.values(file, entry)
        found = Field(kind, data)
        if len(data) < needed:
            directory.missed.add(tag)
            directory.damaged |= tag not in LAYOUT
        elif tag in below:
            for offset in found.integers(table.order)[:1]:
                deeper = (IFD.Interop,) if tag == IFD.Exif else ()
                child = _read(file, table_at(file, offset, table.order, table.big), budget, deeper)
                directory.damaged |= child.damaged
                if child.fields or child.children:
                    directory.children[tag] = child
        elif not data.startswith(PICTURES):
            directory.fields[tag] = found
    return directory


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    try:
        file.seek(offset)
    except (OSError, ValueError, OverflowError):  # a position that no file can have
        return b""
    return file.read(size)
