import io

import numpy as np
import pytest
import torch
from image_samples import ADOBE, D50, D65, P3, PROPHOTO, grey_profile, noise, rgb_profile
from PIL import Image, ImageCms

from dreamer.image import Photo, load, profile

WIDE = {
    "Display P3": rgb_profile(P3),
    "Adobe RGB": rgb_profile(ADOBE, 2.19921875),
    "ProPhoto": rgb_profile(PROPHOTO, 1.8, D50),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PARA_SRGB = (
    b"para"
    + bytes(4)
    + b"\0\3\0\0"
    + np.array([round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)], ">i4").tobytes()
)


def converted(codes, source, target):
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(source)),
        ImageCms.ImageCmsProfile(io.BytesIO(target)),
        "RGB",
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return np.asarray(ImageCms.applyTransform(Image.fromarray(codes), transform)).astype(float)


@pytest.mark.parametrize("name", WIDE)
def test_matrix_profiles_agree_with_littlecms(name):
    codes = noise((40, 40, 3))
    space = profile.colour_space(WIDE[name])
    there = space.to_srgb(codes.astype(np.float32) / 255) * 255
    back = space.from_srgb(codes.astype(np.float32) / 255) * 255
    assert np.abs(there - converted(codes, WIDE[name], SRGB)).max() < 1
    assert np.abs(back - converted(codes, SRGB, WIDE[name])).mean() < 0.3


@pytest.mark.parametrize("name", WIDE)
def test_the_lattice_agrees_with_the_matrix(name):
    codes = noise((40, 40, 3)).astype(np.float32) / 255
    matrix, lattice = profile.colour_space(WIDE[name]), profile._lattice_space(WIDE[name])
    for way in ("to_srgb", "from_srgb"):
        assert np.abs(getattr(matrix, way)(codes) - getattr(lattice, way)(codes)).mean() < 0.5 / 255


@pytest.mark.parametrize("name", WIDE)
def test_there_and_back_is_the_same_colour(name):
    colours = noise((40, 40, 3)).astype(np.float32) / 255
    space = profile.colour_space(WIDE[name])
    assert np.abs(space.to_srgb(space.from_srgb(colours)) - colours).max() < 1 / 255


@pytest.mark.parametrize("bytes_", [SRGB, rgb_profile(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), curve=PARA_SRGB)])
def test_srgb_under_any_name_needs_no_conversion(bytes_):
    assert profile.colour_space(bytes_) is None


def test_a_profile_of_tables_goes_through_the_lattice(monkeypatch):
    seen = []
    real = profile._lattice_space
    monkeypatch.setattr(profile, "_lattice_space", lambda data: seen.append(1) or real(data))
    with_tables = rgb_profile(P3, 2.2, D65).replace(b"cprt", b"A2B0")
    with pytest.raises(ValueError, match="it is damaged"):
        profile.colour_space(with_tables)  # the table is none: LittleCMS refuses it
    assert seen


@pytest.mark.parametrize(
    "bytes_",
    [b"", b"nonsense" * 40, rgb_profile()[:140], rgb_profile()[:300], grey_profile(), rgb_profile(gamma=0)],
)
def test_a_useless_profile_is_a_value_error(bytes_):
    with pytest.raises(ValueError):
        profile.colour_space(bytes_)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", WIDE)
def test_no_change_gives_back_every_colour_exactly(name, dtype):
    pixels = noise((70, 50, 3), dtype)
    pixels[0, :3] = np.eye(3) * np.iinfo(dtype).max  # the purest red, green and blue, outside sRGB
    photo = Photo(pixels, profile=WIDE[name])
    assert np.array_equal(photo.with_change(torch.zeros_like(photo.image())), pixels)


@pytest.mark.parametrize("name", WIDE)
def test_only_what_changed_changes(name):
    pixels = noise((64, 64, 3))
    photo = Photo(pixels, profile=WIDE[name])
    change = torch.zeros(1, 3, 64, 64)
    change[..., :8, :8] = 0.2
    changed = photo.with_change(change)
    assert np.array_equal(changed[8:], pixels[8:]) and np.array_equal(changed[:, 8:], pixels[:, 8:])
    assert (changed[:8, :8] != pixels[:8, :8]).any()


@pytest.mark.parametrize("name", WIDE)
def test_a_grey_change_stays_grey_and_as_bright(name):
    photo = Photo(np.full((8, 8, 3), 128, np.uint8), profile=WIDE[name])
    image = photo.image()
    assert (image.amax(1) - image.amin(1)).max() < 0.01
    changed = Photo(photo.with_change(torch.full_like(image, 0.1)), profile=WIDE[name])
    assert np.ptp(changed.pixels.astype(int), axis=2).max() <= 1
    assert (changed.image() - image - 0.1).abs().max() < 0.01


@pytest.mark.parametrize("name", WIDE)
def test_a_change_of_colour_is_the_same_seen_in_srgb(name):
    photo = Photo(np.full((4, 4, 3), (150, 120, 90), np.uint8), profile=WIDE[name])
    change = torch.tensor([0.15, -0.1, 0.1]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    changed = Photo(photo.with_change(change), profile=WIDE[name])
    assert (changed.image() - photo.image() - change).abs().max() < 0.01


def test_wide_colours_look_stronger_in_srgb_than_their_codes():
    orange = np.full((4, 4, 3), (200, 120, 60), np.uint8)
    plain, wide = Photo(orange).image(), Photo(orange, profile=WIDE["Display P3"]).image()
    assert wide[0, 0].mean() > plain[0, 0].mean() and wide[0, 2].mean() < plain[0, 2].mean()


def test_sixteen_bits_show_no_bands():
    ramp = np.repeat(np.arange(20000, 24000, dtype=np.uint16)[None, :, None], 3, axis=2).repeat(2, axis=0)
    photo = Photo(ramp, profile=WIDE["Adobe RGB"])
    steps = np.diff(photo.image()[0, 0, 0].double().numpy())
    assert steps.min() > 0 and steps.max() < 3 * steps.mean()


def test_a_broken_profile_is_a_notice(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(noise((8, 8, 3))).save(path, icc_profile=b"nonsense" * 40)
    photo = load(path)
    assert photo.profile is None
    assert any("profile" in notice for notice in photo.notices)


def test_a_grey_profile_is_kept(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(noise((8, 8))).save(path, icc_profile=grey_profile())
    photo = load(path)
    assert photo.profile == grey_profile() and not photo.notices
    assert np.array_equal(photo.with_change(torch.zeros_like(photo.image())), photo.pixels)
