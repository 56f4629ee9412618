"""Everything registered runs, is finite, has the right shape, is differentiable and documented."""

from dataclasses import replace

import pytest
import torch
from networks import tiny

from dreamer import objectives, priors, transforms
from dreamer.errors import RecipeError
from dreamer.plugins import load_plugins
from dreamer.recipe import INGREDIENTS
from dreamer.sample import scene
from dreamer.step import Step

REGISTRY = load_plugins()[0]
ALL = [(kind, entry) for kind in INGREDIENTS for entry in REGISTRY.ingredients[kind]]
WHOLE = {"neuron", "diversity", "style", "inversion", "guide_inversion", "caricature"}  # one score a picture
STEP = Step(0, 1, 3, 10, 0.3, (48, 64))


def call(entry, tensor):
    known = {
        "photo": scene(64, 48),
        "image": scene(64, 48) * 0.9,
        "guide": torch.linspace(-1, 1, 12 * 35).sin().view(1, 12, 5, 7),
        "step": STEP,
        "network": taught(),
        "layer": "two",
        "photo_features": tensor.detach().cos(),
        "gradient": scene(64, 48, 3) - 0.5,
    }
    result = entry.value.function(tensor, **{name: known[name] for name in entry.value.wanted})
    return result(tensor) if callable(result) else result


def ids(case):
    return case if isinstance(case, str) else case.name


@pytest.mark.parametrize(("kind", "entry"), ALL, ids=ids)
def test_every_ingredient(kind, entry):
    shape = (2, 12, 24, 32) if kind == "objectives" else (1, 3, 48, 64)
    tensor = torch.rand(shape).requires_grad_(kind != "gradient_filters")
    result = call(entry, tensor * 1.0)
    assert result.isfinite().all()
    if kind == "objectives":
        assert result.shape == (2, *((1, 1) if entry.name in WHOLE else (24, 32)))
    elif kind == "priors":
        assert result.ndim == 0
    elif kind != "transforms":
        assert result.shape == tensor.shape
    else:
        assert result.shape[0] == (8 if entry.name == "crops" else 1) and result.shape[1] == 3
    if kind != "gradient_filters":
        (gradient,) = torch.autograd.grad(result.sum(), tensor)
        assert gradient.isfinite().all() and gradient.abs().sum() > 0
    assert len(entry.value.summary) > 20
    for option in entry.value.options.values():
        assert option.read(option.default) == option.default


@pytest.mark.parametrize("entry", [e for e in REGISTRY.ingredients["objectives"] if e.name not in WHOLE], ids=ids)
def test_each_position_of_an_objective_looks_only_at_itself(entry):
    """What makes tiles exact: the map of a part is the part of the map."""
    features = torch.randn(1, 12, 20, 30)
    part = features[..., 4:15, 7:21].clone()
    torch.testing.assert_close(call(entry, part), call(entry, features)[..., 4:15, 7:21])


@pytest.mark.parametrize("entry", list(REGISTRY.ingredients["transforms"]), ids=ids)
def test_transforms_are_random_and_follow_the_seed(entry):
    image = scene(64, 48)
    drawn = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn.append([call(entry, image) for _ in range(3)])
    assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
    moved = any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert moved != (entry.name == "pad")  # the one that leaves nothing to chance


def test_deepdream_is_the_mean_square():
    features = torch.randn(2, 12, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(objectives.deepdream(features), (features**2).sum(1) / 12)


def test_channel_normalises_where_the_statistics_are_known():
    features = torch.randn(1, 12, 4, 5)
    mean, std = torch.randn(12), torch.rand(12) + 0.5
    network = replace(tiny(), statistics={"two": (mean, std)})
    above = lambda values: torch.where(values > 0, values**2, 0.1 * values)  # noqa: E731
    expected = sum(above((features[:, c] - mean[c]) / std[c]) for c in (3, 7)) / 2
    found = objectives.channel(features, network=network, layer="two", index=(3, 7))
    torch.testing.assert_close(found, expected)
    plain = objectives.channel(features, network=network, layer="two", index=(3,), normalise=False)
    torch.testing.assert_close(plain, above(features[:, 3]))


def test_channel_refuses_one_that_is_not_there():
    with pytest.raises(RecipeError, match="channels 0 to 11, not 12"):
        objectives.channel(torch.randn(1, 12, 4, 5), network=tiny(), layer="two", index=(0, 12))


def test_guided_climbs_the_best_match():
    features = torch.randn(1, 12, 6, 5, dtype=torch.float64, requires_grad=True)
    guide = torch.randn(1, 12, 4, 3, dtype=torch.float64)
    scores = objectives.guided(features, guide=guide)
    (gradient,) = torch.autograd.grad(scores.sum() * 12, features)
    flat = guide.flatten(2)[0]
    for y in range(6):
        for x in range(5):
            best = flat[:, (flat.t() @ features[0, :, y, x].detach()).argmax()]
            torch.testing.assert_close(gradient[0, :, y, x], best)


def test_total_variation_and_l2():
    image = torch.rand(1, 3, 9, 11, dtype=torch.float64)
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean()
    across = (image[..., 1:] - image[..., :-1]).abs().mean()
    torch.testing.assert_close(priors.total_variation(image), down + across)
    photo = torch.rand_like(image)
    torch.testing.assert_close(priors.l2_to_photo(image, photo=photo), ((image - photo) ** 2).mean())


def test_frequency_sees_only_what_lies_above_its_cutoff():
    columns = torch.arange(64, dtype=torch.float32)

    def wave(cycles):
        return (0.5 + 0.25 * torch.sin(2 * torch.pi * cycles * columns)).expand(1, 3, 48, 64)

    assert priors.frequency(wave(1 / 16), cutoff=0.25) < 1e-9
    assert float(priors.frequency(wave(3 / 8), cutoff=0.25)) == pytest.approx(0.25**2 / 2, rel=1e-3)


def test_colour_range_punishes_only_what_is_outside():
    assert priors.colour_range(torch.full((1, 3, 4, 4), 0.5)) == 0
    assert float(priors.colour_range(torch.ones(1, 3, 4, 4), high=0.9)) == pytest.approx(0.01, rel=1e-4)


def test_jitter_moves_and_covers_every_pixel():
    image = scene(64, 48)
    rolled = transforms.jitter(image, pixels=20)(image)
    assert torch.equal(rolled.flatten().sort().values, image.flatten().sort().values)
    mirrored = transforms.jitter(image, pixels=200, border="mirror")(image)
    assert mirrored.shape == image.shape


def test_crop_and_scale_change_the_size_and_nothing_else():
    image = scene(64, 48)
    assert transforms.crop(image, share=0.5)(image).shape == (1, 3, 24, 32)
    sizes = {transforms.scale(image, amount=0.5)(image).shape[-1] for _ in range(8)}
    assert len(sizes) > 2 and min(sizes) >= 32 and max(sizes) <= 96


def test_rotate_by_nothing_is_nothing():
    image = scene(64, 48)
    torch.testing.assert_close(transforms.rotate(image, degrees=0.0)(image), image, rtol=0, atol=1e-4)


def taught():
    """The tiny network with read-outs of two motifs and nothing at its layer, and two named channels."""
    weight = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    return replace(
        tiny(),
        heads={"two": (weight, torch.zeros(3))},
        labels=("eye", "wing", "nothing"),
        background="nothing",
        channels={"two": {"ammonite": 3, "scale": 7}},
        statistics={"two": (torch.linspace(-1, 1, 12), torch.linspace(0.5, 2, 12))},
    )


def test_motif_climbs_the_direction_of_its_own_read_out():
    network = taught()
    features = torch.randn(1, 12, 4, 5)
    mean, std = network.statistics["two"]
    weight = network.heads["two"][0]
    direction = weight[1] - weight.mean(0)
    direction /= direction.norm()
    normal = (features - mean[:, None, None]) / std[:, None, None]
    share = (normal * direction[:, None, None]).sum(1)
    assert (share < 0).any() and (share > 0).any()
    wanted = torch.where(share > 0, share**2, 0.1 * share)
    assert torch.allclose(objectives.motif(features, network=network, layer="two", names=("wing",)), wanted, atol=1e-5)
    both = objectives.motif(features, network=network, layer="two")
    assert torch.allclose(both, objectives.motif(features, network=network, layer="two", names=("eye", "wing")))
    assert not torch.allclose(both, wanted)


def test_channels_may_be_called_by_their_names():
    network = taught()
    features = torch.randn(1, 12, 4, 5)
    by_name = objectives.channel(features, network=network, layer="two", index=(1,), names=("scale",))
    assert torch.equal(by_name, objectives.channel(features, network=network, layer="two", index=(1, 7)))


def test_unknown_motifs_and_channels_are_told_of_with_those_that_there_are():
    network, features = taught(), torch.zeros(1, 12, 2, 2)
    with pytest.raises(RecipeError, match=r"knows no 'eie'; did you mean eye\?") as caught:
        objectives.motif(features, network=network, layer="two", names=("eie", "nothing"))
    assert "names are eye, wing" in str(caught.value)
    with pytest.raises(RecipeError, match="names no motifs; those that do: two"):
        objectives.motif(features, network=network, layer="one")
    with pytest.raises(RecipeError, match=r"knows no 'scales'; did you mean scale\?"):
        objectives.channel(features, network=network, layer="two", names=("scales",))
