"""Photos as phones and cameras make them: what is kept, what goes, and what is said about it."""

import io
import struct
import sys

import numpy as np
import phones
import pytest
import tifffile
from command import dreamer, refused
from image_samples import ADOBE, XMP, exif, noise, rgb_profile, smooth
from PIL import Image

from dreamer.errors import PhotoError
from dreamer.files.suffixes import pictures_in
from dreamer.image import Photo, encode, load, read_recipe
from dreamer.image import exif as exif_module

LOSSLESS = {"TIFF": ".tif", "PNG": ".png"}


def without_loss(name):
    """The suffix of a lossless format for the dream of this photo."""
    return ".tif" if name.endswith(".tif") else ".png"


@pytest.mark.parametrize("name", phones.PHOTOS)
def test_at_strength_0_pixels_depth_and_profile_stay(tmp_path, name):
    if "heic" in name:
        pytest.importorskip("pillow_heif")
    source, dream = tmp_path / name, tmp_path / f"dream{without_loss(name)}"
    source.write_bytes(phones.PHOTOS[name]())
    ran = dreamer("render", source, "--strength", "0", "--set", "octaves.steps=1", "-o", dream)
    assert ran.code == 0, ran.err
    before, after = load(source), load(dream)
    assert np.array_equal(after.pixels, before.pixels) and after.pixels.dtype == before.pixels.dtype
    assert after.profile == before.profile and not after.notices
    assert read_recipe(dream)
    assert ("gain map and its film are left out" in ran.err) == (name == "ultra.jpg")


@pytest.mark.parametrize("name", phones.PHOTOS)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_nothing_of_the_undreamt_photo_and_no_place_is_in_the_dream(name, format):
    if "heic" in name:
        pytest.importorskip("pillow_heif")
    photo = load(phones.PHOTOS[name]())
    data = encode(photo, photo.pixels, format)
    for word in (b"hdrgm", b"hdr-gain", b"MotionPhoto", b"MicroVideo", b"Container", b"GDepth", b"GImage", b"MPF\0"):
        assert word not in data
    assert b"urn:iso:std:iso:ts:21496" not in data and b"ftypmp42" not in data
    assert name != "ultra.jpg" or b"Anna" in data
    tags = exif_module.parse(load(data).exif)
    assert 0x8825 not in tags.children and not exif_module.PLACES & tags.fields.keys()
    kept = load(encode(photo, photo.pixels, format, keep_gps=True))
    tags = exif_module.parse(kept.exif)
    assert 0x8825 in tags.children or 33922 in tags.fields or name == "wide.png"


class TestHeic:
    """HEIC, with pillow-heif."""

    @pytest.fixture(autouse=True)
    def plugin(self):
        pytest.importorskip("pillow_heif")

    @pytest.mark.parametrize("name", ["a.heic", "a.HEIC", "a.jpg", "a"])
    def test_it_is_read_upright_under_any_name(self, tmp_path, name):
        (tmp_path / name).write_bytes(phones.heic())
        photo = load(tmp_path / name)
        assert np.array_equal(photo.pixels, np.rot90(phones.SCENE, 3)) and photo.format == "HEIF"
        assert b"Kodak" in photo.exif and 274 not in exif_module.parse(photo.exif).fields

    def test_ten_bits_become_sixteen(self):
        pixels = load(phones.heic(phones.DEEP)).pixels
        expected = np.rot90(phones.DEEP, 3)
        assert pixels.dtype == np.uint16 and np.abs(pixels.astype(int) - expected).max() <= 64
        white = np.full((72, 96, 3), 65535, np.uint16)
        assert load(phones.heic(white)).pixels.min() == 65535

    @pytest.mark.parametrize("channels", [1, 4])
    def test_grey_and_transparency_stay_exact(self, channels):
        import pillow_heif

        values, file = noise((64, 80, channels)), io.BytesIO()
        picture = Image.fromarray(values.squeeze())
        pillow_heif.from_pillow(picture).save(file, quality=-1, chroma=444, matrix_coefficients=0)
        photo = load(file.getvalue())
        grey = photo.pixels[..., :1] if channels == 1 else photo.pixels
        assert np.array_equal(grey, values[..., : 3 if channels == 4 else 1])
        assert channels == 1 or np.array_equal(photo.alpha, values[..., 3])

    def test_its_profile_and_xmp_are_kept(self):
        import pillow_heif

        file = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(phones.SCENE)).save(file, icc_profile=phones.WIDE, xmp=XMP)
        photo = load(file.getvalue())
        assert photo.profile == phones.WIDE and photo.xmp == XMP

    def test_it_is_found_in_folders_and_dreamt_over(self, tmp_path):
        import dreamer as program

        (tmp_path / "IMG_1.HEIC").write_bytes(phones.heic())
        (tmp_path / "IMG_2.hif").write_bytes(phones.heic())
        assert pictures_in(tmp_path) == ["IMG_1.HEIC", "IMG_2.hif"]
        made = program.dream(tmp_path / "IMG_1.HEIC", octaves={"steps": 1})
        assert made.size == (72, 96)
        assert dreamer("render", tmp_path / "IMG_1.HEIC", "--set", "octaves.steps=1").code == 0
        assert (tmp_path / "IMG_1-dream.jpg").exists()

    def test_a_damaged_one_is_refused(self, tmp_path):
        path = tmp_path / "a.heic"
        for data in (b"\0\0\0\x18ftypheic" + bytes(40), phones.heic()[:-3000]):
            path.write_bytes(data)
            with pytest.raises(PhotoError) as caught:
                load(path)
            assert str(caught.value).count(str(path)) == 1


def test_without_the_plugin_heic_is_refused_with_its_name(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    with pytest.raises(PhotoError, match=r"is a HEIC picture; install dreamer-art\[heif\]"):
        load(path)
    refused(dreamer("render", path), "install dreamer-art[heif]")


def auxiliary(kind):
    """A box as Apple marks the picture that belongs to another one."""
    return struct.pack(">I4sI", 12 + len(kind) + 1, b"auxC", 0) + kind + b"\0"


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        (b"urn:com:apple:photo:2020:aux:hdrgainmap", "HDR gain map"),
        (b"urn:mpeg:hevc:2015:auxid:2", "depth map"),
        (b"urn:com:apple:photo:2018:aux:portraiteffectsmatte", "depth map"),
        (b"urn:mpeg:hevc:2015:auxid:1", ""),
    ],
)
def test_what_else_is_in_a_heic_is_said(kind, thing):
    pytest.importorskip("pillow_heif")
    notices = load(widened(phones.heic(), auxiliary(kind))).notices
    assert notices == ((f"its {thing} is left out",) if thing else ())
    film = struct.pack(">I4s", 2008, b"mpvd") + bytes(2000)
    assert load(phones.heic() + film).notices == ("its film is left out",)


def widened(data, box):
    """A HEIC with one more property; what is behind it moves."""
    out = bytearray(data)
    place = data.index(b"ipco")
    end = place - 4 + int.from_bytes(data[place - 4 : place], "big")
    out[end:end] = box
    for name in (b"ipco", b"iprp", b"meta"):
        at = data.index(name) - 4
        out[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + len(box)).to_bytes(4, "big")
    at = out.index(b"iloc")
    count, start = int.from_bytes(out[at + 10 : at + 12], "big"), at + 12
    for _ in range(count):  # an item: number, reference, base, one extent of offset and length
        base = int.from_bytes(out[start + 4 : start + 8], "big")
        out[start + 4 : start + 8] = (base + len(box)).to_bytes(4, "big")
        start += 18
    return bytes(out)


@pytest.mark.parametrize(
    ("behind", "words"),
    [
        (lambda: phones.gain_map(), "its HDR gain map is left out"),
        (lambda: phones.FILM, "its film is left out"),
        (lambda: b"\0" * 40 + b"MotionPhoto_Data" + phones.FILM, "its film is left out"),
        (lambda: phones.gain_map() + phones.FILM, "its HDR gain map and its film are left out"),
        (lambda: phones.jpeg(), ""),
        (lambda: b"", ""),
    ],
)
def test_what_stands_behind_a_jpeg_is_said(behind, words):
    photo = load(phones.jpeg() + behind())
    assert photo.notices == ((words,) if words else ())
    assert np.array_equal(photo.pixels, load(phones.jpeg()).pixels)


@pytest.mark.parametrize(
    ("promise", "words"),
    [
        (b'<a:I xmlns:a="urn:a" a:Semantic="GainMap"/>', "its HDR gain map is left out"),
        (b'<a:Semantic xmlns:a="urn:a">GainMap</a:Semantic>', "its HDR gain map is left out"),
        (b'<h:Version xmlns:h="http://ns.adobe.com/hdr-gain-map/1.0/">1.0</h:Version>', "its HDR gain map is left out"),
        (b"<a:I xmlns:a=\"urn:a\" a:Semantic='Depth'/>", "its depth map is left out"),
        (b'<a:I xmlns:a="urn:a" a:Semantic="Primary"/>', ""),
    ],
)
def test_what_stands_behind_a_jpeg_may_be_said_in_front_only(promise, words):
    data = phones.jpeg(xmp=XMP.replace(b"<dc:creator>", promise + b"<dc:creator>"))
    assert load(data + phones.jpeg(phones.SCENE[::4, ::4].copy())).notices == ((words,) if words else ())
    assert load(data).notices == ()


def test_a_promise_without_a_film_goes_silently():
    data = phones.jpeg(xmp=phones.PROMISES)
    photo = load(data)
    assert photo.notices == () and b"Anna" in encode(photo, photo.pixels, "JPEG")
    assert b"MotionPhoto" not in encode(photo, photo.pixels, "JPEG")


def raw(below=32803, kind=1, **fields):
    """A DNG as cameras write it: a small picture, and the sensor's values below."""
    file = io.BytesIO()
    tags = [(int(tag[1:]), 1, 4, b"\1\4\0\0", True) for tag in fields]
    with tifffile.TiffWriter(file) as writer:
        small = {"subfiletype": kind, "photometric": "rgb", "metadata": None, "extratags": tags}
        writer.write(smooth(30, 40), subifds=1 if below else 0, **small)
        if below:
            cfa = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True)]
            writer.write(
                noise((48, 64, 1 if below == 32803 else 3), np.uint16).squeeze(),
                photometric=below,
                metadata=None,
                extratags=cfa,
            )
    return file.getvalue()


RAWS = {
    "a.DNG": raw(t50706=1),
    "a.tif": raw(t50706=1),
    "a.jpg": raw(),
    "b.tif": raw(kind=0),
    "c.tif": raw(below=None),
    "d.tif": raw(below=34892, kind=0),
    "a.NEF": raw(below=None, kind=0),
    "a.CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(40),
    "a.raf": b"FUJIFILMCCD-RAW 0201" + bytes(200),
    "a.CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(40),
    "a.RW2": b"IIU\0\x18\0\0\0" + bytes(40),
    "a.orf": b"IIRO\x08\0\0\0" + bytes(40),
    "b.orf": b"IIRS\x08\0\0\0" + bytes(40),
    "a.x3f": b"FOVb" + bytes(40),
    "a.mrw": b"\0MRM" + bytes(40),
    "a.crw": b"II\x1a\0\0\0HEAPCCDR" + bytes(40),
}


@pytest.mark.parametrize("name", RAWS)
def test_a_raw_photo_is_refused_by_what_it_is(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(RAWS[name])
    refused(dreamer("render", path), f"{path} is a raw photo; develop it to TIFF or JPEG first")


def test_a_tiff_with_smaller_pictures_of_itself_is_no_raw_photo(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(smooth(30, 40), subifds=1, photometric="rgb", metadata=None)
        writer.write(smooth(15, 20), subfiletype=1, photometric="rgb", metadata=None)
    assert np.array_equal(load(path).pixels, smooth(30, 40))
    Image.fromarray(smooth()).save(tmp_path / "a.nef", "JPEG")
    assert load(tmp_path / "a.nef").format == "JPEG"


VOCABULARIES = (
    b'<geo:lat xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#">PLACE</geo:lat>',
    b'<geo:Point xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#" geo:long="PLACE"/>',
    b'<geo:alt xmlns:geo="http://www.w3.org/2003/01/geo/wgs84_pos#">PLACE</geo:alt>',
    b'<dwc:verbatimCoordinates xmlns:dwc="http://rs.tdwg.org/dwc/terms/">PLACE</dwc:verbatimCoordinates>',
    b'<dwc:municipality xmlns:dwc="http://rs.tdwg.org/dwc/terms/">PLACE</dwc:municipality>',
    b'<dwc:island xmlns:dwc="http://rs.tdwg.org/dwc/terms/">PLACE</dwc:island>',
    b'<gml:pos xmlns:gml="http://www.opengis.net/gml">PLACE</gml:pos>',
    b'<e:LocationCreated xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><e:a>PLACE</e:a></e:LocationCreated>',
    b'<e:LocationShown xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><e:a e:City="PLACE"/></e:LocationShown>',
    b'<photoshop:City xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">PLACE</photoshop:City>',
    b'<exif:GPSAreaInformation xmlns:exif="http://ns.adobe.com/exif/1.0/">PLACE</exif:GPSAreaInformation>',
    b'<d:LRFTargetLat xmlns:d="http://www.dji.com/drone-dji/1.0/">PLACE</d:LRFTargetLat>',
    b'<x:shotLocation xmlns:x="http://ns.adobe.com/xmp/1.0/DynamicMedia/">PLACE</x:shotLocation>',
    b'<dc:coverage xmlns:dc="http://purl.org/dc/elements/1.1/">PLACE</dc:coverage>',
    b'<g:point xmlns:g="http://www.georss.org/georss">PLACE</g:point>',
    b'<p:EarthPose xmlns:p="http://ns.google.com/photos/dd/1.0/earthpose/">PLACE</p:EarthPose>',
    b'<m:placeName xmlns:m="http://example.org/">PLACE</m:placeName>',
)
UNDREAMT = (
    b'<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt><rdf:li>PLACE</rdf:li></rdf:Alt></xmp:Thumbnails>',
    b'<g:image xmlns:g="http://ns.adobe.com/xap/1.0/g/img/">PLACE</g:image>',
    b'<G:Data xmlns:G="http://ns.google.com/photos/1.0/image/">PLACE</G:Data>',
    b'<G:Data xmlns:G="http://ns.google.com/photos/1.0/depthmap/">PLACE</G:Data>',
    b'<G:hdrp_makernote xmlns:G="http://ns.google.com/photos/1.0/camera/">PLACE</G:hdrp_makernote>',
    b'<M:XMPMeta xmlns:M="http://ns.xiaomi.com/photos/1.0/camera/">PLACE</M:XMPMeta>',
    b'<s:filePath xmlns:s="http://ns.adobe.com/xap/1.0/sType/ResourceRef#">PLACE</s:filePath>',
    b'<c:posixProjectPath xmlns:c="http://ns.adobe.com/creatorAtom/1.0/">PLACE</c:posixProjectPath>',
    b'<a:own xmlns:a="http://example.org/">/9j/4AAQPLACE</a:own>',
    b'<a:b xmlns:a="http://example.org/" a:own="iVBORw0KGgoPLACE"/>',
    b"<!-- PLACE -->",
)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize(("words", "kept"), [(VOCABULARIES, True), (UNDREAMT, False)])
def test_places_and_pictures_go_from_every_vocabulary(format, words, kept):
    for element in words:
        packet = XMP.replace(b"<dc:creator>", element + b"<dc:creator>")
        photo = Photo(smooth(), xmp=packet)
        assert b"PLACE" not in encode(photo, photo.pixels, format)
        assert (b"PLACE" in encode(photo, photo.pixels, format, keep_gps=True)) == kept
        assert "Käthe".encode() in encode(photo, photo.pixels, format)


def test_small_pictures_and_makers_notes_go_from_exif():
    pytest.importorskip("pillow_heif")
    directory = exif_module.parse(exif()[6:])
    for tag in (0x927C, 50740, 50741):
        directory.children[0x8769].fields[tag] = exif_module.Field(7, b"Panasonic\0PLACE")
        directory.fields[tag] = exif_module.Field(7, b"Panasonic\0PLACE")
    directory.fields[40_000] = exif_module.Field(7, phones.jpeg() + b"PLACE")
    block = directory.block()
    small = block + b"PLACE" + phones.jpeg()  # a second directory, of the thumbnail, is never read
    for keep in (False, True):
        for data in (phones.jpeg(exif=b"Exif\0\0" + small), phones.heic_with(small)):
            photo = load(data)
            written = encode(photo, photo.pixels, "JPEG", keep_gps=keep)
            assert b"PLACE" not in written and b"Petzval" in written and photo.notices == ()


def test_a_preview_in_photoshops_resources_goes():
    preview = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 5) + b"PLACE\0"
    captions = b"8BIM\x04\x04\0\0" + struct.pack(">I", 9) + b"\x1c\x02\x78\0\4word\0"
    data = phones.jpeg()
    photo = load(data[:2] + phones.segment(0xED, b"Photoshop 3.0\0" + preview + captions) + data[2:])
    written = encode(photo, photo.pixels, "JPEG")
    assert b"PLACE" not in written and b"word" in written


def test_geotiff_is_kept_on_wish_only():
    photo = load(phones.tiff())
    for keep in (False, True):
        with tifffile.TiffFile(io.BytesIO(encode(photo, photo.pixels, "TIFF", keep_gps=keep))) as file:
            assert (33922 in file.pages[0].tags) == (34735 in file.pages[0].tags) == keep


def test_adobe_rgb_by_exif_is_carried_on_as_a_profile(tmp_path):
    photo = load(phones.adobe_rgb())
    plain = Photo(photo.pixels, profile=rgb_profile(ADOBE, 563 / 256))
    assert (photo.image() - plain.image()).abs().max() < 0.002
    assert photo.notices == ()
