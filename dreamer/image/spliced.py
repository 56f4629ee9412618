"""A file made of parts of another one, so that a decoder sees the pixels' parts only and nothing is copied."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import BinaryIO

Part = bytes | tuple[int, int]
"""Bytes, or (start, end) of a range of the other file."""


class _Spliced(io.RawIOBase):
    """The raw file; `ends` are the positions at which its parts end."""

    def __init__(self, file: BinaryIO, parts: list[Part]) -> None:
        self._file, self._parts, self._position = file, parts, 0
        self._ends = list(accumulate(_length(part) for part in parts))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1] if self._ends else 0}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect_right(self._ends, self._position)
        if number == len(self._parts):
            return 0
        part = self._parts[number]
        at = self._position - self._ends[number] + _length(part)
        if isinstance(part, bytes):
            data = part[at : at + len(buffer)]
        else:
            self._file.seek(part[0] + at)
            data = self._file.read(min(len(buffer), part[1] - part[0] - at))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def spliced(file: BinaryIO, parts: Iterable[Part]) -> io.BufferedReader:
    """The parts, one after the other, as a file to read from; `file` must stay open. A missing end is not made up."""
    whole: list[Part] = []
    for part in parts:
        last = whole[-1] if whole else b""
        if isinstance(part, tuple) and isinstance(last, tuple) and part[0] == last[1]:
            whole[-1] = (last[0], part[1])
        elif _length(part) > 0:
            whole.append(part)
    return io.BufferedReader(_Spliced(file, whole), 1 << 16)


def tail(file: BinaryIO, start: int) -> io.BufferedReader:
    """The file from `start` on, as a file whose beginning that is."""
    return spliced(file, [(start, file.seek(0, io.SEEK_END))])


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
