"""Converts colours between an RGB ICC profile and sRGB, in float.

Nearly every camera and editor writes a profile of three curves and a matrix (Display P3, Adobe RGB, ProPhoto); that
is computed exactly. A profile of tables is sampled through LittleCMS, which Pillow offers in 8 bits only: a lattice of
exact codes is converted in both directions, and colours in between are interpolated, so that 16-bit photos show no
banding. imagecodecs and pyvips have LittleCMS in 16 bits, but are large binaries.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms
from torch.nn import functional

Colours = NDArray[np.float32]
"""(..., 3), in [0, 1]."""
Map = Callable[[Colours], Colours]
Icc = ImageCms.ImageCmsProfile
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC

SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to XYZ under D50, the illuminant of all ICC profiles."""

D50_XYZ = np.array([0.9642, 1.0, 0.8249])
"""XYZ of that illuminant."""

SAME = 2 / 255
"""A profile that changes no colour by more than this is taken as sRGB."""

KNOTS = np.linspace(0, 1, 4097)
SIDE = 52
"""Lattice points along each axis: the 8-bit codes 0, 5, ..., 255."""


@dataclass(frozen=True)
class ColourSpace:
    """Both conversions, for colours (..., 3) in [0, 1]; colours outside the target's gamut are clipped."""

    to_srgb: Map
    from_srgb: Map


@lru_cache(maxsize=8)
def colour_space(profile: bytes) -> ColourSpace | None:
    """The colour space of an RGB profile; None if it is sRGB. Raises ValueError for any other or a damaged profile."""
    if kind_of(profile) != "RGB":
        raise ValueError("it is not a profile for RGB")
    try:
        tags = _tags(profile)
        lut = "A2B0" in tags or not {"rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC"} <= tags.keys()
        space = _lattice_space(profile) if lut else _matrix_space(tags)
    except (struct.error, np.linalg.LinAlgError, OSError, ImageCms.PyCMSError) as error:
        raise ValueError(f"it is damaged ({error})") from error
    codes = _lattice(6).astype(np.float32)
    return None if np.abs(space.to_srgb(codes) - codes).max() <= SAME else space


def kind_of(profile: bytes) -> str:
    """The colours that a profile describes: `RGB`, `GRAY`, `CMYK`, ...; empty for bytes that are not a profile."""
    return profile[16:20].decode("latin-1").strip() if profile[36:40] == b"acsp" else ""


def through_profile(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """A CMYK or Lab picture as 8-bit sRGB, converted by its own profile if that can be used."""
    try:
        if picture.mode == "LAB":
            source = Icc(ImageCms.createProfile("LAB"))
        elif profile is not None and kind_of(profile) == picture.mode == "CMYK":
            source = Icc(io.BytesIO(profile))
        else:
            return picture.convert("RGB")
        target, flags = ImageCms.createProfile("sRGB"), ImageCms.Flags.BLACKPOINTCOMPENSATION
        converted = ImageCms.profileToProfile(picture, source, target, INTENT, "RGB", flags=flags)
    except (OSError, ImageCms.PyCMSError):
        return picture.convert("RGB")
    assert converted is not None  # it is None only with inPlace=True
    return converted


def _matrix_space(tags: dict[str, bytes]) -> ColourSpace:
    curves = [np.clip(np.maximum.accumulate(_curve(tags[name])), 0, 1) for name in ("rTRC", "gTRC", "bTRC")]
    if not all(np.isfinite(curve).all() and curve[-1] > curve[0] for curve in curves):
        raise ValueError("it has a curve that cannot be inverted")
    inverses = [np.interp(KNOTS**2, curve, KNOTS) for curve in curves]  # over the root of the light, for even steps
    columns = [np.array(struct.unpack(">3i", tags[name][8:20])) / 65536 for name in ("rXYZ", "gXYZ", "bXYZ")]
    to_linear = (np.linalg.inv(SRGB_TO_XYZ) @ np.stack(columns, axis=1)).T.astype(np.float32)
    from_linear = np.linalg.inv(to_linear).astype(np.float32)

    def to_srgb(colours: Colours) -> Colours:
        light = np.empty_like(colours)
        for channel, curve in enumerate(curves):
            light[..., channel] = _looked_up(colours[..., channel], curve)
        return _encoded(np.clip(light @ to_linear, 0, 1))

    def from_srgb(colours: Colours) -> Colours:
        roots: Colours = np.sqrt(np.clip(_decoded(colours) @ from_linear, 0, 1))
        for channel, root in enumerate(inverses):
            roots[..., channel] = _looked_up(roots[..., channel], root)
        return roots

    return ColourSpace(to_srgb, from_srgb)


def _looked_up(values: Colours, table: NDArray[np.float64]) -> Colours:
    """Linear interpolation, at `values` in [0, 1], of a `table` given at KNOTS; ten times as fast as np.interp."""
    table = table.astype(np.float32)
    place = values * np.float32(len(table) - 1)
    below = np.minimum(place.astype(np.int32), len(table) - 2)
    start = table[below]
    found: Colours = start + (place - below.astype(np.float32)) * (table[below + 1] - start)
    return found


def _encoded(light: Colours) -> Colours:
    """Linear light to sRGB codes (IEC 61966-2-1)."""
    codes: Colours = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= np.float32(0.0031308), np.float32(12.92) * light, codes)


def _decoded(codes: Colours) -> Colours:
    """sRGB codes to linear light."""
    light: Colours = ((codes + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(codes <= np.float32(0.04045), codes / np.float32(12.92), light)


def _tags(profile: bytes) -> dict[str, bytes]:
    """Signature -> bytes of each tagged element of a profile (ICC.1:2022, 7.3)."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for index in range(min(count, 1000)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name.decode("latin-1")] = profile[offset : offset + size]
    return tags


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Light at KNOTS of a `curv` or `para` element (ICC.1:2022, 10.6 and 10.18), which maps codes to light."""
    x = KNOTS
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.array(struct.unpack_from(f">{count}H", tag, 12), dtype=np.float64)
        if count == 0:
            return x
        if count == 1:
            return np.asarray(x ** (values[0] / 256))
        return np.interp(x, np.linspace(0, 1, count), values / 65535)
    if tag[:4] == b"para":
        (function,) = struct.unpack_from(">H", tag, 8)
        if function <= 4:
            count = (1, 3, 4, 5, 7)[function]
            p = [value / 65536 for value in struct.unpack_from(f">{count}i", tag, 12)]
            g, a, b, c, d, e, f = _parameters(function, p)
            with np.errstate(invalid="ignore"):
                return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    raise struct.error("a curve of an unknown kind")


def _parameters(function: int, p: list[float]) -> list[float]:
    """(g, a, b, c, d, e, f) of a curve of any of the five kinds: (ax + b)^g + e from d on, cx + f below."""
    if function == 0:
        return [p[0], 1, 0, 0, 0, 0, 0]
    if function == 4:
        return p
    g, a, b = p[:3]
    if function == 3:
        return [*p, 0, 0]
    offset = p[3] if function == 2 else 0
    return [g, a, b, 0, -b / a if a else 0, offset, offset]


def _lattice(side: int) -> NDArray[np.float64]:
    """(side, side, side, 3): every combination of `side` levels per channel; red varies fastest."""
    levels = np.linspace(0, 1, side)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    return np.stack([red, green, blue], axis=-1)


def _lattice_space(profile: bytes) -> ColourSpace:
    codes = np.rint(_lattice(SIDE) * 255).astype(np.uint8).reshape(SIDE * SIDE, SIDE, 3)
    photo = Icc(io.BytesIO(profile))
    srgb = Icc(ImageCms.createProfile("sRGB"))

    def sampled(source: Icc, target: Icc) -> Map:
        transform = ImageCms.buildTransform(source, target, "RGB", "RGB", INTENT)
        seen = ImageCms.applyTransform(Image.fromarray(codes), transform)
        assert seen is not None  # it is None only with inPlace=True
        table = torch.from_numpy(np.asarray(seen, dtype=np.float32) / 255)
        volume = table.reshape(SIDE, SIDE, SIDE, 3).permute(3, 0, 1, 2)[None].contiguous()

        def look_up(colours: Colours) -> Colours:
            grid = torch.from_numpy(colours.reshape(1, 1, 1, -1, 3) * 2 - 1)
            mixed = functional.grid_sample(volume, grid, padding_mode="border", align_corners=True)
            return mixed[0, :, 0, 0].T.contiguous().numpy().reshape(colours.shape)

        return look_up

    return ColourSpace(sampled(photo, srgb), sampled(srgb, photo))
