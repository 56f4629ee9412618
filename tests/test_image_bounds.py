"""Small files that would fill the memory or never end, and metadata that cannot be read: none of it costs the photo."""

import io
import lzma
import os
import struct
import sys
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
from command import ENVIRONMENT
from forked import run
from image_samples import XMP, exif, noise, rgb_profile, smooth, written
from PIL import Image

from dreamer import limits
from dreamer.errors import PhotoError
from dreamer.image import encode, load, png, read_recipe, xmp
from dreamer.image import exif as exif_module

resource = pytest.importorskip("resource")
MB = 1 << 20
DEEP, FLAT = noise((64, 64, 3), np.uint16), smooth(64, 64)


@contextmanager
def bounded(memory=400 * MB):
    """A block that may take so much more memory than there is in use."""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("this system does not tell how much memory is in use")
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    usual = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, usual)


def read(path, pixels, *words, **bounds):
    """The photo, read within bounds, whose pixels are these, with such notices."""
    with bounded(**bounds):
        photo = load(path)
        assert read_recipe(path) is None
    assert pixels is None or np.array_equal(photo.pixels, pixels)
    for word in words:
        assert any(word in notice for notice in photo.notices), (word, photo.notices)
    return photo


def refused(path, word, **bounds):
    with bounded(**bounds), pytest.raises(PhotoError, match=word) as caught:
        load(path)
    assert str(caught.value).count(str(path)) == 1


def deflated(size):
    """So many zeros, deflated: blocks that do not look back are all alike, and deflated once."""
    packer = zlib.compressobj(9)
    first, again = (packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    sums = (size % 65521 << 16 | 1).to_bytes(4, "big")  # Adler-32 of zeros
    return first + again * (size // MB - 1) + b"\3\0" + sums


BOMB = deflated(600 * MB)


def png_with(pixels, *chunks, behind=False):
    """A PNG with chunks (name, data) before its pixels or behind them."""
    data = written(png.write, pixels, None)
    at = len(data) - 12 if behind else 33
    return data[:at] + b"".join(png._chunk(name, words) for name, words in chunks) + data[at:]


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("pixels", [DEEP, FLAT])
@pytest.mark.parametrize(
    ("chunk", "notice"),
    [
        ((b"zTXt", b"Comment\0\0" + BOMB), ""),
        ((b"iTXt", b"Comment\0\1\0\0\0" + BOMB), ""),
        ((b"iTXt", png.XMP_KEYWORD.encode() + b"\0\1\0\0\0" + BOMB), "XMP"),
        ((b"iCCP", b"a\0\0" + BOMB), "colour profile"),
        ((b"iCCP", b"a\0\0" + zlib.compress(bytes(2 * MB))), "profile"),
        ((b"tEXt", b"Comment\0" + bytes(2 * MB)), ""),
        ((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2 * MB))), ""),
        ((b"eXIf", b"II*\0" + bytes(5 * MB)), "EXIF"),
        ((b"zTXt", b"Raw profile type exif\0\0" + BOMB), "EXIF"),
        ((b"PLTE", bytes(3 * MB)), ""),
        ((b"tRNS", bytes(3 * MB)), ""),
    ],
)
def test_a_png_costs_no_more_than_its_pixels(tmp_path, pixels, chunk, notice, behind):
    path = tmp_path / "a.png"
    path.write_bytes(png_with(pixels, *[chunk] * 4, behind=behind))
    read(path, pixels, *([notice] if notice else []))


@pytest.mark.parametrize("pixels", [DEEP, FLAT])
def test_a_png_that_says_it_is_longer_than_it_is_is_refused(tmp_path, pixels):
    path, data = tmp_path / "a.png", written(png.write, pixels, None)
    at = data.index(b"IDAT")
    path.write_bytes(data[: at - 4] + b"\xff\xff\xff\0" + data[at:])
    refused(path, "incomplete|truncated|broken")


@pytest.mark.parametrize("pixels", [DEEP, FLAT])
@pytest.mark.parametrize("size", [b"\xff\0\0\xff", b"\0\0\0\x0d"])
def test_a_png_whose_header_does_not_come_first_is_refused(tmp_path, pixels, size):
    path, data = tmp_path / "a.png", written(png.write, pixels, None)
    words = data[8:33] + data[33:].replace(data[data.index(b"IDAT") - 4 :][:4], size, 1)
    path.write_bytes(data[:8] + png._chunk(b"tEXt", b"Comment\0a") + words)
    refused(path, "header is missing")


@pytest.mark.parametrize("order", [b"II\0*", b"MM*\0"])
def test_what_only_pillow_takes_for_a_tiff_is_refused(tmp_path, order):
    path, file = tmp_path / "a.tif", io.BytesIO()
    Image.fromarray(FLAT).save(file, "TIFF")
    path.write_bytes(order + file.getvalue()[4:])
    refused(path, "is not a picture that dreamer can read")


def too_large(folder):
    """Check what is said of pixels that take more memory than there is."""
    flat = Image.new("L", (9000, 4000))
    for format in ("TIFF", "BMP"):
        path = folder / f"a.{format}"
        flat.save(path, format)
        refused(path, "takes more memory than there is; make it smaller first", memory=20 * MB)
    pixels = np.asarray(flat)
    with Image.open(path) as picture:
        for given in (picture, pixels.T, pixels.view(np.float32)):
            with bounded(20 * MB), pytest.raises(PhotoError, match="the picture takes more memory than there is"):
                load(given)


def test_pixels_that_take_more_memory_than_there_is_are_refused_in_a_sentence(tmp_path):
    """In a process of its own: one that has freed much memory has more than a limit says."""
    code = f"from pathlib import Path; import test_image_bounds as tests; tests.too_large(Path({str(tmp_path)!r}))"
    ran = run([sys.executable, "-c", code], env=ENVIRONMENT | {"PYTHONPATH": str(Path(__file__).parent)})
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("pixels", [DEEP, FLAT])
def test_a_png_of_very_many_parts_is_read_up_to_a_bound(tmp_path, pixels, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(png_with(pixels, *[(b"iTXt", b"a\0\0\0\0\0b")] * 20_000))
    read(path, pixels, "20,000 parts")
    monkeypatch.setattr(limits, "PNG_CHUNKS", 1000)
    refused(path, "more than 1,000 parts")


def test_an_animated_png_is_its_first_picture(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(FLAT).save(path, save_all=True, append_images=[Image.fromarray(FLAT[::-1])])
    read(path, FLAT, "its first frame is used")
    data = png_with(DEEP, (b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", bytes(26)))
    path.write_bytes(data[:-12] + png._chunk(b"fdAT", bytes(4) + BOMB) + data[-12:])
    read(path, DEEP, "its first frame is used")


DAMAGED_EXIF = [
    b"",
    b"Exif\0\0",
    b"nonsense" * 4,
    b"II*\0\xff\xff\xff\xff",
    exif()[6:60],
    exif()[6:-30],
    b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\xff\xff\0\0\0\0\0\0",
    b"II*\0\x08\0\0\0\x01\0\x05\xa0\x04\0\x01\0\0\0\x08\0\0\0\0\0\0\0",  # a pointer to itself
    b"II*\0\x08\0\0\0\xff\xff" + b"\x00\x90\x07\0\xff\xff\xff\xff\0\0\0\0" * 20,
]


@pytest.mark.parametrize("block", DAMAGED_EXIF)
@pytest.mark.parametrize("format", ["deep PNG", "PNG", "JPEG", "WEBP", "AVIF", "HEIF"])
def test_damaged_exif_never_costs_the_photo(tmp_path, block, format):
    path = tmp_path / "a"
    if format == "deep PNG":
        path.write_bytes(png_with(DEEP, (b"eXIf", block)))
    elif format == "PNG":
        path.write_bytes(png_with(FLAT, (b"eXIf", block)))
    elif format in ("AVIF", "HEIF"):
        heif(path, format, block)
    else:
        Image.fromarray(FLAT).save(path, format, exif=b"Exif\0\0" + block)
    photo = read(path, None)
    assert photo.pixels.shape == FLAT.shape
    for target in ("PNG", "JPEG", "TIFF"):  # what dreamer writes it reads again, without a word
        again = tmp_path / "again"
        again.write_bytes(encode(photo, photo.pixels, target))
        assert not load(again).notices


def heif(path, format, block):
    """A HEIC or AVIF whose EXIF is this block."""
    tags = exif_module.parse(exif()[6:])
    del tags.fields[274]
    own = tags.block()
    if format == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(Image.fromarray(FLAT)).save(path, exif=own)
    else:
        Image.fromarray(FLAT).save(path, format, exif=own)
    data = path.read_bytes()
    at = data.index(own)
    path.write_bytes(data[:at] + block[: len(own)].ljust(len(own), b"\0") + data[at + len(own) :])


def test_a_chunk_with_a_wrong_checksum_costs_a_notice(tmp_path):
    path = tmp_path / "a.png"
    for pixels in (DEEP, FLAT):
        for name, data, word in (
            (b"eXIf", exif()[6:], "EXIF"),
            (b"iCCP", b"a\0\0" + zlib.compress(rgb_profile()), "colour"),
        ):
            whole = png_with(pixels, (name, data))
            path.write_bytes(whole.replace(data, data[:-1] + bytes([data[-1] ^ 1])))
            read(path, pixels, word)


def test_what_dreamer_writes_out_of_a_tiff_with_pointers_to_nowhere_is_read_again(tmp_path):
    pointers = {f"t{tag}": 1 << 30 for tag in (330, 400, 34665, 34853, 40965)}
    (tmp_path / "a.tif").write_bytes(raw_tiff(WHOLE, **pointers))
    photo = read(tmp_path / "a.tif", DEEP)
    for format in ("PNG", "TIFF", "JPEG", "WEBP"):
        path = tmp_path / f"b.{format}"
        path.write_bytes(encode(photo, photo.pixels, format))
        assert not {330, 400, 34853, 40965} & set(exif_module.parse(photo.exif).fields)
        assert not load(path).notices


def raw_tiff(data, *, big=False, bits=16, samples=3, **fields):
    """A TIFF of 64 x 64 pixels whose one strip is `data`, with fields besides or in place of the usual ones."""
    head = 16 if big else 8
    usual = {
        256: 64,
        257: 64,
        258: bits,
        259: 1,
        262: 2 if samples == 3 else 1,
        273: head,
        277: samples,
        278: 64,
        279: len(data),
    }
    rows = {**usual, **{int(tag[1:]): value for tag, value in fields.items()}}
    entry, number = ("<HHQQ", "<Q") if big else ("<HHII", "<H")
    table = b"".join(struct.pack(entry, tag, 4, 1, value) for tag, value in sorted(rows.items()) if value is not None)
    begin = head + len(data) + len(data) % 2
    start = struct.pack("<2sHHHQ", b"II", 43, 8, 0, begin) if big else struct.pack("<2sHI", b"II", 42, begin)
    count = struct.pack(number, sum(value is not None for value in rows.values()))
    return start + data + bytes(len(data) % 2) + count + table + bytes(8)


LZMA_BOMB = lzma.compress(bytes(20 * MB), preset=0)
LZMA_STREAMS = lzma.compress(bytes(8 * 64 * 6), preset=0) * 4000
WHOLE = DEEP.astype("<u2").tobytes()


@pytest.mark.parametrize(
    ("number", "data"),
    [
        (8, BOMB),
        (32946, BOMB),
        (34925, LZMA_BOMB),
        (34925, LZMA_STREAMS),
        (8, zlib.compress(WHOLE + b"\0\0")),
        (34925, lzma.compress(WHOLE) + lzma.compress(b"\0\0")),
    ],
)
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("tiled", [False, True])
def test_a_tiff_whose_parts_unpack_to_more_than_its_pixels_is_refused(tmp_path, number, data, big, tiled):
    path = tmp_path / "a.tif"
    tile = {
        "t322": 64,
        "t323": 64,
        "t324": 16 if big else 8,
        "t325": len(data),
        "t273": None,
        "t279": None,
        "t278": None,
    }
    path.write_bytes(raw_tiff(data, big=big, t259=number, **(tile if tiled else {})))
    refused(path, "unpacks to more")


@pytest.mark.parametrize(
    ("number", "pack"), [(1, bytes), (8, zlib.compress), (32946, zlib.compress), (34925, lzma.compress)]
)
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_whose_strip_is_as_long_as_its_pixels_is_read(tmp_path, number, pack, big):
    path = tmp_path / "a.tif"
    path.write_bytes(raw_tiff(pack(WHOLE), big=big, t259=number))
    read(path, DEEP)


@pytest.mark.parametrize("number", [1, 8, 5, 7, 32773])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_tile_larger_than_the_picture_is_refused(tmp_path, number, bits):
    path = tmp_path / "a.tif"
    tile = {"t322": 26_000, "t323": 26_000, "t324": 8, "t325": 1 << 16, "t273": None, "t279": None, "t278": None}
    path.write_bytes(raw_tiff(BOMB[: 1 << 16], bits=bits, samples=1, t259=number, **tile))
    refused(path, "tiles of 26000 x 26000", memory=200 * MB)


@pytest.mark.parametrize("bits", [8, 16])
def test_fields_that_all_point_at_the_same_bytes_are_bounded(tmp_path, bits):
    path = tmp_path / "a.tif"
    body = (WHOLE if bits == 16 else FLAT.tobytes()).ljust(3 * MB, b"x")
    fields = {f"t{tag}": 8 for tag in range(50_000, 53_000) if tag not in (50706, 50740, 50741, 50933, 50844)}
    data = bytearray(raw_tiff(body, bits=bits, t279=64 * 64 * 3 * bits // 8, **fields))
    for at in range(len(data) - 8 - 12 * (9 + len(fields)), len(data) - 8, 12):
        if struct.unpack_from("<H", data, at)[0] >= 50_000:
            struct.pack_into("<HI", data, at + 2, 1, 3 * MB)
    path.write_bytes(data)
    read(path, DEEP if bits == 16 else FLAT, "EXIF", memory=200 * MB)


@pytest.mark.parametrize("bits", [8, 16])
def test_strips_that_all_are_the_same_bytes_are_refused(tmp_path, bits):
    count, size = 64, 4 * MB
    places = struct.pack(f"<{count}I", *[8] * count) + struct.pack(f"<{count}I", *[size] * count)
    data = bytearray(raw_tiff(bytes(size) + places, bits=bits, t278=1))
    for tag, at in ((273, 8 + size), (279, 8 + size + 4 * count)):
        entry = data.index(struct.pack("<HHI", tag, 4, 1))
        struct.pack_into("<II", data, entry + 4, count, at)
    (tmp_path / "a.tif").write_bytes(data)
    refused(tmp_path / "a.tif", "overlap")


@pytest.mark.parametrize("bits", [8, 16])
def test_of_many_directories_only_the_first_two_are_looked_at(tmp_path, bits):
    path = tmp_path / "a.tif"
    first = raw_tiff(WHOLE if bits == 16 else FLAT.tobytes(), bits=bits)[:-8]
    more = b"".join(
        struct.pack("<HHHIII", 1, 254, 4, 1, 0, len(first) + 4 + 18 * (number + 1)) for number in range(60_000)
    )
    path.write_bytes(first + struct.pack("<I", len(first) + 4) + more)
    read(path, DEEP if bits == 16 else FLAT, "several pictures")
    with Image.open(path) if bits == 8 else Image.fromarray(FLAT) as picture, bounded():
        assert np.array_equal(load(picture).pixels, FLAT)


def test_a_file_is_read_no_further_than_its_picture(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(FLAT).save(path, compression="tiff_lzw")
    with path.open("r+b") as file:
        file.truncate(300 * MB)  # a hole, of no bytes on the disk
    with bounded(memory=100 * MB):
        found = load(path)
    assert np.array_equal(found.pixels, FLAT)


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with(*segments):
    file = io.BytesIO()
    Image.fromarray(FLAT).save(file, "JPEG", quality=95)
    return file.getvalue()[:2] + b"".join(segments) + file.getvalue()[2:]


@pytest.mark.parametrize(
    ("segments", "notice"),
    [
        ([segment(0xE1, b"Exif\0\0" + bytes(65_000))] * 100, "EXIF"),
        ([segment(0xE1, xmp.EXTENSION + bytes(65_000))] * 100, ""),
        ([segment(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 200]) + bytes(65_000)) for n in range(200)], "profile"),
        ([segment(0xE2, b"ICC_PROFILE\0\2\2" + rgb_profile())], "profile"),
        ([segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0" + b"\x7f" * 65_000)] * 100, "IPTC"),
        ([segment(0xEB, bytes(65_000))] * 1000, ""),
        ([segment(0xE5, b"")] * 50_000, "parts"),
        ([segment(0xFE, bytes(60_000))] * 100, ""),
        ([segment(0xE1, xmp.SEGMENT + b"<a>" * 20_000)], "XMP"),
    ],
)
def test_a_jpeg_costs_no_more_than_its_pixels(tmp_path, segments, notice):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with())
    plain = load(path).pixels
    path.write_bytes(jpeg_with(*segments))
    read(path, plain, *([notice] if notice else []), memory=300 * MB)


def test_a_jpeg_of_more_scans_than_any_has_is_refused(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(FLAT).save(path, progressive=True)
    data = path.read_bytes()
    last = data.rindex(b"\xff\xda")
    path.write_bytes(data[:last] + data[last:-2] * 5000 + data[-2:])
    refused(path, "scans")
    path.write_bytes(jpeg_with(*[segment(0xFE, b"")] * 200_000))
    refused(path, "parts")


def webp_with(*chunks):
    file = io.BytesIO()
    Image.fromarray(FLAT).save(file, "WEBP", lossless=True, exact=True, xmp=b"x")
    kept = file.getvalue()[12 : file.getvalue().index(b"XMP ")]
    body = kept + b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    flags = body[:8] + b"\x2c" + body[9:]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + flags


@pytest.mark.parametrize(
    ("chunks", "notice"),
    [
        ([(b"XMP ", b" " * 60 * MB)], "XMP"),
        ([(b"EXIF", bytes(60 * MB))], "EXIF"),
        ([(b"ICCP", bytes(60 * MB))], "profile"),
        ([(b"ABCD", b"")] * 50_000, ""),
    ],
)
def test_a_webp_costs_no_more_than_its_pixels(tmp_path, chunks, notice):
    (tmp_path / "a.webp").write_bytes(webp_with(*chunks))
    read(tmp_path / "a.webp", FLAT, *([notice] if notice else []), memory=150 * MB)


def test_a_gif_costs_no_more_than_its_pixels(tmp_path):
    path = tmp_path / "a.gif"
    picture = Image.fromarray(FLAT).quantize(32)
    picture.save(path, save_all=True, append_images=[picture.rotate(180)])
    data = path.read_bytes()
    at = 13 + (3 << (data[10] & 7) + 1)
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 100_000 + b"\0"
    path.write_bytes(data[:at] + comment + data[at:])
    read(path, np.asarray(picture.convert("RGB")), "its first frame is used", memory=100 * MB)
    path.write_bytes(data[:at] + b"!\xff\x0bXMP DataXMP" + XMP + bytes([1, *range(255, -1, -1), 0]) + data[at:])
    assert load(path).xmp == XMP
    blocks = b"".join(
        bytes([len(part)]) + part for part in (rgb_profile()[at : at + 200] for at in range(0, len(rgb_profile()), 200))
    )
    path.write_bytes(data[:at] + b"!\xff\x0bICCRGBG1012" + blocks + b"\0" + data[at:])
    assert load(path).profile == rgb_profile()


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_parts_of_a_heic_or_avif_that_overlap_are_refused(tmp_path, format):
    path = tmp_path / "a"
    heif(path, format, b"")
    data = bytearray(path.read_bytes())
    place = data.index(b"iloc")
    at = place + (22 if format == "AVIF" else 26)
    data[at : at + 4] = b"\x7f\xff\xff\xff"  # the length of the first item becomes that of many files
    path.write_bytes(data)
    refused(path, "overlap")


def test_places_are_not_removed_from_a_long_packet_one_by_one(monkeypatch):
    """minidom would look for each among all others."""
    monkeypatch.setattr(minidom.Node, "removeChild", lambda *_: pytest.fail("one was looked for"))
    places = b"".join(b"<exif:GPSLatitude>1</exif:GPSLatitude>" for _ in range(10_000))
    others = b"".join(b"<exif:Other>1</exif:Other>" for _ in range(20_000))
    packet = XMP.replace(b"<exif:GPSLongitude>", others + places + b"<exif:GPSLongitude>")
    with bounded():
        assert xmp.rewritten(packet).count(b"Other>") == 40_000


def test_a_long_exif_that_is_made_short_is_packed_once(monkeypatch):
    directory = exif_module.Directory()
    for tag in range(40_000, 44_000):
        directory.fields[tag] = exif_module.Field(7, bytes(tag % 100))
    packed, block = [], exif_module.Directory.block
    monkeypatch.setattr(exif_module.Directory, "block", lambda of: packed.append(of) or block(of))
    with bounded():
        directory.shorten(65_527)
    assert len(packed) == 1
    assert 65_000 < len(directory.block()) <= 65_527


def test_nothing_writes_to_stderr_by_itself(tmp_path, capfd):
    path = tmp_path / "a.tif"
    for packed in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        Image.fromarray(noise((64, 64, 3))).save(path, compression=packed)
        data = bytearray(path.read_bytes())
        for start in (20, 200, 2000):
            data[start : start + 40] = b"\xff" * 40
        path.write_bytes(data)
        with suppress(PhotoError):
            load(path)
    assert capfd.readouterr().err == ""
