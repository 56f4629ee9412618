"""What a preview dreams: as large as an octave of the whole, with the same octaves up to there."""

from __future__ import annotations

from typing import Any

import pytest
from networks import tiny

from dreamer.api import registry
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.preview import previews, small_side


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
    whole = composed(**octaves)
    size = (90, 120)
    side, (small,) = previews([whole], *size)
    assert 40 <= side * 3 / 4 <= 60 and small.recipe.size == side
    begun, own = whole.plan(*size).octaves, small.plan(round(side * 3 / 4), side).octaves
    assert len(own) < len(begun)
    for one, other in zip(own, begun, strict=False):
        assert one.steps == other.steps and one.step_size == pytest.approx(other.step_size)
        assert all(abs(a - b) <= 1 for a, b in zip(one.size, other.size, strict=True))


def test_a_preview_is_not_larger_than_the_whole_and_small_even_where_no_octave_is(monkeypatch) -> None:
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 40)
    assert previews([composed(smallest=20)], 30, 40)[0] == 40
    side, (alone,) = previews([composed(count=1)], 90, 120)
    assert side == 54 and alone.recipe.octaves.count == 1
