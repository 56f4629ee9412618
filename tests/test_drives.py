"""What a song moves: words of drives, zooms and clips that dance, charts of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clips import made
from command import QUICK, Ran, dreamer, left_in, photo, refused
from PIL import Image
from songs import band, clicks, recorded

import dreamer as api
from dreamer.errors import RecipeError, UsageError
from dreamer.recipes.drives import FILM_DANCE, FILM_TARGETS, ZOOM_DANCE, drives_from
from dreamer.videos.clip.reader import frames, probe, read_recipe
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.sound.driven import driven_by
from dreamer.videos.sound.song import Song, heard_in
from dreamer.videos.zoom.frames import BareZoom
from dreamer.videos.zoom.scene import SPACING, Scene
from dreamer.videos.zoom.schedule import zoom_from, zoom_words
from dreamer.videos.zoom.zoom import Zoom

BASS = {"of": "bass", "to": "rate", "from": 1.1, "upto": 1.9, "attack": 0.02, "release": 0.2}


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clicks at 120 a minute and a band, for whose curves there is a cache."""
    folder = tmp_path_factory.mktemp("songs")
    recorded(folder / "clicks.wav", clicks(120, 6)[0])
    recorded(folder / "band.m4a", band()[0], "aac")
    return folder


@pytest.fixture(autouse=True)
def cache(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREAMER_CACHE", str(songs / "cache"))


@pytest.fixture
def heard(songs: Path) -> Song:
    """What is heard of the band."""
    return heard_in(songs / "band.m4a")


def speeds(zoom: Zoom) -> np.ndarray:
    """How fast the frames of a zoom grow, measured in them: the logarithm of the growth a second, (frames - 1,)."""
    x, y = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-0.75, 0.75, 72))
    cone = torch.from_numpy(np.hypot(x, y) / 1.3).float().expand(1, 3, -1, -1)  # twice as large, it is half as bright
    view = BareZoom(Scene(cone, zoom, (72, 96), lambda time: None, MemoryStore(), SPACING))  # type: ignore[arg-type]
    means = [float(view.frame(number).double().mean()) for number in range(zoom.frames)]
    return -np.diff(np.log(means)) * float(zoom.fps)


def test_frames_grow_as_the_song_drives_them(heard: Song) -> None:
    zoom = zoom_from({"seconds": 4, "fps": 24, "rate": 1.5, "drives": [BASS]}, heard)
    times = (np.arange(zoom.frames - 1) + 0.5) / 24
    drive = driven_by(drives_from([BASS]), heard).driven[0]
    wanted = drive.at(times)
    assert np.corrcoef(speeds(zoom), wanted)[0, 1] > 0.9
    still = zoom_from({"seconds": 4, "fps": 24, "rate": 1.5}, heard)
    assert np.ptp(speeds(still)) < 0.3 * np.ptp(speeds(zoom))


def test_a_driven_zoom_is_as_deep_at_any_frame_rate_and_backwards_hears_the_song_forwards(heard: Song) -> None:
    from dreamer.videos.zoom.scene import path_of

    words = {"seconds": 3, "drives": [BASS]}
    slow, fast = (path_of(zoom_from({**words, "fps": fps}, heard), (72, 96)).at(2.5) for fps in (24, 60))
    assert slow.factor == fast.factor
    out = zoom_from({**words, "fps": 24, "direction": "out"}, heard)
    inward = zoom_from({**words, "fps": 24}, heard)
    last = (out.frames - 1) / 24
    assert out.speed(last - 0.8).rate == pytest.approx(inward.speed(0.8).rate)


def test_what_is_driven_rises_with_the_attack_and_falls_with_the_release(songs: Path) -> None:
    onsets = {"of": "onsets", "to": "strength", "from": 0, "upto": 1, "attack": 0, "release": 1}
    (driven,) = driven_by(drives_from([onsets]), heard_in(songs / "clicks.wav")).driven
    before, at, after = driven.at(np.array([0.25, 0.31, 0.7]))
    assert before < 0.05 and at > 0.6 and 0.5 * at < after < 0.8 * at


def test_every_target_moves_what_it_says(heard: Song, tmp_path: Path) -> None:
    (tmp_path / "ramp.csv").write_text("0,0\n10,1\n")
    ends: dict[str, Any] = {"angle": (0, 90), "strength": (0, 1), "colour": (0.5, 1), "feature_size": (10, 30)}
    tables = [
        {"of": "ramp.csv", "to": to, "from": a, "upto": b, "attack": 0, "release": 0} for to, (a, b) in ends.items()
    ]
    tables.append({"of": "ramp.csv", "to": "pan", "from": [0, 0], "upto": [1, -1], "attack": 0})
    zoom = zoom_from({"drives": tables, "keyframes": [{"time": 0, "strength": 0.8}]}, None, tmp_path)
    speed = zoom.speed(5.0)
    assert speed.angle == pytest.approx(45) and speed.pan[:, 0] == pytest.approx([0.5, -0.5])
    assert zoom.strength(5, 0.3) == pytest.approx(0.4), "a share of the strength there is"
    assert zoom.colour_gain(10, 0.5) == 0 and zoom.colour_gain(0, 0.5) == 1 and zoom.colour_gain(0, 1) == 1
    assert zoom.driven("feature_size", 5) == pytest.approx(20)
    assert [each.drive for each in zoom.drives.driven] == [*drives_from(zoom_words(zoom)["drives"])]


def test_presets_take_turns_at_sections_and_keyframes_may_stand_on_beats(heard: Song) -> None:
    turns = {"of": "sections", "to": "preset", "presets": ["bloom", "reef"]}
    words = {"seconds": 12, "keyframes": [{"time": "4b", "rate": 2}, {"time": "6.5b", "rate": 1}], "drives": [turns]}
    zoom = zoom_from(words, heard)
    assert [key.time for key in zoom.keyframes if key.rate] == [heard.beat(4), heard.beat(6.5)]
    assert zoom.look(heard.sections[1] - 0.1)[0] == "bloom" and zoom.look(heard.sections[1] + 0.1)[0] == "reef"
    again = zoom_from(zoom_words(zoom))
    assert again.keyframes == zoom.keyframes, "what is written are plain keyframes"
    out = zoom_from({"seconds": 12, "direction": "out", "drives": [turns]}, heard)
    last = (out.frames - 1) / 30
    assert out.look(last - 1)[0] == "bloom" and out.look(last - heard.sections[1] - 1)[0] == "reef"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({}, r"drives\[0\]: it needs of and to and from and upto"),
        ({**BASS, "of": "base"}, r"drives\[0\]\.of: base is no curve; did you mean bass"),
        ({**BASS, "of": "__import__('os').getcwd()"}, "is no curve"),
        ({**BASS, "to": "speed"}, r"drives\[0\]\.to: "),
        ({**BASS, "from": 0.5}, r"drives\[0\]\.from: expected 1 to 100"),
        ({**BASS, "upto": [1, 2]}, r"drives\[0\]\.upto: expected a number"),
        ({**BASS, "attack": -1}, r"drives\[0\]\.attack: "),
        ({**BASS, "till": 2}, r"drives\[0\]\.till: unknown key"),
        ({**BASS, "presets": ["a"]}, "only a drive to preset"),
        ({"of": "bass", "to": "preset", "presets": ["bloom", "reef"]}, "a preset changes at sections"),
        ({"of": "sections", "to": "preset", "presets": ["bloom"]}, "two presets at least"),
    ],
)
def test_a_wrong_drive_is_told(table: dict[str, Any], why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        drives_from([table])


def test_what_cannot_be_driven_is_told(heard: Song) -> None:
    with pytest.raises(RecipeError, match=r"drives\[1\]\.to: rate is driven already"):
        drives_from([BASS, {**BASS, "of": "treble"}])
    with pytest.raises(RecipeError, match="rate cannot be driven here; strength, colour, feature_size, preset can"):
        drives_from([BASS], FILM_TARGETS)
    with pytest.raises(UsageError, match="bass is heard in a song, and there is none"):
        zoom_from({"drives": [BASS]})
    with pytest.raises(UsageError, match="loop cannot be driven"):
        zoom_from({"drives": [BASS], "loop": True}, heard)
    with pytest.raises(UsageError, match=r"keyframes\[0\]\.time: 999b: the song has \d+ beats"):
        zoom_from({"keyframes": [{"time": "999b"}]}, heard)
    with pytest.raises(UsageError, match=r"keyframes\[0\]\.time: 3b is a beat of a song, and there is none"):
        zoom_from({"keyframes": [{"time": "3b"}]})
    for dance in (ZOOM_DANCE, FILM_DANCE):
        assert drives_from([drive.words() for drive in dance]) == dance


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo in it, which is the working one."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.jpg")
    return tmp_path


def zoom(*arguments: str | Path) -> Ran:
    """A clip of five small frames."""
    small = ("--size", "64", "--seconds", "0.5", "--fps", "10", "--threads", "1")
    return dreamer("zoom", "photo.jpg", *small, *QUICK, *arguments)


def test_a_dance_interrupted_and_gone_on_with_is_the_same_file_and_can_be_repeated(
    here: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dreamer.videos.film import passage

    dance = ("--audio", songs / "clicks.wav", "--dance")
    assert zoom("-o", "whole.mp4", *dance, "--chart", "chart.png").code == 0
    assert probe(Path("whole.mp4")).has_audio
    with Image.open("chart.png") as chart:
        assert chart.width == 1600 and len(chart.getcolors(1 << 20) or ()) > 20
    inside = json.loads(read_recipe(Path("whole.mp4")) or "")
    assert [drive["to"] for drive in inside["zoom"]["drives"]] == ["rate", "strength", "colour"] and inside["sound"]
    original, calls = passage.eight_bits, []

    def interrupted(image: Any) -> Any:
        calls.append(image)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(image)

    monkeypatch.setattr(passage, "eight_bits", interrupted)
    assert zoom("-o", "clip.mp4", *dance, "--chart", "begun.png").code == 130
    monkeypatch.setattr(passage, "eight_bits", original)
    shutil.copy("photo.jpg", "mine.png")
    own = "--chart mine.png: another file has this name"
    refused(zoom("-o", "clip.mp4", *dance, "--resume", "--chart", "mine.png"), own)
    refused(dreamer("video", "whole.mp4", *QUICK, "--resume", "--chart", "mine.png"), own)
    assert Path("mine.png").read_bytes() == Path("photo.jpg").read_bytes()
    assert zoom("-o", "clip.mp4", *dance, "--resume", "--chart", "begun.png").code == 0
    assert Path("begun.png").read_bytes() == Path("chart.png").read_bytes()
    assert Path("clip.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    again = ("zoom", "photo.jpg", "--recipe", "whole.mp4", "-o", "again.mp4", "--threads", "1")
    refused(dreamer(*again), "bass is heard in a song, and there is none; name it (--audio)")
    assert dreamer(*again, "--audio", songs / "clicks.wav").code == 0
    assert Path("again.mp4").read_bytes() == Path("whole.mp4").read_bytes()


def test_the_bare_way_is_shown_without_a_dream(here: Path, songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.pipeline.Pipeline.ascend", None)
    ran = zoom("--path", "--audio", songs / "clicks.wav", "--dance")
    assert ran.code == 0, ran.err
    clip = probe(here / "photo-zoom-path.mp4")
    assert clip.frames == 5 and clip.has_audio and left_in(here) == ["photo-zoom-path.mp4", "photo.jpg"]


def test_wrong_options_of_a_dance_are_told_before_anything(
    here: Path, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("taken.png").write_bytes(b"mine")
    Path("d.toml").write_text('[[drives]]\nof = "nothing.csv"\nto = "rate"\nfrom = 1\nupto = 2\n')
    ran = zoom("--dance")
    refused(ran, "--dance: there is no sound to dance to; name a song (--audio FILE)")
    assert "drives" not in ran.err
    refused(zoom("--chart", "taken.png"), "taken.png already exists")
    with monkeypatch.context() as patch:
        patch.setattr("dreamer.cli.zoom.moves", lambda *words: Path("late.png").write_bytes(b"theirs") and {})
        refused(zoom("--chart", "late.png", "--progress", "none"), "late.png could not be written: it exists", code=1)
    assert Path("late.png").read_bytes() == b"theirs"
    Path("late.png").unlink()
    refused(zoom("--chart", "chart.jpg"), "a chart is a .png file")
    spared = ("--force", "--chart", "taken.png", "--region", "taken.png=keep")
    for ran in (zoom(*spared), dreamer("video", "photo.jpg", *spared)):
        refused(ran, "taken.png is the input", "never overwritten")
    refused(zoom("--drives", "none.toml"), "there is no file none.toml")
    both = zoom("--drives", "d.toml", "--dance", "--audio", songs / "clicks.wav", "-o", "clip.xyz")
    refused(both, "cannot be combined", "clip.xyz: unsupported suffix")
    refused(zoom("--drives", "d.toml"), "nothing.csv: No such file")
    refused(zoom("--audio", "photo.jpg", "--dance"), "photo.jpg: the")
    assert left_in(here) == ["d.toml", "photo.jpg", "taken.png"]


def shown(path: Path) -> list[np.ndarray]:
    return [values.astype(int) for _, values in frames(probe(path))]


def test_a_clip_dances_to_its_own_sound_and_to_another(here: Path, songs: Path) -> None:
    made(here / "clip.mp4", 6, fps=12, audio=songs / "clicks.wav")
    Path("d.toml").write_text('[[drives]]\nof = "onsets"\nto = "strength"\nfrom = 0\nupto = 1\nrelease = 0.1\n')
    how = ("--threads", "1", *QUICK)
    assert dreamer("video", "clip.mp4", "--drives", "d.toml", "-o", "own", *how).code == 0
    change = [np.abs(a - b).mean() for a, b in zip(shown(here / "own"), shown(here / "clip.mp4"), strict=True)]
    clicked = 4  # the first frame after the click at 0.3 s
    assert int(np.argmax(change[:9])) == clicked and change[clicked] > 3 * change[1]
    again = ("video", "clip.mp4", "--recipe", "own", "-o", "again", *how)
    refused(dreamer("video", made(here / "silent.mp4", 2), *again[2:]), "onsets is heard in a song, and there is none")
    assert dreamer(*again).code == 0
    for frame in left_in(here / "own"):
        assert Path("again", frame).read_bytes() == Path("own", frame).read_bytes()
    other = dreamer("video", "clip.mp4", "--dance", "--audio", songs / "band.m4a", "--preview", *how)
    assert other.code == 0 and probe(here / "clip-dream-preview.mp4").has_audio


def test_pythons_zoom_and_video_dance(here: Path, songs: Path) -> None:
    tiny = api.testing.tiny_network() if hasattr(api, "testing") else "reverie"
    few: dict[str, Any] = {"network": tiny, "octaves": {"steps": 1, "count": 1}, "returns": "array"}
    danced, still = (
        [*api.zoom("photo.jpg", seconds=0.4, fps=10, audio=songs / "clicks.wav", dance=dance, size=64, **few)]
        for dance in (True, False)
    )
    assert len(danced) == len(still) == 4 and not np.array_equal(danced[-1], still[-1])
    made(here / "clip.mp4", 3, audio=songs / "clicks.wav")
    assert len([*api.video("clip.mp4", dance=True, every=2, **few)]) == 3
    refused(dreamer("video", made(here / "silent.mp4", 2), "--dance", *QUICK), "--dance: there is no sound to dance to")
    for dance in (api.zoom, api.video):
        with pytest.raises(UsageError, match=r"^dance: there is no sound to dance to"):
            dance("photo.jpg" if dance is api.zoom else "silent.mp4", dance=True, **few)
