"""A picture that goes round: moved by a stride, it has the same gradient, moved; its dream has no seam."""

import pytest
import torch
from networks import calibrated
from torch import Tensor

from dreamer.engine.score import Scorer, WeightedObjective
from dreamer.engine.step import Step, StepContext
from dreamer.image import Edges
from dreamer.ingredients.objectives import deepdream

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
    ("name", "layers", "stride"),
    [("reverie", ["m3b", "m4b"], 8), ("squeezenet1_0", ["features.5"], 8), ("googlenet", ["inception3a"], 8)],
)
@pytest.mark.parametrize("wrap", ["x", "both"])
def test_the_gradient_of_a_moved_picture_is_the_moved_gradient(name, layers, stride, wrap):
    edges, image = ROUND[wrap], photo(64, 96)
    shift = (3 * stride * edges.y, 5 * stride)
    wanted = gradient(name, layers, 0, image, edges).roll(shift, (-2, -1))
    for tile in (0, 32):
        moved = gradient(name, layers, tile, image.roll(shift, (-2, -1)), edges)
        assert (moved - wanted).abs().max() < 1e-9 * wanted.abs().max(), tile
    without = gradient(name, layers, 0, image.roll(shift, (-2, -1)), Edges())
    assert (without - wanted).abs().max() > 1e-2 * wanted.abs().max()
