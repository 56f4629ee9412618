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

KINDS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Type -> bytes per value."""
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

LARGEST = 4 << 20
"""Bytes; a larger field is left out."""


@dataclass(frozen=True)
class Field:
    """One value or array: the number of its type, and its bytes in the directory's byte order."""

    kind: int
    data: bytes

    def integers(self, order: str) -> tuple[int, ...]:
        """Its integers; empty for another type."""
        if self.kind not in INTEGERS:
            return ()
        return struct.unpack(f"{order}{len(self.data) // KINDS[self.kind]}{INTEGERS[self.kind]}", self.data)


@dataclass
class Directory:
    """Fields by tag, and the subdirectories by the tag that points to them (EXIF, GPS, interoperability)."""

    order: str = "<"
    fields: dict[int, Field] = field(default_factory=dict)
    children: dict[int, Directory] = field(default_factory=dict)
    damaged: bool = False
    """Whether a field could not be read and was left out."""

    def integers(self, tag: int) -> tuple[int, ...]:
        """The integers of a field; empty if it is missing or of another type."""
        return self.fields[tag].integers(self.order) if tag in self.fields else ()

    def data(self, tag: int) -> bytes:
        """The bytes of a field; empty if it is missing."""
        return self.fields[tag].data if tag in self.fields else b""

    def ratio(self, tag: int) -> float | None:
        """The first number of a rational field; None if it is missing or invalid."""
        found = self.fields.get(tag)
        if found is None or found.kind != RATIONAL or len(found.data) < 8:
            return None
        numerator, denominator = struct.unpack(self.order + "II", found.data[:8])
        return numerator / denominator if denominator else None

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
        """Remove the longest fields (mostly maker notes) until the block fits into `limit` bytes."""
        while len(self.block()) > limit:
            places = [self, *self.children.values()]
            longest = [(len(value.data), tag, place) for place in places for tag, value in place.fields.items()]
            _, tag, place = max(longest, key=lambda found: found[0])
            del place.fields[tag]

    def packed(self, offset: int) -> bytes:
        """The directory with its fields' values and its subdirectories, as bytes for `offset` in a TIFF file."""
        tags = sorted(self.fields.keys() | self.children.keys())
        entries, body = [struct.pack(self.order + "H", len(tags))], bytearray()
        start = offset + 2 + 12 * len(tags) + 4
        for tag in tags:
            here = struct.pack(self.order + "I", start + len(body))
            if tag in self.children:
                kind, count, value = LONG, 1, here
                body += self.children[tag].packed(start + len(body))
            else:
                kind, data = self.fields[tag].kind, self.fields[tag].data
                count, value = len(data) // KINDS[kind], data.ljust(4, b"\0") if len(data) <= 4 else here
                body += b"" if len(data) <= 4 else data
            body += bytes(len(body) % 2)
            entries.append(struct.pack(self.order + "HHI", tag, kind, count) + value)
        return b"".join([*entries, bytes(4), body])

    def block(self) -> bytes:
        """The directory as an EXIF block for JPEG, PNG, WebP and AVIF: a TIFF file without a picture."""
        return header(self.order, 8) + self.packed(8) if self.fields or self.children else b""


def read_directory(file: BinaryIO) -> Directory:
    """The first directory of a TIFF file or EXIF block, with its subdirectories.

    Damaged fields are left out, and `damaged` says so. Raises ValueError if the file is not a TIFF.
    """
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if not order or len(head) < 8 or head[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        raise ValueError("not a TIFF")
    big = 43 in head[2:4]
    if big and len(head) < 16:
        raise ValueError("not a TIFF")
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    length = file.seek(0, io.SEEK_END)
    return _read(file, offset, order, big, length, below=(IFD.Exif, IFD.GPSInfo))


def parse(block: bytes) -> Directory:
    """The directory in an EXIF block; an empty one for no bytes, and an empty `damaged` one for anything else."""
    try:
        return read_directory(io.BytesIO(block)) if block else Directory()
    except ValueError:
        return Directory(damaged=True)


def header(order: str, offset: int) -> bytes:
    """The header of a TIFF file whose first directory is at `offset`."""
    return struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, offset)


def _read(file: BinaryIO, offset: int, order: str, big: bool, length: int, below: tuple[int, ...]) -> Directory:
    """The directory at `offset`. Its fields hold at most `length` bytes together, so that a small file stays small."""
    directory = Directory(order)
    count_form, entry_form, inline = ("Q", "HHQ8s", 8) if big else ("H", "HHI4s", 4)
    try:
        (count,) = struct.unpack(order + count_form, _at(file, offset, struct.calcsize(order + count_form)))
        size = struct.calcsize(order + entry_form)
        table = _at(file, offset + struct.calcsize(order + count_form), min(count, 4096) * size)
    except struct.error:
        directory.damaged = True
        return directory
    for tag, kind, values, raw in struct.iter_unpack(order + entry_form, table[: len(table) // size * size]):
        needed = values * KINDS.get(kind, 0)
        if needed == 0:
            continue
        (where,) = struct.unpack(order + ("Q" if big else "I"), raw)
        data = b""
        if needed <= min(length, LARGEST):
            length -= needed
            data = raw[:needed] if needed <= inline else _at(file, where, needed)
        found = Field(kind, data)
        if len(data) < needed:
            directory.damaged |= tag not in LAYOUT
        elif tag not in below:
            directory.fields[tag] = found
        elif pointer := found.integers(order):
            deeper = (IFD.Interop,) if tag == IFD.Exif else ()
            directory.children[tag] = _read(file, pointer[0], order, big, length, deeper)
            directory.damaged |= directory.children[tag].damaged
    directory.damaged |= len(table) < count * size
    return directory


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
