import errno
import io
import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_samples import RECIPE, XMP, exif, grey_profile, noise, rgb_profile, smooth
from PIL import Image

from dreamer import limits
from dreamer.errors import PhotoError, UsageError, WriteError
from dreamer.files import write_atomically
from dreamer.files.suffixes import suffix_of
from dreamer.image import Photo, eight_bits, encode, format_for, load, losses, read_recipe
from dreamer.image import exif as exif_module

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]
GPS, EXIF, COMMENT = 0x8825, 0x8769, 0x9286


@pytest.fixture
def written(tmp_path):
    """Save a photo as a format and load it again."""

    def save(photo, format, **options):
        path = tmp_path / f"out{suffix_of(format)}"
        write_atomically(path, encode(photo, photo.pixels, format, **options))
        return path

    return save


def camera_photo(**changes):
    fields = {
        "exif": exif()[6:],
        "xmp": XMP,
        "profile": rgb_profile(),
        "dpi": (300.0, 240.0),
        "format": "JPEG",
    }
    return Photo(**{"pixels": smooth(48, 64), **fields, **changes})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_lossless_formats_keep_everything(written, dtype, channels, clear, format):
    photo = camera_photo(
        pixels=noise((50, 70, channels), dtype),
        alpha=noise((50, 70), dtype, seed=1) if clear else None,
        profile=rgb_profile() if channels == 3 else grey_profile(),
    )
    again = load(written(photo, format, recipe=RECIPE))
    assert again.pixels.dtype == dtype and np.array_equal(again.pixels, photo.pixels)
    assert (again.alpha is None) != clear and (not clear or np.array_equal(again.alpha, photo.alpha))
    assert again.profile == photo.profile and again.format == format
    assert np.allclose(again.dpi, (300, 240), atol=0.05)
    assert not again.notices


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_stay_near_and_keep_the_rest(written, format):
    photo = camera_photo(alpha=None if format == "JPEG" else smooth(48, 64)[..., 0])
    again = load(written(photo, format))
    assert np.abs(again.pixels.astype(int) - photo.pixels).max() < 12
    assert format == "JPEG" or np.abs(again.alpha.astype(int) - photo.alpha).max() < 4
    assert again.profile == photo.profile and np.allclose(again.dpi, (300, 240), atol=0.5)


def test_jpeg_is_not_subsampled(written):
    with Image.open(written(camera_photo(), "JPEG")) as picture:
        assert {layer[1:3] for layer in picture.layer} == {(1, 1)}


@pytest.mark.parametrize("format", FORMATS)
def test_other_programs_can_read_it(written, format):
    photo = camera_photo()
    with Image.open(written(photo, format, recipe=RECIPE)) as picture:
        picture.load()
        tags = picture.getexif()
        assert picture.size == (64, 48) and picture.info["icc_profile"] == photo.profile
        assert tags[271] == "Kodak" and tags[305] == "dreamer"
        assert tags.get_ifd(EXIF)[42036] == "Petzval"


def test_tifffile_reads_a_deep_tiff(written):
    photo = camera_photo(pixels=noise((50, 70, 3), np.uint16))
    assert np.array_equal(tifffile.imread(written(photo, "TIFF")), photo.pixels)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("keep", [False, True])
def test_exif_survives_and_places_only_knowingly(written, format, keep):
    path = written(camera_photo(), format, keep_gps=keep, software="dreamer 0.1")
    again = load(path)
    tags = Image.Exif()
    tags.load(again.exif)
    assert (tags[271], tags[272], tags[306]) == ("Kodak", "Brownie", "2026:11:22 10:00:00")
    assert tags[305] == "dreamer 0.1" and 274 not in tags
    below = tags.get_ifd(EXIF)
    assert below[36867] == "2026:11:22 09:59:59" and (below[40962], below[40963]) == (64, 48)
    assert (tags.get_ifd(GPS).get(2) == (52.0, 31.0, 12.0)) == keep
    assert (b"GPSLatitude" in again.xmp and b"drone-dji:Longitude" in again.xmp) == keep
    assert (b"52,31.2N" in path.read_bytes()) == keep and (b"13,24.5E" in path.read_bytes()) == keep


@pytest.mark.parametrize("format", FORMATS)
def test_xmp_survives_without_its_orientation(written, format):
    packet = load(written(camera_photo(), format, recipe=RECIPE)).xmp.decode()
    assert "Käthe" in packet and 'tiff:Make="Kodak"' in packet and "tiff:Orientation" not in packet


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_iptc_survives_in_jpeg_and_tiff(written, format):
    iptc = b"\x1c\x02\x78\x00\x05shell"
    path = written(camera_photo(iptc=iptc), format)
    assert load(path).iptc == iptc
    with Image.open(path) as picture:  # which a program has opened itself
        assert format == "TIFF" or load(picture).iptc == iptc


@pytest.mark.parametrize("length", [30_000, 65_400, 300_001])
def test_long_captions_go_on_over_several_segments(written, length):
    """Other programs, too, join what Photoshop writes in this way."""
    iptc = b"".join(b"\x1c\x02\x78" + struct.pack(">H", 29_000) + bytes(29_000) for _ in range(length // 29_000))
    photo = camera_photo(iptc=iptc + b"\x1c\x02\x78\x00\x05shell")
    assert not losses(photo, "JPEG") and load(written(photo, "JPEG")).iptc == photo.iptc


@pytest.mark.parametrize("format", FORMATS)
def test_comments_survive_in_jpeg_and_png_and_elsewhere_their_loss_is_told(written, format):
    spoken = "scanned by Käthe".encode()
    photo = camera_photo(comments=(spoken, b"album 3"))
    again, lost = load(written(photo, format)), losses(photo, format)
    if format in ("JPEG", "PNG"):
        assert again.comments == photo.comments and not lost
        assert load(written(again, "JPEG")).comments == photo.comments
        with Image.open(written(photo, "JPEG")) as picture:
            assert picture.info["comment"] == b"album 3" and load(picture).comments == (b"album 3",)
    else:
        assert again.comments == () and "does not carry the photo's comments" in lost[0]


def test_comments_in_latin_1_and_long_ones_keep_their_letters(written):
    again = load(written(camera_photo(comments=("größe".encode("latin-1"), "ü".encode() * 50_000)), "JPEG"))
    assert again.comments[0].decode() == "größe" and b"".join(again.comments[1:]).decode() == "ü" * 50_000
    png = load(written(camera_photo(comments=("größe".encode("latin-1"),)), "PNG"))
    assert png.comments == ("größe".encode(),)


def test_a_jpegs_comment_comes_back(written, tmp_path):
    Image.fromarray(smooth(48, 64)).save(tmp_path / "photo.jpg", comment=b"album 3")
    with Image.open(written(load(tmp_path / "photo.jpg"), "JPEG")) as picture:
        assert picture.info.get("comment") == b"album 3"


def test_too_many_comments_are_left_out_with_a_notice(written, monkeypatch):
    monkeypatch.setattr(limits, "COMMENT_BYTES", 10)
    again = load(written(camera_photo(comments=(b"beetle", b"album 3")), "JPEG"))
    assert again.comments == (b"beetle",) and "comments beyond" in again.notices[0]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("keep", [False, True])
def test_the_place_goes_by_its_name_too(written, format, keep):
    named = (
        b' xmlns:photoshop="p" xmlns:core="c" xmlns:ext="e" photoshop:City="Perth" core:CountryCode="AUS"'
        b' core:CiAdrCity="Rome">'
        b"<photoshop:State>WA</photoshop:State><photoshop:Country>Australia</photoshop:Country>"
        b"<core:Location>Kings Park</core:Location><photoshop:Credit>Anna</photoshop:Credit>"
        b"<ext:LocationShown><rdf:Bag><rdf:li ext:Sublocation='Kings Park'/></rdf:Bag></ext:LocationShown>"
        b'<ext:LocationCreated rdf:parseType="Resource"><ext:City>Perth</ext:City></ext:LocationCreated>'
    )
    packet = XMP.replace(b'tiff:Make="Kodak">', b'tiff:Make="Kodak"' + named)
    data = written(camera_photo(xmp=packet), format, keep_gps=keep).read_bytes()
    for place in (b"Perth", b"AUS", b"WA<", b"Australia", b"Kings Park"):
        assert (place in data) == keep
    assert b"Anna" in data and b"Rome" in data and b"Kodak" in data


def dataset(number, text):
    return bytes([0x1C, 2, number]) + len(text).to_bytes(2, "big") + text


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_the_place_goes_from_the_captions_and_they_stay(written, format):
    long = b"\x1c\x02\x78\x80\x04" + (40_000).to_bytes(4, "big") + b"x" * 40_000
    kept = [dataset(5, b"title"), dataset(120, b"a shell, \x1c\x02\x5a"), long, b"\x1c\x01\x5a\x00\x03\x1b%G"]
    places = [dataset(number, b"Perth") for number in (26, 27, 90, 92, 95, 100, 101)]
    mixed = b"".join([kept[0], *places, kept[1], places[3], *kept[2:]])
    photo = camera_photo(iptc=mixed)
    assert load(written(photo, format, keep_gps=True)).iptc == mixed
    assert load(written(photo, format)).iptc == b"".join(kept)
    for damaged in (dataset(90, b"Perth")[:-1], b"\x1c\x02Perth", b"\0\0Perth", b"\x1c\x02\x78\xff\xffPerth"):
        assert b"Perth" not in written(camera_photo(iptc=kept[0] + damaged), format).read_bytes()
        assert load(written(camera_photo(iptc=kept[0] + damaged), format)).iptc == kept[0]


def test_letters_outside_ascii_survive(written):
    directory = exif_module.parse(exif()[6:])
    directory.put_text(315, "Käthe Höß")
    directory.put_text(33432, "© 2026")
    photo = load(written(camera_photo(exif=directory.block()), "JPEG"))
    again = exif_module.parse(photo.exif)
    assert again.data(315).decode() == "Käthe Höß\0" and again.data(33432).decode() == "© 2026\0"


def test_a_resolution_in_centimetres_is_read_in_inches(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((4, 4), np.uint16), resolution=(100, 50), resolutionunit=3)
    assert np.allclose(load(tmp_path / "a.tif").dpi, (254, 127))


def test_a_shape_that_is_no_longer_true_is_not_passed_on(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise((8, 12, 3), np.uint16), photometric="rgb")
    small = load(tmp_path / "a.tif").resized(6)
    (tmp_path / "b.tif").write_bytes(encode(small, small.pixels, "TIFF"))
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].shape == (4, 6, 3) and not file.pages[0].description


def test_big_endian_exif_and_every_type_survive():
    directory = exif_module.Directory(">")
    for kind, size in exif_module.KINDS.items():
        directory.fields[60000 + kind] = exif_module.Field(kind, bytes(range(1, 1 + 3 * size)))
    directory.children[EXIF] = exif_module.Directory(">", {1: exif_module.Field(3, b"\1\2")})
    again = exif_module.parse(directory.block())
    assert again == directory and again.block() == directory.block()


@pytest.mark.parametrize("kept", [100, 200_000])
def test_exif_too_long_for_jpeg_loses_its_longest_fields(written, kept):
    directory = exif_module.parse(exif()[6:])
    directory.children[EXIF].fields[COMMENT] = exif_module.Field(7, bytes(kept))
    photo = camera_photo(exif=directory.block())
    again = exif_module.parse(load(written(photo, "JPEG")).exif)
    assert (COMMENT in again.children[EXIF].fields) == (kept == 100)
    assert again.data(271) == b"Kodak\0"
    assert any("EXIF" in loss for loss in losses(photo, "JPEG")) == (kept != 100)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("words", [RECIPE, "{" + " " * 60 + "}", json.dumps({"long": "é&<>\"'" * 15_000})])
def test_a_recipe_comes_back_to_the_letter(written, format, words):
    photo = camera_photo()
    path = written(photo, format, recipe=words)
    assert read_recipe(path) == words
    again = load(path)
    assert np.abs(again.pixels.astype(int) - photo.pixels).max() < 12 and not again.notices


@pytest.mark.parametrize("format", FORMATS)
def test_a_newer_recipe_replaces_the_old(written, format):
    first = load(written(camera_photo(), format, recipe=RECIPE))
    path = written(first, format, recipe='{"second": 2}')
    assert read_recipe(path) == '{"second": 2}' and b"shells" not in path.read_bytes()


@pytest.mark.parametrize("format", [*FORMATS, "GIF", "BMP"])
def test_a_picture_without_a_recipe_has_none(tmp_path, format):
    path = tmp_path / "a"
    Image.fromarray(smooth()).save(path, format)
    assert read_recipe(path) is None


def test_a_recipe_is_found_without_decoding(tmp_path, written):
    data = encode(camera_photo(), camera_photo().pixels, "PNG", recipe=RECIPE)
    path = tmp_path / "cut.png"
    path.write_bytes(data[: data.index(b"IDAT")])
    assert read_recipe(path) == RECIPE


def test_a_packed_recipe_is_read_and_a_huge_one_is_not(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    path = tmp_path / "a.png"
    for words, found in ((RECIPE, RECIPE), (" " * (1 << 21), None)):
        info = PngInfo()
        info.add_itxt("dreamer", words, zip=True)
        Image.fromarray(smooth()).save(path, pnginfo=info)
        assert read_recipe(path) == found


def test_deep_grey_with_alpha_tiff_tells_its_recipe(written):
    photo = Photo(noise((8, 9, 1), np.uint16), alpha=noise((8, 9), np.uint16))
    path = written(photo, "TIFF", recipe=RECIPE)
    assert read_recipe(path) == RECIPE and np.array_equal(load(path).alpha, photo.alpha)


@pytest.mark.parametrize("format", FORMATS)
def test_no_path_is_written(written, format):
    photo = camera_photo(path=Path("/home/kaethe/secret/shell.jpg"))
    assert b"kaethe" not in written(photo, format, recipe=RECIPE).read_bytes()


def test_the_format_follows_the_name_then_the_photo():
    photo = Photo(smooth(), format="JPEG")
    assert format_for(photo, None) == "JPEG"
    for name, format in {
        "a.PNG": "PNG",
        "a.jpeg": "JPEG",
        "a.tif": "TIFF",
        "a.webp": "WEBP",
        "a.avif": "AVIF",
    }.items():
        assert format_for(photo, Path(name)) == format
    for found, format in {"GIF": "PNG", "BMP": "PNG", "HEIF": "JPEG", "TIFF": "TIFF"}.items():
        assert format_for(Photo(smooth(), format=found), None) == format
    for name in ("a.xyz", "a"):
        with pytest.raises(UsageError, match=r"\.jpg.*\.png.*\.tiff"):
            format_for(photo, Path(name))
    with pytest.raises(UsageError, match="16383"):
        format_for(Photo(np.zeros((1, 16384, 3), np.uint8)), Path("a.webp"))


@pytest.mark.parametrize("format", FORMATS)
def test_suffixes_lead_back_to_their_format(format):
    assert format_for(Photo(smooth()), Path("a" + suffix_of(format))) == format


def test_losses_are_told_beforehand(written):
    clear = np.zeros((48, 64), np.uint16)
    photo = camera_photo(pixels=noise((48, 64, 3), np.uint16), alpha=clear)
    assert len(losses(photo, "JPEG")) == 2 and len(losses(photo, "WEBP")) == 1
    assert losses(photo, "PNG") == losses(photo, "TIFF") == losses(camera_photo(), "JPEG") == ()
    assert (load(written(photo, "JPEG")).pixels > 250).all()  # clear, so only the white below is seen


@pytest.mark.parametrize("format", FORMATS)
def test_a_grey_profile_goes_only_where_grey_goes(written, format):
    photo = camera_photo(pixels=smooth(48, 64)[..., :1], profile=grey_profile())
    again = load(written(photo, format))
    assert not again.notices
    assert (
        (again.profile is None) == (format in ("WEBP", "AVIF")) == any("grey" in loss for loss in losses(photo, format))
    )


def test_sixteen_bits_become_eight_by_rounding(written):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    assert np.array_equal(eight_bits(levels), np.rint(levels / 257).astype(np.uint8))


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, step, number):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(WriteError) as caught:
        write_atomically(path, bytes(2_500_000))
    assert str(path) in str(caught.value)
    assert ("2.5 MB" in str(caught.value)) == (number == errno.ENOSPC)
    assert path.read_bytes() == b"old" and leftovers(tmp_path) == ["a.jpg"]


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.jpg", b"new")
    assert leftovers(tmp_path) == []


def test_a_write_replaces_and_obeys_the_umask(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    write_atomically(path, b"new")
    other = tmp_path / "b"
    other.touch()
    assert path.read_bytes() == b"new" and leftovers(tmp_path) == ["a.jpg", "b"]
    assert path.stat().st_mode == other.stat().st_mode


def test_a_write_into_no_folder_or_onto_one_is_a_sentence(tmp_path):
    with pytest.raises(WriteError, match="no folder"):
        write_atomically(tmp_path / "absent" / "a.jpg", b"new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError, match="could not be written"):
        write_atomically(tmp_path / "folder", b"new")
    assert leftovers(tmp_path) == ["folder"]


def test_pillow_and_dreamer_agree_on_png(tmp_path):
    for dtype, channels in ((np.uint8, 3), (np.uint8, 1)):
        pixels = np.concatenate([noise((300, 900, channels), dtype), np.zeros((20, 900, channels), dtype)])
        data = encode(Photo(pixels), pixels, "PNG")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))).reshape(pixels.shape), pixels)


def test_what_is_no_picture_has_no_recipe(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(PhotoError):
        read_recipe(tmp_path / "a.txt")
