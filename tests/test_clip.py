"""A clip in the making: interrupted, killed, out of disk, damaged; and what comes of it."""

import errno
import os
import signal
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import NTSC, heard, made, opened, picture, tone
from command import ENVIRONMENT, left_in
from filelock import FileLock
from forked import run

from dreamer.errors import UsageError, WriteError
from dreamer.videos.clip.reader import frames, probe, read_recipe

KILLED = """
import os, signal, sys
from pathlib import Path
from clips import made

folder = Path(sys.argv[1])
count = 0

def deadly(work, at, after):
    def wrapped(*paths, **options):
        global count
        count += 1
        if count == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            work(*paths, **options)
        finally:
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
    return wrapped

def child(work):
    read, write = os.pipe()
    if not (pid := os.fork()):
        work()
        os.write(write, str(count).encode())
        os._exit(0)
    os.close(write)
    status = os.waitpid(pid, 0)[1]
    return status, os.read(read, 9)

def attempt(name, at, **options):
    output = folder / str(at) / name
    output.parent.mkdir(exist_ok=True)
    def broken():
        for each in ("replace", "rename", "link", "unlink", "rmdir"):
            setattr(os, each, deadly(getattr(os, each), at, after=at % 2))
        made(output, 4, size=(16, 16), **options)
    return output, child(broken)

def killed(name, last=0, step=1, **options):
    _, (_, changes) = attempt(name, 0, **options)
    for at in range(max(1, int(changes) - last) if last else 1, int(changes) + 1, step):
        output, (status, _) = attempt(name, at, **options)
        made(output, 4, size=(16, 16), resume=True, **options)
        print(status, *sorted(p.name for p in output.parent.iterdir()), len([*folder.glob(f"{at}/{name}/*")]))
        output.rename(folder / f"{name}-{at}")

killed("clip.mp4", step=3, audio=folder / "sound.wav")
for name in ("clip.gif", "clip.webp", "clip"):
    killed(name, last=5)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed in a way that needs fork")
def test_killed_at_any_file_it_changes_it_goes_on_to_the_same_bytes(tmp_path):
    sound = tone(tmp_path / "sound.wav")
    beside = {"PYTHONPATH": str(Path(__file__).parent)}
    ran = run([sys.executable, "-c", KILLED, tmp_path], env=ENVIRONMENT | beside)
    assert ran.returncode == 0, ran.stderr
    told = set(ran.stdout.splitlines())
    assert told == {f"{int(signal.SIGKILL)} {name}" for name in ("clip.mp4 0", "clip.gif 0", "clip.webp 0", "clip 4")}
    for name in ("clip.mp4", "clip.gif", "clip.webp", "clip"):
        whole = made(tmp_path / name, 4, size=(16, 16), audio=sound if name == "clip.mp4" else None)
        found = [*tmp_path.glob(f"{name}-*")]
        assert len(found) >= 5 and {content(clip) for clip in found} == {content(whole)}


def content(clip):
    """The bytes of a clip, or of every frame in a folder."""
    return tuple(frame.read_bytes() for frame in sorted(clip.iterdir())) if clip.is_dir() else clip.read_bytes()


def test_interrupted_it_leaves_a_playable_clip_and_goes_on_to_the_same_bytes(tmp_path):
    whole = made(tmp_path / "whole.mp4").read_bytes()
    output = tmp_path / "clip.mp4"
    with opened(output) as writer:
        for number in range(5):
            writer.add(picture(number))
        writer.flush()
    assert left_in(tmp_path) == [".clip.mp4.reel", "clip-so-far.mp4", "whole.mp4"]
    assert len([*frames(probe(writer.partial))]) == 5
    with opened(output, resume=True) as writer:
        assert writer.done == 5
        for number in range(5, 7):
            writer.add(picture(number))
        writer.finish()
    assert output.read_bytes() == whole
    assert left_in(tmp_path) == ["clip.mp4", "whole.mp4"]


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a.webp"])
def test_interruptions_leave_no_trace_in_any_format(tmp_path, name):
    whole = made(tmp_path / f"whole{Path(name).suffix}").read_bytes()
    for until in (2, 4, 6):
        with opened(tmp_path / name, resume=True) as writer:
            for number in range(writer.done, until):
                writer.add(picture(number))
            writer.flush()
    assert made(tmp_path / name, resume=True).read_bytes() == whole


def test_the_clip_so_far_grows_with_the_segments(tmp_path):
    with opened(tmp_path / "clip.mp4", 9) as writer:
        for number in range(8):
            writer.add(picture(number))
        assert probe(writer.partial).frames == 6
        assert left_in(writer.folder / "frames") == ["frame-000006.png", "frame-000007.png"]
        assert probe(writer.partial).fps == 24


def test_a_full_disk_is_a_sentence_and_what_was_done_is_kept(tmp_path, monkeypatch):
    whole = made(tmp_path / "whole.mp4").read_bytes()
    sync, output = os.fsync, tmp_path / "clip.mp4"

    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with opened(output) as writer:
        for number in range(4):
            writer.add(picture(number))
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(WriteError, match=r"no space is left in .*clip\.mp4\.reel"):
            writer.add(picture(4))
        assert writer.done == 4
        with pytest.raises(WriteError, match="no space is left"):
            writer.finish()
    monkeypatch.setattr(os, "fsync", sync)
    assert not output.exists()
    with opened(output, resume=True) as writer:
        assert writer.done == 4
    assert made(output, resume=True).read_bytes() == whole


def test_nothing_is_overwritten_or_mixed_up_without_a_word(tmp_path):
    output = made(tmp_path / "clip.mp4")
    for resume in (False, True):
        with opened(output, resume=resume) as writer:
            assert writer.finished
        with pytest.raises(UsageError, match=r"clip\.mp4 already exists; --force replaces it"):
            opened(output, resume=resume, recipe="another")
    with opened(output, force=True) as writer:
        writer.add(picture(0))
    with pytest.raises(UsageError, match=r"an unfinished clip in .*; --resume continues it, --force starts again"):
        opened(output)
    with pytest.raises(UsageError, match=r"--resume: the unfinished .* differs in fps, seed; --force deletes it"):
        opened(output, resume=True, fps=25, identity='{"seed":2}')
    assert probe(output).frames == 7
    with opened(output, force=True) as writer:
        assert writer.done == 0
    assert probe(made(output, 2, force=True)).frames == 2


def test_a_clip_is_made_by_one_process_at_a_time(tmp_path):
    out = tmp_path / "clip.mp4"
    with opened(out) as writer:
        writer.add(picture(0))
        for wish in ("resume", "force"):
            with pytest.raises(UsageError, match="being made by another process"):
                opened(out, **{wish: True})
        writer.add(picture(1))
    made(out, resume=True)
    assert out.read_bytes() == made(tmp_path / "other.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "other.mp4"]
    with pytest.raises(UsageError, match="already exists"):
        opened(out, recipe="another")
    assert len(list(tmp_path.iterdir())) == 2  # a refusal lets go as well


def test_whatever_stops_the_opening_no_lock_is_left(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    for name in ("check_encoder", "has_manifest"):
        monkeypatch.setattr(f"dreamer.videos.clip.writer.{name}", interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened(tmp_path / "clip.mp4")
        monkeypatch.undo()
        assert left_in(tmp_path) == []
    made(tmp_path / "clip.mp4")


def test_the_lock_is_taken_away_before_another_can_have_it(tmp_path, monkeypatch):
    writer, release = opened(tmp_path / "clip.mp4"), FileLock.release

    def released(*arguments):
        assert not list(tmp_path.glob(".*.lock"))
        release(*arguments)

    monkeypatch.setattr(FileLock, "release", released)
    writer.close()
    with opened(tmp_path / "clip.mp4", resume=True):
        assert list(tmp_path.glob(".*.lock"))


def test_a_damaged_manifest_or_segment_is_a_sentence(tmp_path):
    output = tmp_path / "clip.mp4"
    with opened(output) as writer:
        for number in range(4):
            writer.add(picture(number))
    manifest, segment = writer.folder / "manifest.json", writer.folder / "segment-000000.mp4"
    intact = manifest.read_bytes(), segment.read_bytes()
    for damaged in (
        b"",
        b"[]",
        b"{}",
        b"{" * 9999,
        intact[0][:-9],
        intact[0].replace(b'"frames": 3', b'"frames": "x"'),
    ):
        manifest.write_bytes(damaged)
        with pytest.raises(UsageError, match=r"manifest\.json is damaged .*--force"):
            opened(output, resume=True)
    manifest.write_bytes(intact[0])
    segment.write_bytes(intact[1][:-1])
    with pytest.raises(UsageError, match=r"segment-000000\.mp4 is missing or damaged; --force"):
        opened(output, resume=True)
    segment.write_bytes(intact[1])
    (writer.folder / "frames" / "frame-000003.png").write_bytes(b"torn")
    with opened(output, resume=True) as writer:
        assert writer.done == 3


def test_every_problem_is_told_at_once_and_nothing_is_made(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"somebody's")
    with pytest.raises(UsageError) as told:
        opened(tmp_path / "a.gif", 601, fps=60)
    assert "601 frames are too many for a GIF" in str(told.value) and "already exists" in str(told.value)
    with pytest.raises(UsageError, match="h265 cannot encode frames of 8x8 pixels at 24 per second; choose"):
        opened(tmp_path / "b.mp4", size=(8, 8), codec="h265")
    with pytest.raises(UsageError, match="48x0 pixels are too few for a clip"):
        opened(tmp_path / "b.mp4", size=(0, 48))
    with pytest.raises(UsageError, match=r"silent\.mp4: the file has no sound; choose another"):
        opened(tmp_path / "b.mp4", audio=made(tmp_path / "silent.mp4"))
    assert left_in(tmp_path) == ["a.gif", "silent.mp4"]


@pytest.mark.parametrize(
    ("name", "sound", "codec"),
    [
        ("a.mp4", ("tone.wav", "pcm_s16le"), "aac"),
        ("a.mp4", ("tone.m4a", "aac"), "aac"),
        ("a.webm", ("tone.m4a", "aac"), "opus"),
        ("a.mp4", ("tone.mp3", "libmp3lame"), "mp3"),
    ],
)
def test_sound_is_cut_to_the_pictures(tmp_path, name, sound, codec):
    output = made(tmp_path / name, 12, audio=tone(tmp_path / sound[0], codec=sound[1]))
    heard_codec, seconds = heard(output)
    assert heard_codec == codec
    assert seconds == pytest.approx(0.5, abs=0.03)
    assert probe(output).has_audio and len([*frames(probe(output))]) == 12
    again = made(tmp_path / f"b{output.suffix}", 12, audio=tmp_path / sound[0])
    assert again.read_bytes() == output.read_bytes()


def test_a_short_sound_is_no_hindrance(tmp_path):
    output = made(tmp_path / "a.mp4", 12, audio=tone(tmp_path / "tone.wav", 0.2))
    assert heard(output)[1] == pytest.approx(0.2, abs=0.03)
    assert probe(output).frames == 12


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_the_sound_of_a_film_counts_from_its_first_picture(tmp_path, codec):
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:
        pictures = container.add_stream("ffv1", rate=24)
        pictures.height, pictures.width, pictures.pix_fmt = 48, 64, "yuv444p"
        sound = container.add_stream(codec, rate=48000)
        sound.layout = "mono"
        resampler = av.AudioResampler(sound.format, "mono", 48000, 1024)
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = 48 + number, Fraction(1, 24)
            container.mux(pictures.encode(frame))
        loud = np.zeros((1, 3 * 48000), np.int16)  # a click half a second after the first picture, which comes at 2 s
        loud[0, int(2.5 * 48000) :][:2000] = 20000
        wave = av.AudioFrame.from_ndarray(loud, "s16", "mono")
        wave.rate, wave.pts = 48000, 0
        for part in (*resampler.resample(wave), *resampler.resample(None), None):
            container.mux(sound.encode(part))
        container.mux(pictures.encode(None))
    output = made(tmp_path / "a.mp4", 20, audio=film)
    with av.open(str(output)) as container:
        found = [
            (frame.time, float(np.abs(frame.to_ndarray().astype(float)).max())) for frame in container.decode(audio=0)
        ]
    first = next(time for time, level in found if level > 0.2)
    assert first == pytest.approx(0.5, abs=0.05)
    assert found[0][0] == pytest.approx(0, abs=0.03)


def test_variable_frame_rates_keep_their_times(tmp_path):
    times = [Fraction(n * n, 100) for n in range(7)]
    for name, within in (("a.mp4", Fraction(1, 90000)), ("a.webm", Fraction(1, 1000)), ("a.gif", Fraction(1, 100))):
        clip = probe(made(tmp_path / name, times=times))
        assert clip.variable
        assert all(abs(time - now) <= within for (time, _), now in zip(frames(clip), times, strict=True))


def test_a_folder_of_pngs_is_lossless_and_carries_the_recipe(tmp_path):
    output = tmp_path / "stills"
    with opened(output, 4, size=(31, 33)) as writer:
        writer.add(picture(0, 31, 33))
    (writer.folder / "frames" / ".dreamer-0.part").touch()  # as a killed process leaves it
    made(output, 4, size=(31, 33), resume=True)
    assert left_in(output) == [f"frame-{number:06d}.png" for number in range(4)]
    from dreamer.image import load

    assert (load(output / "frame-000002.png").pixels == picture(2, 31, 33)).all()
    assert read_recipe(output) == '{"seed":1}'
    made(output, 2, size=(31, 33), force=True)
    assert len(left_in(output)) == 2
    (output / "holiday.jpg").touch()
    with pytest.raises(UsageError, match="a folder that holds more"):
        made(output, 2, size=(31, 33), force=True)
    assert "holiday.jpg" in left_in(output)


def test_the_frame_rate_is_exact(tmp_path):
    clip = probe(made(tmp_path / "a.mp4", 7, fps=NTSC))
    assert (clip.fps, clip.frames, clip.variable) == (NTSC, 7, False)
    assert [time for time, _ in frames(clip)] == [n / NTSC for n in range(7)]
    assert clip.duration == 7 / NTSC
