"""What a program may hand over as a photo."""

import io
import os
import threading

import numpy as np
import pytest
import torch
from image_samples import exif, noise, smooth
from PIL import Image

import dreamer
from dreamer.errors import DreamerError, PhotoError, UsageError
from dreamer.image import load

SCENE = smooth(40, 64)
QUICK = {"octaves": {"steps": 1}}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_arrays_of_integers_stay_as_they_are(dtype, channels):
    values = noise((20, 30, channels) if channels else (20, 30), dtype)
    photo = load(values)
    colours = 3 if channels > 2 else 1
    assert photo.pixels.dtype == dtype and photo.pixels.shape == (20, 30, colours)
    assert np.array_equal(photo.pixels, values.reshape(20, 30, -1)[..., :colours])
    assert (photo.alpha is not None) == (channels in (2, 4))
    assert photo.profile is None and photo.path is None and not photo.notices


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, ">f4", ">f8"])
def test_floats_are_shares_of_white(kind):
    values = np.linspace(0, 1, 60 * 3).reshape(6, 10, 3).astype(kind)
    photo = load(values)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels / 65535 - values.astype(float)).max() < 1e-5


def test_the_same_pixels_are_the_same_photo_however_they_are_given(tmp_path):
    Image.fromarray(SCENE).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    tensor = torch.from_numpy(SCENE).permute(2, 0, 1)
    big = (SCENE.astype(np.uint16) * 257).astype(">u2")
    with (tmp_path / "a.png").open("rb") as file:
        files = (data, bytearray(data), memoryview(data), io.BytesIO(data), file)
        for given in (*files, SCENE, tensor, tensor[None], Image.fromarray(SCENE)):
            assert np.array_equal(load(given).pixels, SCENE)
    assert np.array_equal(load(SCENE[:, ::-1]).pixels, SCENE[:, ::-1])
    assert load(SCENE).sha256 == load(SCENE.copy()).sha256 == load(tensor).sha256 != load(SCENE[::-1]).sha256
    assert np.array_equal(load(big).pixels, SCENE.astype(np.uint16) * 257)
    assert load(data).sha256 == load(tmp_path / "a.png").sha256


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_tensors_of_floats_are_shares_of_white(kind):
    tensor = torch.rand(1, 3, 20, 30).to(kind).requires_grad_()
    for given in (tensor, tensor[0]):
        pixels = load(given).pixels
        assert pixels.shape == (20, 30, 3) and pixels.dtype == np.uint16
        assert np.abs(pixels / 65535 - tensor[0].permute(1, 2, 0).detach().double().numpy()).max() < 1e-5
    assert load(tensor[0, 0]).pixels.shape == (20, 30, 1)


def test_whatever_becomes_an_array_is_one():
    class Frame:
        def __array__(self, dtype=None, copy=None):
            return SCENE

    assert np.array_equal(load(Frame()).pixels, SCENE)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP", "GIF"])
def test_an_open_file_is_read_from_where_it_stands_and_left_there(tmp_path, format):
    whole = io.BytesIO()
    Image.fromarray(SCENE).save(whole, format)
    expected = load(whole.getvalue()).pixels
    path = tmp_path / "a"
    path.write_bytes(b"a head" + whole.getvalue())
    for opened in (io.BytesIO(path.read_bytes()), path.open("rb"), path.open("rb", buffering=0)):
        with opened as file:
            file.seek(6)
            for _ in range(2):
                assert np.array_equal(load(file).pixels, expected)
                assert file.tell() == 6


def test_a_pipe_is_read_to_its_end():
    data = io.BytesIO()
    Image.fromarray(SCENE).save(data, "PNG")
    out, into = os.pipe()

    def write():
        with open(into, "wb") as file:
            file.write(data.getvalue())

    writer = threading.Thread(target=write)
    writer.start()
    with open(out, "rb") as file:
        assert np.array_equal(load(file).pixels, SCENE)
    writer.join()


NOT_PHOTOS = [
    ("https://example.com/cat.jpg", "fetches nothing; download it"),
    ("HTTP://example.com/cat.jpg", "fetches nothing; download it"),
    ("data:image/png;base64,iVBORw0KGgo", "fetches nothing"),
    (b"", "empty"),
    (b"some text", "not a picture"),
    (io.BytesIO(b""), "empty"),
    (io.StringIO("text"), "binary mode"),
    (None, "NoneType"),
    (7, "int"),
    ([[1, 2], [3, 4]], "list"),
    ({"a": 1}, "dict"),
    (np.zeros((3, 40, 64), np.uint8), "transposed"),
    (np.zeros((40, 64, 5), np.uint8), "shape"),
    (np.zeros((2, 40, 64, 3), np.uint8), "shape"),
    (np.zeros(40, np.uint8), "shape"),
    (np.zeros((0, 4, 3), np.uint8), "shape"),
    (np.zeros((4, 4, 3), np.int64), "type int64"),
    (np.zeros((4, 4), bool), "type bool"),
    (np.array([["a", "b"]]), "type"),
    (np.full((4, 4, 3), 255.0), "divide by 255"),
    (np.full((4, 4, 3), 60000.0), "divide by 65535"),
    (np.full((4, 4, 3), 1.1), "scale them to that range"),
    (np.linspace(-2, 2, 48).reshape(4, 4, 3), "scale them to that range"),
    (np.full((4, 4, 3), np.nan), "replace those that are NaN"),
    (np.full((4, 4, 3), -0.5), r"in \[0, 1\]"),
    (np.full((4, 4, 3), np.nan), r"in \[0, 1\]"),
    (torch.zeros(2, 3, 8, 8), r"\(3, H, W\)"),
    (torch.zeros(8, 8, 3), r"\(3, H, W\)"),
    (torch.full((3, 8, 8), 255.0), "divide by 255"),
    (torch.zeros((3, 8, 8), dtype=torch.int64), "type int64"),
]


@pytest.mark.parametrize(("given", "words"), NOT_PHOTOS)
def test_anything_else_is_refused_in_a_sentence(given, words):
    with pytest.raises(UsageError, match=words):
        load(given)


def test_the_limit_of_pixels_holds_for_arrays_too():
    with pytest.raises(PhotoError, match="the limit with max_pixels"):
        load(SCENE, max_pixels=100)


def test_all_that_load_takes_dream_takes():
    data = io.BytesIO()
    Image.fromarray(SCENE).save(data, "PNG", exif=exif(6))
    dreams = [
        dreamer.dream(given, **QUICK)
        for given in (SCENE, torch.from_numpy(SCENE).permute(2, 0, 1), Image.fromarray(SCENE))
    ]
    assert len({dream.tobytes() for dream in dreams}) == 1 and dreams[0].size == (64, 40)
    assert dreamer.dream(data.getvalue(), guide=SCENE, preset=None, **QUICK).size == (40, 64)
    with pytest.raises(DreamerError, match="download it"):
        dreamer.dream("https://example.com/cat.jpg")
