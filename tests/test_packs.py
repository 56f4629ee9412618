"""The packs in plugins/: built, installed and loaded as a stranger's would be, and each does what it says."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from forked import run
from networks import tiny

from dreamer.engine.step import Step
from dreamer.errors import RecipeError
from dreamer.motifs.sample_scene import scene
from dreamer.testing import examine

PLUGINS = Path(__file__).parents[1] / "plugins"
PACKS = sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))
LOOKS = sorted(PLUGINS.glob("*/dreamer_*/*.toml"))
LAST = Step(2, 3, 3, 10, 0.9, (48, 64))
LOADED = """
import json
from dreamer.plugins.loading import load_plugins
print(json.dumps([[plugin.distribution, plugin.problem, plugin.adds] for plugin in load_plugins()[1]]))
"""
BUILD = """
import multiprocessing, os, sys
from setuptools import build_meta

def build(copy):
    os.chdir(copy)
    build_meta.build_wheel(sys.argv[1])

if __name__ == "__main__":
    for copy in sys.argv[2:]:
        one = multiprocessing.Process(target=build, args=[copy])
        one.start()
        one.join()
        assert not one.exitcode
"""

folder = pytest.mark.parametrize("place", PACKS, ids=lambda place: place.name)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Every pack built from a copy and installed into a folder, offline; what dreamer then loads."""
    if not find_spec("pip") or not find_spec("setuptools"):
        pytest.skip("pip and setuptools are needed to build a package")
    room = tmp_path_factory.mktemp("packs")
    copies = [shutil.copytree(place, room / place.name) for place in PACKS]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    offline = ["--no-deps", "--no-index", "--no-cache-dir", "--no-compile"]
    target, wheels = room / "installed", room / "wheels"
    wheels.mkdir()
    # As pip builds them, but without two processes each that only ask what else a build needs.
    subprocess.run([sys.executable, "-c", BUILD, wheels, *copies], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*pip, "install", *offline, "--target", target, *wheels.iterdir()], check=True)
    alone = {name: value for name, value in os.environ.items() if name != "DREAMER_PLUGINS"}
    alone |= {"PYTHONPATH": str(target), "DREAMER_CONFIG": str(room / "config")}
    told = run([sys.executable, "-c", LOADED], env=alone)
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.fixture
def module(monkeypatch):
    """Imports a pack from its folder."""

    def imported(name):
        monkeypatch.syspath_prepend(str(PLUGINS / name))
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return importlib.import_module(name.replace("-", "_"))

    return imported


@folder
def test_it_is_built_and_installed_and_brings_all_that_it_tells_of(place, installed):
    found = [(problem, adds) for distribution, problem, adds in installed if distribution == place.name]
    project = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert len(found) == len(project["entry-points"])
    assert all(adds and not problem for problem, adds in found), found
    added = [name for _, adds in found for name in adds]
    assert {f"preset {look.stem}" for look in LOOKS if look.is_relative_to(place)} <= set(added)
    readme = (place / "README.md").read_text(encoding="utf-8")
    assert [name for name in added if name.rpartition(" ")[2] not in readme] == []


@folder
def test_it_keeps_every_promise(place):
    findings = examine(place)
    ready = [finding for finding in findings if "its weights are not installed; `python -m pip" not in str(finding)]
    assert ready and all(finding.ok for finding in ready), [str(f) for f in ready if not f.ok]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.stem)
def test_a_preset_requires_its_pack_when_it_uses_its_code_and_rests_on_names(look):
    words = tomllib.loads(look.read_text(encoding="utf-8"))
    pack = look.parents[1].name
    code = "".join(file.read_text(encoding="utf-8") for file in look.parent.glob("*.py"))
    brings = re.findall(r"^def ([a-z]\w+)", code, re.M) + re.findall(r'Lite\(\s*"([\w-]+)"', code)
    used = {item["name"] for items in words.values() if isinstance(items, list) for item in items if "name" in item}
    assert words.get("requires", []) == ([pack] if (used | {words["network"]}) & set(brings) else [])
    assert all(words.get(key) for key in ("title", "description", "author", "likes"))
    assert all("index" not in objective for objective in words["objectives"])


def slope(prior, image, **options):
    leaf = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(prior(leaf, **options), leaf)
    return gradient


def rms(tensor):
    return float(tensor.square().mean().sqrt())


def bars(height, width, *, down=0.0, right=0.0):
    """A grey picture of waves, so many to a pixel down and to the right."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    return (0.5 + 0.3 * torch.sin(2 * torch.pi * (down * rows + right * columns))).expand(1, 3, height, width)


@pytest.mark.parametrize(
    ("pack", "name"),
    [
        ("dreamer-ink", "strokes"),
        ("dreamer-kaleido", "rosette"),
        ("dreamer-kaleido", "wallpaper"),
        ("dreamer-cathedral", "soaring"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-20])
def test_a_filter_gives_rms_1_and_leaves_zero_alone(module, pack, name, scale):
    filtered = getattr(module(pack), name)
    image = {"image": scene(64, 48)} if name == "strokes" else {}
    assert rms(filtered(torch.randn(1, 3, 48, 64) * scale, **image)) == pytest.approx(1, rel=1e-4)
    assert not filtered(torch.zeros(1, 3, 48, 64), **image).any()


@pytest.mark.parametrize(("way", "other"), [(-1, -2), (-2, -1)])
def test_strokes_follow_the_contours(module, way, other):
    """Across a picture of bars the step varies, along them hardly: more so the longer the strokes."""
    image = bars(64, 80, **{"right" if way == -1 else "down": 1 / 16})
    noise = torch.randn(1, 3, 64, 80)

    def favour(**options):
        drawn = module("dreamer-ink").strokes(noise, image=image, **options)
        return rms(drawn.diff(dim=way)) / rms(drawn.diff(dim=other))

    assert 0.9 < favour(amount=0.0) < 1.1
    assert favour(length=4, amount=1.0) > 1.4
    assert favour(length=32, amount=1.0) > 1.5 * favour(length=4, amount=1.0)


def test_strokes_lie_as_far_apart_as_was_asked(module):
    image, noise = bars(96, 96, right=1 / 16), torch.randn(1, 3, 96, 96)
    for spacing in (4, 8):
        drawn = module("dreamer-ink").strokes(noise, image=image, spacing=spacing, length=16, amount=1.0)
        energy = torch.fft.rfft(drawn, dim=-1).abs().square().mean((0, 1, 2))
        frequency = torch.fft.rfftfreq(96)
        assert float((energy * frequency).sum() / energy.sum()) == pytest.approx(1 / spacing, rel=0.35)


def test_hatching_pulls_towards_lines_at_its_angle_and_leaves_the_tone(module):
    hatching = module("dreamer-ink").hatching
    grey = torch.full((1, 3, 60, 60), 0.4)
    pull = -slope(hatching, grey, step=LAST, angle=0.0, spacing=6.0)
    assert rms(pull.diff(dim=-1)) < 1e-3 * rms(pull.diff(dim=-2))
    torch.testing.assert_close(pull[..., 20:34, :], pull[..., 26:40, :], atol=1e-2 * rms(pull), rtol=0)
    assert abs(float(pull[..., 12:48, :].mean())) < 0.02 * rms(pull)
    engraved = grey + pull * grey[0].numel() / 2
    assert hatching(engraved, step=LAST, angle=0.0) < 0.1 * hatching(grey, step=LAST, angle=0.0)


def test_hatching_swells_in_the_dark_crosses_in_the_darkest_and_comes_last(module):
    hatching = module("dreamer-ink").hatching

    def inked(tone, **options):
        pull = -slope(hatching, torch.full((1, 3, 60, 60), tone), step=LAST, **options)
        return float((pull < 0).float().mean())

    assert inked(0.9) < inked(0.5) < inked(0.2)
    dark = torch.full((1, 3, 60, 60), 0.2)
    assert rms(slope(hatching, dark, step=LAST, angle=0.0, layers=2).diff(dim=-1)) > 1e-6
    assert not slope(hatching, dark, step=replace(LAST, octave=1)).any()


def test_two_tone_deepens_what_differs_and_leaves_the_plain(module):
    two_tone = module("dreamer-ink").two_tone
    image = bars(48, 64, right=1 / 16) * 0.2 + 0.4
    pull = -slope(two_tone, image) * image[0].numel()
    assert float((pull * (image - image.mean())).mean()) > 0
    assert rms(slope(two_tone, torch.full_like(image, 0.5))) < 1e-8
    faint = 0.5 + 0.002 * torch.randn_like(image)
    assert float((-slope(two_tone, faint) * (faint - 0.5)).mean()) < 0


GROUPS = [
    ("rosette", "unlike_rosette", {"folds": 4}),
    ("rosette", "unlike_rosette", {"folds": 6, "mirrors": False}),
    ("rosette", "unlike_rosette", {"folds": 5, "across": 0.3, "down": 0.6}),
    *(("wallpaper", "unlike_wallpaper", {"cells": 4, "pattern": p}) for p in ("repeat", "mirror", "turn", "brick")),
    ("wallpaper", "unlike_wallpaper", {"cells": 5}),
]


def soft(shape):
    """Noise without grain: turning it by an angle loses little."""
    return F.interpolate(torch.randn(1, 3, 7, 9), shape, mode="bicubic", align_corners=False)


@pytest.mark.parametrize(("name", "prior", "options"), GROUPS)
@pytest.mark.parametrize("shape", [(64, 64), (61, 90)])
def test_symmetry_is_made_and_known(module, name, prior, options, shape):
    """What the filter made, the prior finds symmetric; noise it does not; and its pull makes noise more so."""
    kaleido = module("dreamer-kaleido")
    made, unlike = getattr(kaleido, name), getattr(kaleido, prior)
    noise, photo = soft(shape) * 0.05, soft(shape) * 0.1 + 0.5
    even = made(noise, **options) * 0.05
    assert unlike(photo, photo=photo, **options) == 0
    before = unlike(photo + noise, photo=photo, **options)
    assert unlike(photo + even, photo=photo, **options) < 0.05 * before
    pull = -slope(unlike, photo + noise, photo=photo, **options) * noise[0].numel()
    assert unlike(photo + noise + 0.25 * pull, photo=photo, **options) < 0.5 * before


def test_a_rosette_of_quarter_turns_is_exact(module):
    gradient = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    whole = sum(turned.rot90(k, (-2, -1)) for turned in (gradient, gradient.flip(-1)) for k in range(4))
    made = module("dreamer-kaleido").rosette(gradient, folds=4)
    torch.testing.assert_close(made, whole / rms(whole))


@pytest.mark.parametrize(("pattern", "turned"), [("repeat", ()), ("mirror", (-1,)), ("turn", (-2, -1))])
def test_a_cell_and_its_neighbour_meet_as_the_pattern_says(module, pattern, turned):
    made = module("dreamer-kaleido").wallpaper(torch.randn(1, 3, 60, 80), cells=4, pattern=pattern)
    left, right = made[..., 10:30, 20:40], made[..., 10:30, 40:60]
    torch.testing.assert_close(right, left.flip(turned) if turned else left)
    assert rms(left - left.flip(-1)) > 0.1


def test_a_mirror_stands_in_the_middle(module):
    for shape in ((60, 80), (50, 90), (64, 64)):
        made = module("dreamer-kaleido").wallpaper(torch.randn(1, 3, *shape), cells=5)
        torch.testing.assert_close(made, made.flip(-1))
        torch.testing.assert_close(made, made.flip(-2))


def test_bricks_are_half_a_cell_apart(module):
    made = module("dreamer-kaleido").wallpaper(torch.randn(1, 3, 60, 80), cells=4, pattern="brick")
    torch.testing.assert_close(made[..., 0:20, 0:60], made[..., 20:40, 10:70])


def test_through_the_kaleidoscope_every_sector_is_the_same(module):
    image = soft((64, 64)) * 0.1 + 0.5
    seen = module("dreamer-kaleido").kaleidoscope(image, folds=4)(image)
    torch.testing.assert_close(seen, seen.rot90(1, (-2, -1)), atol=1e-4, rtol=0)
    assert rms(seen - image) > 0.01


def test_a_wall_of_tiles_shows_one_square_of_the_picture(module):
    image = torch.rand(1, 3, 60, 80)
    seen = module("dreamer-kaleido").tiling(image, cells=4, pattern="repeat")(image)
    assert seen.shape == image.shape
    torch.testing.assert_close(seen[..., 20:, 20:], seen[..., :-20, :-20])
    squares = image.unfold(2, 20, 1).unfold(3, 20, 1)
    assert (squares == seen[..., None, None, :20, :20]).all((1, 4, 5)).any()


def builder():
    """A network whose layer `two` names an arch, a column, and an eye, each by a channel of its own."""
    weight = torch.zeros(4, 16)
    weight[0, 0] = weight[1, 1] = weight[2, 2] = 1
    labels = ("arch", "column", "eye", "nothing")
    heads = {"two": (weight, torch.zeros(4))}
    return replace(tiny(), heads=heads, labels=labels, statistics={}, background="nothing")


def place(*shares):
    features = torch.zeros(1, 16, 1, 1)
    for channel, share in enumerate(shares):
        features[0, channel] = share
    return features


def test_an_edifice_is_all_of_its_motifs_at_once(module):
    def edifice(features, **options):
        options = {"names": ("arch", "column"), **options}
        return module("dreamer-cathedral").edifice(features, network=builder(), layer="two", **options)

    both, one, none = (float(edifice(place(*shares))) for shares in ((3, 3), (6, 0), (0, 0)))
    assert both > 1.5 * one > 1.5 * none > 0
    leaf = place(5, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(edifice(leaf).sum(), leaf)
    assert gradient[0, 1] > 2 * gradient[0, 0]  # what is lacking counts most
    assert float(edifice(place(3, 3, 4), without=("eye",))) < float(edifice(place(3, 3, 4)))
    with pytest.raises(RecipeError, match=r"knows no colum; only arch, column, eye"):
        edifice(place(1, 1), names=("arch", "colum"))
    with pytest.raises(RecipeError, match="has no motifs; layers that have some: two"):
        module("dreamer-cathedral").edifice(place(1), network=builder(), layer="one")


def test_soaring_lines_rise(module):
    noise = torch.randn(1, 3, 64, 64)
    risen = module("dreamer-cathedral").soaring(noise, pixels=6.0, amount=1.0)
    assert rms(risen.diff(dim=-1)) > 3 * rms(risen.diff(dim=-2))
    torch.testing.assert_close(module("dreamer-cathedral").soaring(noise, amount=0.0), noise / rms(noise))


def test_a_print_has_one_ink_and_the_picture_s_light(module):
    image = 0.9 * torch.rand(1, 3, 20, 30)
    once, often = module("dreamer-ink").printed(image), image
    for _ in range(40):
        often = module("dreamer-ink").printed(often)
    paper = torch.tensor([0.98, 0.95, 0.88])[:, None, None]
    torch.testing.assert_close(often[0], image[0].mean(0) * paper / paper.mean(), atol=1e-3, rtol=0)
    torch.testing.assert_close(once, torch.lerp(image, module("dreamer-ink").printed(image, amount=1.0), 0.25))
