"""A picture that goes round: moved by a stride, it has the same gradient, moved; its dream has no seam."""

import math

import numpy as np
import pytest
import torch
from command import dreamer, refused, render, stamp_of
from command import photo as photo_file
from networks import calibrated
from PIL import Image
from torch import Tensor

from dreamer import dream
from dreamer.engine.areas import layered
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.image import Edges, blurred, resize
from dreamer.ingredients.objectives import deepdream
from dreamer.ingredients.transforms import warp
from dreamer.networks.randomness import Randomness

CPU = torch.device("cpu")
ROUND = {"x": Edges(x=True), "y": Edges(y=True), "both": Edges(True, True)}


def photo(height: int, width: int) -> Tensor:
    """A picture without a seam, of waves and noise."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    waves = [torch.sin(2 * torch.pi * (a * x + b * y)) for a, b in ((1, 0), (2, 1), (0, 3))]
    return (0.5 + 0.15 * torch.stack(waves) + 0.1 * torch.rand(3, height, width)).double()[None]


def gradient(name: str, layers: list[str], tile: int, image: Tensor, edges: Edges) -> Tensor:
    terms = tuple(WeightedObjective(at, 1.0 + k, at, lambda seen, _: deepdream(seen)) for k, at in enumerate(layers))
    looks = Scorer(calibrated(name), terms, device=CPU, precision=torch.float64, tile=tile, notify=print, edges=edges)
    return looks.gradient(image, StepContext(image, image, Step(0, 1, 0, 1, 0.0, (1, 1))))[1]


@pytest.mark.parametrize(
    ("name", "layers", "stride", "wrap"),
    [("reverie", ["m3b", "m4a"], 8, "x"), ("squeezenet1_0", ["features.5"], 8, "both")],
)
def test_the_gradient_of_a_moved_picture_is_the_moved_gradient(name, layers, stride, wrap):
    edges, image = ROUND[wrap], photo(64, 96)
    shift = (3 * stride * edges.y, 5 * stride)
    wanted = gradient(name, layers, 0, image, edges).roll(shift, (-2, -1))
    for tile in (0, 32):
        moved = gradient(name, layers, tile, image.roll(shift, (-2, -1)), edges)
        assert (moved - wanted).abs().max() < 1e-9 * wanted.abs().max(), tile
    without = gradient(name, layers, 0, image.roll(shift, (-2, -1)), Edges())
    assert (without - wanted).abs().max() > 1e-2 * wanted.abs().max()


def test_the_dream_of_a_moved_picture_is_the_moved_dream():
    """Over octaves, filters, keeping and updates, priors too: no place of the picture is an edge."""
    image = photo(128, 128).float()
    asked = {
        "octaves": {"count": 2, "scale": 2.0, "steps": 2},
        "objectives": "deepdream",
        "transforms": [],
        "gradient_filters": ["laplacian", "even", "chroma", {"name": "smooth", "sigma": 0.5}],
        "priors": [{"name": "total_variation", "power": 2.0}, "blur"],
        "updates": [{"name": "blur", "every": 1}, {"name": "bilateral", "every": 1, "sigma": 0.5}],
        "precision": "float32",
        "returns": "tensor",
    }
    here, there = (dream(seen, layer="m3a", wrap="both", **asked) for seen in (image, image.roll((64, 64), (-2, -1))))
    apart = (here.roll((64, 64), (-2, -1)) - there).abs()
    assert (here - image[0]).abs().mean() > 0.01
    assert apart.mean() < 1e-5


@pytest.mark.parametrize("size", [(48, 100), (37, 64), (17, 40)])
def test_what_is_resized_or_blurred_goes_round(size):
    """Moved by as many pixels as both grids share, it is what it was, moved."""
    image, edges = photo(64, 80).float(), ROUND["both"]
    pairs = list(zip((64, 80), size, strict=True))
    before, after = ([pair[k] // math.gcd(*pair) for pair in pairs] for k in (0, 1))
    small = resize(image, size, edges)
    moved = resize(image.roll(before, (-2, -1)), size, edges)
    assert (small.roll(after, (-2, -1)) - moved).abs().max() < 1e-4
    assert (resize(image, size) - small).abs().max() > 3e-3
    soft = blurred(image, 3.0, edges=edges)
    assert (blurred(image.roll(5, -1), 3.0, edges=edges) - soft.roll(5, -1)).abs().max() < 1e-6


def test_a_warp_that_goes_round_has_no_jump():
    image = photo(64, 96).float()
    with Randomness(3):
        bent = warp(image, step=Step(0, 1, 0, 1, 0.0, (64, 96)), degrees=20.0, pixels=30, edges=ROUND["x"])(image)
        still = warp(image, step=Step(0, 1, 0, 1, 0.0, (64, 96)), degrees=0.0, edges=ROUND["x"])(image)
    assert (still - image).abs().max() < 1e-4
    jump = (bent[..., 0] - bent[..., -1]).abs().mean() / bent.diff(dim=-1).abs().mean()
    assert 0.6 < jump < 1.5
    assert (bent - image)[..., 0].abs().mean() > 0.02


def test_a_render_that_goes_round_and_is_repeated(tmp_path):
    source = photo_file(tmp_path / "a.png", 100, 52)
    ran = render(source, "--wrap", "both", "--repeat", "3x2")
    assert ran.code == 0, ran.err
    one, many = (np.asarray(Image.open(tmp_path / f"a-dream{mark}.png")) for mark in ("", "-3x2"))
    assert one.shape == (52, 100, 3) and np.array_equal(many, np.tile(one, (2, 3, 1)))
    assert stamp_of(tmp_path / "a-dream.png")["recipe"]["wrap"] == "both"
    assert "is already done" in render(source, "--wrap", "both", "--repeat", "2x2").err
    assert (tmp_path / "a-dream-2x2.png").exists()
    assert render(source, "-o", tmp_path / "b.png").code == 0
    assert "wrap" not in stamp_of(tmp_path / "b.png")["recipe"]


def test_what_cannot_go_round_says_so(tmp_path):
    source = photo_file(tmp_path / "a.png")
    refused(
        render(source, "--wrap", "x", "--set", "transforms.rotate.degrees=3"),
        "wrap: rotate leaves edges",
        "--wrap none",
    )
    refused(render(source, "--wrap", "x", "--set", "canvas.name=stack"), "wrap: stack leaves edges")
    refused(dreamer("zoom", source, "--set", "wrap=x"), "wrap: only stills go round", "say --set wrap=none")
    refused(
        dreamer("print", source, "--cm", "20x15", "--set", "wrap=x"), "the octaves of a print", "say --set wrap=none"
    )
    refused(render(source, "--repeat", "3"), "expected copies across and down")
    refused(render(source, "--repeat", "9x9", "--max-pixels", "100000"), "--repeat 9x9: 864x648 are 0.6 million pixels")
    (tmp_path / "a-dream-2x1.png").write_bytes(b"mine")
    refused(render(source, "--repeat", "2x1"), "a-dream-2x1.png already exists")
    assert (tmp_path / "a-dream-2x1.png").read_bytes() == b"mine"


def test_the_soft_edges_of_regions_go_round():
    mask = torch.zeros(1, 1, 40, 60)
    mask[..., 5:30, 40:] = 1
    for edges, fits in ((ROUND["x"], True), (Edges(), False)):
        here, there = (layered([seen], [False], 20.0, edges).shares for seen in (mask, mask.roll(25, -1)))
        assert ((here.roll(25, -1) - there).abs().max() < 1e-6) == fits
