"""Colours that a file names in another way than by an ICC profile are converted, and carried on as one."""

import io
import struct

import av
import numpy as np
import phones
import pytest
import tifffile
from image_samples import ADOBE, P3, exif, noise, rgb_profile, smooth, written
from PIL import Image, ImageCms

from dreamer.image import Photo, colours, encode, load, png, tiff
from dreamer.image import exif as exif_module
from dreamer.image.profile import colour_space, kind_of

SCENE = smooth(32, 48)
DISPLAY_P3 = rgb_profile(P3, curve=colours.SRGB_CURVE)
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))


def png_saying(*chunks, pixels=SCENE, profile=None):
    data = written(png.write, pixels, None, profile=profile)
    return data[:33] + b"".join(png._chunk(name, words) for name, words in chunks) + data[33:]


def gamma(value):
    return (b"gAMA", struct.pack(">I", round(value * 100_000)))


def corners(places, white=(0.3127, 0.3290)):
    numbers = [number for place in (white, *places) for number in place]
    return (b"cHRM", struct.pack(">8I", *[round(number * 100_000) for number in numbers]))


def cicp(primaries, transfer):
    return (b"cICP", bytes([primaries, transfer, 0, 1]))


def alike(photo, profile, most=0.004):
    """Whether a photo looks as its pixels would with this profile, and its dream carries these colours on."""
    assert (photo.image() - Photo(photo.pixels, profile=profile).image()).abs().max() <= most
    for format in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF"):
        with Image.open(io.BytesIO(encode(photo, photo.pixels, format))) as written:
            assert (written.info.get("icc_profile") or None) == photo.profile
    again = load(encode(photo, photo.pixels, "PNG"))
    assert np.array_equal(again.pixels, photo.pixels) and again.profile == photo.profile and not again.notices


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("chunks", "profile"),
    [
        ([cicp(12, 13)], DISPLAY_P3),
        ([cicp(1, 13)], None),
        ([cicp(2, 2)], None),
        ([cicp(1, 1)], None),
        ([cicp(12, 4)], rgb_profile(P3, 2.2)),
        ([cicp(9, 8)], rgb_profile(BT2020, 1.0)),
        ([gamma(1 / 2.2)], None),
        ([gamma(0.45455), corners(colours.BT709)], None),
        ([gamma(1.0)], rgb_profile(colours.BT709, 1.0)),
        ([gamma(1 / 1.8), corners(P3)], rgb_profile(P3, 1.8)),
        ([gamma(1 / 2.2), corners(ADOBE)], rgb_profile(ADOBE, 2.2)),
        ([corners(P3)], DISPLAY_P3),
        ([(b"sRGB", b"\0"), gamma(1.0), corners(P3)], None),
        ([cicp(12, 13), (b"sRGB", b"\0"), gamma(1.0)], DISPLAY_P3),
    ],
)
def test_what_a_png_says_of_its_colours_becomes_its_profile(chunks, profile, depth):
    pixels = SCENE.astype(depth) * (257 if depth == np.uint16 else 1)
    photo = load(png_saying(*chunks, pixels=pixels))
    assert np.array_equal(photo.pixels, pixels) and photo.notices == ()
    assert (photo.profile is None) == (profile is None)
    alike(photo, profile)


def test_srgb_with_other_corners_is_exact():
    photo = load(png_saying(cicp(12, 13)))
    space = colour_space(photo.profile)
    grey = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[:, None], 3, axis=1)
    assert np.abs(space.to_srgb(grey) - grey).max() < 0.002
    source = ImageCms.ImageCmsProfile(io.BytesIO(photo.profile))
    target = ImageCms.createProfile("sRGB")
    seen = ImageCms.profileToProfile(Image.fromarray(SCENE), source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC)
    ours = photo.image()[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - np.asarray(seen).astype(float)).max() < 1.5


def test_the_profile_in_the_file_goes_first_and_what_it_says_else_is_the_next():
    photo = load(png_saying(cicp(9, 8), profile=DISPLAY_P3))
    assert photo.profile == DISPLAY_P3
    photo = load(png_saying(cicp(12, 13), (b"iCCP", b"a\0\0broken")))
    assert photo.profile is not None and "colour profile was left out" in photo.notices[0]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_said_and_has_the_usual_brightness(transfer, name):
    paper = {16: 0.5806, 18: 0.75}[transfer]  # the code of white paper (BT.2408)
    codes = np.rint(np.linspace(0, 1, 256) * 65535).astype(np.uint16)
    photo = load(png_saying(cicp(9, transfer), pixels=np.tile(codes[None, :, None], (16, 1, 3))))
    assert len(photo.notices) == 1 and f"HDR picture ({name})" in photo.notices[0]
    seen = photo.image()[0, 0, 0].numpy()
    assert (np.diff(seen) >= 0).all() and seen[0] < 0.01 and seen[-1] > 0.99
    assert 0.93 < np.interp(paper, np.linspace(0, 1, 256), seen) < 0.98
    grey = {16: 0.4204, 18: 0.3824}[transfer]  # 41 nits, a fifth of the light of paper, and 27
    assert abs(np.interp(grey, np.linspace(0, 1, 256), seen) - {16: 0.4845, 18: 0.4001}[transfer]) < 0.005
    assert np.array_equal(load(encode(photo, photo.pixels, "PNG")).pixels, photo.pixels)


def test_unknown_codes_and_damaged_ones_are_said():
    for chunk in (cicp(99, 13), cicp(1, 99), cicp(1, 10)):
        photo = load(png_saying(chunk))
        assert photo.profile is None and "unknown" in photo.notices[0]
    for chunk in (corners([(0, 0)] * 3), corners(P3, white=(0.3, 0))):
        photo = load(png_saying(chunk))
        assert photo.profile is None and "damaged" in photo.notices[0]
    assert load(png_saying(gamma(0))).profile is None


def test_grey_has_a_grey_profile():
    photo = load(png_saying(gamma(1.0), pixels=SCENE[..., :1]))
    assert kind_of(photo.profile) == "GRAY" and photo.notices == ()
    assert load(encode(photo, photo.pixels, "PNG")).profile == photo.profile
    assert load(png_saying(cicp(12, 13), pixels=SCENE[..., :1])).profile is None


def block(space=None, option=b"", places=None, curve=None):
    """EXIF that says something about colours."""
    directory = exif_module.parse(exif()[6:])
    below = directory.children[0x8769]
    if space is not None:
        below.put(0xA001, 3, space)
    if option:
        below.children[0xA005] = exif_module.Directory(directory.order, {1: exif_module.Field(2, option + b"\0")})
    if places is not None:
        for tag, numbers in ((318, (0.3127, 0.3290)), (319, [number for place in places for number in place])):
            directory.put(tag, 5, *[value for number in numbers for value in (round(number * 10_000), 10_000)])
    if curve is not None:
        below.put(0xA500, 5, round(curve * 100), 100)
    return directory.block()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("said", "profile", "notice"),
    [
        ({"space": 1}, None, ""),
        ({}, None, ""),
        ({"space": 0xFFFF, "option": b"R03"}, rgb_profile(ADOBE, 563 / 256), ""),
        ({"space": 2}, rgb_profile(ADOBE, 563 / 256), ""),
        ({"space": 0xFFFF, "places": ADOBE, "curve": 2.2}, rgb_profile(ADOBE, 2.2), ""),
        ({"places": P3, "curve": 1.8}, rgb_profile(P3, 1.8), ""),
        ({"space": 0xFFFF}, None, "not sRGB, but not which"),
    ],
)
def test_what_exif_says_of_colours_becomes_the_profile(format, said, profile, notice):
    file = io.BytesIO()
    if format == "PNG":
        file.write(written(png.write, SCENE, None, exif=block(**said)))
    elif format == "TIFF":  # Pillow does not write the option
        file.write(written(tiff.write, SCENE, None, directory=exif_module.parse(block(**said))))
    else:
        Image.fromarray(SCENE).save(file, format, exif=b"Exif\0\0" + block(**said))
    photo = load(file.getvalue())
    assert (photo.profile is None) == (profile is None)
    assert [notice in told for told in photo.notices] == ([True] if notice else [])
    if not notice:
        alike(photo, profile)
    own = Photo(photo.pixels, profile=phones.WIDE, exif=block(**said))
    assert load(encode(own, own.pixels, "PNG")).profile == phones.WIDE


def test_what_was_converted_is_not_converted_again():
    file = io.BytesIO()
    Image.fromarray(SCENE).convert("CMYK").save(file, "JPEG", exif=b"Exif\0\0" + block(space=0xFFFF, option=b"R03"))
    photo = load(file.getvalue())
    assert photo.profile is None
    again = load(encode(photo, photo.pixels, "PNG"))
    assert again.profile is None and again.notices == () and np.array_equal(again.pixels, photo.pixels)


def test_a_deep_tiff_says_its_corners(tmp_path):
    numbers = [value for place in ADOBE for number in place for value in (round(number * 10_000), 10_000)]
    extra = [(319, "2I", 6, numbers, True), (318, "2I", 2, [3127, 10_000, 3290, 10_000], True)]
    tifffile.imwrite(tmp_path / "a.tif", noise((8, 8, 3), np.uint16), photometric="rgb", extratags=extra)
    photo = load(tmp_path / "a.tif")
    assert photo.profile is not None and kind_of(photo.profile) == "RGB"


def nclx(data, primaries, transfer):
    """A HEIC or AVIF with other codes."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize(
    ("codes", "profile", "notice"),
    [
        ((1, 13), None, ""),
        ((12, 13), DISPLAY_P3, ""),
        ((9, 16), BT2020, "HDR picture (PQ)"),
        ((9, 18), BT2020, "HDR picture (HLG)"),
        ((77, 1), None, "unknown"),
    ],
)
@pytest.mark.parametrize("format", ["HEIF", "AVIF"])
def test_what_heic_and_avif_say_of_colours_becomes_the_profile(format, codes, profile, notice):
    file = io.BytesIO()
    if format == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(Image.fromarray(SCENE)).save(file)
    else:
        Image.fromarray(SCENE).save(file, "AVIF")
    photo = load(nclx(file.getvalue(), *codes))
    assert (photo.profile is None) == (profile is None)
    assert [notice in told for told in photo.notices] == ([True] if notice else [])


def bmp(kind, corners=((0, 0, 0),) * 3, power=0.0, profile=b""):
    """A BMP with a header of version 5."""
    rows = SCENE[::-1, :, ::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 48, 32, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + bytes(16) + kind
    head += b"".join(struct.pack("<3i", *[round(number * (1 << 30)) for number in corner]) for corner in corners)
    head += struct.pack("<3I", *[round(power * 65536)] * 3)
    head += struct.pack("<IIII", 4, 124 + len(rows) if profile else 0, len(profile), 0)
    whole = 14 + len(head) + len(rows) + len(profile)
    return struct.pack("<2sIHHI", b"BM", whole, 0, 0, 14 + len(head)) + head + rows + profile


def test_what_a_bmp_says_of_its_colours_becomes_its_profile():
    xyz = np.array([[0.48657, 0.22897, 0.0], [0.26567, 0.69174, 0.04511], [0.19822, 0.07929, 1.04394]])  # Display P3
    alike(load(bmp(b"\0\0\0\0", xyz, 1.8)), rgb_profile(P3, 1.8))
    assert load(bmp(b"DEBM", profile=DISPLAY_P3)).profile == DISPLAY_P3
    for kind in (b"BGRs", b"\0\0\0\0", b" niW"):
        photo = load(bmp(kind))
        assert photo.profile is None and photo.notices == () and np.array_equal(photo.pixels, SCENE)
    assert "colour profile" in load(bmp(b"DEBM", profile=DISPLAY_P3)[:-9]).notices[0]


def test_an_avif_of_ten_bits_says_so():
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this libav does not write AVIF")
    file = io.BytesIO()
    with av.open(file, "w", format="avif") as container:
        stream = container.add_stream("libsvtav1", options={"preset": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p10le"
        frame = av.VideoFrame.from_ndarray(smooth(72, 96), format="rgb24").reformat(format="yuv420p10le")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    photo = load(file.getvalue())
    assert photo.pixels.dtype == np.uint8 and any("10 bits" in notice for notice in photo.notices)
