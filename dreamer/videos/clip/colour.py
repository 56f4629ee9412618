"""The colours of a clip's frames, whatever their matrix, range, primaries and brightness, as sRGB.

Frames of ordinary clips are taken as they are, since players show BT.709 on an sRGB screen so. Wide colours (BT.2020,
Display P3) are converted, and HDR (PQ and HLG of BT.2100) is dimmed as ITU-R BT.2390 says: paper white, of 203 cd/m²
(BT.2408), comes close to white, and the light of lamps and skies, up to 1000 cd/m², is fitted in above.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamer.image.bands import bands

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Frame = NDArray[np.uint8]
Floats = NDArray[np.float32]
Floats64 = NDArray[np.float64]

# The numbers of ITU-T H.273, which libav uses
UNKNOWN = 2
_BT2020 = 9  # as a matrix and as primaries
_PQ, _HLG = 16, 18
_ORDINARY = (1, UNKNOWN, 4, 6, 7, 11, 12, 13, 14, 15)
"""Transfer functions that are close enough to that of sRGB."""
_MATRICES = (0, 1, UNKNOWN, 4, 5, 6, 7, _BT2020)
_RANGES = (0, 1, 2)
_NAMES = {_PQ: "PQ", _HLG: "HLG"}
_HD = 720  # lines: a clip without a stated colour matrix is BT.709 from here on, BT.601 below

_WHITE, _BRIGHTEST = 203.0, 1000.0  # cd/m²
_HLG_WHITE = 0.265  # the light, of 1, that is recorded as 75 % of HLG's signal: paper white
_HLG_GAMMA = 1.1
"""Power on HLG's luminance. BT.2100 has 1.2 for a screen of 1000 cd/m², and 1.1 for one of about 580 cd/m². BT.2408
knows two ways to an ordinary clip: from the light of the screen, which wants 1.2, and from that of the scene, as an
ordinary camera would have recorded it, which wants 1.0. The file does not say which way its maker went. With 1.1,
contrast and saturation are within 15 % of an ordinary recording either way; with 1.0 or 1.2 they are up to 20 % off."""

_TO_BT709 = {  # linear light, by primaries (BT.2087; Display P3 likewise)
    9: ((1.660491, -0.587641, -0.072850), (-0.124550, 1.132900, -0.008349), (-0.018151, -0.100579, 1.118730)),
    11: ((1.224940, -0.224940, 0.0), (-0.042057, 1.042057, 0.0), (-0.019638, -0.078636, 1.098274)),
}
_TO_BT709[12] = _TO_BT709[11]
_BT2020_LUMA = (0.2627, 0.6780, 0.0593)


def notices(frame: VideoFrame) -> tuple[str, ...]:
    """Notices about a frame's colours, a sentence each."""
    found = []
    if frame.color_trc in _NAMES:
        found.append(f"it is HDR ({_NAMES[frame.color_trc]}); its brightness was fitted to that of ordinary clips")
    elif frame.color_trc not in _ORDINARY:
        found.append(f"its brightness is recorded in a way that dreamer does not know (transfer {frame.color_trc})")
    if frame.colorspace not in _MATRICES:
        found.append(f"its colours are recorded in a way that dreamer does not know (matrix {frame.colorspace})")
    return tuple(found)


def has_alpha(frame: VideoFrame) -> bool:
    """Whether a frame may be transparent somewhere."""
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def rgb(frame: VideoFrame, size: tuple[int, int]) -> Frame:
    """A frame resized to `size` (height, width): (H, W, 3), uint8 sRGB, or (H, W, 4) with its alpha if it has any.

    What does not state its colours, or states what libav cannot convert, is taken to be as is usual for its size.
    """
    if frame.colorspace not in _MATRICES:
        frame.colorspace = UNKNOWN
    if frame.color_range not in _RANGES:
        frame.color_range = 0
    hdr = frame.color_trc in _NAMES
    primaries = _BT2020 if hdr and frame.color_primaries == UNKNOWN else frame.color_primaries
    matrix: dict[str, Any] = {}
    if frame.colorspace == UNKNOWN:
        hd = frame.height >= _HD or frame.width >= 1280
        matrix["src_colorspace"] = _BT2020 if primaries == _BT2020 else "ITU709" if hd else "ITU601"
    converts = hdr or primaries in _TO_BT709
    format = ("rgba64le" if converts else "rgba") if has_alpha(frame) else ("rgb48le" if converts else "rgb24")
    height, width = size
    same: Any = frame.reformat(width, height, format, interpolation="BICUBIC", threads=1, **matrix).to_ndarray()
    values: Frame = _as_srgb(same, frame.color_trc, primaries) if converts else same
    return values


def _as_srgb(values: NDArray[np.uint16], transfer: int, primaries: int) -> Frame:
    """Values (H, W, 3 or 4) of 16 bits as sRGB of 8 bits; the fourth is alpha."""
    found: Frame = np.rint(values / np.float32(257)).astype(np.uint8)
    to_bt709 = np.array(_TO_BT709.get(primaries, np.eye(3)), np.float32).T
    for rows in bands(*values.shape[:2]):
        light = _light(transfer)[values[rows, :, :3]]
        if transfer == _HLG:
            luma = light @ np.array(_BT2020_LUMA, np.float32)
            light *= (luma / _HLG_WHITE)[..., None] ** np.float32(_HLG_GAMMA - 1) / np.float32(_HLG_WHITE)
        light = np.maximum(light @ to_bt709, 0)
        if transfer in _NAMES:
            light *= _dimming(light.max(-1))[..., None]
        found[rows, :, :3] = _encoded()[np.rint(np.minimum(light, 1) * 65535).astype(np.uint16)]
    return found


@cache
def _light(transfer: int) -> Floats:
    """The light of each of 65536 signals: of HLG, the scene's, up to 1; else the screen's, where paper white is 1."""
    signal = np.arange(65536) / 65535
    if transfer == _PQ:
        light = np.minimum(_from_pq(signal), _BRIGHTEST) / _WHITE
    elif transfer == _HLG:  # the inverse of BT.2100's OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    else:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@cache
def _encoded() -> Frame:
    """The sRGB value of 65536 amounts of light."""
    light = np.arange(65536) / 65535
    signal = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    found: Frame = np.rint(signal * 255).astype(np.uint8)
    return found


def _dimming(light: Floats) -> Floats:
    """The factor on light whose largest channel is this, with paper white at 1; below 1 in bright places alone."""
    grid, factors = _dimming_curve()
    return np.interp(light, grid, factors).astype(np.float32)


@cache
def _dimming_curve() -> tuple[Floats, Floats]:
    """The curve of BT.2390, section 5.4: straight, then a Hermite spline that ends in white; both in PQ's signal."""
    light = np.linspace(1e-4, 2 * _BRIGHTEST / _WHITE, 2048)
    most = _to_pq(np.array(_BRIGHTEST))
    signal, white = np.minimum(_to_pq(light * _WHITE) / most, 1), _to_pq(np.array(_WHITE)) / most
    knee = 1.5 * white - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * white
    dimmed = _from_pq(np.where(signal < knee, signal, bent) * most) / _WHITE
    return light.astype(np.float32), (dimmed / light).astype(np.float32)


_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875


def _to_pq(light: Floats64) -> Floats64:
    """The signal of BT.2100's PQ, from 0 to 1, of light in cd/m²."""
    power = (light / 10000) ** _PQ_M1
    return ((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2


def _from_pq(signal: Floats64) -> Floats64:
    """The light in cd/m² of a signal of PQ."""
    power = signal ** (1 / _PQ_M2)
    return 10000 * (np.maximum(power - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * power)) ** (1 / _PQ_M1)
