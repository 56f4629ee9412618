"""Removes locations from IPTC captions: binary datasets, one after the other (IIM 4.2, chapter 1).

Written here since Pillow returns them as a mapping, which loses their order, and writes none.
"""

from __future__ import annotations

from collections.abc import Iterator

_MARK, _LONG = 0x1C, 0x8000
_PLACES = {(2, number) for number in (26, 27, 90, 92, 95, 100, 101)}
"""Location code and name, city, sublocation, state, country code and name."""


def without_places(captions: bytes) -> bytes:
    """The captions without locations, and without damaged or unknown bytes, which might hold some."""
    return b"".join(whole for kind, whole in _datasets(captions) if kind not in _PLACES)


def _datasets(captions: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """((record, number), whole dataset) for each, up to the first damaged one or padding."""
    start = 0
    while len(captions) >= start + 5 and captions[start] == _MARK:
        body, length = start + 5, int.from_bytes(captions[start + 3 : start + 5], "big")
        if length & _LONG:  # an extended dataset: this is the size of its length field
            body += length - _LONG
            length = int.from_bytes(captions[start + 5 : body], "big")
        if body + length > len(captions):
            return
        yield (captions[start + 1], captions[start + 2]), captions[start : body + length]
        start = body + length
