"""What is heard in recordings: beats, curves and sections, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from songs import RATE, band, clicks, recorded

from dreamer.errors import UsageError
from dreamer.recipes.drives import CURVES
from dreamer.videos.sound import song as listening
from dreamer.videos.sound.curve import Curve, read_curve
from dreamer.videos.sound.sections import sections_of
from dreamer.videos.sound.song import heard_in
from dreamer.videos.sound.spectrum import STEP, spectrum_of


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, which is empty."""
    monkeypatch.setenv("DREAMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(("bpm", "codec", "name"), [(120, "pcm_s16le", "a.wav"), (90, "aac", "a.m4a")])
def test_the_beats_of_a_click_track_are_within_20_ms(tmp_path: Path, bpm: float, codec: str, name: str) -> None:
    wave, times = clicks(bpm, 10)
    beats = heard_in(recorded(tmp_path / name, wave, codec)).beats
    assert len(beats) == len(times)
    assert np.abs(beats - times).max() < 0.02


def test_a_band_is_heard(tmp_path: Path) -> None:
    wave, times = band()
    song = heard_in(recorded(tmp_path / "a.wav", wave))
    nearest = np.abs(song.beats[:, None] - times).min(1)
    assert len(song.beats) >= len(times) - 3 and nearest.max() < 0.02, "on the kicks, not on the hi-hats between"
    assert len(song.sections) == 2 and abs(song.sections[1] - 8) < 0.5
    assert set(CURVES) < set(song.curves)
    for name in CURVES:
        values = song.curves[name]
        assert len(values) == round(16 / STEP) + 1 and values.min() >= 0 and values.max() <= 1, name
    on, off = (song.curve("bass").at(times + late).mean() for late in (0.03, 0.35))
    assert on > 0.5 and off < 0.2
    phase = song.curve("beat").at(times[2:-2] + 0.25)
    assert np.abs(phase - 0.5).max() < 0.1


def test_what_is_heard_is_kept_and_the_same_from_the_cache(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path / "a.wav", clicks(120, 5)[0])
    first = heard_in(path)
    (kept,) = (cache / "sound").iterdir()
    with monkeypatch.context() as without:
        without.setattr(listening, "_heard", None)
        again = heard_in(path)
    kept.write_bytes(b"damaged")
    anew = heard_in(path)
    for name, values in first.curves.items():
        assert (values == again.curves[name]).all() and (values == anew.curves[name]).all()
    assert (first.beats == again.beats).all() and (first.sections == anew.sections).all()


@pytest.mark.parametrize("wave", [np.zeros(5 * RATE), np.zeros(900)])
def test_where_nothing_is_heard_nothing_moves(tmp_path: Path, wave: np.ndarray) -> None:
    song = heard_in(recorded(tmp_path / "a.wav", wave))
    assert len(song.beats) == 0 and song.sections.tolist() == [0]
    assert song.curves["onsets"].max() < 0.05 and song.curves["beat"].min() == 1
    with pytest.raises(UsageError, match="0b: the song has no beats"):
        song.beat(0)


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(UsageError, match=r"a\.wav: the sound cannot be read"):
        heard_in(tmp_path / "a.wav")


def test_a_section_begins_at_a_clear_novelty_alone_and_on_a_beat_that_is_near() -> None:
    novelty = np.zeros(round(30 / STEP))
    novelty[round(10 / STEP)], novelty[round(20 / STEP)] = 1.0, 0.05
    assert sections_of(novelty, np.array([])) == pytest.approx([0, 10])
    assert sections_of(novelty, np.array([9.7, 19.7])) == pytest.approx([0, 9.7])


def test_a_spectrum_does_not_depend_on_the_parts_it_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = torch.from_numpy(clicks(120, 2)[0]).float()
    whole = spectrum_of([samples])
    monkeypatch.setattr("dreamer.videos.sound.spectrum._AT_ONCE", 5000)
    parts = spectrum_of(samples.split(1777))
    assert whole.mel.shape == parts.mel.shape
    assert np.abs(whole.mel - parts.mel).max() < 1e-6 and (whole.peak == parts.peak).all()


def test_a_curve_rises_with_its_attack_and_falls_with_its_release() -> None:
    step = Curve(np.repeat([0.0, 1.0, 0.0], 100)).followed(0.1, 0.3)
    assert step.at(np.array([1.1]))[0] == pytest.approx(1 - np.exp(-1), abs=0.06)
    assert step.at(np.array([2.3]))[0] == pytest.approx(np.exp(-1), abs=0.03)
    assert (step.at(np.array([-1.0, 99.0])) == step.values[[0, -1]]).all()


def test_a_table_is_a_curve(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,low,high\n0,0,1\n\n2,1,0\n")
    assert read_curve(path).at(np.array([0.5, 1.0, 9.0])).tolist() == pytest.approx([0.25, 0.5, 1])
    assert read_curve(path, "high").at(np.array([0.5])).tolist() == pytest.approx([0.75])
    path.write_text("0,0\n2,1\n")
    assert read_curve(path).at(np.array([1.0])).tolist() == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("", "", "there are no values"),
        ("0,0\n1,2\n", "", r"line 2: 2 is not between 0 and 1"),
        ("0,0\n1,__import__('os')\n", "", "line 2: expected seconds and a number"),
        ("1,0\n1,1\n", "", "line 2: the time 1 does not come after"),
        ("t,bass\n0,1\n", "base", "there is no column base; did you mean bass"),
        ("0,nan\n", "", "line 1: expected seconds and a number"),
        (f'0,"{"9" * 200_000}"\n', "", "this is no table of commas"),
    ],
)
def test_a_table_that_is_no_curve_is_refused(tmp_path: Path, text: str, column: str, why: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=why):
        read_curve(path, column)
