"""From words to pictures: what somebody asks for is never dropped, and what a clip's frames share is made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import made
from command import dreamer, photo, pixels

import dreamer as api
from dreamer.api import registry
from dreamer.cli import clip as cli_clip
from dreamer.engine.score import Scorer
from dreamer.errors import Interrupted, UsageError
from dreamer.image import load
from dreamer.networks.network import Network
from dreamer.pipeline import plan
from dreamer.pipeline.bind import Guide
from dreamer.pipeline.build import build
from dreamer.testing.tiny import photo as drawn
from dreamer.testing.tiny import tiny_network
from dreamer.videos.clip.manifest import notes_of
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.film.film import Film
from dreamer.videos.zoom.feedback import FeedbackZoom
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import Scene
from dreamer.videos.zoom.schedule import zoom_from

STEP = {"octaves": {"count": 1, "steps": 1}}
CAMERA = [(Fraction(n, 10), np.ascontiguousarray(pixels(160, 120)[:, n : n + 128])) for n in range(3)]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Free memory that goes up and down: much, hardly any, much, ..."""
    free = cycle([10**12, 10**4])
    monkeypatch.setattr(plan, "free_memory", lambda device: next(free))
    yield


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tile of each `Scorer` that is made."""
    seen: list[int] = []
    original = Scorer.__init__

    def watched(self: Scorer, *args: Any, tile: int, **rest: Any) -> None:
        seen.append(tile)
        original(self, *args, tile=tile, **rest)

    monkeypatch.setattr(Scorer, "__init__", watched)
    return seen


def test_a_change_that_is_ambiguous_beside_the_network_s_own_objectives_is_no_silence() -> None:
    two = [{"name": "channel", "id": name, "index": [number]} for number, name in enumerate("ab")]
    network = replace(tiny_network(), defaults={"objectives": two})
    with pytest.raises(
        UsageError, match=r"objectives\.channel\.weight: the recipe has 2 objectives called channel; .*\(a, b\)"
    ):
        build({}, registry(), network=network, changes=[("objectives.channel.weight", 5.0)])
    pipeline = build({}, registry(), network=network, changes=[("objectives.a.weight", 5.0)])
    assert [item.weight for item in pipeline.recipe.objectives] == [5.0, 1.0]


def test_all_frames_of_a_film_are_cut_alike(memory: None, tiles: list[int]) -> None:
    for begin in range(2):  # with much memory, and with little
        tiles.clear()
        pipeline = build(STEP, registry(), network=tiny_network())
        film = Film.of(pipeline, 120, 128)
        assert len([*film.dreams(CAMERA)]) == 3
        assert set(tiles) == {film.plan.machine.tile} == {(0, 64)[begin]}


@pytest.mark.parametrize("mode", ["keyframes", "feedback"])
def test_all_frames_of_a_zoom_are_cut_alike(memory: None, tiles: list[int], mode: str) -> None:
    for _ in api.zoom(drawn(), network=tiny_network(), seconds=0.5, fps=8, rate=9, mode=mode, **STEP):
        pass
    assert len(tiles) > 2 and len(set(tiles)) == 1


def test_a_clip_that_is_gone_on_with_keeps_its_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiles: list[int]
) -> None:
    source = made(tmp_path / "clip.mp4", 3, size=(96, 128))
    words = ("--set", "octaves.steps=1", "--set", "octaves.count=1", "--threads", "1")
    commands = {
        "film.mp4": ("video", source, *words),
        "zoom.mp4": (
            "zoom",
            photo(tmp_path / "a.png", 128, 96),
            "--seconds",
            "0.3",
            "--fps",
            "10",
            "--mode",
            "feedback",
            *words,
        ),
    }
    for name, command in commands.items():
        output = tmp_path / name
        original = cli_clip.Pace.frame

        def interrupted(self: Any, number: int) -> Any:
            raise KeyboardInterrupt

        monkeypatch.setattr(cli_clip.Pace, "frame", interrupted)
        monkeypatch.setattr(plan, "free_memory", lambda device: 10**7)
        assert dreamer(*command, "-o", output).code == 130
        before = tiles[-1]
        assert 0 < before < 128 and notes_of(output)["tiles"] == [before]
        monkeypatch.setattr(cli_clip.Pace, "frame", original)
        monkeypatch.setattr(plan, "free_memory", lambda device: 10**12)
        tiles.clear()
        ran = dreamer(*command, "-o", output, "--resume")
        assert ran.code == 0 and set(tiles) == {before}, ran.err


def test_a_guide_is_looked_at_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Any] = []
    network, guide = tiny_network(), load(drawn(61, 47))
    features = Network.features

    def watched(self: Network, image: Any, layers: Any) -> Any:
        looks.extend([1] * (image.shape[-1] == 61))  # the guide's width
        return features(self, image, layers)

    monkeypatch.setattr(Network, "features", watched)
    pipeline = build(STEP, registry(), network=network, guide=guide)
    for mode, frames_of in (("feedback", FeedbackZoom), ("keyframes", KeyframeZoom)):
        zoom = zoom_from({"seconds": 0.5, "fps": 10, "rate": 4, "mode": mode})
        scene = Scene(load(drawn()).image(), zoom, (72, 96), lambda time: pipeline, MemoryStore(), 1.5)
        frames = frames_of(scene)
        for number in range(zoom.frames):
            frames.frame(number)
    assert len([*Film.of(pipeline, 120, 128).dreams(CAMERA)]) == 3
    assert len(looks) == 1 and isinstance(pipeline.binder.guide, Guide)


def test_octaves_are_planned_once_for_all_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    sizes = Network.sizes
    monkeypatch.setattr(
        Network, "sizes", lambda self, h, w, layers: (asked.append((h, w)), sizes(self, h, w, layers))[1]
    )
    pipeline = build({"octaves": {"steps": 1}}, registry(), network=tiny_network())
    scene = Scene(
        load(drawn()).image(),
        zoom_from({"seconds": 0.5, "fps": 10, "mode": "feedback"}),
        (72, 96),
        lambda time: pipeline,
        MemoryStore(),
        1.5,
    )
    frames = FeedbackZoom(scene)
    for number in range(5):
        frames.frame(number)
    assert len(asked) == len(set(asked)) > 0
    asked.clear()
    film = Film.of(pipeline, 120, 128)
    planned = len(asked)
    assert len([*film.dreams(CAMERA)]) == 3
    assert len(asked) == planned > 0


def test_an_image_is_dreamt_over_without_a_photo_around_it() -> None:
    pipeline = build({"octaves": {"steps": 2}}, registry(), network=tiny_network())
    source = load(drawn())
    picture = pipeline.ascend(source.image())
    assert picture.shape == source.image().shape and 0 <= picture.min() and picture.max() <= 1
    assert (pipeline.dream(source).change - (picture - source.image())).abs().max() < 1e-6


def test_an_interrupted_ascent_hands_over_its_picture() -> None:
    pipeline = build({"octaves": {"steps": 5}}, registry(), network=tiny_network())

    def stop(step: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        pipeline.ascend(load(drawn()).image(), on_step=stop)
    assert tuple(caught.value.picture.shape) == (1, 3, 72, 96)


def test_a_wrong_name_is_told_in_the_words_that_were_typed(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    out = tmp_path / "out.png"
    for words, said in (
        (("visualize", "--class", "sunflowr"), "reverie has no class 'sunflowr'; did you mean sunflower?"),
        (("visualize", "--channel", "999"), "channel 999: layer m4b of reverie has channels 0 to 271"),
        (("visualize", "--neuron", "999"), "neuron 999: layer m4b of reverie has channels 0 to 271"),
        (("visualize", "--class", "eye", "--canvas", "forier"), "--canvas: no canvas is called 'forier'"),
        (("visualize", "--class", "eye", "--optimiser", "adm"), "--optimiser: no optimiser is called 'adm'"),
        (("render", source, "--feature-size", "200"), "--feature-size: 200.0 is not a number from 0.5 to 100"),
        (("render", source, "--preset", "nope"), "list` lists them, and `dreamer plugins install` adds those of"),
        (("render", source, "--set", "octavs.steps=3"), "did you mean octaves?"),
    ):
        ran = dreamer(*words, "-o", out)
        assert ran.code == 2 and said in ran.err, ran.err
        assert "objectives." not in ran.err and "canvas.name" not in ran.err and "octaves.feature_size" not in ran.err
    with pytest.raises(UsageError, match=r"reverie has no class 'dragn'; `network.labels` lists them"):
        api.visualize("reverie", "dragn")
    with pytest.raises(UsageError, match="channel 999: layer m4b"):
        api.visualize("reverie", channel=999)


def test_the_help_of_zoom_says_the_size_that_it_has(tmp_path: Path) -> None:
    assert "[1280]" in dreamer("zoom", "--help").out and "[2048]" not in dreamer("zoom", "--help").out
    assert "[2048]" in dreamer("render", "--help").out


def test_python_has_what_the_command_line_has() -> None:
    words: dict[str, Any] = {"network": tiny_network(), "octaves": {"count": 1, "steps": 1}}
    plain, guided = (
        next(api.zoom(drawn(), seconds=0.2, fps=5, guide=guide, **words)) for guide in (None, drawn(61, 47))
    )
    assert plain.tobytes() != guided.tobytes()
    with pytest.raises(UsageError, match="cannot be tiled"):
        next(api.zoom(drawn(), seconds=0.2, fps=5, tile=32, guide=drawn(), **words, objectives=[{"name": "style"}]))
    seen: list[int] = []
    words["on_step"] = lambda step: seen.append(1)
    whole, tiled = (api.visualize(**words, channel=3, size=96, tile=tile, redirect=0)[0] for tile in (0, 32))
    assert np.abs(np.asarray(whole, int) - np.asarray(tiled, int)).max() <= 2 and len(seen) == 2
