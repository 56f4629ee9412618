"""Depth that phones put into photos: where it is found, what it means, and what a damaged one costs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import depths
import numpy as np
import pytest
import torch
from command import dreamer, refused
from image_samples import exif
from PIL import Image
from torch.nn import functional

from dreamer import limits
from dreamer.api import registry
from dreamer.errors import PhotoError, UsageError
from dreamer.image import encode, load
from dreamer.image.depth import depth_inside
from dreamer.image.depth.description import DepthDescription, description_in
from dreamer.pipeline.depths import depth_of

PHOTOS: dict[str, Callable[[], bytes]] = {
    "gdepth.jpg": depths.gdepth,
    "container.jpg": depths.dynamic_depth,
    "apple.jpg": depths.apple_jpeg,
    "apple.heic": depths.heic,
}


def found(data: bytes) -> torch.Tensor:
    """The nearness in a photo, at the size of `depths.scene`."""
    near = depth_inside(data, load(data), 10**6)
    return functional.interpolate(near, size=(72, 96), mode="bilinear")[0, 0]


def wanted() -> torch.Tensor:
    return torch.from_numpy(depths.depth() / 255).float()


@pytest.mark.parametrize("name", PHOTOS)
def test_the_depth_of_each_phone_is_found(name: str) -> None:
    if "heic" in name:
        pytest.importorskip("pillow_heif")
    assert float((found(PHOTOS[name]()) - wanted()).abs().mean()) < 0.02


@pytest.mark.parametrize("name", PHOTOS)
def test_a_film_is_made_by_it_and_a_dream_promises_none(name: str, tmp_path: Path) -> None:
    if "heic" in name:
        pytest.importorskip("pillow_heif")
    source = tmp_path / name
    source.write_bytes(PHOTOS[name]())
    how = ("--parallax", "0.1", "--seconds", "0.2", "--fps", "5", "--path")
    assert dreamer("zoom", source, "--depth", "photo", *how).code == 0
    assert [path.suffix for path in sorted(tmp_path.glob("*-path*"))] == [".mp4"]
    photo = load(source)
    for format in ("JPEG", "PNG"):
        written = encode(photo, photo.pixels, format)
        for word in (b"GDepth", b"depthmap", b"DepthURI", b"isparity", b"Container"):
            assert word not in written


def test_depth_is_turned_as_its_photo_is() -> None:
    for orientation, turned in ((6, 3), (3, 2), (8, 1)):
        data = depths.gdepth(exif=exif(orientation))
        near = depth_inside(data, load(data), 10**6)[0, 0]
        assert torch.allclose(near, torch.rot90(wanted(), turned), atol=0.01)
    upright = np.rot90(depths.depth(), 3)
    data = depths.gdepth(data=depths.png(255 - upright), exif=exif(6))
    assert torch.allclose(depth_inside(data, load(data), 10**6)[0, 0], torch.rot90(wanted(), 3), atol=0.01)


@pytest.mark.parametrize(("orientation", "turned"), [(6, True), (6, False), (3, True)])
def test_depth_in_heic_is_upright(orientation: int, turned: bool) -> None:
    pytest.importorskip("pillow_heif")
    data = depths.heic(turned=turned, exif=exif(orientation))
    near = depth_inside(data, load(data), 10**6)
    assert torch.allclose(near[0, 0], torch.rot90(wanted()[::2, ::2], {6: 3, 3: 2}[orientation]), atol=0.1)


def test_distances_become_nearness_as_parallax_counts() -> None:
    away = torch.tensor([0.0, 0.5, 1.0])
    assert DepthDescription("RangeInverse").nearness(away).tolist() == [1.0, 0.5, 0.0]
    assert DepthDescription("RangeInverse", bright_is_near=True).nearness(away).tolist() == [0.0, 0.5, 1.0]
    assert DepthDescription("RangeLinear", 1.0, 3.0).nearness(away).tolist() == pytest.approx([1.0, 0.25, 0.0])
    linear = 'GDepth:Format="RangeLinear" GDepth:Near="1" GDepth:Far="3"'
    assert float(found(depths.gdepth(kind=linear)).median()) < float(wanted().median()) - 0.05


def test_depth_of_ten_bits_in_heic_is_read() -> None:
    pytest.importorskip("pillow_heif")
    shades = (depths.depth().astype(np.uint16) * 257)[::2, ::2].copy()
    assert float((found(depths.heic(shades=shades)) - wanted()).abs().mean()) < 0.02


DAMAGED: dict[str, Callable[[], bytes]] = {
    "its depth": lambda: depths.gdepth(data=b"no picture"),
    "damaged": lambda: depths.gdepth().replace(b'GDepth:Data="', b'GDepth:Data="%%%'),
    "cut short": lambda: depths.dynamic_depth()[:-90],
    "equally far away": lambda: depths.gdepth(data=depths.png(np.full((72, 96), 7, np.uint8))),
    "other proportions": lambda: depths.gdepth(data=depths.png(255 - depths.depth()[:40])),
    "this photo holds no depth": lambda: depths.jpeg(depths.scene()),
    "the limit is 10,000": lambda: depths.gdepth(data=depths.png(np.zeros((200, 200), np.uint8))),
}


@pytest.mark.parametrize("words", DAMAGED)
def test_what_cannot_be_used_costs_a_sentence(words: str, tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(DAMAGED[words]())
    with pytest.raises((PhotoError, UsageError), match=words) as caught:
        depth_of("photo", load(source), source, registry(), 10_000)
    assert str(source) in str(caught.value)
    assert load(source).width == 96
    refused(dreamer("zoom", source, "--depth", "photo", "--path", "--max-pixels", "10000"), words)


def test_bounds_hold_before_anything_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = depths.dynamic_depth(np.random.default_rng(0).integers(0, 255, (72, 96)).astype(np.uint8))
    monkeypatch.setattr(limits, "DEPTH_BYTES", 2000)
    with pytest.raises(PhotoError, match="too large"):
        found(data)
    monkeypatch.setattr(limits, "DEPTH_BYTES", 100)
    with pytest.raises(PhotoError, match="larger than 0 MB"):
        found(depths.gdepth())
    monkeypatch.undo()
    deep = b"<a>" * 5000
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    for packet in (deep, bomb, b"\xff\xfe", b"<x", b""):
        assert description_in([packet]) == DepthDescription()
    items = depths._packet('<Container:Item Item:Length="9"/>' * 5000)
    assert len(description_in([items]).items) == limits.DEPTH_PICTURES


def test_lengths_of_strangers_lead_nowhere() -> None:
    for length in (b"999999999999", b"-5", b"1e9", b"x", b"\xd9\xa3"):
        data = depths.dynamic_depth()
        at = data.index(b'Item:Length="', data.index(b"MotionPhoto")) + 13
        end = data.index(b'"', at)
        with pytest.raises(PhotoError):
            found(data[:at] + length + data[end:])
    for cut in range(0, len(data), 997):
        with pytest.raises(PhotoError):
            depth_inside(data[:cut], load(depths.gdepth()), 10**6)


def test_without_pillow_heif_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif")
    data, photo = depths.heic(), load(depths.heic())
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(PhotoError, match=r"dreamer-art\[heif\]"):
        depth_inside(data, photo, 10**6)


@pytest.mark.parametrize("given", [lambda: np.zeros((9, 9, 3), np.uint8), lambda: Image.new("RGB", (9, 9))])
def test_a_picture_without_a_file_has_no_depth_inside(given: Callable[[], Any]) -> None:
    with pytest.raises(PhotoError, match="this photo holds no depth"):
        depth_inside(given(), load(given()), 10**6)


def test_an_open_file_is_left_where_it_stands() -> None:
    file = io.BytesIO(struct.pack(">I", 7) + depths.gdepth())
    file.seek(4)
    photo = load(file)
    assert depth_inside(file, photo, 10**6).shape == (1, 1, 72, 96) and file.tell() == 4
