"""Zooms: where they are at any time, what a frame samples, and what keeps them from drifting."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import tiny
from torch import Tensor

from dreamer.api import registry
from dreamer.errors import UsageError
from dreamer.image.luma import luma
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.state import FolderStore, MemoryStore, StateStore
from dreamer.videos.zoom.feedback import FeedbackZoom
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.path import Path as Way
from dreamer.videos.zoom.photo_sampler import PhotoSampler
from dreamer.videos.zoom.scene import Scene
from dreamer.videos.zoom.schedule import read_schedule, zoom_from, zoom_words
from dreamer.videos.zoom.similarity import Similarity
from dreamer.videos.zoom.spline import coefficients, sample
from dreamer.videos.zoom.stabilise import FrameStatistics
from dreamer.videos.zoom.zoom import Zoom


def pipeline(**changes: Any) -> Pipeline:
    """Two steps of a tiny network."""
    words = {"octaves": {"smallest": 32, "steps": 2, "step_size": 0.02}, **changes}
    return build(words, registry(), network=tiny())


def picture(height: int = 48, width: int = 64) -> Tensor:
    """A geometric picture: rings, stripes and a disc, with smooth edges."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    rings = 0.5 + 0.3 * torch.sin(torch.hypot(x - width / 2, y - height / 3) / 2)
    stripes = 0.5 + 0.3 * torch.sin(x / 3 + y / 7)
    disc = torch.sigmoid(10 - torch.hypot(x - width / 4, y - height / 2))
    return torch.stack([rings, stripes, disc])[None]


def scene(zoom: Zoom, store: StateStore | None = None, photo: Tensor | None = None, **recipe: Any) -> Scene:
    """A small scene for a zoom."""
    photo = picture() if photo is None else photo
    composed = pipeline(**recipe)
    return Scene(photo, zoom, (48, 64), lambda time: composed, MemoryStore() if store is None else store, 1.5)


def way(zoom: Zoom) -> Way:
    """Where it leads, for a frame twice as wide as high."""
    return Way(zoom.speed, zoom.seconds, (1.0, 0.5), 1.5)


def test_a_zoom_grows_by_its_rate_and_turns_by_its_angle() -> None:
    place = way(Zoom(rate=1.5, angle=10, seconds=4)).at(3.0)
    assert abs(place.factor) == pytest.approx(1.5**-3)
    assert math.degrees(-np.angle(place.factor)) == pytest.approx(30)


def test_the_centre_stays_where_it_is() -> None:
    fixed = complex(0.8 - 0.5, (0.3 - 0.5) * 0.5)
    place = way(Zoom(rate=2, angle=20, centre=(0.8, 0.3), seconds=3)).at(2.5)
    assert place.factor * fixed + place.shift == pytest.approx(fixed)


def test_panning_moves_the_view_in_long_sides_of_the_frame() -> None:
    assert way(Zoom(rate=1, pan=(0.2, -0.1), seconds=4)).at(2.0).shift == pytest.approx(0.4 - 0.2j)


@pytest.mark.parametrize("ease", ["none", "in", "out", "both"])
def test_easing_changes_the_pace_and_not_the_way(ease: str) -> None:
    eased = way(Zoom(rate=1.5, ease=ease, seconds=4))
    assert abs(eased.at(4.0).factor) == pytest.approx(1.5**-4, rel=1e-3)
    early = abs(eased.at(0.4).factor)
    plain = 1.5**-0.4
    assert early == pytest.approx(plain) if ease == "none" else early < plain if ease == "out" else early > plain


def test_keyframes_are_evenly_spaced_on_a_log_scale() -> None:
    path = way(Zoom(rate=1.5, seconds=5))
    assert [path.time_of(float(k)) for k in range(4)] == pytest.approx([0, 1, 2, 3], abs=1e-6)
    assert path.keyframe(2.25) == pytest.approx(2.25)
    assert path.time_of(7.0) == pytest.approx(7, abs=1e-6), "beyond the end the last speed goes on"


def test_a_rate_in_time_is_followed_on_a_log_scale() -> None:
    zoom = zoom_from({"seconds": 4, "keyframes": [{"time": 0, "rate": 1}, {"time": 4, "rate": 4}]})
    assert zoom.speed(2).rate == pytest.approx(2)
    assert abs(way(zoom).at(4.0).factor) == pytest.approx(1 / 2**4, rel=1e-3)


@pytest.mark.parametrize("words", [{"rate": 1.7, "angle": 25, "centre": (0.3, 0.6)}, {"rate": 1.2, "ease": "both"}])
def test_24_and_60_frames_a_second_show_the_same_motion(words: dict[str, Any]) -> None:
    slow, fast = (KeyframeZoom(scene(zoom_from({**words, "fps": fps, "seconds": 1}), strength=0.0)) for fps in (24, 60))
    for k in range(12):
        assert (slow.frame(2 * k) - fast.frame(5 * k)).abs().max() < 2 / 255
    assert (slow.frame(0) - slow.frame(12)).abs().max() > 0.1, "and it moves"


def test_a_similarity_is_undone_by_its_inverse() -> None:
    one = Similarity(0.5 + 0.3j, 4 - 2j)
    both = one.inverse().after(one)
    assert both.factor == pytest.approx(1) and both.shift == pytest.approx(0)
    x, y = Similarity(2.0, 1.0).places((2, 3), (20, 30))
    assert x[0].tolist() == [13.5, 15.5, 17.5] and y[:, 0].tolist() == [8.5, 10.5]


def noise(size: int = 128) -> Tensor:
    """White noise, one channel."""
    return torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0))


def energy(image: Tensor, low: float, high: float) -> float:
    """Of the frequencies between, in cycles per pixel, in the picture's middle."""
    size = image.shape[-1] // 2
    window = torch.hann_window(size)
    middle = image[..., size // 2 : size // 2 + size, size // 2 : size // 2 + size] * window * window[:, None]
    power = torch.fft.fft2(middle).abs().square()
    radius = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.fftfreq(size))
    return float(power[0, 0][(radius >= low) & (radius < high)].mean())


def test_the_spline_runs_through_the_pixels() -> None:
    image = noise(40)
    again = sample(coefficients(image), *Similarity().places((40, 40), (40, 40)))
    assert (again - image).abs().max() < 2e-3


def test_the_spline_is_the_cubic_one() -> None:
    """At half a pixel it weighs coefficients by 1, 23, 23 and 1, over 48; in a ramp it is exact."""
    line = torch.zeros(1, 1, 10, 21)
    line[..., 10] = 1.0
    row = coefficients(line)[0, 0, 5]
    by_hand = (row[8] + 23 * row[9] + 23 * row[10] + row[11]) / 48
    found = sample(coefficients(line), torch.full((1, 1), 9.5), torch.full((1, 1), 5.0))
    assert found.item() == pytest.approx(float(by_hand), abs=1e-5)
    assert row[10].item() == pytest.approx(math.sqrt(3), abs=1e-4), "the largest coefficient of a single pixel"
    ramp = torch.arange(30.0).expand(1, 1, 12, 30)
    assert sample(coefficients(ramp), torch.full((1, 1), 14.3), torch.full((1, 1), 6.0)).item() == pytest.approx(
        14.3, abs=1e-4
    )


def test_sixty_resamplings_neither_erase_nor_explode() -> None:
    before = image = noise()
    for k in range(60):
        turn = Similarity(np.exp(1j * math.radians(6 if k % 2 else -5.5)), complex(0.3 * (k % 2), -0.2 * (k % 3)))
        image = sample(coefficients(image), *turn.places((128, 128), (128, 128)))
    kept = [energy(image, low, high) / energy(before, low, high) for low, high in ((0.1, 0.2), (0.2, 0.25), (0.3, 0.5))]
    assert 0.7 < kept[0] < 1.1 and 0.35 < kept[1] < 1.1 and kept[2] < 1.05
    assert image.abs().max() < before.abs().max()


def test_a_steadied_change_has_the_grain_the_light_and_the_colour_of_the_level() -> None:
    photo = picture(96, 128)
    torch.manual_seed(1)
    change = 0.1 * torch.nn.functional.interpolate(torch.randn(1, 3, 48, 64), size=(96, 128), mode="bicubic")
    level = FrameStatistics.measure(change, photo)
    other = 0.5 * change.roll(9, -1) + 0.04
    steady = FrameStatistics.measure(level.stabilise(other, photo), photo)
    assert steady.grain == pytest.approx(level.grain, rel=0.03)
    assert steady.brightness == pytest.approx(level.brightness, abs=1e-5)
    assert steady.colour == pytest.approx(level.colour, rel=0.02, abs=1e-3)
    assert FrameStatistics.measure(other, photo).grain != pytest.approx(level.grain, rel=0.2), "it was not so before"
    assert (level.stabilise(change, photo) - change).abs().max() < 1e-4, "the first frame stays as it is"


def test_a_calmed_change_keeps_its_luma_and_loses_coloured_grain() -> None:
    photo = picture(96, 128)
    torch.manual_seed(1)
    change = 0.05 * torch.randn(1, 3, 96, 128)
    level = FrameStatistics.measure(change, photo)
    calm = level.limit_chroma_grain(3 * change)
    assert torch.allclose(luma(calm), luma(3 * change), atol=1e-5)
    tint = (calm - luma(calm)).std() / (change - luma(change)).std()
    assert 0.9 < tint < 1.2
    assert torch.allclose(level.limit_chroma_grain(change), change, atol=1e-5)
    assert torch.allclose(level.limit_chroma_grain(change / 3), change / 3, atol=1e-5), "what is calm already stays so"


@pytest.mark.parametrize("mode", ["keyframes", "feedback"])
def test_frames_are_the_same_whether_or_not_the_work_was_interrupted(mode: str, tmp_path: Path) -> None:
    seconds, stops = (2, (1, 11, 17)) if mode == "keyframes" else (1, (1, 7))  # of which each frame is dreamt
    zoom = zoom_from({"mode": mode, "seconds": seconds, "fps": 12, "rate": 1.6, "angle": 8})
    maker: Any = KeyframeZoom if mode == "keyframes" else FeedbackZoom
    whole = maker(scene(zoom))
    frames = []
    for number in range(zoom.frames):
        frames.append(whole.frame(number))
        whole.checkpoint(number)
    for stop in stops:
        folder = tmp_path / str(stop)
        folder.mkdir()
        first = maker(scene(zoom, FolderStore(folder)))
        for number in range(stop + 1):
            first.frame(number)
            first.checkpoint(number)
        second = maker(scene(zoom, FolderStore(folder)))
        for number in range(stop, zoom.frames):
            assert torch.equal(second.frame(number), frames[number]), (stop, number)
            second.checkpoint(number)


@pytest.mark.parametrize("mode", ["keyframes", "feedback"])
def test_outward_is_the_inward_clip_reversed(mode: str) -> None:
    zoom = zoom_from({"mode": mode, "seconds": 1, "fps": 8, "rate": 1.8})
    maker: Any = KeyframeZoom if mode == "keyframes" else FeedbackZoom
    inward, outward = maker(scene(zoom)), maker(scene(replace(zoom, direction="out")))
    last = zoom.frames - 1
    seen = [inward.frame(number) for number in range(zoom.frames)]
    for number in range(zoom.frames):
        assert (outward.frame(number) - seen[last - number]).abs().max() <= (
            0 if mode == "keyframes" else 0.5 / 255 + 1e-6
        )


def test_old_keyframes_are_dropped(tmp_path: Path) -> None:
    falling = KeyframeZoom(scene(Zoom(seconds=4, fps=Fraction(6), rate=2.0), FolderStore(tmp_path)))
    for number in range(24):
        falling.frame(number)
        falling.checkpoint(number)
    assert len(list(tmp_path.iterdir())) <= 4


def test_a_damaged_keyframe_is_made_again(tmp_path: Path) -> None:
    zoom = Zoom(seconds=1, fps=Fraction(6), rate=2.0)
    frames = [KeyframeZoom(scene(zoom, FolderStore(tmp_path))).frame(number) for number in (0, 5)]
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    again = KeyframeZoom(scene(zoom, FolderStore(tmp_path)))
    assert [torch.equal(again.frame(number), frame) for number, frame in zip((0, 5), frames, strict=True)] == [True] * 2


def test_the_ends_of_a_loop_meet() -> None:
    looped = scene(Zoom(seconds=2, fps=Fraction(12), rate=2.0, loop=True, angle=30))
    falling = KeyframeZoom(looped)
    assert falling.last == 3, "log 4 / log 1.5 is 3.4"
    first = falling.frame(0)
    assert (falling.frame(24) - first).abs().max() < 1 / 255, "the frame after the last is the first"
    assert (falling.frame(12) - first).abs().mean() > 0.05, "in between it has gone somewhere"
    nearly = replace(looped.zoom, fps=Fraction(1200))
    before = KeyframeZoom(replace(looped, zoom=nearly)).frame(nearly.frames - 1)
    assert (before - first).abs().mean() < 0.02, "and it is come to in no jump"


def test_without_strength_a_zoom_only_moves_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    def ascend(self: Pipeline, image: Any, **rest: Any) -> Any:
        raise InterruptedError

    monkeypatch.setattr(Pipeline, "ascend", ascend)
    with pytest.raises(InterruptedError):
        KeyframeZoom(scene(Zoom(seconds=1), strength=0.5)).frame(0)
    falling = KeyframeZoom(scene(Zoom(seconds=1, fps=Fraction(4), rate=1.5), strength=0.0))
    assert (falling.frame(0) - picture()).abs().max() < 0.01
    assert torch.isfinite(falling.frame(3)).all()


def test_strength_follows_its_keyframes() -> None:
    zoom = zoom_from({"seconds": 4, "keyframes": [{"time": 1, "strength": 0.0}, {"time": 3, "strength": 1}]})
    assert [zoom.strength(time, 0.7) for time in (0, 1, 2, 4)] == [0, 0, 0.5, 1]
    assert Zoom().strength(2, 0.7) == 0.7


def test_motifs_take_turns_from_keyframe_to_keyframe(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    names = ["rose", "eye", "arch", "shell"]
    few = {"name": "channel", "id": "few", "layer": "two", "index": [1]}

    def ascend(self: Pipeline, image: Any, **rest: Any) -> Any:
        seen.append([item.options.get("names") for item in self.recipe.objectives])
        raise InterruptedError

    monkeypatch.setattr(Pipeline, "ascend", ascend)
    many = replace(pipeline().recipe.objectives[0], options={"names": tuple(names)})
    made = scene(Zoom(rate=1.5, seconds=9), objectives=[few])
    composed = made.pipeline_at(0.0)
    composed = replace(composed, recipe=replace(composed.recipe, objectives=(many, *composed.recipe.objectives)))
    made = replace(made, pipeline_at=lambda time: composed)
    for time in (0.0, 1.0, 2.0, 5.5):
        with pytest.raises(InterruptedError):
            made.dream(picture(), time, 0)
    assert [found[0] for found in seen] == [tuple(names), ("eye", "arch"), ("arch", "shell"), ("eye", "arch")]
    assert all(found[1] == seen[0][1] for found in seen), "what names nothing stays"


def test_each_keyframe_has_a_seed_of_its_own_and_only_the_first_begins_as_the_recipe_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def ascend(self: Pipeline, image: Any, **rest: Any) -> Any:
        seen.append((self.recipe.seed, self.recipe.init))
        raise InterruptedError

    monkeypatch.setattr(Pipeline, "ascend", ascend)
    made = scene(Zoom(), seed=5, init="noise", strength=0.3)
    for number in (0, 1, 4):
        with pytest.raises(InterruptedError):
            made.dream(picture(), 0.0, number)
    assert seen == [(5, "noise"), (6, "photo"), (9, "photo")]


def test_feedback_goes_on_from_what_was_kept_and_not_from_the_beginning() -> None:
    store, dreamt = MemoryStore(), []
    zoom = zoom_from({"mode": "feedback", "seconds": 2, "fps": 12})
    first = FeedbackZoom(scene(zoom, store))
    for number in range(15):
        first.frame(number)
        first.checkpoint(number)
    FeedbackZoom(replace(scene(zoom, store), on_step=lambda number, step: dreamt.append(number))).frame(15)
    assert min(dreamt) == 11 and max(dreamt) == 15, "that of frame 10 was kept"


def test_a_large_photo_loses_sharpness_without_a_jump() -> None:
    generator = torch.Generator().manual_seed(0)
    backdrop = PhotoSampler(torch.rand(1, 3, 192, 256, generator=generator), (48, 64))
    frames = [
        backdrop.at(Similarity(complex(2 ** (power / 2) / 4)), (48, 64)) for power in (1.999, 2.001, 2.5, 2.999, 3.001)
    ]
    assert (frames[0] - frames[1]).abs().mean() < 0.02 and (frames[3] - frames[4]).abs().mean() < 0.02
    assert frames[0].std() > frames[2].std() > frames[4].std(), "what is finer than a pixel is averaged"


def test_preset_and_layer_hold_from_their_keyframe_on() -> None:
    zoom = zoom_from({"keyframes": [{"time": 2, "preset": "frost"}, {"time": 4, "layer": "m3"}]})
    assert [zoom.look(time) for time in (0, 2, 5)] == [(None, None), ("frost", None), ("frost", "m3")]
    assert zoom.looks() == [(None, None), ("frost", None), ("frost", "m3")]


def test_a_zoom_survives_its_words() -> None:
    words = {
        "fps": "30000/1001",
        "rate": 1.5,
        "centre": [0.2, 0.3],
        "loop": True,
        "keyframes": [{"time": 1, "angle": 5}],
    }
    zoom = zoom_from(words)
    assert zoom_from(zoom_words(zoom)) == zoom
    assert zoom.keyframes[0].angle == 5.0 and zoom.centre == (0.2, 0.3)


@pytest.mark.parametrize("fps", [[1], {}, True, "1e3000000", "1_0", "9" * 21, float("nan"), 10**30, "-5", "1.5/2"])
def test_a_stranger_s_frame_rate_is_a_plain_number_or_refused_at_once(fps: Any) -> None:
    with pytest.raises(
        UsageError, match=r"^fps: .{1,60} is not a frame rate; expected a number as in 30, 23\.976 or 30000/1001$"
    ):
        zoom_from({"fps": fps})


@pytest.mark.parametrize("fps", ["29.12345678901234567", 59.94005994005994, 29.123456789012345, Fraction(30000, 1001)])
def test_the_frame_rate_of_a_clip_can_be_read_again(fps: Any) -> None:
    zoom = zoom_from({"fps": fps})
    assert float(zoom.fps) == pytest.approx(float(fps), abs=1e-6)
    assert zoom_from(zoom_words(zoom)) == zoom


@pytest.mark.parametrize(
    ("fps", "exact"), [("23.976", "24000/1001"), (29.97, "30000/1001"), ("25", "25"), ("12.5", "25/2"), (24, "24")]
)
def test_frame_rates_are_what_film_people_mean(fps: Any, exact: str) -> None:
    assert zoom_from({"fps": fps}).fps == Fraction(exact)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"rate": 0}, "rate=0.0: "),
        ({"rate": -1}, "direction='out'"),
        ({"rate": "fast"}, "rate"),
        ({"seconds": 0}, "seconds=0.0: "),
        ({"fps": "1/0"}, "fps"),
        ({"fps": 0.5}, "fps"),
        ({"centre": "0.5"}, "two numbers"),
        ({"centre": (2, 0)}, "0 to 1"),
        ({"loop": True, "mode": "feedback"}, "mode='keyframes'"),
        ({"loop": True, "rate": 1, "angle": 36}, "loop needs rate above 1"),
        ({"ease": "bounce"}, "ease"),
        ({"speed": 3}, "unknown key"),
        ({"keyframes": [{"time": 5}, {"time": 2}]}, "put them in order"),
        ({"keyframes": [{"time": 50}]}, "outside the clip"),
        ({"seconds": 1, "keyframes": [{"time": 6}]}, r"6 is outside the clip, which lasts 1 second$"),
        ({"keyframes": [{"rate": 2}]}, "needs a time"),
        ({"keyframes": [{"time": 1, "rat": 2}]}, "did you mean rate"),
        ({"keyframes": [{"time": 1, "rate": 0}]}, "keyframes[0].rate"),
        ({"keyframes": [{"time": 1, "strength": 3}]}, "strength"),
        ({"keyframes": 3}, "list of dicts"),
        ({"loop": True, "keyframes": [{"time": 0, "strength": 0.1}, {"time": 10, "strength": 1}]}, "where they meet"),
    ],
)
def test_what_makes_no_sense_is_told(words: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told.replace("[", r"\[")):
        zoom_from(words)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        zoom_from({"rate": 0, "fps": "x", "seconds": -1, "keyframes": [{"time": "soon"}]})
    assert len(caught.value.problems) == 4


def test_a_schedule_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "fall.toml"
    path.write_text("[[keyframes]]\ntime = 0\nrate = 1.2\n\n[[keyframes]]\ntime = 3\ncentre = [0.2, 0.8]\n")
    zoom = zoom_from({"keyframes": read_schedule(path)})
    assert [key.time for key in zoom.keyframes] == [0.0, 3.0] and zoom.keyframes[1].centre == (0.2, 0.8)


@pytest.mark.parametrize("text", ["", "keyframes = [", "frames = 3", "x" * 2_000_000, "[[keyframe]]\ntime = 1\n"])
def test_a_schedule_that_is_none_is_told_of(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fall.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"fall\.toml"):
        read_schedule(path)
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_schedule(tmp_path / "none.toml")


def test_the_path_of_a_long_zoom_takes_little_memory() -> None:
    tracemalloc.start()
    path = way(Zoom(seconds=500, rate=1.01, ease="both"))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50 * 500 * 240 + 16e6, "50 bytes a tick, and what is computed at once"
    assert path.keyframe(500) == pytest.approx(500 * math.log(1.01) / math.log(1.5), rel=1e-6)


def test_ten_thousand_keyframes_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [{"time": 0.0005 * k, "rate": 1 + k % 7 / 7, "layer": f"m{k % 3}a"} for k in range(10_000)]
    zoom = zoom_from({"seconds": 5.0, "keyframes": tables})
    read = 0

    class Counted(tuple):
        def __iter__(self) -> Any:
            nonlocal read
            read += len(self)
            return super().__iter__()

    object.__setattr__(zoom, "keyframes", Counted(zoom.keyframes))
    path = way(zoom)
    found = [(zoom.look(k / 60), zoom.strength(k / 60, 1.0), path.at(k / 60)) for k in range(300)]
    assert zoom.looks() == [(None, "m0a"), (None, "m1a"), (None, "m2a")]
    assert read < 20 * len(tables)
    assert [look[1] for look, _, _ in found[:3]] == ["m0a", f"m{int(1 / 60 / 0.0005) % 3}a", f"m{66 % 3}a"]


def test_a_clip_cannot_ask_for_many_looks() -> None:
    tables = [{"time": 0.01 * k, "preset": "bloom", "layer": f"m{k}"} for k in range(100)]
    with pytest.raises(UsageError, match="100 pairs of preset and layer are too many"):
        zoom_from({"keyframes": tables})


def test_a_zoom_that_is_too_deep_is_told_of_where_it_is() -> None:
    path = way(Zoom(seconds=3 * 3600.0))
    assert abs(path.at(60.0).factor) == pytest.approx(1.3**-60)
    with pytest.raises(UsageError, match="too deep"):
        path.at(3 * 3600.0)


@pytest.mark.parametrize("ease", ["out", "both"])
def test_a_zoom_that_stops_before_its_first_keyframe_has_all_its_frames(ease: Any) -> None:
    zoom = Zoom(seconds=1.0, fps=Fraction(8), ease=ease, angle=9)
    fall = KeyframeZoom(scene(zoom))
    assert all(torch.isfinite(fall.frame(number)).all() for number in range(zoom.frames))
    assert fall.dreams(0, zoom.frames) == (0, 2)
