"""The tiled gradient is the whole gradient: in float64 to 1e-9 of the largest, at any size of tile and picture."""

from functools import cache, partial

import pytest
import torch
from networks import calibrated, settled, tiny

from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.engine.tiling import largest_tile, steady_tile
from dreamer.errors import UsageError
from dreamer.ingredients.objectives import deepdream, motif
from dreamer.motifs.sample_scene import scene
from dreamer.networks import winograd
from dreamer.recipes.options import reach_of

CPU = torch.device("cpu")


def sight(network, layers, tile, dtype=torch.float64, objective=deepdream):
    terms = tuple(
        WeightedObjective(layer, 1.0 + k, layer, lambda seen, moment: objective(seen)) for k, layer in enumerate(layers)
    )
    prepare = partial(prepared, network, tuple(layers))
    return Scorer(network, terms, device=CPU, precision=dtype, tile=tile, notify=print, prepare=prepare)


@cache
def prepared(network, layers, dtype):
    """The network as a scorer prepares it, once for the whole picture and for tiles of any size."""
    return network.prepared(layers, CPU, dtype)


def gradient(network, layers, tile, image, **options):
    moment = StepContext(image, image, Step(0, 1, 0, 1, 0.0, (1, 1)))
    return sight(network, layers, tile, image.dtype, **options).gradient(image, moment)


@cache
def photo(height, width, dtype=torch.float64):
    return scene(width, height).to(dtype)


def flat(height, width, dtype=torch.float64):
    """A picture with flat areas and one edge."""
    image = torch.full((1, 3, height, width), 0.4, dtype=dtype)
    image[..., height // 3 :, width // 2 :] = 0.7
    return image


CASES = [
    ("squeezenet1_0", ["features.10"], 96),
    ("squeezenet1_0", ["features.3", "features.8", "features.10"], 50),
    ("googlenet", ["inception4c"], 128),
    ("vgg16", ["features.13"], 80),
    ("reverie", ["m4b"], 64),
    ("reverie", ["m3b", "m5a"], 96),
    ("inception_v3", ["Mixed_5d"], 96),
    ("densenet121", ["features.transition1"], 96),
    ("mobilenet_v2", ["features.6"], 64),
    ("convnext_tiny", ["features.1"], 64),
]


FLAT = ("googlenet", "reverie")  # where the largest of equals is chosen, and one that has no such choice


@pytest.mark.parametrize(
    ("name", "layers", "tile", "picture"),
    [(*case, photo) for case in CASES] + [(*case, flat) for case in CASES[1:5] if case[0] in FLAT],
)
def test_tiles_add_up_to_the_whole_in_float64(name, layers, tile, picture):
    image = picture(118, 141)
    network = settled(calibrated(name)) if picture is flat else calibrated(name)
    score, whole = gradient(network, layers, 0, image)
    tiled_score, tiled = gradient(network, layers, tile, image)
    assert (tiled - whole).abs().max() < 1e-9 * whole.abs().max()
    assert tiled_score == pytest.approx(score, rel=1e-9)


def test_tiles_of_an_objective_that_looks_at_its_neighbours_are_exact_within_its_reach():
    """Whole motifs are exact in tiles, since they say how far they look; one that says less is not."""
    network, image, tile = calibrated("reverie"), photo(80, 211), 64
    found = {}
    far = reach_of(motif)
    for reach, side in ((far, 0), (far, tile), (2, tile)):
        objective = lambda seen, moment: motif(seen, network=network, layer="m4a", names=("eye", "rose"))  # noqa: E731
        term = WeightedObjective("motif", 1.0, "m4a", objective, context=reach)
        looks = Scorer(network, (term,), device=CPU, precision=torch.float64, tile=side, notify=print)
        found[reach, side] = looks.gradient(image, StepContext(image, image, Step(0, 1, 0, 1, 0.0, (1, 1))))[1]
    whole = found[far, 0]
    assert (found[far, tile] - whole).abs().max() < 1e-9 * whole.abs().max()
    assert (found[2, tile] - whole).abs().max() > 1e-3 * whole.abs().max()


@pytest.mark.parametrize(
    ("size", "tiles"),
    [((64, 64), (32, 48, 100)), ((65, 201), (48, 100)), ((131, 70), (48, 100)), ((203, 33), (32, 48))],
)
@pytest.mark.parametrize("name", ["squeezenet1_0", "reverie"])
def test_a_tiled_gradient_equals_the_whole_one_at_any_size_of_tile_and_picture(name, tiles, size):
    network = calibrated(name)
    layers = ["features.5" if name == "squeezenet1_0" else "m4a"]
    image = photo(*size)
    _, whole = gradient(network, layers, 0, image)
    for tile in tiles:
        _, tiled = gradient(network, layers, tile, image)
        assert (tiled - whole).abs().max() < 1e-9 * whole.abs().max(), tile


@pytest.mark.parametrize("picture", [photo, flat])
@pytest.mark.parametrize(("name", "layers", "tile"), CASES[:5])
def test_in_float32_only_rounding_differs(monkeypatch, name, layers, tile, picture):
    if picture is flat:  # Winograd's way rounds from place to place, so which of equal values is chosen is chance
        monkeypatch.setattr(winograd, "is_fast", lambda: False)
    image = picture(118, 141, torch.float32)
    _, whole = gradient(calibrated(name), layers, 0, image)
    _, tiled = gradient(calibrated(name), layers, tile, image)
    difference = tiled - whole
    assert difference.square().mean().sqrt() < 1e-4 * whole.square().mean().sqrt()
    assert difference.abs().max() < 1e-2 * whole.abs().max()


def test_a_global_layer_refuses_tiles_and_says_why():
    with pytest.raises(
        UsageError, match=r"features\.3 cannot be tiled: adaptive_avg_pool2d looks at the whole picture"
    ):
        gradient(calibrated("efficientnet_b0"), ["features.3"], 64, photo(96, 96, torch.float32))


def gram(features):
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def test_a_global_objective_works_whole_and_refuses_tiles():
    image = photo(64, 80, torch.float32)
    score, _ = gradient(tiny(), ["two"], 0, image, objective=gram)
    assert score > 0
    with pytest.raises(UsageError, match="objective two cannot be tiled: it looks at the whole picture"):
        gradient(tiny(), ["two"], 32, image, objective=gram)


def test_the_largest_tile_follows_from_the_memory():
    network = tiny()
    small, large = (largest_tile({"two": network.layer("two")}, free) for free in (2**20, 2**30))
    assert 64 <= small < large
    further = network.layer("two").reaching(10)  # of four pixels each, on both sides
    assert largest_tile({"two": further}, 2**30) == large - 80


def test_tiles_that_memory_decides_have_few_sides():
    sides = [steady_tile(side) for side in (64, 127, 128, 500, 512, 2047, 2048, 4100)]
    assert sides == [64, 90, 128, 362, 512, 1448, 2048, 4096]
