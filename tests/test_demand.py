"""What takes all memory is refused in a sentence, before anything of that size exists."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from command import ENVIRONMENT, dreamer, photo, refused, render
from forked import run
from torch import Tensor

from dreamer.api import registry
from dreamer.engine.device import available_memory
from dreamer.errors import UsageError
from dreamer.pipeline import demand, plan
from dreamer.pipeline.build import build
from dreamer.pipeline.demand import demand_of, transformed
from dreamer.pipeline.pipeline import Pipeline
from dreamer.visualization import unit

WIDE = {"name": "scale", "about": 2.0, "amount": 0.9}


def named(*tables: dict[str, Any]) -> list[dict[str, Any]]:
    """Transforms, each with an id of its own."""
    return [{**table, "id": f"t{number}"} for number, table in enumerate(tables)]


@pytest.fixture
def nothing_is_dreamt(monkeypatch: pytest.MonkeyPatch) -> None:
    def ascend(*given: object, **rest: object) -> None:
        raise AssertionError("it was dreamt")

    monkeypatch.setattr(Pipeline, "ascend", ascend)
    monkeypatch.setattr(unit, "grey", ascend)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two gigabytes are free."""
    monkeypatch.setattr(demand, "available_memory", lambda device: 2 * 2**30)
    monkeypatch.setattr(plan, "free_memory", lambda device: 2**30)
    yield


TOO_MUCH = {
    "many pictures": ({"pictures": 64, "size": 0}, (3000, 2000), "64 pictures of 3000x2000 pixels are 384 million"),
    "enlarged five times": (
        {"transforms": named(*[WIDE] * 5)},
        (200, 150),
        "transforms: t0, t1, t2, t3, t4 make one picture of 41023x30781 pixels of one picture of 200x150 pixels",
    ),
    "crops of crops": (
        {"transforms": named(*[{"name": "crops", "count": 64, "size": 512}] * 2)},
        (200, 150),
        "make 4096 pictures of 512x512 pixels",
    ),
    "border upon border": (
        {"transforms": named(*[{"name": "pad", "pixels": 1024}] * 9)},
        (200, 150),
        "one picture of 18632x18582 pixels",
    ),
    "a large canvas": (
        {"canvas": {"name": "cppn", "channels": 64, "layers": 16}, "optimiser": {"name": "adam"}},
        (1000, 900),
        "GiB are free; lower the values of transforms, canvas and optimiser, size",
    ),
    "a long memory": (
        {"canvas": {"name": "fourier"}, "optimiser": {"name": "lbfgs", "history": 100}},
        (1000, 900),
        "GiB are free; lower the values of transforms, canvas and optimiser, size",
    ),
    "pictures for which there is no room": (
        {"pictures": 32},
        (1000, 900),
        r"GiB of memory with this recipe, and 2\.0 GiB are free; lower pictures, size",
    ),
}


@pytest.mark.parametrize("kind", TOO_MUCH)
def test_what_multiplies_is_refused_at_once(kind: str, memory: None, nothing_is_dreamt: None) -> None:
    words, (width, height), sentence = TOO_MUCH[kind]
    pipeline = build({"network": "reverie", **words}, registry())
    with pytest.raises(UsageError, match=sentence) as caught:
        pipeline.plan(height, width)
    assert len(caught.value.problems) == 1


def test_a_command_says_what_to_lower(tmp_path: Path, nothing_is_dreamt: None) -> None:
    source = photo(tmp_path / "a.png", 200, 150)
    refused(
        render(source, "--set", "pictures=64", "--max-pixels", "100000"),
        "64 pictures of 200x150 pixels are 2 million pixels, and the limit is 0 million",
        "lower pictures or --size, or raise --max-pixels",
    )
    settings = [word for n in range(2) for word in ("--set", f"transforms.crops{n}.name=crops")]
    settings += [word for n in range(2) for word in ("--set", f"transforms.crops{n}.id=crops{n}")]
    settings += [word for n in range(2) for word in ("--set", f"transforms.crops{n}.count=64")]
    assert render(source, *settings).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("size", ["1000000", "40000"])
def test_a_visualization_of_any_size_is_looked_at_first(tmp_path: Path, size: str, nothing_is_dreamt: None) -> None:
    for words in ([], ["--set", "init=noise"], ["--set", "init=photo"], ["--set", "init=grey"]):
        ran = dreamer("visualize", "-o", tmp_path / "a.png", "--class", "eye", "--size", size, *words)
        refused(ran, f"one picture of {size}x{size} pixels", "the limit is 200 million; lower --size")


def test_a_visualization_of_no_size_is_refused(tmp_path: Path) -> None:
    ran = dreamer("visualize", "-o", tmp_path / "a.png", "--class", "eye", "--set", "size=0")
    refused(ran, "size: a picture from nothing has no size of its own")


def test_the_usual_recipes_are_not_refused(memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults and the standard transforms, over a photo of the usual size, where one gigabyte is free."""
    monkeypatch.setattr(demand, "available_memory", lambda device: 2**30)
    for words in ({}, {"transforms": named({"name": "standard"}, {"name": "scale"}, {"name": "pad"})}):
        pipeline = build({"network": "reverie", **words}, registry())
        pipeline.plan(1365, 2048)


def test_a_cut_out_keeps_a_canvas_for_its_alpha_too() -> None:
    def kept(cutout: bool) -> int:
        words = {"init": "canvas", "canvas": {"name": "stack"}, "cutout": cutout, "transforms": []}
        return demand_of(build(words, registry()).binder, 100, 120).kept

    assert kept(True) - kept(False) == pytest.approx(kept(False), rel=0.2)


def test_pictures_make_tiles_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda device: 2**29)
    monkeypatch.setattr(demand, "available_memory", lambda device: 2**36)
    pipeline = build({"network": "reverie"}, registry())
    sides = []
    for pictures in (1, 2, 4):
        tile = plan.plan_tile(pipeline.machine, pipeline.network, pipeline.terms, 1000, 1000, pictures)
        sides.append(tile)
        look = plan.look_memory(tile, pipeline.network, pipeline.terms, 1000, 1000, pictures)
        assert tile == 64 or look <= 2**29
    assert sides[0] > sides[1] > sides[2] >= 64


def test_a_little_more_or_less_memory_changes_no_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = build({"network": "reverie"}, registry())

    def tile(free: float) -> int:
        monkeypatch.setattr(plan, "free_memory", lambda device: int(free * 2**30))
        return plan.plan_tile(pipeline.machine, pipeline.network, pipeline.terms, 5000, 7000)

    assert tile(2.5) == tile(3.5) < tile(9.0) == tile(10.0)


def test_what_transforms_make_large_is_looked_at_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda device: 2**30)
    words = {"transforms": named(*[{"name": "pad", "pixels": 1024}] * 2)}
    pipeline = build({"network": "reverie", **words}, registry())
    assert 0 < pipeline.plan(150, 200).machine.tile < 4000
    assert build({"network": "reverie"}, registry()).plan(150, 200).machine.tile == 0


def test_transforms_are_tried_at_both_ends_and_draw_nothing() -> None:
    words = {"transforms": named({"name": "scale", "about": 1.0, "amount": 0.5}, {"name": "noise"}, {"name": "crops"})}
    pipeline = build({"network": "reverie", **words}, registry())
    before = torch.get_rng_state()
    assert transformed(pipeline.binder.transforms(), (2, 100, 80)) == [(2, 150, 120), (2, 150, 120), (16, 224, 224)]
    assert demand_of(pipeline.binder, 100, 80).seen == (8, 224, 224)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_large_picture_is_asked_for_its_size_without_being_bent(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("dreamer.ingredients.transforms.torch.arange", made.append)
    draws = build({"network": "reverie"}, registry()).binder.transforms()
    assert transformed(draws, (1, 1000, 1001)) == [(1, 1000, 1001)] * len(draws) and not made


def test_a_transform_that_cannot_be_tried_is_taken_as_it_comes() -> None:
    def shy(image: Tensor, context: object) -> Any:
        return lambda picture: picture * float(picture.mean())  # there are no values

    def doubling(image: Tensor, context: object) -> Any:
        return lambda picture: torch.cat([picture, picture], 2)

    assert transformed([shy, doubling], (1, 10, 10)) == [(1, 10, 10), (1, 20, 10)]


def test_what_samples_a_picture_elsewhere_has_as_many_pixels_as_places() -> None:
    def sampling(image: Tensor, context: object) -> Any:
        return lambda picture: F.grid_sample(picture, picture.new_zeros(2, 30, 40, 2), align_corners=False)

    assert transformed([sampling], (2, 10, 12)) == [(2, 30, 40)]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are Linux's here")
def test_memory_that_the_process_may_not_use_is_not_free() -> None:
    code = (
        "import resource, psutil\n"
        "from dreamer.engine.device import available_memory\n"
        "room = psutil.Process().memory_info().vms + 2**28\n"
        "resource.setrlimit(resource.RLIMIT_AS, (room, room))\n"
        "print(available_memory('cpu'))"
    )
    ran = run([sys.executable, "-c", code], env=ENVIRONMENT)
    assert 0 < int(ran.stdout) <= 2**28 < available_memory("cpu")
