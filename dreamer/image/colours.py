"""ICC profiles for colours that a file names in another way: by codes (H.273), by gamma and corners, or in its EXIF.

A profile is what a `Photo` converts by, and what its dream carries on.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import IFD, Base

from dreamer.image import exif
from dreamer.image.profile import D50_XYZ

Place = tuple[float, float]
"""CIE's x and y of a colour."""

D65: Place = (0.3127, 0.3290)
BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
SMPTE = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
PRIMARIES: dict[int, tuple[tuple[Place, Place, Place], Place]] = {
    1: (BT709, D65),
    2: (BT709, D65),  # unspecified
    4: (((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), (0.310, 0.316)),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65),
    6: (SMPTE, D65),
    7: (SMPTE, D65),
    8: (((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), (0.310, 0.316)),
    9: (((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    11: (P3, (0.314, 0.351)),
    12: (P3, D65),
    22: (((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), D65),
}
"""H.273's code -> corners (red, green, blue) and white."""

PQ, HLG = 16, 18
PAPER = 203.0
"""Nits of white paper in an HDR picture (BT.2408)."""
SHOULDER = 0.75
"""Share of white paper's light from which on the highlights of an HDR picture are compressed."""
_CODES = np.linspace(0, 1, 4096)


def _para(function: int, *numbers: float) -> bytes:
    """A curve by formula (ICC.1:2022, 10.18)."""
    return struct.pack(f">4s4xH2x{len(numbers)}i", b"para", function, *[round(number * 65536) for number in numbers])


def _curv(light: NDArray[np.float64]) -> bytes:
    """A curve by its values in [0, 1] (ICC.1:2022, 10.6)."""
    values = np.rint(np.clip(light, 0, 1) * 65535).astype(">u2")
    return struct.pack(">4s4xI", b"curv", len(values)) + values.tobytes()


SRGB_CURVE = _para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True)
class Colours:
    """A colour space: red, green and blue primaries, the white point, and the curve from codes to light, as in ICC."""

    corners: tuple[Place, ...] = BT709
    white: Place = D65
    curve: bytes = SRGB_CURVE
    notice: str = ""
    """A sentence for what is lost, if anything is."""

    def profile(self, grey: bool) -> bytes:
        """The ICC profile of an RGB or a grey picture; empty for sRGB."""
        if self.curve == SRGB_CURVE and (grey or np.allclose(self.corners, BT709, atol=0.004)):
            return b""
        adapted = _adaptation(self.white)
        tags = {b"wtpt": _xyz(D50_XYZ), b"chad": struct.pack(">4s4x9i", b"sf32", *_fixed(adapted.ravel()))}
        if grey:
            tags[b"kTRC"] = self.curve
        else:
            matrix = np.stack([_place(corner) for corner in self.corners], axis=1)
            matrix = adapted @ (matrix * np.linalg.solve(matrix, _place(self.white)))
            tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), matrix.T, strict=True)}
            tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), self.curve)
        return _profile(b"GRAY" if grey else b"RGB ", tags)


def of_codes(primaries: int, transfer: int) -> Colours:
    """The colours that H.273 numbers so, as cICP in a PNG and nclx in HEIC and AVIF do."""
    curve = _TRANSFERS.get(transfer)
    if primaries not in PRIMARIES or curve is None:
        return Colours(notice=f"its colours, {primaries} and {transfer} of H.273, are unknown and are taken as sRGB")
    notice = ""
    if transfer in (PQ, HLG):
        name = "PQ" if transfer == PQ else "HLG"
        notice = f"it is an HDR picture ({name}); its dream has the usual brightness, and its highlights are compressed"
    return Colours(*PRIMARIES[primaries], curve(), notice)


def of_gamma(gamma: float | None, places: Sequence[float] | None) -> Colours:
    """Colours by the exponent from light to codes and x and y of white, red, green and blue; None stands for sRGB's."""
    power = 1 / gamma if gamma else 0.0
    curve = _para(0, power) if 0.1 < power < 10 and not 2.15 < power < 2.25 else SRGB_CURVE
    if places is None:
        return Colours(curve=curve)
    white, *corners = zip(places[::2], places[1::2], strict=True)
    try:
        found = Colours(tuple(corners), white, curve)
        found.profile(grey=False)
    except (np.linalg.LinAlgError, ZeroDivisionError, OverflowError, ValueError, struct.error):
        return Colours(curve=curve, notice="what it says about its colours is damaged; they are taken as sRGB")
    if 2.15 < power < 2.25 and not np.allclose(corners, BT709, atol=0.004):
        return Colours(tuple(corners), white, _para(0, power))
    return found


def of_exif(directory: exif.Directory) -> Colours | None:
    """The colours that the fields of an EXIF block or a TIFF name; None if they name none."""
    below = directory.children.get(IFD.Exif, exif.Directory())
    space = below.integers(Base.ColorSpace)
    option = below.children.get(IFD.Interop, exif.Directory()).data(1)
    if space == (1,):
        return Colours()
    if space == (2,) or option.startswith(b"R03"):
        return Colours(ADOBE, D65, _para(0, 563 / 256))
    corners = directory.ratios(Base.PrimaryChromaticities)
    if len(corners) == 6:
        white = directory.ratios(Base.WhitePoint)
        gamma = below.ratio(_GAMMA)
        return of_gamma(1 / gamma if gamma else None, [*(white if len(white) == 2 else D65), *corners])
    if space:
        return Colours(notice="its EXIF says that its colours are not sRGB, but not which; they are taken as sRGB")
    return None


_GAMMA = 0xA500


def _pq() -> bytes:
    """SMPTE ST 2084, with its highlights compressed."""
    root = _CODES ** (1 / 78.84375)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return _curv(_compressed(10_000 / PAPER * light ** (1 / 0.1593017578125)))


def _hlg() -> bytes:
    """Hybrid log-gamma (BT.2100) on a screen of 1000 nits, with its highlights compressed."""
    scene = np.where(_CODES <= 0.5, _CODES**2 / 3, (np.exp((_CODES - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return _curv(_compressed(1000 / PAPER * scene**1.2))


def _compressed(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light in units of white paper, all of it below 1: up to the shoulder as it is, and then ever more slowly."""
    room = 1 - SHOULDER
    above = np.maximum(light - SHOULDER, 0)
    return np.where(light <= SHOULDER, light, SHOULDER + room * (1 - np.exp(-above / room)))


_TRANSFERS: dict[int, Callable[[], bytes]] = {
    **dict.fromkeys((1, 2, 6, 11, 12, 13, 14, 15), lambda: SRGB_CURVE),  # video's curves are for cameras, not screens
    4: lambda: _para(0, 2.2),
    5: lambda: _para(0, 2.8),
    8: lambda: _para(0, 1.0),
    PQ: _pq,
    HLG: _hlg,
}


def _place(place: Place) -> NDArray[np.float64]:
    """XYZ of a colour of luminance 1."""
    x, y = place
    return np.array([x / y, 1, (1 - x - y) / y])


def _adaptation(white: Place) -> NDArray[np.float64]:
    """Bradford's matrix from this white to D50 (ICC.1:2022, E.2)."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    return np.asarray(np.linalg.inv(cone) @ np.diag((cone @ D50_XYZ) / (cone @ _place(white))) @ cone)


def _fixed(values: NDArray[np.float64]) -> list[int]:
    return [round(float(value) * 65536) for value in values]


def _xyz(values: NDArray[np.float64]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *_fixed(values))


def _words(text: str) -> bytes:
    """A text (ICC.1:2022, 10.15)."""
    data = text.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(data), 28) + data


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 4, of a display."""
    tags = {b"desc": _words("as the photo says"), b"cprt": _words("no copyright"), **tags}
    table, body, places = b"", b"", dict[bytes, int]()
    start = 132 + 12 * len(tags)
    for name, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, places[data], len(data))
    size = start + len(body)
    head = struct.pack(">I4xI4s4s4s", size, 0x04300000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp").ljust(44, b"\0") + _xyz(D50_XYZ)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
