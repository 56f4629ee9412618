"""What a preview dreams: as large as an octave of the whole, with the same octaves up to there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clips import made
from command import QUICK, dreamer
from networks import tiny

from dreamer.api import registry
from dreamer.image import to_pil
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.preview import preview_side, small_side


def composed(**octaves: Any) -> Pipeline:
    return build({"octaves": {"steps": 3, "step_size": 0.02, **octaves}}, registry(), network=tiny())


@pytest.mark.parametrize(
    ("size", "side", "small"),
    [((480, 640), 640, 427), ((3000, 4000), 4000, 1000), ((300, 400), 400, 400), ((960, 1280), 1280, 427)],
)
def test_the_short_side_of_a_bare_way_shows_two_forms(size: tuple[int, int], side: int, small: int) -> None:
    assert small_side(*size, side) == small


@pytest.mark.parametrize("octaves", [{"smallest": 20}, {"count": 4}, {"feature_size": 60.0}])
def test_a_preview_has_the_octaves_that_the_whole_begins_with(octaves: dict[str, Any], monkeypatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 40)
    whole, size = composed(**octaves), (90, 121)
    side = preview_side(whole, *size)
    reduced = (round(side * 90 / 121) // 2 * 2, side)  # as a clip's format has it
    begun = whole.plan(*size).octaves
    own = replace(whole, wholes={reduced: size}).plan(*reduced).octaves
    assert 40 <= reduced[0] <= 60 and 1 < len(own) < len(begun)
    assert own[:-1] == begun[: len(own) - 1]
    assert own[-1] == replace(begun[len(own) - 1], size=reduced)


def test_a_preview_is_not_larger_than_the_whole_and_small_even_where_no_octave_is(monkeypatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 40)
    assert preview_side(composed(smallest=20), 30, 40) == 40
    assert preview_side(composed(count=1), 90, 120) == 54


@pytest.mark.parametrize("command", ["zoom", "loop", "video"])
def test_every_preview_begins_as_its_film(tmp_path, monkeypatch, command: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 60)
    ascend, planned = Pipeline.ascend, []

    def watched(self: Pipeline, image: Any, *, plan: Any = None, **more: Any) -> Any:
        planned.append([octave.size for octave in (plan or self.plan(*image.shape[-2:])).octaves])
        return ascend(self, image, plan=plan, **more)

    monkeypatch.setattr(Pipeline, "ascend", watched)
    to_pil(scene(128, 96)).save("photo.png")
    made(Path("clip.mp4"), 2, size=(96, 128))
    what = {"video": ("clip.mp4",), "loop": ("photo.png", "--seeds", "1")}.get(command, ("photo.png",))
    how = ("--seconds", "1", "--fps", "1") if command != "video" else ()
    how = (*how, *QUICK, "--set", "octaves.count=3", "--threads", "1")
    assert dreamer(command, *what, *how, "-o", "out.mp4").code == 0
    whole, planned[:] = [*planned], []
    assert dreamer(command, *what, *how, "-o", "out.mp4", "--preview").code == 0
    assert 1 < len(planned[0]) < len(whole[0])
    assert planned[0][:-1] == whole[0][: len(planned[0]) - 1]
