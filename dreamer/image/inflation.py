"""Unpacks strangers' bytes up to a bound, or counts what they would unpack to without keeping it."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, BinaryIO

from dreamer import limits

DEFLATE, LZMA, ZSTD = (8, 32946, 50013), (34925,), (50000, 34926)
"""TIFF's numbers of these compressions."""

_AT_ONCE = 1 << 20  # bytes


def inflated(data: bytes, most: int) -> bytes | None:
    """Deflated bytes, unpacked; None if they are damaged or would be more than `most` bytes."""
    inflater = zlib.decompressobj()
    try:
        whole = inflater.decompress(data, most + 1)
    except zlib.error:
        return None
    return whole if len(whole) <= most and inflater.eof else None


def check_inflation(file: BinaryIO, offset: int, length: int, compression: int, most: int) -> None:
    """Check what `length` bytes at `offset` unpack to; a compression that is unknown here is not looked into.

    Raises ValueError if that is more than `most` bytes, or if they are damaged.
    """
    opened = _unpackers(compression)
    if opened is None:
        return
    count, unpack = 0, opened()
    file.seek(offset)
    while length > 0 and (piece := file.read(min(length, 1 << 16))):
        length -= len(piece)
        try:
            for size in unpack(piece):
                count += size
                if count > most:
                    raise ValueError(f"a part of it unpacks to more than its pixels, which have {most:,} bytes")
        except (zlib.error, lzma.LZMAError) as error:
            raise ValueError(f"it is damaged: {error}") from error


def _unpackers(compression: int) -> Callable[[], Callable[[bytes], Iterator[int]]] | None:
    """A function that starts an unpacker, which yields how many bytes each piece unpacks to; None if unknown."""
    if compression in DEFLATE:
        return _deflate
    if compression in LZMA:
        return lambda: _streams(lambda: lzma.LZMADecompressor(memlimit=limits.LZMA_BYTES))
    if compression in ZSTD:
        try:
            return lambda: _streams(import_module("compression.zstd").ZstdDecompressor)
        except ImportError:  # before Python 3.14; imagecodecs, which then unpacks it, keeps to the bound by itself
            return None
    return None


def _deflate() -> Callable[[bytes], Iterator[int]]:
    inflater = zlib.decompressobj()

    def unpack(piece: bytes) -> Iterator[int]:
        while piece and not inflater.eof:
            yield len(inflater.decompress(piece, _AT_ONCE))
            piece = inflater.unconsumed_tail

    return unpack


def _streams(opened: Callable[[], Any]) -> Callable[[bytes], Iterator[int]]:
    """The unpacker of a format in which several independent streams may follow one another."""
    unpacker = opened()

    def unpack(piece: bytes) -> Iterator[int]:
        nonlocal unpacker
        while piece or not (unpacker.needs_input or unpacker.eof):
            if unpacker.eof:
                unpacker = opened()
            yield len(unpacker.decompress(piece, _AT_ONCE))
            piece = unpacker.unused_data if unpacker.eof else b""

    return unpack
