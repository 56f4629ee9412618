import hashlib
import io
import struct
import zlib

import av
import numpy as np
import pytest
import tifffile
import torch
from image_samples import XMP, exif, noise, rgb_profile, smooth, turned, turned_picture, written
from PIL import Image
from PIL.ExifTags import Base

from dreamer.errors import PhotoError
from dreamer.image import Photo, encode, load, png, read_recipe, tiff, xmp
from dreamer.image import exif as exif_module

MODES = {
    "L": lambda rgb: Image.fromarray(rgb[..., 0]),
    "LA": lambda rgb: Image.fromarray(rgb[..., :2]),
    "RGB": Image.fromarray,
    "RGBA": lambda rgb: Image.fromarray(np.dstack([rgb, rgb[..., 1]])),
    "P": lambda rgb: Image.fromarray(rgb).quantize(32),
    "P see-through": lambda rgb: Image.fromarray(np.dstack([rgb, (rgb[..., 1] > 90) * 255]).astype(np.uint8)).quantize(
        32
    ),
    "1": lambda rgb: Image.fromarray(rgb[..., 0]).convert("1", dither=Image.Dither.NONE),
    "I;16": lambda rgb: Image.fromarray(rgb[..., 0].astype(np.uint16) * 251 + 7),
    "CMYK": lambda rgb: Image.fromarray(rgb).convert("CMYK"),
}
LOSSLESS = [(mode, "PNG") for mode in MODES if mode != "CMYK"] + [
    (mode, "TIFF") for mode in ("L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK")
]


def see(picture):
    """Pixels and alpha as Pillow sees them, which is right for 8 bits."""
    if picture.mode == "I;16":
        return np.asarray(picture)[..., None], None
    grey = picture.mode in ("1", "L", "LA")
    clear = picture.has_transparency_data
    values = np.asarray(picture.convert("L" if grey else "RGB"))
    alpha = np.asarray(picture.convert("RGBA"))[..., 3] if clear else None
    return values.reshape(*values.shape[:2], -1), alpha


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode, format", LOSSLESS)
def test_every_mode_is_read_upright_and_unchanged(tmp_path, mode, format, orientation):
    upright, path = smooth(), tmp_path / "photo"
    picture = MODES[mode](upright)
    turned_picture(picture, orientation).save(path, format, exif=exif(orientation))
    pixels, alpha = see(picture)
    photo = load(path)
    assert np.array_equal(photo.pixels, pixels)
    assert (photo.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(photo.alpha, alpha)
    assert (photo.width, photo.height) == (36, 24)
    assert photo.image().shape == (1, 3, 24, 36)
    assert np.array_equal(photo.with_change(torch.zeros_like(photo.image())), pixels)
    assert 274 not in Image.open(io.BytesIO(written(png.write, pixels, None, exif=photo.exif))).getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_lossy_formats_are_read_upright(tmp_path, format, orientation):
    upright, path = smooth(48, 64), tmp_path / "photo"
    Image.fromarray(turned(upright, orientation)).save(path, format, quality=95, exif=exif(orientation))
    assert np.abs(load(path).pixels.astype(int) - upright).max() < 16


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_exact_and_upright(tmp_path, format, channels, orientation):
    upright, path = noise((24, 36, channels), np.uint16), tmp_path / "photo"
    stored = turned(upright, orientation)
    colours = 1 if channels < 3 else 3
    if format == "PNG":
        alpha = stored[..., -1] if channels > colours else None
        path.write_bytes(written(png.write, stored[..., :colours], alpha, exif=exif(orientation)[6:]))
    else:
        tifffile.imwrite(
            path,
            stored.squeeze(),
            photometric="rgb" if colours == 3 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels > colours else None,
            extratags=[(274, "H", 1, orientation, True)],
        )
    photo = load(path)
    assert photo.pixels.dtype == np.uint16
    assert np.array_equal(photo.pixels, upright[..., :colours])
    if channels > colours:
        assert np.array_equal(photo.alpha, upright[..., -1])
    assert np.array_equal(photo.with_change(torch.zeros_like(photo.image())), photo.pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"tile": (16, 16), "compression": "zlib"},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"bigtiff": True, "byteorder": ">"},
        {"planarconfig": "separate"},
    ],
)
def test_sixteen_bit_tiffs_of_every_layout_are_exact(tmp_path, options):
    pixels, path = noise((40, 30, 3), np.uint16), tmp_path / "photo.tif"
    stored = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    tifffile.imwrite(path, stored, photometric="rgb", **options)
    assert np.array_equal(load(path).pixels, pixels)


def test_a_sixteen_bit_tiff_in_lzw_is_exact(tmp_path):
    pixels, path = noise((40, 30, 3), np.uint16), tmp_path / "photo.tif"
    coder = av.CodecContext.create("tiff", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = 30, 40, "rgb48le", 1
    coder.options = {"compression_algo": "lzw"}
    packets = [*coder.encode(av.VideoFrame.from_ndarray(pixels, format="rgb48le")), *coder.encode(None)]
    data = b"".join(bytes(packet) for packet in packets)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="LZW"):
        tifffile.imread(path)
    assert np.array_equal(load(path).pixels, pixels)
    (offsets,) = struct.unpack("<I", data[4:8])
    middle = 8 + (offsets - 8) // 2
    path.write_bytes(data[:8] + data[8:middle] + bytes(offsets - middle) + data[offsets:])
    refused(path)


def test_white_is_zero_and_premultiplied_alpha_are_undone(tmp_path):
    pixels, path = noise((20, 30), np.uint16), tmp_path / "photo.tif"
    tifffile.imwrite(path, pixels, photometric="miniswhite")
    assert np.array_equal(load(path).pixels[..., 0], 65535 - pixels)
    stored = np.zeros((4, 4, 4), np.uint16) + np.array([10000, 20000, 30000, 32768], np.uint16)
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(load(path).pixels[0, 0].astype(int) - [20000, 39999, 59999]).max() <= 1


@pytest.mark.parametrize("channels, colour", [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_an_interlaced_sixteen_bit_png_is_exact(tmp_path, channels, colour):
    pixels, path = noise((21, 19, channels), np.uint16), tmp_path / "photo.png"
    rows = b""
    for y, x, down, across in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        for row in pixels[y::down, x::across]:
            rows += b"\0" + row.astype(">u2").tobytes() if row.size else b""
    head = struct.pack(">IIBBBBB", 19, 21, 16, colour, 0, 0, 1)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(png.SIGNATURE + b"".join(png._chunk(kind, data) for kind, data in parts))
    photo = load(path)
    assert np.array_equal(photo.pixels, pixels[..., : photo.pixels.shape[2]])
    assert channels in (1, 3) or np.array_equal(photo.alpha, pixels[..., -1])


def test_metadata_behind_the_pixels_of_a_deep_png_is_read(tmp_path):
    path = tmp_path / "photo.png"
    data = written(png.write, noise((4, 6, 3), np.uint16), None)
    path.write_bytes(data[:-12] + png._chunk(b"eXIf", exif(6)[6:]) + data[-12:])
    photo = load(path)
    assert (photo.width, photo.height) == (4, 6)
    assert b"Kodak" in photo.exif


@pytest.mark.parametrize("deep", [False, True])
def test_what_a_png_says_of_its_owner_in_texts_is_kept_as_exif(tmp_path, deep):
    path, texts = tmp_path / "photo.png", [("Author", "Käthe"), ("Description", "a beetle"), ("Location", "Paris")]
    data = written(png.write, noise((4, 6, 3), np.uint16 if deep else np.uint8), None, texts=texts)
    latin = png._chunk(b"tEXt", "Copyright\0Käthe 2026".encode("latin-1")) + png._chunk(b"zTXt", b"Author\0\0damaged")
    path.write_bytes(data[:33] + latin + data[33:])
    with Image.open(path) as picture:
        for photo in (load(path), load(picture)):
            tags = exif_module.parse(photo.exif)
            assert tags.data(315) == "Käthe\0".encode() and tags.data(270) == b"a beetle\0"
            assert tags.data(33432) == "Käthe 2026\0".encode() and photo.notices == ()
            assert b"Paris" not in encode(photo, photo.pixels, "PNG")
    block = exif_module.Directory(fields={315: exif_module.Field(2, b"an owner\0")}).block()
    data = written(png.write, photo.pixels, None, texts=[("Author", "another")], exif=block)
    assert exif_module.parse(load(data).exif).data(315) == b"an owner\0"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_bmp_gif_and_pillow_pictures_are_read_unchanged(tmp_path, mode):
    picture = MODES[mode](smooth())
    pixels, _ = see(picture)
    assert np.array_equal(load(picture).pixels, pixels)
    assert load(picture).path is None and load(picture).format == "PNG"
    assert load(picture).sha256 == load(picture.copy()).sha256 != load(picture.rotate(180)).sha256
    if mode != "RGBA":
        picture.save(tmp_path / "a.bmp")
        assert np.array_equal(load(tmp_path / "a.bmp").pixels, pixels)
        picture.save(tmp_path / "a.gif", save_all=True, append_images=[picture.rotate(180)])
        animated = load(tmp_path / "a.gif")
        assert animated.format == "GIF" and any("first" in notice for notice in animated.notices)


def test_a_photo_from_pillow_is_turned_upright_and_keeps_its_metadata(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(turned(smooth(), 6)).save(path, exif=exif(6), icc_profile=rgb_profile(), dpi=(300, 200))
    with Image.open(path) as picture:
        photo = load(picture)
    assert np.array_equal(photo.pixels, smooth())
    assert photo.profile == rgb_profile() and b"Kodak" in photo.exif
    assert np.allclose(photo.dpi, (200, 300), atol=0.1)


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
@pytest.mark.parametrize(
    ("key", "value", "notice"),
    [
        ("exif", "a text", "EXIF is damaged"),
        ("exif", 7, "EXIF is damaged"),
        ("exif", None, ""),
        ("Raw profile type exif", b"bytes", "EXIF is damaged"),
        ("icc_profile", "a text", "profile was left out"),
        ("icc_profile", None, ""),
        ("xmp", 72, "XMP was left out"),
        ("xmp", {"a": 1}, "XMP was left out"),
        ("xmp", "a lone \ud800", "XMP was left out"),
        ("photoshop", [1], ""),
        ("dpi", (300,), ""),
        ("dpi", ("fine", 3), ""),
        ("dpi", None, ""),
    ],
)
def test_what_a_program_noted_in_a_picture_never_costs_the_photo(mode, key, value, notice):
    picture = MODES[mode](smooth())
    picture.info[key] = value
    photo = load(picture)
    assert photo.dpi is None and photo.profile is None and photo.xmp == b""
    assert mode == "CMYK" or any(notice in told for told in photo.notices) == bool(notice)


def test_dots_an_inch_may_be_one_number():
    for value in (72, 72.0, [72, 72], ("72", 72)):
        picture = Image.fromarray(smooth())
        picture.info["dpi"] = value
        assert load(picture).dpi == (72, 72)


def test_sha256_is_the_files(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(smooth()).save(path)
    assert load(str(path)).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load(path).path == path


def test_cmyk_goes_through_its_profile_and_says_so(tmp_path):
    path = tmp_path / "a.jpg"
    MODES["CMYK"](smooth()).save(path, quality=95)
    photo = load(path)
    assert photo.pixels.shape == (24, 36, 3) and photo.profile is None and photo.format == "JPEG"
    assert any("CMYK" in notice for notice in photo.notices)


@pytest.mark.parametrize(
    ("lab", "srgb"),  # L in 255ths, a and b as signed bytes, by CIE's formulas for the white of D50
    [
        ((255, 0, 0), (255, 255, 255)),
        ((137, 0, 0), (128, 128, 128)),
        ((0, 0, 0), (0, 0, 0)),
        ((149, 28, 46), (199, 120, 59)),
        ((101, 12, -46), (71, 89, 169)),
    ],
)
def test_lab_becomes_srgb(tmp_path, lab, srgb):
    path = tmp_path / "a.tif"
    Image.frombytes("LAB", (4, 4), bytes(value % 256 for value in lab) * 16).save(path)
    pixels = load(path).pixels
    assert pixels.shape == (4, 4, 3) and np.abs(pixels.astype(int) - srgb).max() <= 2


def test_a_picture_of_several_counts_as_jpeg(tmp_path):
    path = tmp_path / "a.mpo"
    Image.fromarray(smooth()).save(path, "MPO", save_all=True, append_images=[Image.fromarray(smooth())])
    assert load(path).format == "JPEG" and not load(path).notices


@pytest.mark.parametrize(
    "block", [b"", b"Exif\0\0", b"Exif\0\0nonsense", exif()[:60], b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_damaged_exif_is_a_notice(tmp_path, block):
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth()).save(path, exif=block)
    photo = load(path)
    assert photo.pixels.shape == (24, 36, 3)
    assert bool(photo.notices) == (len(block) > 6)


def test_damaged_xmp_is_a_notice(tmp_path):
    path = tmp_path / "a.jpg"
    for packet in (b"<x:xmpmeta", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a/>"):
        Image.fromarray(smooth()).save(path, xmp=packet)
        photo = load(path)
        assert not photo.xmp and any("XMP" in notice for notice in photo.notices)


def nested(depth):
    """A packet of so many elements one inside the other, with a recipe in the midst of them."""
    head, recipe = XMP.split(b"</rdf:RDF>")[0], f'<d:recipe xmlns:d="{xmp.DREAMER}">{{}}</d:recipe>'.encode()
    return head + b"<b>" * depth + recipe + b"</b>" * depth + b"</rdf:RDF></x:xmpmeta>"


@pytest.mark.parametrize("depth", [3000, 30_000])
def test_xmp_nested_without_end_costs_a_notice_only(tmp_path, depth):
    path = tmp_path / "a.webp"
    Image.fromarray(smooth()).save(path, xmp=nested(depth))
    with Image.open(path) as picture:
        for photo in (load(path), load(picture)):
            assert any("XMP" in notice for notice in photo.notices) and photo.xmp == b""
    assert read_recipe(path) is None
    Image.fromarray(smooth()).save(path, xmp=nested(30))
    assert load(path).xmp and not load(path).notices and read_recipe(path) == "{}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_in_xmp_are_refused_in_every_encoding(encoding):
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(3))
    words = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "0123456789">{entities}]>'
    words += XMP.decode().partition("?>")[2].replace("Käthe", "&e3;").replace('<?xpacket end="w"?>', "")
    with pytest.raises(ValueError, match="declares entities"):
        xmp.rewritten(words.encode(encoding))


def refused(path, *words, **options):
    with pytest.raises(PhotoError) as caught:
        load(path, **options)
    sentence = str(caught.value)
    assert sentence.count(str(path)) == 1
    assert all(word in sentence for word in words), sentence


def test_what_is_no_picture_is_refused_by_name(tmp_path):
    refused(tmp_path / "absent.jpg", "no file")
    refused(tmp_path, "folder")
    empty, text, heic = tmp_path / "empty.jpg", tmp_path / "text.jpg", tmp_path / "a.heic"
    empty.touch()
    text.write_text("a picture of a dog\n" * 20)
    heic.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    refused(empty, "empty")
    refused(text, "not a picture")
    for path in (tmp_path / "absent.jpg", tmp_path, empty, text):
        with pytest.raises(PhotoError):
            read_recipe(path)
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        refused(heic, "dreamer-art[heif]")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    "name",
    [
        "a.jpg",
        "progressive.jpg",
        "a.png",
        "deep.png",
        "a.webp",
        "a.tif",
        "deep.tif",
        "a.gif",
        "a.bmp",
        "a.avif",
    ],
)
def test_a_file_cut_short_is_refused(tmp_path, name, share):
    path = tmp_path / name
    pixels = noise((64, 64, 3))
    if name == "deep.png":
        path.write_bytes(written(png.write, noise((64, 64, 3), np.uint16), None))
    elif name == "deep.tif":
        tifffile.imwrite(path, noise((64, 64, 3), np.uint16), photometric="rgb", compression="zlib")
    else:
        Image.fromarray(pixels).save(path, progressive=name.startswith("p"))
    load(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refused(path, *(["cut short"] if name == "deep.tif" else []))


def test_a_damaged_deep_png_is_refused(tmp_path):
    path, data = tmp_path / "a.png", written(png.write, noise((64, 64, 3), np.uint16), None)
    broken = bytearray(data)
    broken[len(broken) // 2] ^= 255
    path.write_bytes(broken)
    refused(path, "incomplete")
    path.write_bytes(data[:-12])
    refused(path, "end is missing")


def test_a_deep_tiff_that_contradicts_itself_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    data = written(tiff.write, noise((8, 8, 1), np.uint16), None, directory=exif_module.Directory())
    grey, colour = (struct.pack("<HHII", Base.PhotometricInterpretation, 3, 1, kind) for kind in (1, 2))
    path.write_bytes(data.replace(grey, colour))
    refused(path, "channels")


def raw_tiff(*changes):
    """A 16-bit TIFF of 8 x 8 grey pixels, with fields besides, or in place of these."""
    fields = {256: 8, 257: 8, 258: 16, 259: 1, 262: 1, 273: 400, 277: 1, 278: 8, 279: 128}
    entries = [*changes, *((tag, value) for tag, value in fields.items() if tag not in dict(changes) or tag < 258)]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries, key=lambda e: e[0]))
    return (struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + table).ljust(400, b"\0") + bytes(128)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ([(Base.SamplesPerPixel, 60)], "60 channels"),
        ([(32997, 50)], "50 layers"),
        ([(Base.ImageWidth, 5000), (Base.ImageLength, 5000)], "two different sizes"),
        ([(322, 16000), (323, 16000), (324, 400), (325, 128)], "tiles of 16000 x 16000"),
    ],
)
def test_a_deep_tiff_that_hides_how_large_it_is_is_refused(tmp_path, monkeypatch, changes, word):
    path = tmp_path / "a.tif"
    path.write_bytes(raw_tiff())
    assert load(path).pixels.shape == (8, 8, 1)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: pytest.fail("it was decoded"))
    path.write_bytes(raw_tiff(*changes))
    refused(path, word)


def test_masks_beside_the_pixels_of_a_deep_tiff_are_passed_over(tmp_path):
    values, path = noise((8, 9, 6), np.uint16), tmp_path / "a.tif"
    tifffile.imwrite(path, values, photometric="rgb", planarconfig="contig", extrasamples=["unassalpha", 0, 0])
    assert np.array_equal(load(path).pixels, values[..., :3]) and np.array_equal(load(path).alpha, values[..., 3])


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int16, np.float16])
def test_values_of_other_kinds_are_refused_in_a_sentence(tmp_path, dtype):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8, 3), dtype), photometric="rgb")
    refused(path, "dreamer reads 8 and 16 bits")
    with pytest.raises(PhotoError, match="16 bits"):
        load(Image.new("F", (4, 4)))


def test_a_decompression_bomb_is_refused_from_its_header(tmp_path):
    bomb, deep = tmp_path / "bomb.png", tmp_path / "deep.tif"
    data = bytearray(written(png.write, noise((4, 4, 3)), None))
    data[16:24] = struct.pack(">II", 20000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    bomb.write_bytes(data)
    refused(bomb, "20000 x 20000", "max_pixels")
    tifffile.imwrite(deep, noise((10, 10, 3), np.uint16), photometric="rgb")
    for path in (bomb, deep):
        refused(path, "max_pixels", max_pixels=99)
    refused(bomb, "max_pixels", max_pixels=100)  # past twice the limit, where Pillow itself refuses
    assert load(deep, max_pixels=100).width == 10
    with pytest.raises(PhotoError, match="the limit with max_pixels"):
        load(Image.new("L", (10, 10)), max_pixels=99)


def test_pillows_own_limit_neither_warns_nor_stops_nor_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.webp", "a.gif", "a.tif", "a.png", "a.jpg"):
        Image.fromarray(smooth()).save(tmp_path / name)
        assert load(tmp_path / name).notices == ()
    assert Image.MAX_IMAGE_PIXELS == 10


def test_the_photo_matrix_leaves_photo_frozen():
    photo = Photo(smooth())
    with pytest.raises(AttributeError):
        photo.format = "JPEG"
