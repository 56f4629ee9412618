"""Walks: recipes between two others, and frames that come from look to look and are resumed."""

import json
import math
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from command import dreamer, left_in, photo, refused
from networks import pooling, tiny
from test_video import interrupted

import dreamer as program
from dreamer.api import registry
from dreamer.errors import UsageError
from dreamer.image import load
from dreamer.motifs.sample_scene import scene
from dreamer.pipeline.build import build
from dreamer.recipes.recipe import Ingredient
from dreamer.videos.clip.reader import probe, read_recipe
from dreamer.videos.clip.state import FolderStore, MemoryStore
from dreamer.videos.walk.mixture import mixed
from dreamer.videos.walk.walk import Walk, settled

SIZE = (48, 64)
QUICK = ("--size", "64", "--seconds", "0.5", "--fps", "8", "--set", "octaves.steps=1", "--threads", "1")


def look(**words):
    octaves = {"count": 2, "steps": 2, "step_size": 0.04}
    return build({"octaves": octaves, **words}, registry(), network=tiny())


def one(channel=1):
    return look(objectives=[{"name": "channel", "layer": "one", "index": [channel]}])


def walk(*looks, count=8, **settings):
    picture = scene(SIZE[1], SIZE[0])
    return Walk(picture, settled(looks, picture, names=[str(k) for k in range(len(looks))]), count, **settings)


def between(a, b, share):
    return mixed(a.recipe, b.recipe, share, a.registry.vocabulary)


def test_numbers_are_on_their_scale():
    a, b = look(colour=0.0, strength=1.0), look(colour=1.0, strength=0.5)
    a = replace(a, recipe=replace(a.recipe, octaves=replace(a.recipe.octaves, count=None, smallest=16, scale=1.2)))
    b = replace(b, recipe=replace(b.recipe, octaves=replace(b.recipe.octaves, count=None, smallest=64, scale=1.8)))
    half = between(a, b, 0.5)
    assert (half.colour, half.strength) == (0.5, 0.75)
    assert half.octaves.smallest == 32 and half.octaves.scale == pytest.approx(math.sqrt(1.2 * 1.8))


def test_what_only_one_of_them_has_fades_and_what_both_have_is_carried_over():
    kept = {"name": "deepdream", "layer": "two", "weight": 1}
    a = look(objectives=[kept, {"name": "channel", "layer": "one", "index": [1]}], priors=[{"name": "total_variation"}])
    b = look(objectives=[{"name": "channel", "layer": "one", "index": [2], "weight": 2}, {**kept, "weight": 3}])
    quarter = between(a, b, 0.25)
    found = [(item.name, item.options.get("index"), item.weight) for item in quarter.objectives]
    assert found == [("deepdream", None, 1.5), ("channel", (1,), 0.75), ("channel", (2,), 0.5)]
    assert [(item.name, item.weight) for item in quarter.priors] == [("total_variation", 0.75)]


def test_directions_go_along_the_sphere():
    def towards(*vector):
        recipe = one().recipe
        objective = Ingredient("direction", {"vector": vector + (0.0,) * 6}, layer="one")
        return replace(one(), recipe=replace(recipe, objectives=(objective,)))

    (half,) = between(towards(1.0, 0.0), towards(0.0, 1.0), 0.5).objectives
    assert half.options["vector"][:3] == pytest.approx((math.sqrt(0.5), math.sqrt(0.5), 0))
    (third,) = between(towards(2.0, 0.0), towards(0.0, 2.0), 1 / 3).objectives
    assert third.options["vector"][:2] == pytest.approx((2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6)))


@pytest.mark.parametrize(
    "words",
    [
        {"seed": 3},
        {"transforms": []},
        {"gradient_filters": [{"name": "normalise"}]},
        {"balance": True},
        {"regions": [{"mask": "top"}]},
    ],
)
def test_where_there_is_nothing_between_each_look_takes_its_share_of_the_steps(words):
    a, b = one(1), look(**words)
    assert between(a, b, 0.5) is None
    parts = walk(a, b)._parts(0, 0.25)
    assert [(part.recipe.seed, share) for part, share in parts] == [(0, 0.75), (words.get("seed", 0), 0.25)]


def test_looks_of_two_networks_each_take_their_share_of_the_steps():
    taken = []
    other = build({"octaves": {"count": 1, "steps": 2}}, registry(), network=pooling())
    made = walk(one(1), other, one(5), count=6, on_step=lambda step: taken.append(step.octaves))
    assert made.looks[0].session is made.looks[2].session
    dreams = [*made.dreams(MemoryStore())]
    assert len(dreams) == 6 and {1, 2} == {*taken}


def test_each_look_is_reached_and_the_way_is_even():
    """The first and the last frame are nearly the looks' own dreams; no frame leaps and none fades."""
    a, b = one(1), one(5)
    made = walk(a, b, count=9)
    dreams = [*made.dreams(MemoryStore())]
    changes = [dreamt.change.float() for dreamt in dreams]
    own = [look.ascend(made.photo, plan=made._plan(look)) - made.photo for look in made.looks]

    def alike(x, y):
        return float(torch.nn.functional.cosine_similarity(x.flatten(), y.flatten(), 0))

    assert min(alike(changes[0], own[0]), alike(changes[-1], own[1])) > 0.9 > alike(own[0], own[1]) + 0.3
    share = [alike(change, own[1]) for change in changes]
    assert all(later > earlier - 0.02 for earlier, later in pairwise(share)), "always nearer"
    assert max(later - earlier for earlier, later in pairwise(share)) < 0.5 * (share[-1] - share[0]), "no leap"
    sizes = [float(change.square().mean().sqrt()) for change in changes]
    assert min(sizes) > 0.95 * sizes[0], "no fading on the way"
    assert (changes[1] - changes[0]).abs().mean() < 0.1 * changes[0].abs().mean(), "a look stays before it is left"


def test_a_loops_end_meets_its_start():
    made = walk(one(1), one(5), count=12, loop=True)
    values = [dreamt.frame.astype(int) for dreamt in made.dreams(MemoryStore())]
    steps = [np.abs(b - a).mean() for a, b in pairwise(values)]
    assert np.abs(values[0] - values[-1]).mean() < np.mean(steps)
    assert made.place(0) == (0, 0) and made.place(6) == (1, 0) and made.place(11)[0] == 1


def test_it_goes_on_from_any_frame_as_if_nothing_had_been(tmp_path):
    def made():
        return walk(one(1), one(5), count=4, loop=True)

    whole = [*made().dreams(MemoryStore())]
    begun = [*islice(made().dreams(FolderStore(tmp_path)), 2)]
    again = [*made().dreams(FolderStore(tmp_path), 2)]
    assert all((a.frame == b.frame).all() for a, b in zip([*begun, *again], whole, strict=True))


def test_regions_hold_for_all_looks_and_outside_of_them_the_photo_stays():
    regions = [{"mask": "left"}, {"mask": "top:30%", "look": "keep"}]
    made = walk(look(regions=regions), look(regions=regions, colour=1.0), count=3)
    source = (made.photo[0].permute(1, 2, 0) * 255).round().numpy()
    for dreamt in made.dreams(MemoryStore()):
        change = np.abs(dreamt.frame - source).max(2)
        assert change[:, 32:].max() == 0 and change[:14].max() == 0 and change[20:, :20].mean() > 1


def test_a_regions_strength_holds_in_a_walk():
    faint, whole = ([{"mask": "all", "strength": strength}] for strength in (0.0, 1.0))
    first, _, last = walk(look(regions=faint), look(regions=whole), count=3).dreams(MemoryStore())
    source = (scene(SIZE[1], SIZE[0])[0].permute(1, 2, 0) * 255).round().numpy()
    assert np.abs(first.frame - source).max() == 0 and np.abs(last.frame - source).mean() > 1


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo(Path("p.jpg"))
    return tmp_path


def test_the_command_takes_presets_recipes_and_dreams_and_python_does(here, monkeypatch):
    """Killed and resumed, the frames are the same."""
    assert dreamer("render", "p.jpg", "-o", "a.png", "--preset", "gaze", "--size", "64", *QUICK[-4:]).code == 0
    Path("b.toml").write_text('schema = 1\n[[objectives]]\nname = "deepdream"\nlayer = "m3b"\n')
    words = ("walk", "bloom", "a.png", "b.toml", "--photo", "p.jpg", *QUICK, "-o", "out")
    interrupted(monkeypatch, 3)
    ran = dreamer(*words)
    assert ran.code == 130 and "--resume" in ran.err
    monkeypatch.undo()
    monkeypatch.chdir(here)
    refused(dreamer(*words, "--resume", "--loop"), "differs in walk.loop")
    assert dreamer(*words, "--resume").code == 0
    inside = json.loads(read_recipe(Path("out")))
    assert [each["objectives"][0]["name"] for each in inside["walk"]["looks"]] == ["motif", "motif", "deepdream"]
    settings = {"seconds": 0.5, "fps": 8, "octaves": {"steps": 1}, "size": 64}
    pictures = [*program.walk(["bloom", Path("a.png"), "b.toml"], "p.jpg", **settings)]
    for number, picture in enumerate(pictures):
        assert (np.asarray(picture) == load(Path(f"out/frame-{number:06d}.png")).pixels).all()
    assert len(pictures) == 4 and left_in(here) == ["a.png", "b.toml", "out", "p.jpg"]


def test_a_python_program_gives_recipes_as_well_and_is_told_of_mistakes(here):
    octaves = {"octaves": {"count": 1, "steps": 1}}
    (frame, _) = program.walk([{"seed": 1}, {"seed": 2}], "p.jpg", network=tiny(), seconds=1, fps=2, **octaves)
    assert frame.size == (96, 72)
    with pytest.raises(UsageError, match="looks: a walk has 2 to 32, and there are 1"):
        program.walk(["bloom"], "p.jpg")
    for fps in (0, -3, 10**9, "1/0", float("nan")):
        with pytest.raises(UsageError, match=r"is not a frame rate from 0\.1 to 240"):
            program.walk(["bloom", "gaze"], "p.jpg", fps=fps)
    with pytest.raises(UsageError, match="leave no place in which anything could grow"):
        program.walk([{}, {}], "p.jpg", network=tiny(), regions=[("top", None), ("all", "keep")])
    with pytest.raises(UsageError, match=r"looks\[1\]: expected a preset"):
        program.walk([{}, 3], "p.jpg", network=tiny())


def test_a_preview_is_the_whole_walk_in_small(here, monkeypatch):
    monkeypatch.setattr("dreamer.pipeline.preview._LEAST", 60)
    photo(Path("p.jpg"), 160, 120)
    ran = dreamer("walk", "bloom", "reef", "--photo", "p.jpg", "--fps", "3", "--preview", *QUICK[-4:])
    assert ran.code == 0, ran.err
    clip = probe(Path("p-walk-preview.mp4"))
    assert (clip.width, clip.height, clip.frames) == (80, 60, 3)


def test_what_is_wrong_is_told_at_once(here):
    Path("canvas.toml").write_text('schema = 1\ninit = "canvas"\n')
    refused(dreamer("walk", "bloom"), "name two looks at least", "name the photo to walk over", "--sample")
    refused(
        dreamer("walk", "blom", "gone.png", "--photo", "no.jpg"), "did you mean bloom", "gone.png", "no file no.jpg"
    )
    refused(dreamer("walk", "bloom", "reef", "--photo", "p.jpg", "-o", "p.jpg"), "unsupported suffix")
    refused(dreamer("walk", "bloom", "p.jpg", "--photo", "p.jpg"), "there is no recipe inside")
    refused(
        dreamer("walk", "bloom", "canvas.toml", "--photo", "p.jpg"), "canvas.toml: init: the clip begins with the photo"
    )
    refused(dreamer("walk", "bloom", "reef", "--photo", "p.jpg", "--sample"), "leave out --photo")
    assert left_in(here) == ["canvas.toml", "p.jpg"]
