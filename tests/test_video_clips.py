"""`dreamer video` over several clips, folders, parts and transparent clips, with the sound that is asked for."""

from __future__ import annotations

import json
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import filmed, heard, made, picture, tone
from command import QUICK, Ran, dreamer, left_in, refused
from PIL import Image

from dreamer.api import video as frames_of
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.reader import frames, probe, read_recipe


@pytest.fixture(autouse=True)
def darkened(monkeypatch):
    """Dreams that take no time: frames become darker."""
    monkeypatch.setattr(Pipeline, "ascend", lambda self, image, **more: image * 0.9)


def video(*arguments: str | Path) -> Ran:
    return dreamer("video", *arguments, *QUICK)


def transparent(path: Path) -> Path:
    """An animated picture of 3 frames, transparent at the right."""
    shown = [np.dstack([picture(k), np.where(np.arange(64) < 32, 255, 0) * np.ones((48, 1))]) for k in range(3)]
    first, *rest = (Image.fromarray(values.astype(np.uint8)) for values in shown)
    first.save(path, save_all=True, append_images=rest, duration=100, disposal=2)
    return path


def test_several_clips_are_dreamt_over_one_after_the_other(tmp_path):
    one, two = made(tmp_path / "a.mp4", 2), made(tmp_path / "b.mp4", 1)
    ran = video(one, two, "-o", f"{tmp_path}/dreams/", "--progress", "plain")
    assert ran.code == 0, ran.err
    assert left_in(tmp_path / "dreams") == ["a-dream.mp4", "b-dream.mp4"]
    assert "[2/2]" in ran.err
    again = video(tmp_path / "*.mp4", "-o", tmp_path / "dreams")
    assert again.code == 0 and again.err.count("is already done") == 2
    assert video(one, two).code == 0
    beside = video(tmp_path / "*.mp4")
    assert beside.code == 0 and "skipped 2 of the clips, which dreamer made" in beside.err
    assert left_in(tmp_path) == ["a-dream.mp4", "a.mp4", "b-dream.mp4", "b.mp4", "dreams"]
    pattern, new = tmp_path / "a*.mp4", tmp_path / "new"  # of which one is a dream
    for words, told in ((("--codec", "nope"), "--codec nope"), (("--preset", "nope"), "no preset is called")):
        wrong = video(pattern, "-o", f"{new}/", *words)
        assert wrong.code == 2 and told in wrong.err and not new.exists()
    assert "several clips need a folder" in video(pattern, "-o", f"{new}.mp4").err
    assert video(pattern, "-o", f"{new}/").code == 0 and left_in(new) == ["a-dream.mp4"]


def test_a_mistake_in_one_clip_does_not_stop_the_others(tmp_path):
    (tmp_path / "a.mp4").write_text("no film")
    good = made(tmp_path / "b.mp4", 1)
    ran = video(tmp_path / "a.mp4", good, tmp_path / "none.mp4")
    assert ran.code == 2 and (tmp_path / "b-dream.mp4").exists()
    assert "a.mp4: not a readable clip" in ran.err and "none.mp4: there is no such file" in ran.err
    refused(dreamer("video", good, tmp_path / "a.mp4", "--set", "octaves.step=1"), "octaves.step: unknown key")
    refused(video(good, tmp_path / "a.mp4", "-o", tmp_path / "out.mp4"), "several clips need a folder; write")
    refused(video(), "name a clip")
    refused(video(tmp_path / "*.mov"), "no file matches this pattern")


def test_clips_of_one_name_do_not_replace_each_other(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    one, two = made(tmp_path / "x" / "a.mp4", 1), made(tmp_path / "y" / "a.mp4", 1)
    ran = video(one, two, "-o", f"{tmp_path}/dreams/")
    assert ran.code == 2 and "is also the name for the dream of" in ran.err
    assert left_in(tmp_path / "dreams") == ["a-dream.mp4"]


def test_no_clip_of_the_command_is_replaced_by_anothers_dream(tmp_path):
    one, two = made(tmp_path / "a.mp4", 1), made(tmp_path / "a-dream.mp4", 1)
    before = two.read_bytes()
    ran = video(one, two, "--force")
    assert ran.code == 2 and "a-dream.mp4 is the input" in ran.err and two.read_bytes() == before
    assert left_in(tmp_path) == ["a-dream-dream.mp4", "a-dream.mp4", "a.mp4"]
    two = two.rename(tmp_path / "a-dream-so-far.mp4")
    assert "a-dream-so-far.mp4 is the input" in video(one, two, "--force").err and two.read_bytes() == before


def test_ctrl_c_stops_all_clips_and_resuming_goes_on_with_them(tmp_path, monkeypatch):
    one, two = made(tmp_path / "a.mp4", 3), made(tmp_path / "b.mp4", 1)
    left = [1]

    def counted(pipeline, image, **more):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return image

    monkeypatch.setattr(Pipeline, "ascend", counted)
    assert video(one, two).code == 130
    assert not (tmp_path / "b-dream.mp4").exists()
    left[0] = 9
    assert video(one, two, "--resume").code == 0
    assert (probe(tmp_path / "a-dream.mp4").frames, probe(tmp_path / "b-dream.mp4").frames) == (3, 1)


def test_a_part_of_a_clip_is_dreamt_over_with_its_sound(tmp_path):
    source = made(tmp_path / "a.mp4", 12, fps=6, audio=tone(tmp_path / "tone.m4a", codec="aac"))
    for start, end, count in (("0.5", "0:1.5", 6), ("0:00:01", None, 6), (None, "0.5", 3)):
        part = [*(["--start", start] if start else []), *(["--end", end] if end else [])]
        assert video(source, "-o", tmp_path / "out.mp4", "--force", *part).code == 0
        clip = probe(tmp_path / "out.mp4")
        assert clip.frames == count and clip.fps == 6
        assert heard(clip.path)[1] == pytest.approx(count / 6, abs=0.07)
    words = json.loads(read_recipe(tmp_path / "out.mp4"))["video"]
    assert words == {"stability": 0.7, "end": "1/2"}
    refused(video(source, "--start", "2", "--end", "1"), "--end: it must come after --start")
    refused(video(source, "--start", "9"), "there are no frames from 9 s to the end")
    refused(video(source, "--start", "1:75"), "expected seconds or a time such as")
    refused(video(source, "--fps", "5"), "--fps is for a folder of frames")


def test_the_sound_of_a_part_begins_with_its_first_picture(tmp_path):
    """The first second is silent, the second one is not."""
    with wave.open(str(tmp_path / "late.wav"), "wb") as late:
        late.setparams((1, 2, 44100, 0, "NONE", ""))
        late.writeframes(np.repeat(np.array([0, 20000], "<i2"), 44100).tobytes())
    source = made(tmp_path / "a.mp4", 12, fps=6, audio=tmp_path / "late.wav")
    for start, share in (("0", 0), ("0.5", 0), ("1", 1)):
        part = ("--start", start, "--end", str(float(start) + 0.5))
        assert video(source, "-o", tmp_path / "out.mp4", "--force", *part).code == 0
        assert volume(tmp_path / "out.mp4") == pytest.approx(share, abs=0.1)


def volume(path: Path) -> float:
    """The share of a clip's sound that is not silent."""
    import av

    with av.open(str(path)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    return float((np.abs(samples) > 0.05).mean())


def test_another_part_is_not_resumed(tmp_path, monkeypatch):
    source = made(tmp_path / "a.mp4", 4, fps=4)
    monkeypatch.setattr(Pipeline, "ascend", lambda *arguments, **more: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert video(source, "--start", "0.25").code == 130
    refused(video(source, "--start", "0.5", "--resume"), "differs in", "video.start")
    refused(video(source, "--resume"), "video.start")


def test_a_folder_of_frames_becomes_a_clip_and_back(tmp_path):
    source = tmp_path / "seq"
    source.mkdir()
    for number in (8, 9, 10):
        Image.fromarray(picture(number)).save(source / f"{number}.png")
    assert video(source, "--fps", "12", "--strength", "0").code == 0
    clip = probe(tmp_path / "seq-dream.mp4")
    assert (clip.frames, clip.fps) == (3, 12)
    assert video(source, "-o", f"{tmp_path}/frames/", "--strength", "0").code == 0
    for number, (_, values) in enumerate(frames(probe(tmp_path / "frames"))):
        assert (values == picture(8 + number)).all()
    assert video(tmp_path / "frames", "-o", tmp_path / "again.gif").code == 0
    Image.fromarray(picture(0, 20, 20)).save(source / "9.png")
    refused(video(source, "-o", tmp_path / "b.mp4"), "9.png has 20x20 pixels, and the first frame 64x48")
    refused(video(source, "-o", f"{source}/"), "seq itself")


def test_transparency_is_kept_or_told_of(tmp_path):
    source = transparent(tmp_path / "a.gif")
    for name, told in (("b.webp", False), ("b.webm", False), ("b.mp4", True)):
        ran = video(source, "-o", tmp_path / name)
        assert ran.code == 0 and ("has no transparency; the background becomes white" in ran.err) == told
        clip = probe(tmp_path / name)
        [(_, values), *_] = frames(clip)
        assert clip.alpha != told and (values[4:, 40:] > 250).all() if told else (values[4:, 40:, 3] < 5).all()
        assert np.abs(values[..., :3].astype(int) - picture(0))[:, :24].mean() > 1, "it was dreamt over"


def test_the_sound_can_be_another_one_or_none(tmp_path):
    source = made(tmp_path / "a.mp4", 6, fps=6, audio=tone(tmp_path / "tone.wav"))
    quiet = made(tmp_path / "b.mp4", 6, fps=6)
    assert video(source, "--audio", "none").code == 0
    assert not probe(tmp_path / "a-dream.mp4").has_audio
    assert video(quiet, "--audio", tmp_path / "tone.wav").code == 0
    assert heard(tmp_path / "b-dream.mp4")[1] == pytest.approx(1, abs=0.05)
    refused(video(quiet, "--audio", quiet, "--force"), "the file has no sound")


def test_two_recordings_in_one_file_keep_all_their_sound(tmp_path):
    part = made(tmp_path / "a.mp4", 12, fps=12, audio=tone(tmp_path / "tone.m4a", seconds=1.0, codec="aac"))
    import av

    with av.open(str(part)) as source, av.open(str(tmp_path / "a.ts"), "w") as copy:
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    joined = tmp_path / "joined.ts"
    joined.write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    for name in ("b.mp4", "b.webm"):
        ran = video(joined, "-o", tmp_path / name)
        assert ran.code == 0 and "clock jumps" in ran.err
        assert probe(tmp_path / name).frames == 24
        assert heard(tmp_path / name)[1] == pytest.approx(2, abs=0.1)


def test_what_is_odd_is_told_before_anything_is_dreamt(tmp_path):
    oblong = filmed(tmp_path / "a.mp4", [np.zeros((2, 800, 3), np.uint8)] * 2)
    refused(video(oblong, "--size", "160"), "frames of 800x2 pixels are too oblong for a long side of 160")
    refused(video(oblong), "too small for reverie")
    assert left_in(tmp_path) == ["a.mp4"]


def test_the_python_function_gives_transparent_pictures(tmp_path):
    shown = [*frames_of(transparent(tmp_path / "a.gif"), octaves={"steps": 1})]
    assert [picture.mode for picture in shown] == ["RGBA"] * 3 and Fraction(len(shown)) == 3


@pytest.mark.parametrize(("loop", "plays"), [({}, 1), ({"loop": 0}, 0), ({"loop": 3}, 4)])
def test_an_animation_is_played_as_often_as_before(tmp_path, loop, plays):
    first, second = (Image.fromarray(picture(k)) for k in range(2))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], duration=100, **loop)
    assert probe(tmp_path / "a.gif").plays == plays
    for source, name in (("a.gif", "b.webp"), ("b.webp", "c.gif")):
        assert video(tmp_path / source, "-o", tmp_path / name).code == 0
        assert probe(tmp_path / name).plays == plays
    assert video(tmp_path / "a.gif", "-o", tmp_path / "b.mp4").code == 0


def test_a_stability_that_is_no_number_is_refused(tmp_path):
    refused(video(made(tmp_path / "a.mp4", 1), "--stability", "nan"), "--stability")
