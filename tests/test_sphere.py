"""360-degree panoramas: recognised, their poles dreamt as they are seen, their metadata in the dream's own pixels."""

import math
import struct
from pathlib import Path

import av
import pytest
import torch
from command import photo, pixels, refused, render, stamp_of
from torch import Tensor

from dreamer import dream
from dreamer.engine.sphere import face_of, face_side, with_face
from dreamer.image import Photo, encode, load
from dreamer.testing import tiny_network
from dreamer.videos.clip.track import read_track

GPANO = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    b'GPano:FullPanoWidthPixels="192" GPano:CroppedAreaLeftPixels="0" GPano:PoseHeadingDegrees="192">'
    b"<GPano:ProjectionType>equirectangular</GPano:ProjectionType>"
    b"<GPano:FullPanoHeightPixels>96</GPano:FullPanoHeightPixels>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def globe(height: int) -> Tensor:
    """A smooth function on the sphere as a panorama (1, 3, H, 2 H): the colours are x, y and z."""
    latitude = (0.5 - (torch.arange(height) + 0.5) / height)[:, None] * math.pi
    longitude = ((torch.arange(2 * height) + 0.5) / (2 * height) - 0.5)[None] * 2 * math.pi
    x, y, z = latitude.cos() * longitude.sin(), latitude.sin(), latitude.cos() * longitude.cos()
    return (torch.stack(torch.broadcast_tensors(x, y, z))[None] + 1) / 2


@pytest.mark.parametrize("up", [True, False])
def test_a_face_is_what_is_seen_above_and_below(up):
    """Of a function of directions, the face has the values of its own directions, and gives them back."""
    world = globe(128)
    side = face_side(256)
    seen = face_of(world, side, up) * 2 - 1
    line = ((torch.arange(side) + 0.5) / side * 2 - 1) * math.tan(math.radians(52.5))
    right, down = line[None, :].expand(side, side), line[:, None].expand(side, side)
    directions = torch.stack([right, torch.full_like(right, 1.0 if up else -1.0), -down])
    assert (seen[0] - directions / directions.norm(dim=0)).abs().max() < 0.01
    back = with_face(torch.zeros_like(world), seen, up)
    cap = slice(0, 20) if up else slice(-20, None)  # beyond 60 degrees: the face alone
    assert (back - (world * 2 - 1))[..., cap, :].abs().max() < 0.02
    assert not back[..., 40:88, :].any()


def test_the_poles_of_a_panorama_are_dreamt_as_they_are_seen():
    """Near a pole forms are drawn out over the width, as the photo's are; without faces they would be pinched."""
    world = 0.5 + 0.15 * torch.sin(20 * (globe(64) + 0.3 * globe(64).roll(1, 1)))
    wish = {"octaves": {"steps": 1, "count": 1}, "transforms": [], "objectives": "deepdream", "returns": "tensor"}
    found = {}
    for wrap in ("x", "sphere"):
        change = (dream(world, wrap=wrap, layer="m3a", **wish) - world[0])[:, :5]
        found[wrap] = float(change.diff(dim=-1).abs().mean() / change.diff(dim=-2).abs().mean())
    assert found["sphere"] < 0.6 * found["x"]


def test_the_steps_that_are_kept_are_those_of_the_panorama_and_the_last_has_its_poles():
    words = {"network": tiny_network(), "wrap": "sphere", "octaves": {"count": 1}, "steps": 2, "returns": "tensor"}
    kept = dream(globe(48), keep=(1, 2), **words)
    assert [*kept] == [1, 2] and torch.equal(kept[2], dream(globe(48), **words))


def test_a_panorama_is_recognised_and_keeps_what_it_says_in_its_own_pixels(tmp_path):
    values = pixels(192, 96)
    source = tmp_path / "a.jpg"
    source.write_bytes(encode(Photo(values, xmp=GPANO), values, "JPEG"))
    ran = render(source, "--size", "128", "--strength", "0")
    assert "it is a 360-degree panorama; --wrap sphere" in ran.err
    assert "360-degree" not in render(photo(tmp_path / "b.png", 192, 96), "--strength", "0").err
    ran = render(source, "--wrap", "sphere", "--size", "128", "--force")
    assert ran.code == 0 and "360-degree" not in ran.err
    assert stamp_of(tmp_path / "a-dream.jpg")["recipe"]["wrap"] == "sphere"
    kept = load(tmp_path / "a-dream.jpg")
    assert kept.is_panorama and (kept.width, kept.height) == (128, 64)
    said = kept.xmp.decode()
    assert 'FullPanoWidthPixels="128"' in said and "<GPano:FullPanoHeightPixels>64<" in said
    assert 'PoseHeadingDegrees="192"' in said
    refused(render(photo(tmp_path / "c.png"), "--wrap", "sphere"), "twice as wide as high", "96x72", "--wrap x")


def boxes(data: bytes, name: bytes, start: int = 0) -> int:
    """Where the first box of that name begins."""
    return data.index(name, start) - 4


def with_sphere(path: Path) -> Path:
    """A clip that says it is equirectangular (Google's Spherical Video V1), as cameras say so."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels(64, 32), format="rgb24")))
        container.mux(stream.encode(None))
    words = {
        "Spherical": "true",
        "StitchingSoftware": "camera",
        "Stitched": "true",
        "ProjectionType": "equirectangular",
    }
    said = "".join(f"<GSpherical:{name}>{value}</GSpherical:{name}>" for name, value in words.items())
    said = (
        '<rdf:SphericalVideo xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">{said}</rdf:SphericalVideo>'
    )
    box = b"uuid" + bytes.fromhex("ffcc8263f8554a938814587a02521fdd") + said.encode()
    box = struct.pack(">I", 4 + len(box)) + box
    data = bytearray(path.read_bytes())
    track = boxes(data, b"trak")
    (size,) = struct.unpack_from(">I", data, track)
    data[track + size : track + size] = box
    for at in (track, boxes(data, b"moov")):
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + len(box))
    path.write_bytes(data)
    return path


def test_a_clip_all_around_says_what_is_lost(tmp_path):
    assert any(
        "it is a 360-degree clip" in notice for notice in read_track(with_sphere(tmp_path / "a.mp4"), 10**6).notices
    )
