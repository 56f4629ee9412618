"""The camera that looks: it goes where the dream is strongest, then to what it has not seen, and never out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from command import QUICK, dreamer, photo
from networks import tiny

from dreamer.api import registry
from dreamer.errors import UsageError
from dreamer.image import Photo
from dreamer.pipeline.build import build
from dreamer.pipeline.pipeline import Pipeline
from dreamer.videos.zoom.following import _next, followed
from dreamer.videos.zoom.scene import path_of
from dreamer.videos.zoom.schedule import zoom_from, zoom_words
from dreamer.videos.zoom.zoom import Keyframe, Zoom

SIZE = (72, 96)
ZOOM = Zoom(seconds=4.0, rate=1.6)


def pipeline() -> Pipeline:
    return build({"octaves": {"steps": 3, "count": 1}}, registry(), network=tiny())


def patch(x: float, y: float) -> Photo:
    """A grey photo with a patch of stripes around a place."""
    values = np.full((*SIZE, 3), 128, np.uint8)
    top, left = round(y * SIZE[0]) - 8, round(x * SIZE[1]) - 8
    values[top : top + 16, left : left + 16 : 4] = 230
    return Photo(values)


def way(source: Photo, zoom: Zoom = ZOOM) -> Zoom:
    dreaming = pipeline()
    return followed(source, zoom, lambda time: dreaming, SIZE)


def corners(zoom: Zoom, time: float) -> np.ndarray:
    """Where the frame's corners are in the photo at a time, (4, 2), each 0 to 1 within it."""
    place, side = path_of(zoom, SIZE).at(time), max(SIZE)
    half = np.array([SIZE[1], SIZE[0]]) / side / 2
    seen = [place.factor * complex(x * half[0], y * half[1]) + place.shift for x in (-1, 1) for y in (-1, 1)]
    return np.array([[z.real, z.imag] for z in seen]) / (2 * half) + 0.5


@pytest.mark.parametrize(("x", "y"), [(0.8, 0.3), (0.15, 0.8)])
def test_it_goes_to_where_the_dream_is_and_never_leaves_the_photo(x: float, y: float) -> None:
    zoom = way(patch(x, y))
    seen = [corners(zoom, time) for time in np.linspace(0, 4, 30)]
    assert all(each.min() > -1e-9 and each.max() < 1 + 1e-9 for each in seen)
    for before, after in pairwise(seen):
        assert (after.min(0) >= before.min(0) - 1e-9).all() and (after.max(0) <= before.max(0) + 1e-9).all()
    begin, end = (np.abs(each.mean(0) - (x, y)).max() for each in (seen[0], seen[-1]))
    assert end < 0.4 * begin


def test_what_comes_of_it_are_plain_keyframes_without_jumps() -> None:
    zoom = way(patch(0.8, 0.3), replace(ZOOM, keyframes=(Keyframe(1.0, rate=2.0),)))
    assert zoom_from(zoom_words(zoom)) == zoom
    assert [key.rate for key in zoom.keyframes if key.rate] == [2.0]
    centres = np.array([zoom.speed(time).centre[:, 0] for time in np.linspace(0, 4, 400)])
    assert centres.min() >= 0 and centres.max() <= 1 and np.abs(np.diff(centres, axis=0)).max() < 0.03


def test_what_has_been_seen_is_passed_over() -> None:
    change = torch.zeros(1, 3, *SIZE)
    change[:, :, 20:26, 20:26] = 1.0
    change[:, :, 50:56, 70:76] = 0.8
    first, seen = _next(change, [])
    second, _ = _next(change, seen)
    assert first.real < 0 and first.imag < 0 and second.real > 0 and second.imag > 0
    assert _next(torch.zeros(1, 3, *SIZE), seen)[0] == 0, "where nothing is dreamt, straight on"


def test_a_loop_comes_back_and_what_cannot_be_is_told() -> None:
    looped = way(patch(0.8, 0.3), replace(ZOOM, loop=True))
    assert looped.keyframes[-1].centre == pytest.approx((0.5, 0.5), abs=0.08)
    with pytest.raises(UsageError, match="the keyframes say where the centre is"):
        way(patch(0.8, 0.3), replace(ZOOM, keyframes=(Keyframe(1.0, centre=(0.1, 0.1)),)))
    with pytest.raises(UsageError, match="too many turns"):
        way(patch(0.8, 0.3), replace(ZOOM, seconds=2000.0))


def test_the_command_writes_the_way_into_the_clip(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from dreamer.videos.clip.reader import read_recipe

    photo(tmp_path / "a.jpg")
    monkeypatch.chdir(tmp_path)
    small = ("--seconds", "1", "--fps", "4", "--size", "64", "--threads", "1", *QUICK)
    assert dreamer("zoom", "a.jpg", "--centre", "follow", "--path", *small).code == 0
    inside = json.loads(read_recipe(tmp_path / "a-zoom-path.mp4") or "")
    assert len(inside["zoom"]["keyframes"]) > 3 and inside["zoom"]["centre"] == [0.5, 0.5]
    with monkeypatch.context() as stopped:
        stopped.setattr("dreamer.videos.clip.writer.ClipWriter.finish", Mock(side_effect=KeyboardInterrupt))
        assert dreamer("zoom", "a.jpg", "--centre", "follow", "--path", "-o", "c.mp4", *small).code == 130
    monkeypatch.setattr("dreamer.videos.zoom.following.followed", None)
    assert dreamer("zoom", "a.jpg", "--centre", "follow", "--path", "-o", "c.mp4", "--resume", *small).code == 0
    assert (tmp_path / "c-path.mp4").read_bytes() == (tmp_path / "a-zoom-path.mp4").read_bytes()
    again = ("zoom", "a.jpg", "--recipe", "a-zoom-path.mp4", "--path", "-o", "b.mp4", "--threads", "1")
    assert dreamer(*again).code == 0
    assert (tmp_path / "b-path.mp4").read_bytes() == (tmp_path / "a-zoom-path.mp4").read_bytes()
