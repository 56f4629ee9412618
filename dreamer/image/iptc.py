"""IPTC captions as the bytes they are: datasets one after the other (IIM 4.2, chapter 1).

Read here since Pillow gives them as a mapping, in which their order is lost, and writes none.
"""

from __future__ import annotations

from collections.abc import Iterator

_MARK, _LONG = 0x1C, 0x8000
_PLACES = {(2, number) for number in (26, 27, 90, 92, 95, 100, 101)}
"""Code and name of a place, city, part of it, state, country's code and name."""


def without_places(captions: bytes) -> bytes:
    """The same datasets but for those that say where; what is no dataset, which might say it, is left out as well."""
    return b"".join(whole for kind, whole in _datasets(captions) if kind not in _PLACES)


def _datasets(captions: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Each with its record and number, up to where they are damaged, or padding."""
    start = 0
    while len(captions) >= start + 5 and captions[start] == _MARK:
        body, length = start + 5, int.from_bytes(captions[start + 3 : start + 5], "big")
        if length & _LONG:  # then it is the length of the length
            body += length - _LONG
            length = int.from_bytes(captions[start + 5 : body], "big")
        if body + length > len(captions):
            return
        yield (captions[start + 1], captions[start + 2]), captions[start : body + length]
        start = body + length
