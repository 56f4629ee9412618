"""Clips of which one frame in several is dreamt over: steady, as strong, and gone on with from any frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clips import made
from command import QUICK, dreamer, refused
from networks import tiny
from test_video import changes, flicker
from test_video import shots as larger

from dreamer.api import registry
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.clip.reader import probe
from dreamer.videos.film.film import Film

SIZE = (48, 64)


def shots(count: int, step: int = 0, seed: int = 1) -> list[Any]:
    """A camera that moves along a drawn scene, by `step` pixels a frame."""
    return [(time, np.ascontiguousarray(values[:48, :64])) for time, values in larger(count, step, seed)]


def composed(**words: Any) -> Pipeline:
    return build({"octaves": {"steps": 4, "step_size": 0.02, "count": 1}, **words}, registry(), network=tiny())


def every(count: int) -> Film:
    pipeline = composed()
    return Film(pipeline, 64, pipeline.plan(*SIZE), 0.7, every=count)


def test_so_many_frames_are_dreamt_over(monkeypatch: pytest.MonkeyPatch) -> None:
    ascend, dreamt = Pipeline.ascend, []

    def counted(*arguments: Any, **more: Any) -> Any:
        dreamt.append(1)
        return ascend(*arguments, **more)

    monkeypatch.setattr(Pipeline, "ascend", counted)
    source = shots(8, step=2)
    found = [*every(3).dreams(source)]
    assert len(dreamt) == 4, "numbers 0, 3, 6 and the last one"
    assert [one.time for one in found] == [time for time, _ in source]


def test_between_two_dreams_it_is_as_strong_and_flickers_no_more() -> None:
    source = shots(7, step=2)
    each, third = ([*every(count).dreams(source)] for count in (1, 3))
    assert flicker(third, source) <= 1.1 * flicker(each, source)
    strong, other = (np.mean(changes(found, source)) for found in (each, third))
    assert other > 0.8 * strong
    between, ends = changes(third, source)[4], changes(third, source)[3:7:3]
    assert min(ends) * 0.85 < between < max(ends) * 1.15


def test_a_dream_between_goes_on_from_any_frame_as_if_nothing_had_been() -> None:
    source = shots(6, step=2)
    whole = [*every(3).dreams(source)]
    for begin in (2, 4):
        again = [*every(3).dreams(source, begin=begin, change=whole[begin - 1].change)]
        assert len(again) == 6 - begin
        assert all((a.frame == b.frame).all() for a, b in zip(again, whole[begin:], strict=True)), begin


def test_a_frame_that_cuts_part_from_both_dreams_is_dreamt_over_by_itself() -> None:
    source = shots(4)
    source[2] = (source[2][0], 255 - source[2][1])
    dreams = [*every(3).dreams(source)]
    (alone,) = every(1).dreams(source[2:3])
    assert (dreams[2].frame == alone.frame).all()
    assert np.abs(dreams[1].frame.astype(int) - dreams[0].frame).mean() < 0.5 * changes(dreams[:1], source[:1])[0]


def test_other_looks_dream_from_their_sections_on() -> None:
    source = shots(3)
    other = replace(composed(colour=1.0), session=composed().session)
    dreams = [*replace(every(1), sections=((1 / 24 + 0.01, other),)).dreams(source)]
    usual = [*every(1).dreams(source)]
    same = [(a.change == b.change).all() for a, b in zip(dreams, usual, strict=True)]
    assert same == [True, True, False]


def test_the_command_says_what_every_may_be_and_repeats_it(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "clip.mp4", 5)
    how = ("--threads", "1", *QUICK)
    refused(dreamer("video", "clip.mp4", "--every", "0"), "--every")
    assert dreamer("video", "clip.mp4", "--every", "3", "-o", "a.mp4", *how).code == 0
    assert probe(tmp_path / "a.mp4").frames == 5
    assert dreamer("video", "clip.mp4", "--recipe", "a.mp4", "-o", "b.mp4", *how).code == 0
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
