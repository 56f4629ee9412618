"""A dream draws from generators of its own: nobody else's numbers change it, and it changes nobody's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from command import pixels
from PIL import Image
from torch import Tensor, nn

import dreamer
from dreamer.networks.randomness import Randomness
from dreamer.testing.tiny import tiny_network

PHOTO = Image.fromarray(pixels(96, 72))
RECIPE: dict[str, Any] = {"octaves": {"steps": 2, "count": 2}, "transforms": [{"name": "jitter"}, {"name": "scale"}]}
OUTSIDE = {"adam": {"name": "adam"}, "genetic": {"name": "genetic", "population": 4}}


def drawn() -> Tensor:
    """What torch's functions draw, one after another."""
    image = torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    values = [
        *(torch.rand(3), torch.randn(2, 5), torch.randint(0, 9, (4,)), torch.randperm(5), torch.randint(5, ())),
        *(torch.rand_like(image), torch.randn_like(image), torch.randint_like(image, 2, 7), torch.normal(image, 1.0)),
        *(image.clone().uniform_(), image.clone().bernoulli_(0.5), torch.bernoulli(image + 0.5), torch.poisson(image)),
        *(torch.normal(0.0, 1.0, (3,)), torch.multinomial(torch.ones(5), 2), torch.rand(2, dtype=torch.float64)),
        *(nn.init.kaiming_normal_(torch.zeros(3, 3)), nn.Conv2d(3, 2, 3).weight.detach()),
        torch.distributions.Uniform(0.0, 1.0).sample((3,)),
    ]
    return torch.cat([value.double().flatten() for value in values])


def test_its_numbers_are_torchs_own_for_the_seed_and_torchs_stay() -> None:
    torch.manual_seed(7)
    expected = drawn()
    torch.manual_seed(99)
    state = torch.get_rng_state()
    with Randomness(7) as random:
        found, again = drawn(), random.copy()
        after = torch.rand(3)
    assert torch.equal(found, expected) and torch.equal(torch.get_rng_state(), state)
    with again:
        assert torch.equal(torch.rand(3), after)


def test_what_is_called_from_within_may_be_somebody_elses() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with Randomness(7) as random:
        first = torch.rand(2)
        assert torch.equal(random.outside(torch.rand)(2), expected)
        with Randomness(7):
            assert torch.equal(torch.rand(2), first)
        assert not torch.equal(torch.rand(2), first)


def test_dreams_in_threads_are_those_made_one_by_one() -> None:
    network = tiny_network()

    def dream(seed: int) -> bytes:
        return dreamer.dream(PHOTO, network=network, seed=seed, **RECIPE).tobytes()

    alone = [dream(seed) for seed in range(4)]
    assert len(set(alone)) == 4
    for workers, seeds in ((1, [0, 1]), (4, [0, 1, 2, 3] * 2)):
        with ThreadPoolExecutor(workers) as pool:
            assert [*pool.map(dream, seeds)] == [alone[seed] for seed in seeds]


@pytest.mark.parametrize("optimiser", [None, *OUTSIDE])
def test_who_draws_meanwhile_changes_nothing(optimiser: str | None) -> None:
    more = (
        {} if optimiser is None else {"optimiser": OUTSIDE[optimiser], "canvas": {"name": "fourier", "frequencies": 4}}
    )

    def made(on_step: Any) -> bytes:
        recipe = {**RECIPE, "transforms": [{"name": "jitter"}], **more}
        return dreamer.dream(PHOTO, network=tiny_network(), on_step=on_step, **recipe).tobytes()

    quiet = made(lambda step: None)
    torch.manual_seed(5)
    expected = [torch.rand(3) for _ in range(4)]
    torch.manual_seed(5)
    found: list[Tensor] = []
    assert made(lambda step: found.append(torch.rand(3))) == quiet
    assert all(map(torch.equal, expected, found))


def test_loading_a_network_draws_nothing_of_torchs() -> None:
    from dreamer.networks.torchvision import classics

    state = torch.get_rng_state()
    one, two = (next(c for c in classics() if c.name == "squeezenet1_1").untrained().module for _ in range(2))
    dreamer.load_network("reverie")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, one.parameters(), two.parameters()))
