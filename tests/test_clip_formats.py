"""What clips are written as, and how they are read, others' too."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import NTSC, made, opened, picture, squeezed, tone, turned
from PIL import Image

from dreamer.errors import UsageError
from dreamer.videos.clip.formats import format_for, frame_size
from dreamer.videos.clip.reader import frames, probe, read_recipe

JOINED = [("a.mp4", "h264"), ("a.mp4", "h265"), ("a.mp4", "av1"), ("a.webm", "vp9"), ("a.webm", "av1")]


def red_stays_red(values, height=48, width=64):
    corner = values[2 : height // 2 - 4, 2 : width // 2 - 4].reshape(-1, 3).mean(axis=0)
    assert abs(corner - (255, 0, 0)).max() < 6, corner


@pytest.mark.parametrize(("name", "codec"), JOINED)
def test_a_joined_clip_has_the_codec_rate_colours_and_recipe_that_were_wished(tmp_path, name, codec):
    output = made(tmp_path / name, codec=codec, fps=NTSC)
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        decoded = [*container.decode(stream)]
        assert stream.codec_context.codec.canonical_name == {"h265": "hevc"}.get(codec, codec)
        assert stream.average_rate == NTSC
    assert len(decoded) == 7
    first = decoded[0]
    assert (first.colorspace, first.color_range, first.color_primaries, first.color_trc) == (1, 1, 1, 1)
    assert first.format.name == "yuv420p"
    for number, (_, values) in enumerate(frames(probe(output))):
        red_stays_red(values)
        assert np.abs(values.astype(int) - picture(number)).mean() < 6
    assert read_recipe(output) == '{"seed":1}'
    again = made(tmp_path / f"again{output.suffix}", codec=codec, fps=NTSC)
    assert again.read_bytes() == output.read_bytes()


def test_the_index_stands_before_the_pictures(tmp_path):
    data = made(tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_a_looped_picture_has_every_frame_its_time_and_its_recipe(tmp_path, name):
    output = made(tmp_path / name, size=(49, 65))
    with Image.open(output) as clip:
        assert (clip.n_frames, clip.size, clip.info["loop"]) == (7, (65, 49), 0)
        total = 0
        for number in range(7):
            clip.seek(number)
            clip.load()
            total += clip.info["duration"]
            values = np.asarray(clip.convert("RGB"))
            red_stays_red(values)
            assert np.abs(values.astype(int) - picture(number, 49, 65)).mean() < 6
    assert total == pytest.approx(7000 / 24, abs=10)
    assert read_recipe(output) == '{"seed":1}'


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_frames_that_are_all_alike_may_become_a_single_picture(tmp_path, name, count):
    output = tmp_path / name
    with opened(output, count, size=(49, 65)) as writer:
        for _ in range(count):
            writer.add(picture(0, 49, 65))
        writer.finish()
    with Image.open(output) as clip:
        assert clip.size == (65, 49)
        red_stays_red(np.asarray(clip.convert("RGB")))
    assert read_recipe(output) == '{"seed":1}'


def test_a_long_recipe_survives_in_every_format(tmp_path):
    recipe = '{"title":"' + "Träume & <b>mehr</b> " * 500 + '"}'
    for name in ("a.mp4", "a.webm", "a.gif", "a.webp", "stills"):
        assert read_recipe(made(tmp_path / name, 2, recipe=recipe)) == recipe


def test_no_endless_recipe_is_read(tmp_path):
    for name in ("a.mp4", "a.gif"):
        assert read_recipe(made(tmp_path / name, 1, recipe="x" * (1 << 20))) is not None
        assert read_recipe(made(tmp_path / f"long-{name}", 1, recipe="x" * ((1 << 20) + 1))) is None


def test_quality_is_a_scale_on_which_75_is_crf_18():
    assert format_for(Path("a.mp4")).crf == 18
    sizes = [format_for(Path("a.mp4"), quality=q).crf for q in (0, 50, 75, 100)]
    assert sizes == sorted(sizes, reverse=True) and 0 < sizes[-1]
    for codec in ("h265", "av1"):
        assert 0 < format_for(Path("a.mp4"), codec, 100).crf < format_for(Path("a.mp4"), codec, 0).crf <= 63


@pytest.mark.parametrize(
    ("name", "codec", "quality", "told"),
    [
        ("a.avi", None, None, r"a\.avi: unsupported suffix; use one of \.mp4, \.webm, \.gif, \.webp, or none"),
        ("a.mp4", "h246", None, r"--codec h246: \.mp4 allows h264 or h265 or av1 here; did you mean h265 or h264"),
        ("a.mp4", "nope", None, r"--codec nope: \.mp4 allows h264 or h265 or av1 here$"),
        ("a.mp4", "vp9", None, r"--codec vp9: \.mp4 allows .*; vp9 needs \.webm"),
        ("a.mp4", None, 101, "--quality 101: expected a number from 0 to 100"),
        ("a.gif", None, 50, "gif has only one quality"),
    ],
)
def test_an_unknown_format_codec_or_quality_is_told_with_what_there_is(name, codec, quality, told):
    with pytest.raises(UsageError, match=told):
        format_for(Path(name), codec, quality)


def test_what_this_build_lacks_is_named(monkeypatch):
    monkeypatch.setattr(av, "codecs_available", {"libsvtav1", "gif"})
    assert format_for(Path("a.mp4")).codec == "av1"
    with pytest.raises(UsageError, match="--codec h264: this build of libav lacks libx264; known: av1"):
        format_for(Path("a.mp4"), "h264")


def test_odd_sizes_are_cut_where_the_codec_needs_even_ones():
    assert frame_size(format_for(Path("a.mp4")), 241, 321) == (240, 320)
    assert frame_size(format_for(Path("a.gif")), 241, 321) == (241, 321)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 3), (180, 2), (270, 1)])
def test_clips_are_turned_upright(tmp_path, degrees, turns):
    output = turned(made(tmp_path / "a.mp4", 2), degrees)
    clip = probe(output)
    assert (clip.height, clip.width) == ((64, 48) if degrees % 180 else (48, 64))
    _, values = next(frames(clip))
    assert values.shape == (clip.height, clip.width, 3)
    assert np.abs(values.astype(int) - np.rot90(picture(0), turns)).mean() < 6


@pytest.mark.parametrize(
    ("ratio", "width"), [((4, 3), 85), ((1, 2), 32), ((1, 100_000), 64), ((100_000, 1), 64), ((0, 1), 85)]
)
def test_pixels_become_square_unless_their_shape_is_absurd(tmp_path, ratio, width):
    clip = probe(squeezed(tmp_path / "a.mp4", *ratio))
    assert (clip.height, clip.width) == (48, width)
    _, values = next(frames(clip))
    assert values.shape == (48, width, 3)
    red_stays_red(values, width=width)


def test_a_squeezed_and_turned_clip_is_measured_as_it_is_seen(tmp_path):
    path = turned(squeezed(tmp_path / "a.mp4", 10, 1), 90)
    clip = probe(path)
    assert (clip.height, clip.width) == (640, 48) == next(frames(clip))[1].shape[:2]
    with pytest.raises(UsageError, match=r"frames of 48 x 640 pixels exceed the limit of 4,000 pixels"):
        probe(path, max_pixels=4_000)


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize(("space", "tag"), [("ITU709", 1), ("ITU601", 5), ("ITU601", 2)])
def test_colours_follow_the_tags_else_the_size(tmp_path, space, tag, limited):
    path = tmp_path / "theirs.mkv"
    size = (48, 64)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv444p"
        context = stream.codec_context
        context.colorspace, context.color_range = tag, 1 if limited else 2
        frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24")
        frame = frame.reformat(format="yuv444p", dst_colorspace=space, dst_color_range="MPEG" if limited else "JPEG")
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = probe(path)
    _, values = next(frames(clip))
    assert np.abs(values.astype(int) - picture(0)).max() < 6
    assert clip.frames == 1 and clip.fps == 25


def test_what_is_no_clip_is_a_sentence_that_says_what_it_is(tmp_path):
    silent = tmp_path / "empty.mp4"
    silent.touch()
    torn = tmp_path / "torn.mp4"
    torn.write_bytes(made(tmp_path / "a.mp4").read_bytes()[:300])
    text = tmp_path / "text.mp4"
    text.write_text("not a film")
    sound = tone(tmp_path / "tone.wav")
    for path, told in (
        (tmp_path / "absent.mp4", "there is no such file"),
        (tmp_path, "there are no pictures in this folder; give a clip's file"),
        (silent, "the file is empty"),
        (text, "not a readable clip"),
        (torn, r"torn\.mp4"),
        (sound, "the file has no video"),
    ):
        with pytest.raises(UsageError, match=told):
            probe(path)
    with pytest.raises(UsageError, match="64 x 48 pixels exceed the limit of 100 pixels"):
        probe(tmp_path / "a.mp4", max_pixels=100)


def test_a_clip_that_is_damaged_in_the_middle_gives_what_there_is(tmp_path):
    data = bytearray(made(tmp_path / "a.webm", 9).read_bytes())
    clip = probe(tmp_path / "a.webm")
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(60)
    (tmp_path / "b.webm").write_bytes(data)
    times = [time for time, _ in frames(probe(tmp_path / "b.webm"))]
    assert 1 <= len(times) <= clip.frames and times == sorted(times)


def test_times_count_from_the_first_frame(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = 50 + number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert [time for time, _ in frames(probe(path))] == [0, Fraction(1, 25), Fraction(2, 25)]
