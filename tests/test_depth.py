"""Zooms in depth: where the camera is, what it sees beside edges, and what `dreamer zoom --depth` makes of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import depths
import numpy as np
import pytest
import torch
from command import dreamer, left_in, photo, refused
from makers import Here
from networks import tiny
from PIL import Image
from test_zooming import pipeline

import dreamer as program
from dreamer import hookimpl
from dreamer.api import registry
from dreamer.api.names import copied
from dreamer.cli.hands import Hands
from dreamer.errors import PluginError, UsageError
from dreamer.image import load
from dreamer.pipeline.depths import depth_by, depth_of
from dreamer.testing import examine
from dreamer.units.unit import Order
from dreamer.videos.clip.reader import frames, probe, read_recipe
from dreamer.videos.clip.state import MemoryStore, StateStore
from dreamer.videos.clip.writer import ClipWriter
from dreamer.videos.zoom.depth.camera import Camera, CameraWay
from dreamer.videos.zoom.depth.depth_zoom import DepthZoom
from dreamer.videos.zoom.depth.nearest import nearest
from dreamer.videos.zoom.depth.rays import border, look
from dreamer.videos.zoom.depth.relief import Relief
from dreamer.videos.zoom.frames import BareZoom
from dreamer.videos.zoom.keyframes import KeyframeZoom
from dreamer.videos.zoom.scene import Scene
from dreamer.videos.zoom.schedule import zoom_from, zoom_words
from dreamer.videos.zoom.similarity import own_places
from dreamer.videos.zoom.zoom import Keyframe, Zoom

SIZE = (72, 96)
RIGHT = Zoom(seconds=2, rate=1.0, orbit=90.0, dolly=0.0, parallax=0.1)
"""After a second the camera is on the right of its circle."""
STILL = ("--seconds", "0.5", "--fps", "8", "--set", "octaves.steps=1", "--threads", "1")


def image(size: tuple[int, int] = SIZE) -> torch.Tensor:
    """Stripes behind a red square."""
    return load(np.array(Image.fromarray(depths.scene()).resize(size[::-1], Image.Resampling.NEAREST))).image()


def nearness(size: tuple[int, int] = SIZE, floor: float = 1.0) -> torch.Tensor:
    """How near it is: the square 1, the stripes up to 0.3 and at the bottom most."""
    shades = torch.from_numpy(depths.depth()).float()[None, None] / 255
    near = torch.nn.functional.interpolate(shades, size=size, mode="nearest")
    return torch.where(near == 1, near, near * floor)


def scene(zoom: Zoom = RIGHT, store: StateStore | None = None, floor: float = 1.0, **recipe: Any) -> Scene:
    composed = pipeline(octaves={"smallest": 48, "steps": 1, "step_size": 0.03}, **recipe)
    seen, near = image(), nearness(floor=floor)
    way = CameraWay.of(zoom)
    relief = Relief.of(near, SIZE, way.reach, way.around)
    return Scene(seen, zoom, SIZE, lambda time: composed, store or MemoryStore(), 1.5, relief=relief)


def red(frame: torch.Tensor) -> torch.Tensor:
    """Where the square is in a frame, (h, w)."""
    return (frame[0, 0] > 0.65) & (frame[0, 1] < 0.4)


class TestCamera:
    """The way of the camera."""

    def test_it_goes_out_to_its_circle_and_round(self) -> None:
        way = CameraWay.of(replace(RIGHT, seconds=4.0))
        assert way.at(0).across == 0
        for time, place in ((1, 1), (2, 1j), (3, -1)):
            assert way.at(time).across == pytest.approx(place, abs=1e-3)
        assert way.reach == pytest.approx(0.1, abs=1e-3)

    def test_it_goes_forward_as_keyframes_and_easing_say(self) -> None:
        keys = (Keyframe(0, dolly=0), Keyframe(2, dolly=1.0, parallax=0.02))
        way = CameraWay.of(replace(RIGHT, orbit=0.0, keyframes=keys))
        assert way.at(2).forward == pytest.approx(1.0, abs=1e-2) and way.at(1).forward == pytest.approx(0.25, abs=1e-2)
        assert way.at(1).parallax == 0.02
        eased = CameraWay.of(replace(RIGHT, orbit=0.0, dolly=0.5, ease="both"))
        assert eased.at(2).forward == pytest.approx(1.0, abs=1e-2) and eased.at(0.2).forward < 0.03

    def test_by_itself_it_goes_round_once(self) -> None:
        plain = Zoom(seconds=5).in_depth(True)
        assert (plain.orbit, plain.dolly, plain.parallax) == (72.0, 0.0, 0.05)
        assert Zoom(dolly=0.1).in_depth(True).orbit == 0.0
        assert Zoom(keyframes=(Keyframe(1, dolly=0.1),)).in_depth(True).orbit == 0.0

    def test_in_a_loop_it_comes_back(self) -> None:
        loop = Zoom(seconds=4, loop=True, orbit=90.0, dolly=0.0, parallax=0.1)
        assert CameraWay.of(loop).at(0).across == pytest.approx(CameraWay.of(loop).at(4).across)
        with pytest.raises(UsageError, match="a whole number of times"):
            CameraWay.of(replace(loop, orbit=60.0))
        with pytest.raises(UsageError, match="goes too far, through what is near"):
            CameraWay.of(replace(RIGHT, dolly=8.0))

    def test_words_have_it_only_where_there_is_depth(self) -> None:
        assert not {"dolly", "orbit", "parallax"} & zoom_words(Zoom()).keys()
        deep = Zoom(dolly=0.1, keyframes=(Keyframe(1, orbit=20.0),)).in_depth(True)
        assert zoom_from(zoom_words(deep)) == deep
        with pytest.raises(UsageError) as caught:
            zoom_from({"orbit": 1000, "parallax": 0.5, "dolly": 11})
        assert len(caught.value.problems) == 3
        short = Zoom(seconds=0.2).in_depth(True)  # once round in it is more than is allowed else
        assert zoom_from(zoom_words(short)) == short
        with pytest.raises(UsageError, match="expected -1800 to 1800"):
            zoom_from({**zoom_words(short), "orbit": 1801})


class TestSight:
    """What a frame's pixels look at."""

    def test_from_the_photos_own_viewpoint_nothing_moves(self) -> None:
        camera = Camera(parallax=0.1)
        around = border(camera, SIZE)
        near = nearness((SIZE[0] + 2 * around, SIZE[1] + 2 * around))
        seen = look(near, camera, SIZE)
        for at, own in zip(seen.at, own_places(SIZE), strict=True):
            assert torch.allclose(at, own.float().expand(SIZE), atol=1e-4)
        assert bool((seen.whole == 1).all())
        whole = BareZoom(scene(Zoom(seconds=2, orbit=90.0, dolly=0.0, parallax=0.1)))
        still = KeyframeZoom(scene()).photo_at(scene().place(0), SIZE)
        assert (whole.frame(0) - still).abs().max() < 0.02

    @pytest.mark.parametrize(("near", "moved"), [(1.0, -4.8), (0.5, 0.0), (0.0, 4.8)])
    def test_near_parts_move_against_the_camera_and_far_ones_with_it(self, near: float, moved: float) -> None:
        camera = Camera(1 + 0j, 0.0, 0.1)
        around = border(camera, SIZE)
        plane = torch.full((1, 1, SIZE[0] + 2 * around, SIZE[1] + 2 * around), near)
        right, down = look(plane, camera, SIZE).at
        assert torch.allclose(right - own_places(SIZE)[0].float(), torch.tensor(-moved), atol=1e-3)
        assert torch.allclose(down, own_places(SIZE)[1].float().expand(SIZE), atol=1e-3)

    def test_going_forward_near_parts_grow_more(self) -> None:
        camera = Camera(0j, 1.0, 0.1)
        around = border(camera, SIZE)
        shape = (1, 1, SIZE[0] + 2 * around, SIZE[1] + 2 * around)
        near, far = (look(torch.full(shape, each), camera, SIZE).at[0][0, -1] for each in (1.0, 0.0))
        assert float(far - near) == pytest.approx(0.1 * (SIZE[1] - 1), rel=1e-3)

    def test_the_nearest_seed_is_found_for_every_pixel(self) -> None:
        seeds = torch.zeros(13, 40, dtype=torch.bool)
        seeds[2, 3] = seeds[11, 30] = seeds[6, 31] = True
        rows, columns = nearest(seeds, 40)
        for row, column in ((0, 0), (12, 39), (5, 20), (7, 31), (2, 16)):
            away = [(math.dist(each, (row, column)), each) for each in ((2, 3), (11, 30), (6, 31))]
            assert (int(rows[row, column]), int(columns[row, column])) == min(away)[1]


class TestFrames:
    """Frames at the extreme of a parallax of ten percent."""

    @pytest.mark.parametrize("time", [1, 1.4])
    def test_nothing_is_black_and_nothing_smears(self, time: float) -> None:
        made, still = BareZoom(scene()).frame(round(time * 30)), image()
        assert float(made.min()) > float(still.min()) - 0.03
        square, before = red(made), red(still)
        assert abs(int(square.sum()) / int(before.sum()) - 1 / 0.87**2) < 0.2  # of the inset, whole and not doubled
        rows, columns = square.nonzero().T
        assert square[rows.min() : rows.max(), columns.min() : columns.max()].float().mean() > 0.93
        beside = made[0, 2, rows.min() : rows.max(), columns.max() + 2 : columns.max() + 8]
        assert beside.std(1).mean() > 0.03, "stripes go on in the gap"

    def test_the_square_moves_before_the_stripes(self) -> None:
        made = BareZoom(scene())
        left, own = (red(made.frame(number)).nonzero()[:, 1].float().mean() for number in (30, 0))
        assert float(own - left) == pytest.approx(4.8, abs=1.5)

    def test_a_soft_map_in_other_sizes_makes_nearly_the_same(self) -> None:
        soft = torch.nn.functional.avg_pool2d(nearness(), 5, 1, 2, count_include_pad=False)
        way, plain = CameraWay.of(RIGHT), scene()
        sharp = BareZoom(plain).frame(30)
        relief = Relief.of(soft[..., ::2, ::2], SIZE, way.reach, way.around)
        made = BareZoom(replace(plain, relief=relief)).frame(30)
        assert float((made - sharp).abs().mean()) < 0.03

    def test_what_is_behind_is_dreamt_over_too_and_each_frame_is_the_same_alone(self) -> None:
        zoom = DepthZoom(scene())
        frame = zoom.frame(30)
        bare = zoom.bare(30)
        rows, columns = red(bare).nonzero().T
        gap = (slice(int(rows.min()), int(rows.max())), slice(int(columns.max()) + 2, int(columns.max()) + 8))
        change = (frame - bare)[0].abs().mean(0)
        assert float(change[gap].mean()) > 0.3 * float(change.mean())
        store = MemoryStore()
        first = DepthZoom(scene(store=store))
        for number in (0, 9):
            first.frame(number)
            first.checkpoint(number)
        assert {"keyframe-0000", "behind-keyframe-0000"} <= store._kept.keys()
        assert torch.equal(DepthZoom(scene(store=store)).frame(30), frame)
        assert zoom.dreams(0, 30)[1] == 2 * KeyframeZoom(scene()).dreams(0, 30)[1]

    def test_regions_lie_behind_as_well(self) -> None:
        regions = {"regions": [{"mask": "colour:#c83c3c,30", "look": "keep"}], "feather": 0}
        made = scene(**regions)
        zoom = DepthZoom(made)
        frame, bare = zoom.frame(30), zoom.bare(30)
        square = red(bare)
        inside = torch.nn.functional.max_pool2d((~square).float()[None], 5, 1, 2)[0] == 0
        rows, columns = square.nonzero().T
        gap = (slice(int(rows.min()), int(rows.max())), slice(int(columns.max()) + 2, int(columns.max()) + 8))
        change = (frame - bare)[0].abs().mean(0)
        assert float(change[inside].max()) < 0.02 and float(change[gap].mean()) > 0.003

    def test_in_a_loop_the_end_meets_the_start(self) -> None:
        loop = Zoom(seconds=1, fps=RIGHT.fps, rate=2.25, loop=True, orbit=360.0, dolly=0.0, parallax=0.1)
        made = BareZoom(scene(loop))
        steps = [float((made.frame(a) - made.frame(b)).abs().mean()) for a, b in ((29, 0), (0, 1), (28, 29))]
        assert steps[0] < 2 * max(steps[1:])


def test_where_nothing_is_hidden_nothing_is_dreamt_twice() -> None:
    slope = torch.linspace(0, 1, SIZE[0])[None, None, :, None].expand(1, 1, *SIZE)
    dreamt: list[int] = []
    flat = replace(
        scene(), relief=Relief.of(slope, SIZE, 0.1, 0.05), on_step=lambda number, step: dreamt.append(number)
    )
    made = DepthZoom(flat)
    made.ensure(2)
    assert set(dreamt) == {0} and "behind-keyframe-0000" in flat.store._kept  # type: ignore[attr-defined]
    assert torch.equal(made.frame(30), DepthZoom(replace(flat, store=MemoryStore())).frame(30))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo and its depth; the tiny network is in reverie's place."""
    for room in ("pipeline.build", "networks"):
        monkeypatch.setattr(f"dreamer.{room}.load_from", lambda *names, **settings: replace(tiny(), name="reverie"))
    Image.fromarray(depths.scene()).save(tmp_path / "photo.png")
    Image.fromarray(depths.depth()).save(tmp_path / "map.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zoom(*words: str) -> Any:
    return dreamer("zoom", "photo.png", *STILL, *words)


def shown(path: str) -> list[bytes]:
    return [values.tobytes() for _, values in frames(probe(Path(path)))]


def test_a_film_in_depth_is_resumed_and_divided_byte_for_byte(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dreamer.videos.film import passage

    monkeypatch.setitem(ClipWriter.open.__kwdefaults__, "segment", 2)
    how = ("--depth", "map.png", "--parallax", "0.1", "--rate", "3")
    assert zoom("-o", "whole.mp4", *how).code == 0
    inside = read_recipe(here / "whole.mp4") or ""
    assert '"parallax": 0.1' in inside and load(here / "map.png").sha256 in inside
    original, calls = passage.eight_bits, []

    def interrupted(frame: Any) -> Any:
        calls.append(frame)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(frame)

    monkeypatch.setattr(passage, "eight_bits", interrupted)
    assert zoom("-o", "clip.mp4", *how).code == 130
    monkeypatch.setattr(passage, "eight_bits", original)
    Image.fromarray(255 - depths.depth()).save("other.png")
    refused(zoom("-o", "clip.mp4", *how, "--depth", "other.png", "--resume"), "differs in")
    assert zoom("-o", "clip.mp4", *how, "--resume").code == 0
    assert Path("clip.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    refused(zoom("--recipe", "whole.mp4"), "how near things are has to be known", "--depth")

    pools: list[Here] = []

    def hired(order: Order, mark: str) -> Here:
        pools.append(Here(order, mark))
        return pools[-1]

    monkeypatch.setattr(Hands, "hire", lambda self, machine: hired)
    monkeypatch.setattr("dreamer.cli.zoom_spans.MOST_FRAMES", 2)
    jobs = (word for word in STILL if word not in ("--threads", "1"))
    assert dreamer("zoom", "photo.png", *jobs, *how, "-o", "two.mp4", "--jobs", "2").code == 0
    assert len(pools[0].given) == 2 and shown("two.mp4") == shown("whole.mp4")
    assert not [name for name in left_in(here) if name.startswith(".")]


def test_the_map_may_be_deep_turned_round_or_of_another_size(here: Path) -> None:
    Image.fromarray(depths.depth(depth=np.uint16)).save("deep.png")
    Image.fromarray(255 - depths.depth()).save("far.png")
    Image.fromarray(depths.depth()).resize((48, 36)).save("small.png")
    own, names = load("photo.png"), registry()
    wanted = depth_of("map.png", own, "photo.png", names, 10**6).nearness
    for given in ("deep.png", "not:far.png", depths.depth() / 255, depths.depth()):
        found = depth_of(given, own, "photo.png", names, 10**6)
        assert (found.nearness - wanted).abs().max() < 0.01 and found.key
    assert depth_of("small.png", own, "photo.png", names, 10**6).nearness.shape[-2:] == (36, 48)
    assert zoom("--depth", "not:far.png", "--path").code == 0
    assert left_in(here)[-1] == "small.png" and "photo-zoom-path.mp4" in left_in(here)


def test_what_is_wrong_with_depth_is_told_at_once(here: Path) -> None:
    photo(here / "wide.png", 128, 48)
    Image.fromarray(np.full((72, 96), 9, np.uint8)).save("flat.png")
    (here / "bad.png").write_bytes(b"\x89PNG")
    refused(zoom("--depth", "none.png"), "there is no file none.png")
    refused(zoom("--depth", "wide.png"), "other proportions than the photo's")
    refused(zoom("--depth", "flat.png"), "everything in it is equally far away")
    refused(zoom("--depth", "bad.png"), "bad.png")
    refused(zoom("--depth", "phto"), "no such file, and no plugin's depth; did you mean photo?")
    refused(zoom("--depth", "photo"), "this photo holds no depth", "--depth map.png")
    refused(zoom("--orbit", "20"), "how near things are has to be known for that", "--depth")
    refused(zoom("--depth", "map.png", "--mode", "feedback"), "--depth needs --mode keyframes")
    refused(zoom("--depth", "map.png", "--parallax", "1", "--orbit", "9999"), "--parallax 1", "--orbit 9999")
    refused(zoom("--depth", "map.png", "--dolly", "9", "--seconds", "4", "--parallax", "0.2"), "goes too far")
    assert left_in(here) == ["bad.png", "flat.png", "map.png", "photo.png", "wide.png"]


def test_python_has_it_too(here: Path) -> None:
    how: dict[str, Any] = {"network": tiny(), "steps": 1, "seconds": 0.25, "fps": 8, "returns": "array"}
    by_path = list(program.zoom("photo.png", depth="map.png", dolly=0.5, **how))
    by_array = list(program.zoom(depths.scene(), depth=depths.depth() / 255, dolly=0.5, **how))
    assert len(by_path) == len(by_array) == 2
    for one, other in zip(by_path, by_array, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    with pytest.raises(UsageError, match="how near things are has to be known"):
        program.zoom("photo.png", dolly=0.5, **how)


def ground(photo: torch.Tensor) -> torch.Tensor:
    """The lower, the nearer, in metres."""
    return torch.linspace(1, 7, photo.shape[-2])[None, None, :, None].expand(1, 1, -1, photo.shape[-1])


def drawn(photo: torch.Tensor) -> torch.Tensor:
    """Something else each time."""
    return torch.rand(1, 1, 8, 8)


def greedy(photo: torch.Tensor) -> torch.Tensor:
    """Changes what it is given."""
    return photo.mul_(0.5)[:, :1]


def test_a_plugins_depth_is_used_by_its_name(here: Path) -> None:
    program.register(ground, "depths")
    try:
        own = load("photo.png")
        found = depth_of("ground", own, "photo.png", registry(), 10**6)
        assert found.key == "ground" and found.nearness[0, 0, :, 0].tolist() == pytest.approx(np.linspace(0, 1, 72))
        assert float(depth_of("not:ground", own, "photo.png", registry(), 10**6).nearness[0, 0, 0, 0]) == 1
        assert len(list(program.zoom("photo.png", depth="ground", network=tiny(), steps=1, seconds=0.1, fps=10))) == 1
    finally:
        del registry().depths.entries["python:ground"]


@pytest.mark.parametrize(
    ("words", "function"),
    [
        ("(1, 1, h, w), and it gave a tensor (1, 3", lambda photo: photo),
        ("it gave None", lambda photo: None),
        ("has NaN or Inf", lambda photo: photo[:, :1] * torch.nan),
        ("equally far away", lambda photo: photo[:, :1] * 0),
        ("failed (ZeroDivisionError", lambda photo: 1 / 0),
    ],
)
def test_what_a_plugin_gives_is_checked_and_blamed_on_it(words: str, function: Any) -> None:
    names = copied(registry())
    names.add_depth(function, "odd", "dreamer-odd")
    with pytest.raises(PluginError) as caught:
        depth_by(names, "odd", image())
    assert words in str(caught.value) and "depth odd of the plugin dreamer-odd" in str(caught.value)


def test_the_kit_checks_depths() -> None:
    module: Any = ModuleType("dreamer_ground")
    module.register_depths = hookimpl(lambda register: [register(each) for each in (ground, drawn, greedy)])
    found = {finding.name: finding for finding in examine(module) if finding.kind == "depth"}
    assert found["ground"].ok and "keeps every promise" in found["ground"].sentence
    assert "another depth for the same photo" in found["drawn"].sentence
    assert "in place" in found["greedy"].sentence
