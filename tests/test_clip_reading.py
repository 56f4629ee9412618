"""Clips of every kind are read as they are shown: names, turns, clocks, fields, transparency, pictures and folders."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import filmed, made, opened, picture
from PIL import Image

from dreamer.errors import UsageError
from dreamer.videos.clip import track
from dreamer.videos.clip.reader import frames, probe


def pictures(number: int = 8, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    return [picture(k, *size) for k in range(number)]


def ghosts(number: int = 4) -> list[np.ndarray]:
    """Pictures whose right part is transparent, less and less of it."""
    alpha = [np.full((48, 64, 1), 255, np.uint8) for _ in range(number)]
    for k, values in enumerate(alpha):
        values[:, 24 + 8 * k :] = 0
    return [np.concatenate([picture(k), alpha[k]], 2) for k in range(number)]


def seen(path: Path, **part: Fraction) -> list[np.ndarray]:
    return [values for _, values in frames(probe(path, **part))]


def times(path: Path) -> list[float]:
    return [float(time) for time, _ in frames(probe(path))]


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 6


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["2024-05-01T10:15:33.mp4", "http:/127.0.0.1/a.mp4", "concat:a|b.mp4", "a%03d.mp4"])
def test_a_file_is_a_file_whatever_it_is_called(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    made(tmp_path / "a.mp4", 2).rename(name)
    assert probe(Path(name)).frames == len(seen(Path(name))) == 2


@pytest.mark.parametrize("name", ["list.mp4", "list.m3u8", "list.sdp", "list.ffconcat", "list.mpd"])
@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile a.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n",
        "v=0\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
)
def test_a_list_of_files_is_no_clip(tmp_path, monkeypatch, name, text):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "a.mp4", 2)
    Path(name).write_text(text)
    with pytest.raises(UsageError, match="not a readable clip"):
        probe(Path(name))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(UsageError, match="no regular file"):
        probe(tmp_path / "a.mp4")


# --- turns ---------------------------------------------------------------------------------------------------------


def with_matrix(path: Path, *matrix: float) -> Path:
    """Write a, b, c and d of the display matrix into an mp4."""
    a, b, c, d = (round(value * 65536) for value in matrix)
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((-1, 0, 0, 1), lambda values: values[:, ::-1]),
        ((1, 0, 0, -1), lambda values: values[::-1]),
        ((0, 1, 1, 0), lambda values: values.swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda values: np.rot90(values, -1)),
        ((2, 0, 0, 2), lambda values: values),
    ],
)
def test_frames_are_turned_and_mirrored_as_the_clip_says(tmp_path, matrix, shown):
    path = with_matrix(filmed(tmp_path / "a.mp4", pictures(1), pixels="yuv444p"), *matrix)
    [values] = seen(path)
    assert alike(values, shown(picture(0))) and not probe(path).notices


@pytest.mark.parametrize(
    ("matrix", "turns"), [((0.8, 0.6, -0.6, 0.8), 0), ((0.6, 0.8, -0.8, 0.6), -1), ((0, 0, 0, 0), 0)]
)
def test_an_odd_turn_is_rounded_and_told_of(tmp_path, matrix, turns):
    path = with_matrix(filmed(tmp_path / "a.mp4", pictures(1), pixels="yuv444p"), *matrix)
    assert alike(seen(path)[0], np.rot90(picture(0), turns))
    assert "turned by an odd angle" in probe(path).notices[0]


# --- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [2, 3])
def test_recordings_that_were_joined_byte_by_byte_go_on(tmp_path, parts):
    part = filmed(tmp_path / "a.ts", pictures(6)).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part * parts)
    clip = probe(joined)
    assert clip.frames == 6 * parts and not clip.variable and clip.fps == 25
    assert times(joined) == pytest.approx([k / 25 for k in range(6 * parts)], abs=1e-4)
    assert all(alike(values, picture(k % 6)) for k, values in enumerate(seen(joined)))
    assert "its clock jumps at" in clip.notices[0]


def test_a_gap_of_days_is_a_mistake_of_the_clock_and_one_of_a_minute_is_none(tmp_path):
    days, minute = (
        filmed(tmp_path / name, pictures(5), codec="ffv1", pixels="yuv444p", ticks=[0, 1, 2, 2 + gap, 3 + gap])
        for name, gap in (("days.mkv", 60 * 86400 * 25), ("minute.mkv", 60 * 25))
    )
    assert times(days) == pytest.approx([k / 25 for k in range(5)], abs=1e-3)
    assert probe(days).fps == 25 and "jumps at one place" in probe(days).notices[0]
    assert times(minute) == pytest.approx([0, 0.04, 0.08, 60.08, 60.12], abs=1e-3) and not probe(minute).notices


def test_frames_without_times_of_their_own_are_counted(tmp_path):
    bare = filmed(tmp_path / "a.h264", format="h264")
    aside = filmed(tmp_path / "a.avi", options={"bf": "2", "b_strategy": "0"})  # AVI keeps no time of showing
    for path in (bare, aside):
        assert times(path) == pytest.approx([k / 25 for k in range(8)], abs=1e-4)
        assert all(alike(values, picture(k)) for k, values in enumerate(seen(path)))
        assert probe(path).frames == 8


def test_frames_that_an_edit_list_hides_do_not_count(tmp_path):
    path = filmed(tmp_path / "a.mp4", options={"bf": "0"})
    data = bytearray(path.read_bytes())
    start = data.index(b"elst") + 12
    duration, begin = struct.unpack_from(">Ii", data, start)
    struct.pack_into(">Ii", data, start, duration // 2, begin + 512 * 2)
    path.write_bytes(data)
    clip = probe(path)
    assert clip.frames == len(seen(path)) == 4
    assert alike(seen(path)[0], picture(2))


def test_a_frame_rate_of_zero_is_measured(tmp_path):
    data = bytearray(filmed(tmp_path / "a.mkv").read_bytes())
    start = data.index(b"\x23\xe3\x83") + 4  # DefaultDuration
    data[start : start + (data[start - 1] & 0x7F)] = bytes(data[start - 1] & 0x7F)
    (tmp_path / "b.mkv").write_bytes(data)
    assert probe(tmp_path / "b.mkv").fps == 25 and len(seen(tmp_path / "b.mkv")) == 8


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_an_unknown_codec_is_a_sentence(tmp_path):
    data = filmed(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data.replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(UsageError, match="a codec that libav does not know"):
        probe(tmp_path / "b.mp4")


def test_heic_is_a_picture_even_to_whom_cannot_read_it(tmp_path):
    data = bytearray(filmed(tmp_path / "a.mp4").read_bytes())
    for brand in (b"heic", b"mif1", b"avif"):
        data[8:12] = brand
        (tmp_path / "a.HEIC").write_bytes(data)
        with pytest.raises(UsageError, match=r"a\.HEIC"):
            probe(tmp_path / "a.HEIC")


def test_film_of_dolby_vision_alone_is_told_of(tmp_path):
    path = filmed(tmp_path / "a.mp4", codec="libx265", options={"x265-params": "log-level=error"})
    path.write_bytes(path.read_bytes().replace(b"hev1", b"dvh1"))
    assert "Dolby Vision" in " ".join(probe(path).notices)


# --- fields --------------------------------------------------------------------------------------------------------


def test_two_fields_become_whole_frames(tmp_path):
    """A bar that moves between the fields has combed edges; deinterlaced, neighbouring rows are alike."""
    woven = []
    for number in range(8):
        values = np.full((48, 64, 3), 40, np.uint8)
        values[0::2, 8 * number % 48 : 8 * number % 48 + 12] = 220
        values[1::2, (8 * number + 4) % 48 : (8 * number + 4) % 48 + 12] = 220
        woven.append(values)
    path = filmed(tmp_path / "a.mp4", woven, options={"x264-params": "tff=1:interlaced=1", "crf": "5"})
    clip = probe(path)
    assert clip.frames == len(seen(path)) == 8 and "deinterlaced" in clip.notices[0]
    assert times(path) == pytest.approx([k / 25 for k in range(8)])

    def combed(values: np.ndarray) -> float:
        return float(np.abs(np.diff(values[8:-8].astype(int), axis=0)).mean())

    assert np.mean([combed(values) for values in seen(path)]) < 0.4 * np.mean([combed(values) for values in woven])


# --- transparency --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.mov", "qtrle", "argb"),
        ("a.mkv", "ffv1", "bgra"),
        ("b.mov", "prores_ks", "yuva444p10le"),
    ],
)
def test_transparency_is_read(tmp_path, name, codec, pixels):
    options = {"auto-alt-ref": "0", "crf": "10"} if codec == "libvpx-vp9" else {}
    path = filmed(tmp_path / name, ghosts(), codec=codec, pixels=pixels, options=options)
    assert probe(path).alpha
    for number, values in enumerate(seen(path)):
        assert values.shape == (48, 64, 4)
        assert (values[:, : 20 + 8 * number, 3] > 240).all() and (values[:, 28 + 8 * number :, 3] < 15).all()


def test_alpha_that_is_opaque_everywhere_is_left_out(tmp_path):
    opaque = [np.concatenate([picture(k), np.full((48, 64, 1), 255, np.uint8)], 2) for k in range(3)]
    path = filmed(tmp_path / "a.mkv", opaque, codec="ffv1", pixels="bgra")
    assert not probe(path).alpha and seen(path)[0].shape == (48, 64, 3)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.webm", "frames"])
def test_transparency_is_written_where_the_format_holds_it(tmp_path, name):
    output = tmp_path / name
    with opened(output, 4, alpha=True) as writer:
        for values in ghosts():
            writer.add(values)
        writer.finish()
    found = seen(output)
    assert len(found) == 4
    for number, values in enumerate(found):
        assert (values[:, : 20 + 8 * number, 3] > 240).all() and (values[:, 28 + 8 * number :, 3] < 15).all()
        assert alike(values[:, : 20 + 8 * number, :3], picture(number)[:, : 20 + 8 * number])
    assert times(output) == pytest.approx([k / (25 if name == "frames" else 24) for k in range(4)], abs=0.011)


def test_a_transparent_clip_can_be_resumed_to_the_same_bytes(tmp_path):
    for name in ("whole.webm", "broken.webm"):
        for stop in (4,) if name == "whole.webm" else (1, 3, 4):
            with opened(tmp_path / name, 4, alpha=True, segment=2, resume=stop > 1) as writer:
                for values in ghosts()[writer.done : stop]:
                    writer.add(values)
                if stop == 4:
                    writer.finish()
    assert (tmp_path / "whole.webm").read_bytes() == (tmp_path / "broken.webm").read_bytes()


# --- animated pictures and folders -----------------------------------------------------------------------------------


@pytest.mark.parametrize("transparent", [True, False])
@pytest.mark.parametrize("name", ["a.webp", "a.avif", "a.png", "a.gif"])
def test_animated_pictures_are_clips(tmp_path, name, transparent):
    shown = [Image.fromarray(values if transparent else values[..., :3]) for values in ghosts()]
    about = {"lossless": True} if name == "a.webp" else {"disposal": 2} if name == "a.gif" else {}
    shown[0].save(tmp_path / name, save_all=True, append_images=shown[1:], duration=[40, 80, 120, 40], **about)
    clip = probe(tmp_path / name)
    assert (clip.width, clip.height, clip.frames, clip.alpha, clip.variable) == (64, 48, 4, transparent, True)
    assert times(tmp_path / name) == pytest.approx([0, 0.04, 0.12, 0.24])
    for number, values in enumerate(seen(tmp_path / name)):
        kept = slice(0, 20 + 8 * number)
        assert alike(values[:, kept, :3], picture(number)[:, kept])


def test_an_animation_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path):
    shown = [Image.fromarray(np.random.default_rng(k).integers(0, 255, (48, 64, 3), np.uint8)) for k in range(6)]
    shown[0].save(tmp_path / "a.webp", save_all=True, append_images=shown[1:], lossless=True)
    data = bytearray((tmp_path / "a.webp").read_bytes())
    middle = data.index(b"ANMF", len(data) // 2) + 40
    data[middle : middle + 60] = b"\xff" * 60
    (tmp_path / "a.webp").write_bytes(data)
    clip = probe(tmp_path / "a.webp")
    assert 1 <= clip.frames < 6 and clip.frames == len(seen(tmp_path / "a.webp"))
    assert "the frames after the first" in clip.notices[0]


def test_pillow_never_warns_of_what_is_no_clip(tmp_path):
    path, shown = tmp_path / "a.png", [Image.fromarray(values) for values in pictures(3)]
    shown[0].save(path, save_all=True, append_images=shown[1:])
    data = bytearray(path.read_bytes())
    at = data.index(b"acTL")
    data[at + 4 : at + 8] = bytes(4)  # no frames
    data[at + 12 : at + 16] = zlib.crc32(data[at : at + 12]).to_bytes(4, "big")
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        with pytest.raises(UsageError, match="is a picture"):
            probe(path)
    assert heard == []


def test_a_folder_of_frames_is_a_clip_in_natural_order(tmp_path):
    for number in (8, 13, 100):
        Image.fromarray(np.full((48, 64, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    clip = probe(tmp_path)
    assert (clip.width, clip.height, clip.frames, clip.fps, clip.has_audio) == (64, 48, 3, 25, False)
    assert [values[0, 0, 0] for values in seen(tmp_path)] == [8, 13, 100]
    assert times(tmp_path) == [0, 0.04, 0.08]
    assert probe(tmp_path, fps=Fraction(12)).fps == 12
    Image.fromarray(np.zeros((48, 60, 3), np.uint8)).save(tmp_path / "20.png")
    (tmp_path / "30.png").write_bytes(b"no picture")
    with pytest.raises(UsageError) as wrong:
        probe(tmp_path)
    assert ["20.png has 60x48 pixels" in wrong.value.problems[0], "30.png" in wrong.value.problems[1]] == [True, True]


def test_photos_of_any_kind_are_frames(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "1.png")
    about = Image.Exif()
    about[0x0112] = 6  # turned, as telephones write it
    Image.fromarray(np.ascontiguousarray(np.rot90(values))).save(tmp_path / "2.jpg", exif=about, quality=95)
    Image.fromarray(np.dstack([values, np.full((48, 64), 100, np.uint8)])).save(tmp_path / "3.png")
    one, two, three = seen(tmp_path)
    assert (one[..., :3] == values).all() and (one[..., 3] == 255).all()
    assert two.shape[:2] == (48, 64) and (three[..., 3] == 100).all()


# --- parts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a.webp", "frames"])
def test_a_part_has_the_frames_from_its_start_to_before_its_end(tmp_path, name):
    path = made(tmp_path / name, 8, fps=25)
    found = seen(path, start=Fraction(2, 25), end=Fraction(5, 25))
    assert len(found) == 3 == probe(path, start=Fraction(2, 25), end=Fraction(5, 25)).frames
    assert all(alike(values, picture(k)) for k, values in zip((2, 3, 4), found, strict=True))
    assert [float(time) for time, _ in frames(probe(path, start=Fraction(1, 5)))] == pytest.approx([0, 0.04, 0.08])
    with pytest.raises(UsageError, match=r"there are no frames from 3 s to the end; the last one is at 0\.28 s"):
        probe(path, start=Fraction(3))


KEYFRAMES = {
    "a.mp4": {"options": {"g": "5", "x264-params": "open-gop=1:bframes=3"}},
    "a.ts": {"options": {"g": "5"}},
    "a.mov": {"codec": "libx265", "options": {"x265-params": "log-level=error:keyint=5:open-gop=1"}},
    "a.webm": {"codec": "libvpx-vp9", "options": {"g": "5"}},
}


@pytest.mark.parametrize("name", KEYFRAMES)
@pytest.mark.parametrize("lost", [False, True])
def test_a_part_is_decoded_from_the_keyframe_before_it_and_the_same(tmp_path, monkeypatch, name, lost):
    uneven = np.cumsum([1, 3, 1, 2] * 6).tolist()
    path = filmed(tmp_path / name, pictures(24), ticks=uneven, rate=10, **KEYFRAMES[name])
    whole, decoded = list(frames(probe(path))), []
    monkeypatch.setattr(track, "_decoded", counted(track._decoded, decoded))
    if lost:  # an index that leads astray
        monkeypatch.setattr(track, "_sought", lambda container, stream, _: not container.seek(1 << 40, stream=stream))
    for number in (1, 7, 13, 22):
        clip = probe(path, start=whole[number][0] - Fraction(1, 1000))
        decoded.clear()
        part = list(frames(clip))
        assert [time + whole[number][0] for time, _ in part] == [time for time, _ in whole[number:]]
        assert all((one == other).all() for (_, one), (_, other) in zip(part, whole[number:], strict=True))
        assert lost or len(decoded) <= len(part) + 12, "a second, and the frames from a keyframe to the next"


def counted(decoder, decoded):
    """The decoder; each of its frames is noted as well."""

    def counting(*arguments):
        for frame in decoder(*arguments):
            decoded.append(None)
            yield frame

    return counting


def test_a_clock_of_centuries_a_tick_is_passed_over(tmp_path):
    data = bytearray(filmed(tmp_path / "a.avi", codec="mpeg4").read_bytes())
    struct.pack_into("<II", data, data.index(b"strh") + 28, 2**31 - 1, 1)  # scale and rate: seconds a frame
    (tmp_path / "a.avi").write_bytes(data)
    clip = probe(tmp_path / "a.avi")
    assert (clip.fps, clip.frames, clip.variable) == (25, 8, False) and len(seen(tmp_path / "a.avi")) == 8
