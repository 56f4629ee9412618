"""Large pictures: worked on in bands, kept in files and written in tiles, to the values that small ones have."""

from __future__ import annotations

import errno
import io
import mmap
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from image_samples import XMP, written
from torch import Tensor

from dreamer.engine import colour, laplacian
from dreamer.engine.moving import rolled, sampled
from dreamer.engine.step import Step
from dreamer.errors import WriteError
from dreamer.image import bands, exif, load, resize, storage, tiff
from dreamer.ingredients import gradient_filters, transforms
from dreamer.networks.randomness import Randomness


@pytest.fixture
def image() -> Tensor:
    return torch.rand(1, 3, 61, 83, generator=torch.Generator().manual_seed(0))


def few_rows(height: int, width: int, pixels: int = 0) -> Any:
    """Bands of a row or two."""
    return bands.bands(height, width, 2 * width)


def test_bands_change_nothing(image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    filters = (gradient_filters.chroma, gradient_filters.even, gradient_filters.laplacian)

    def made() -> list[Tensor]:
        cut = [filter(image - 0.5) for filter in filters] + [colour.hold(image - 0.5, 0.3)]
        sizes = ((150, 97), (30, 200), (61, 90), (40, 40))
        return [*cut, gradient_filters.even(image - 0.5, pixels=7), *(resize(image, size) for size in sizes)]

    whole = made()
    for module in (gradient_filters, laplacian, colour):
        monkeypatch.setattr(module, "bands", few_rows)
    monkeypatch.setattr("dreamer.image.photo.bands", few_rows)
    monkeypatch.setattr("dreamer.image.photo._STRIP", 3)
    monkeypatch.setattr(storage, "LARGE", 1)
    assert [float((one - other).abs().max()) for one, other in zip(whole, made(), strict=True)] == [0.0] * len(whole)


def test_soft_colours_are_those_of_all_channels_at_once(image: Tensor) -> None:
    gradient = image - 0.5
    coarse = F.avg_pool2d(gradient_filters._chroma(gradient), 2, ceil_mode=True)
    coarse = gradient_filters.blurred(coarse, (6.5**2 - 1) ** 0.5 / 2)
    fine = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)[..., :61, :83]
    assert torch.equal(gradient_filters._soft_chroma(gradient, 6.5), fine)


@pytest.mark.parametrize("large", [False, True])
def test_pixels_and_gradients_move_as_torch_moves_them(
    image: Tensor, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(storage, "LARGE", 1)
    places = torch.rand(1, 40, 50, 2, generator=torch.Generator().manual_seed(1)) * 2.4 - 1.2
    for own, torch_s in (
        (lambda x: rolled(x, -5, 70), lambda x: x.roll((-5, 70), (-2, -1))),
        (
            lambda x: sampled(x, places),
            lambda x: F.grid_sample(x, places, padding_mode="reflection", align_corners=True),
        ),
    ):
        results = []
        for move in (own, torch_s):
            leaf = image.clone().requires_grad_()
            moved = move(leaf)
            weights = torch.linspace(-1, 1, moved.numel()).view(moved.shape)
            results.append((moved, *torch.autograd.grad((moved * weights).sum(), leaf)))
        assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_one_channel_of_a_large_gradient_is_moved_back_at_a_time(
    image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    backward, known, alive = torch.ops.aten.grid_sampler_2d_backward, [], []

    def watched(*words: Any) -> tuple[Tensor, Tensor]:
        alive.append(sum(one() is not None for one in known))
        found = backward(*words)
        known.extend(map(weakref.ref, found))
        return found

    monkeypatch.setattr(torch.ops.aten, "grid_sampler_2d_backward", watched)
    monkeypatch.setattr(storage, "LARGE", 1)
    leaf = image.clone().requires_grad_()
    torch.autograd.grad(sampled(leaf, torch.zeros(1, 40, 50, 2)).sum(), leaf)
    assert alive == [0, 0, 0]


def test_files_hold_what_memory_would_and_vanish_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LARGE", 1)
    with storage.on_disk(tmp_path):
        zeros, values = storage.zeros_like(torch.ones(2, 5)), storage.empty_array((3, 2), np.dtype(np.uint16))
        values[:] = [[1, 2], [3, 4], [5, 65535]]
        assert not zeros.any() and values.sum() == 65550 and not list(tmp_path.iterdir())

        def full(*place: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.posix_fallocate", full)
        with pytest.raises(WriteError, match="cannot be kept there: No space left"):
            storage.empty((1000, 1000))
    assert storage.empty((4,)).shape == (4,), "outside it is memory again"


def test_noise_is_the_same_in_files(image: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy() -> list[Tensor]:
        leaf = image.clone().requires_grad_()
        with Randomness(3):
            found = transforms.noise(leaf)(leaf)
        return [found, *torch.autograd.grad((found * image).sum(), leaf)]

    with Randomness(3):
        plain = [image + 0.03 * torch.randn_like(image), image]
    made: list[int] = []
    mapped = mmap.mmap
    monkeypatch.setattr("mmap.mmap", lambda number, size: made.append(size) or mapped(number, size))  # type: ignore[func-returns-value]
    monkeypatch.setattr(storage, "LARGE", 1)
    with storage.on_disk(tmp_path):
        found = noisy()
    assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))
    assert made == [image.nbytes] * 2, "of the noise, and of the picture with it"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_large_tiff_is_a_bigtiff_in_tiles(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "BIG", 1)
    monkeypatch.setattr(tiff, "_TILE", 32)
    values = np.random.default_rng(0).integers(0, 65536, (50, 70, 3)).astype(np.uint16)
    directory = exif.Directory(order)
    directory.put_text(271, "a maker")
    directory.children[34665] = exif.Directory(order, {36867: exif.Field(2, b"2026:01:02 03:04:05\0")})
    data = written(tiff.write, values, values[..., 0], directory=directory, dpi=(200, 200), xmp=XMP)
    assert data[2:4] in (b"+\0", b"\0+")
    found = load(io.BytesIO(data))
    assert (found.pixels == values).all() and found.alpha is not None and (found.alpha == values[..., 0]).all()
    assert found.dpi == (200, 200) and b"creator" in found.xmp
    inside = exif.parse(found.exif)
    assert inside.data(271) == b"a maker\0" and inside.children[34665].data(36867).startswith(b"2026")


def test_a_warp_is_the_same_in_bands(image: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    def warped() -> Tensor:
        with Randomness(3):
            return transforms.warp(image, step=Step(1, 2, 0, 1, 0.0, (61, 83)), pixels=30)(image)

    whole = warped()
    monkeypatch.setattr(transforms, "bands", few_rows)
    assert torch.equal(whole, warped()) and not torch.equal(whole, image)
