"""Loops: the end meets the start, at each place in its own time, and what is made is resumed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import made
from command import dreamer, left_in, photo, refused
from test_video import interrupted
from test_walk import SIZE, one

import dreamer as program
from dreamer.image import load
from dreamer.motifs.sample_scene import scene
from dreamer.recipes.recipe import Region
from dreamer.videos.clip.reader import read_recipe
from dreamer.videos.clip.state import FolderStore, MemoryStore
from dreamer.videos.loop.loop import Loop
from dreamer.videos.walk.walk import settled

QUICK = ("--size", "64", "--seconds", "0.5", "--fps", "8", "--set", "octaves.steps=1", "--threads", "1")


def looped(count=12, **settings):
    picture = scene(SIZE[1], SIZE[0])
    return Loop(picture, settled([one()], picture, names=["x"])[0], count, **settings)


def distance(a, b):
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_the_end_meets_the_start(seeds):
    loop = looped(16, seeds=seeds)
    made = [*loop.pictures(MemoryStore())]
    assert len(made) == 16
    steps = [distance(a, b) for a, b in zip(made, made[1:] + made[:1], strict=True)]
    assert 0 < min(steps) and max(steps) < 2 * sum(steps) / len(steps)
    turn = loop.phase() + 1
    for now, later in zip(loop.shares(loop.phase()), loop.shares(turn), strict=True):
        torch.testing.assert_close(now, later, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seeds", [2, 3, 12])
def test_the_dream_stays_as_strong_and_each_seed_has_its_time_alone(seeds):
    phase = torch.linspace(-1.5, 2.5, 241)
    shares = torch.stack(looped(seeds=seeds).shares(phase))
    torch.testing.assert_close(shares.square().sum(0), torch.ones(241), atol=1e-5, rtol=0)
    assert shares.min() > -1e-6 and (shares > 1e-3).sum(0).max() <= 2
    torch.testing.assert_close(torch.stack(looped(seeds=seeds).shares(torch.arange(seeds) / seeds)), torch.eye(seeds))


def test_a_single_dream_grows_and_fades_and_never_goes():
    (share,) = looped(seeds=1).shares(torch.tensor([0, 0.25, 0.5, 1]))
    assert share.tolist() == pytest.approx([0.25, 0.625, 1, 0.25])


def test_each_place_has_a_time_of_its_own_and_neighbours_nearly_the_same():
    phase = looped().phase()[0, 0]
    assert phase.std() > 0.1 and phase.diff(dim=1).abs().max() < 0.15 > phase.diff(dim=0).abs().max()


def test_it_goes_on_from_any_frame(tmp_path):
    loop, store = looped(6, seeds=2), FolderStore(tmp_path)
    whole = [*loop.pictures(store)]
    torch.testing.assert_close([*loop.pictures(store, 4)], whole[4:], atol=0, rtol=0)


def test_the_command_and_python_make_the_same_frames_also_after_an_interruption(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(Path("p.png"))
    words = ("loop", "p.png", *QUICK, "--seeds", "2", "-o", "out")
    interrupted(monkeypatch, 1)
    ran = dreamer(*words)
    assert ran.code == 130 and "--resume" in ran.err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    refused(dreamer(*words, "--resume", "--seeds", "3"), "differs in loop.seeds")
    assert dreamer(*words, "--resume").code == 0
    assert json.loads(read_recipe(Path("out")))["loop"] == {"seconds": 0.5, "fps": "8", "seeds": 2}
    settings = {"seconds": 0.5, "fps": 8, "seeds": 2, "octaves": {"steps": 1}, "size": 64, "returns": "array"}
    made = [*program.loop("p.png", **settings)]
    for number, frame in enumerate(made):
        assert (frame == load(Path(f"out/frame-{number:06d}.png")).pixels).all()
    assert len(made) == 4 and not np.array_equal(made[0], made[2])


def test_a_repeated_loop_is_as_long_with_as_many_dreams_and_of_that_size(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(Path("p.png"))
    assert dreamer("loop", "p.png", *QUICK, "--seeds", "2", "-o", "a.mp4").code == 0
    again = ("loop", "p.png", "--recipe", "a.mp4", "--threads", "1")
    assert dreamer(*again, "-o", "b.mp4").code == 0
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()
    assert dreamer(*again, "-o", "c.mp4", "--seeds", "1").code == 0
    assert json.loads(read_recipe(Path("c.mp4")))["loop"] == {"seconds": 0.5, "fps": "8", "seeds": 1}
    words = {**json.loads(read_recipe(Path("a.mp4"))), "loop": {"seconds": 1e9, "fps": "9" * 30, "seeds": 2}}
    made(Path("wrong.mp4"), 1, recipe=json.dumps(words))
    refused(dreamer(*again[:3], "wrong.mp4"), "wrong.mp4: loop.seconds", "loop.fps: '999")


def test_nothing_is_left_and_another_loop_has_none_of_its_dreams(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(Path("p.png"), 64, 48), photo(Path("q.png"), 64, 48, shift=20)
    words = ("loop", *QUICK, "--seeds", "1", "--force", "--progress", "none", "-o")
    for name, clip in (("q.png", "two.gif"), ("p.png", "one.gif"), ("q.png", "one.gif")):
        assert dreamer(*words, clip, name).code == 0
    assert left_in(tmp_path) == ["one.gif", "p.png", "q.png", "two.gif"]
    assert Path("one.gif").read_bytes() == Path("two.gif").read_bytes()


def test_outside_of_regions_every_frame_is_the_photo():
    picture = scene(SIZE[1], SIZE[0])
    look = one()
    look = replace(look, recipe=replace(look.recipe, regions=(Region("right"), Region("left:60%", look="keep"))))
    loop = Loop(picture, settled([look], picture, names=["x"])[0], 3, 2)
    for shown in loop.pictures(MemoryStore()):
        assert torch.equal(shown[..., :24], picture[..., :24].clamp(0, 1)) and not torch.equal(shown, picture)


def test_what_is_wrong_is_told():
    with pytest.raises(program.UsageError, match="seeds: 13 is not a whole number from 1 to 12"):
        program.loop("p.png", seeds=13)
    with pytest.raises(program.UsageError, match="fps: nan is not a frame rate"):
        program.loop("p.png", fps=math.nan)
    refused(dreamer("loop", "p.png", "--seeds", "0"), "--seeds", "1")
