"""The sound of clips: odd, damaged, late, missing; it is tried before the first frame, and never costs the clip."""

import errno
import json
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import made, opened, picture
from command import dreamer, left_in, refused

from dreamer.errors import UsageError, WriteError
from dreamer.videos.clip import assembly
from dreamer.videos.clip.concat import concatenate
from dreamer.videos.clip.reader import probe

QUICK = ("--set", "octaves.steps=1", "--threads", "1")


def click(path, codec="pcm_s16le", at=0.5, seconds=2.0, rate=48000, layout="stereo", tracks=1, shift=lambda time: time):
    """Silence with a click of 0.05 seconds; `shift` changes the time of each packet, in seconds."""
    channels = av.AudioLayout(layout).nb_channels
    wave = np.zeros((int(seconds * rate), channels), np.int16)
    wave[int(at * rate) :][: rate // 20] = 20000
    frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), "s16", layout)
    frame.rate, frame.pts = rate, 0
    with av.open(f"file:{path}", "w") as container:
        streams = [container.add_stream(codec, rate=rate) for _ in range(tracks)]
        for stream in streams:
            stream.layout = layout
        for stream in streams:
            resampler = av.AudioResampler(stream.format, layout, rate, stream.codec_context.frame_size or 1024)
            for part in (*resampler.resample(frame), *resampler.resample(None), None):
                for packet in stream.encode(part):
                    moved = round(Fraction(shift(float(packet.pts * packet.time_base))) / packet.time_base)
                    packet.pts = packet.dts = moved
                    container.mux(packet)
    return path


def clicks_at(path):
    """The times at which a clip's sound gets loud, and the length of the sound, in seconds."""
    resampler = av.AudioResampler("s16", "mono")
    with av.open(f"file:{path}") as container:
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    found, silent = [], True
    for part in parts:
        loud = np.abs(part.to_ndarray()[0].astype(int)) > 6000
        if loud.any() and silent:
            found.append(part.time + int(np.argmax(loud)) / part.rate)
        silent = not loud.any()
    return found, parts[-1].time + parts[-1].samples / parts[-1].rate


def packets_in(path):
    """The file's bytes, and where each packet of its first track of sound is in them: (begin, end)."""
    data, places, at = bytearray(path.read_bytes()), [], 0
    with av.open(f"file:{path}") as container:
        for packet in container.demux(audio=0):
            if packet.size:
                begin = data.index(bytes(packet), at)
                at = begin + packet.size
                places.append((begin, at))
    return data, places


def damaged(path, numbers):
    """The file with garbage in some packets of its first track, whose first byte stays."""
    data, places = packets_in(path)
    for number in numbers:
        begin, end = places[number]
        data[begin + 1 : end] = bytes((37 * n) % 251 for n in range(end - begin - 1))
    path.write_bytes(data)
    return path


def unknown(path, count=1):
    """The file, whose first tracks of sound get a codec that nobody knows, as Apple's apac."""
    data = path.read_bytes()
    path.write_bytes(data.replace(b"mp4a", b"apac", count).replace(b"esds", b"dapa", count))
    return path


@pytest.mark.parametrize(
    ("name", "source", "codec"), [("a.mp4", "s.mkv", "flac"), ("a.webm", "s.mp4", "aac"), ("a.mp4", "s.mp4", "aac")]
)
def test_damaged_parts_are_passed_over_and_told(tmp_path, name, source, codec):
    said = []
    sound = damaged(click(tmp_path / source, codec), (3, 4))
    output = made(tmp_path / name, 24, audio=sound, notify=said.append)
    times, length = clicks_at(output)
    assert times == pytest.approx([0.5], abs=0.03) and length == pytest.approx(1, abs=0.1)
    assert len(said) == 1 and "parts of the sound cannot be decoded" in said[0]
    assert probe(output).frames == 24


def test_a_codec_that_nobody_knows_is_told_before_the_first_frame(tmp_path):
    sound, said = unknown(click(tmp_path / "apac.mov", "aac")), []
    with pytest.raises(UsageError, match=r"apac\.mov: sound track 1 of 1 cannot be read .*libav does not know"):
        opened(tmp_path / "a.mp4", audio=sound)
    assert left_in(tmp_path) == ["apac.mov"]
    with opened(tmp_path / "a.mp4", 1, audio=sound, needs_audio=False, notify=said.append) as writer:
        assert len(said) == 1 and said[0].endswith("the clip will have no sound")
        writer.add(picture(0))
        writer.finish()
    assert not probe(tmp_path / "a.mp4").has_audio


def test_the_first_track_that_can_be_read_is_taken(tmp_path):
    sound, said = unknown(click(tmp_path / "two.mov", "aac", tracks=2)), []
    output = made(tmp_path / "a.mp4", 24, audio=sound, notify=said.append)
    assert clicks_at(output)[0] == pytest.approx([0.5], abs=0.03)
    assert len(said) == 1 and "sound track 1 of 2 cannot be read" in said[0] and said[0].endswith("it is left out")


@pytest.mark.parametrize(
    ("source", "codec", "rate", "layout", "becomes"),
    [
        ("s.mp3", "libmp3lame", 11025, "mono", "aac"),  # which mp4 does not take as it is
        ("s.wav", "pcm_u8", 11025, "mono", "aac"),
        ("s.wav", "pcm_s16le", 48000, "7.1", "aac"),
        ("s.m4a", "aac", 48000, "7.1", "aac"),
        ("s.flac", "flac", 192000, "stereo", "aac"),
    ],
)
def test_sound_of_any_rate_and_number_of_channels_is_heard_at_its_time(tmp_path, source, codec, rate, layout, becomes):
    said = []
    sound = click(tmp_path / source, codec, rate=rate, layout=layout)
    output = made(tmp_path / "a.mp4", 24, audio=sound, notify=said.append)
    times, length = clicks_at(output)
    assert times == pytest.approx(clicks_at(sound)[0], abs=0.03) and length == pytest.approx(1, abs=0.06) and not said
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name == becomes


@pytest.mark.parametrize("codec", ["aac", "flac"])
@pytest.mark.parametrize(
    ("shift", "heard"),
    [
        (lambda time: time + 2.0, [2.5]),  # late
        (lambda time: time if time < 0.3 else time + 1, [1.5]),  # with a hole
        (lambda time: time if time < 0.3 else time + 1000, []),  # with a hole beyond the end
        (lambda time: time + 9.0, []),  # too late
    ],
)
def test_sound_is_heard_at_its_time(tmp_path, codec, shift, heard):
    said = []
    sound = click(tmp_path / "s.mkv", codec, shift=shift)
    output = made(tmp_path / "a.mp4", 4, fps=1, audio=sound, notify=said.append)
    assert (clicks_at(output)[0] if probe(output).has_audio else []) == pytest.approx(heard, abs=0.06)
    assert probe(output).frames == 4
    assert said == ([] if shift(0) < 4 else [f"{sound}: there is no sound within the length of the clip"])


def timed(path, change):
    """A Matroska file with the times of its blocks changed, in ms, such as libav would refuse to write."""
    data, places = packets_in(path)
    for number, (begin, _) in enumerate(places):  # before a packet come the track, 2 bytes of time, and flags
        time = int.from_bytes(data[begin - 3 : begin - 1], "big", signed=True)
        data[begin - 3 : begin - 1] = change(number, time).to_bytes(2, "big", signed=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("codec", ["aac", "flac"])
@pytest.mark.parametrize(
    "change",
    [
        lambda number, time: 30000 if number == 3 else time,  # one far ahead
        lambda number, time: time - 1000 if number > 15 else time,  # beginning anew
        lambda number, time: 0,  # none at all
    ],
)
def test_damaged_times_cost_neither_sound_nor_clip(tmp_path, codec, change):
    sound = timed(click(tmp_path / "s.mkv", codec), change)
    output = made(tmp_path / "a.mp4", 24, audio=sound)
    assert clicks_at(output)[0] == pytest.approx([0.5], abs=0.15)
    assert probe(output).frames == 24


def test_sound_that_is_gone_in_the_end_does_not_cost_the_clip(tmp_path):
    said, sound = [], click(tmp_path / "s.wav")
    with opened(tmp_path / "a.mp4", 4, audio=sound, notify=said.append) as writer:
        for number in range(4):
            writer.add(picture(number))
        sound.unlink()
        writer.finish()
    assert probe(tmp_path / "a.mp4").frames == 4 and not probe(tmp_path / "a.mp4").has_audio
    assert len(said) == 1 and said[0].startswith(f"{sound}: the sound cannot be taken")
    assert left_in(tmp_path) == ["a.mp4"]


def test_sound_that_cannot_be_copied_in_the_end_is_encoded(tmp_path, monkeypatch):
    sound = click(tmp_path / "s.m4a", "aac")

    def only_encoded(segments, output, *rest):
        if len(segments) > 1 and rest[3].copied:
            raise assembly.RenderError("its times are damaged")
        concatenate(segments, output, *rest)

    monkeypatch.setattr(assembly, "concatenate", only_encoded)
    output = made(tmp_path / "a.mp4", 24, audio=sound)
    assert clicks_at(output)[0] == pytest.approx([0.5], abs=0.03)


def test_a_full_disk_is_not_the_sound_s_fault(tmp_path, monkeypatch):
    sound, output, said = click(tmp_path / "s.wav"), tmp_path / "a.mp4", []

    def full(segments, path, *rest):
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(output, 4, audio=sound, notify=said.append) as writer:
        for number in range(4):
            writer.add(picture(number))
        monkeypatch.setattr(assembly, "concatenate", full)
        with pytest.raises(WriteError, match="no space is left"):
            writer.finish()
        monkeypatch.undo()
        writer.finish()
    assert probe(output).has_audio and not said


def test_a_clip_that_once_failed_for_its_sound_is_finished(tmp_path):
    sound, output = damaged(click(tmp_path / "s.mkv", "flac"), (3,)), tmp_path / "a.mp4"
    with opened(output, 24) as writer:
        for number in range(24):
            writer.add(picture(number))
    manifest = writer.folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_bytes()) | {"replaces": False}))  # as it used to be
    made(output, 24, audio=sound, resume=True)
    assert clicks_at(output)[0] == pytest.approx([0.5], abs=0.03)


def film(path, sound):
    """A clip whose only sound has a codec that nobody knows."""
    return unknown(made(path, 2, audio=sound))


def test_the_command_tells_of_sound_before_the_first_frame(tmp_path):
    source = film(tmp_path / "apac.mp4", click(tmp_path / "s.m4a", "aac"))
    ran = dreamer("video", source, *QUICK, "--progress", "json")
    assert ran.code == 0, ran.err
    kinds = [event["event"] for event in ran.events if "sound" in str(event.get("text")) or event["event"] == "frame"]
    assert kinds[0] == "notice" and kinds.count("notice") == 1
    assert not probe(tmp_path / "apac-dream.mp4").has_audio
    photo = made(tmp_path / "one.gif", 1)
    before = left_in(tmp_path)
    refused(dreamer("zoom", photo, "--audio", source, "-o", tmp_path / "z.mp4"), "apac.mp4: sound track 1 of 1")
    assert left_in(tmp_path) == before


def test_the_sound_is_left_out_on_demand(tmp_path):
    source = made(tmp_path / "clip.mp4", 2, audio=click(tmp_path / "s.m4a", "aac"))
    refused(dreamer("video", source, *QUICK, "--audio", "none", "--no-audio"), "--no-audio and --audio cannot be")
    ran = dreamer("video", source, *QUICK, "--no-audio", "-o", tmp_path / "a.gif")
    assert ran.code == 0 and "hold sound" not in ran.err
    assert dreamer("video", source, *QUICK, "--audio", "none", "-o", tmp_path / "a.mp4").code == 0
    assert not probe(tmp_path / "a.mp4").has_audio
