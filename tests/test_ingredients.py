"""Everything registered keeps what plugins promise; and what the built-in ingredients compute."""

from dataclasses import replace

import pytest
import torch
from networks import tiny

from dreamer.errors import RecipeError
from dreamer.ingredients import objectives, priors, transforms
from dreamer.motifs.sample_scene import scene
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.recipe import KINDS
from dreamer.testing.cases import Case, Fixtures
from dreamer.testing.runner import try_entry

REGISTRY = load_plugins()[0]
ALL = [(kind, entry) for kind in KINDS for entry in REGISTRY.ingredients[kind]]
WHOLE = {"neuron", "diversity", "style", "texture", "inversion", "guide_inversion", "caricature"}  # one score a picture
PHOTO = scene(64, 48)


def ids(case):
    return case if isinstance(case, str) else case.name


@pytest.fixture(scope="module")
def fixtures():
    return Fixtures()


@pytest.mark.parametrize(("kind", "entry"), ALL, ids=ids)
def test_every_ingredient_keeps_every_promise(kind, entry, fixtures):
    (finding,) = try_entry(kind, entry, fixtures)
    assert finding.ok and finding.sentence.startswith("keeps every promise in "), finding
    assert ("works only without tiles" in finding.sentence) == (entry.name in WHOLE)
    assert len(entry.value.summary) > 20


@pytest.mark.parametrize("entry", list(REGISTRY.ingredients["transforms"]), ids=ids)
def test_transforms_are_random_and_follow_the_seed(entry, fixtures):
    case = Case(fixtures.image)

    def transformed(seed):
        apply = fixtures.call(entry.value, fixtures.image, case, seed)
        return apply(fixtures.image)

    drawn = [[transformed(first + n) for n in range(3)] for first in (0, 3, 0)]
    assert all(torch.equal(a, b) for a, b in zip(drawn[0], drawn[2], strict=True))
    moved = any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(drawn[0], drawn[1], strict=True))
    assert moved != (entry.name == "pad")  # the one that leaves nothing to chance


def test_deepdream_is_the_mean_square():
    features = torch.randn(2, 12, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(objectives.deepdream(features), (features**2).sum(1) / 12)


def test_channel_normalises_where_the_statistics_are_known():
    features = torch.randn(1, 16, 4, 5)
    mean, std = torch.randn(16), torch.rand(16) + 0.5
    network = replace(tiny(), statistics={"two": (mean, std)})
    above = lambda values: torch.where(values > 0, values**2, 0.1 * values)  # noqa: E731
    expected = sum(above((features[:, c] - mean[c]) / std[c]) for c in (3, 7)) / 2
    found = objectives.channel(features, network=network, layer="two", index=(3, 7))
    torch.testing.assert_close(found, expected)
    plain = objectives.channel(features, network=network, layer="two", index=(3,), normalise=False)
    torch.testing.assert_close(plain, above(features[:, 3]))


def test_channel_refuses_one_that_is_not_there():
    with pytest.raises(RecipeError, match="channels 0 to 15, not 16"):
        objectives.channel(torch.randn(1, 16, 4, 5), network=tiny(), layer="two", index=(0, 16))


def test_guided_climbs_the_best_match_of_what_differs_within_the_guide():
    features = torch.randn(1, 12, 6, 5, dtype=torch.float64, requires_grad=True)
    guide = torch.randn(1, 12, 4, 3, dtype=torch.float64) + 3 * torch.randn(12, 1, 1)
    scores = objectives.guided(features, guide=guide)
    (gradient,) = torch.autograd.grad(scores.sum() * 12, features)
    mean = guide[0].mean((1, 2))
    flat = guide.flatten(2)[0] - mean[:, None]
    for y in range(6):
        for x in range(5):
            best = flat[:, (flat.t() @ (features[0, :, y, x].detach() - mean)).argmax()]
            torch.testing.assert_close(gradient[0, :, y, x], best)


def test_total_variation_is_the_mean_step_and_l2_the_squared_distance():
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
    rolled = transforms.jitter(PHOTO, pixels=20)(PHOTO)
    assert torch.equal(rolled.flatten().sort().values, PHOTO.flatten().sort().values)
    mirrored = transforms.jitter(PHOTO, pixels=200, border="mirror")(PHOTO)
    assert mirrored.shape == PHOTO.shape


def test_crop_and_scale_change_the_size_and_nothing_else():
    assert transforms.crop(PHOTO, share=0.5)(PHOTO).shape == (1, 3, 24, 32)
    sizes = {transforms.scale(PHOTO, amount=0.5)(PHOTO).shape[-1] for _ in range(8)}
    assert len(sizes) > 2 and min(sizes) >= 32 and max(sizes) <= 96


def test_rotate_by_nothing_is_nothing():
    torch.testing.assert_close(transforms.rotate(PHOTO, degrees=0.0)(PHOTO), PHOTO, rtol=0, atol=1e-4)


def test_motif_climbs_the_direction_of_its_own_read_out():
    network = tiny()
    features = torch.randn(1, 16, 4, 5)
    mean, std = network.statistics["two"]
    weight = network.heads["two"][0]
    direction = weight[1] - weight.mean(0)
    direction /= direction.norm()
    normal = (features - mean[:, None, None]) / std[:, None, None]
    share = (normal * direction[:, None, None]).sum(1)
    assert (share < 0).any() and (share > 0).any()
    wanted = torch.where(share > 0, share**2, 0.1 * share)
    assert torch.allclose(objectives.motif(features, network=network, layer="two", names=("leaf",)), wanted, atol=1e-5)
    both = objectives.motif(features, network=network, layer="two")
    names = ("eye", "leaf", "shell")
    assert torch.allclose(both, objectives.motif(features, network=network, layer="two", names=names))
    assert not torch.allclose(both, wanted)


def test_channels_may_be_called_by_their_names():
    network = tiny()
    features = torch.randn(1, 16, 4, 5)
    by_name = objectives.channel(features, network=network, layer="two", index=(1,), names=("scale",))
    assert torch.equal(by_name, objectives.channel(features, network=network, layer="two", index=(1, 7)))


def test_unknown_motifs_and_channels_are_told_of_with_those_that_there_are():
    network, features = tiny(), torch.zeros(1, 16, 2, 2)
    with pytest.raises(RecipeError, match=r"knows no 'eie'; did you mean eye\?") as caught:
        objectives.motif(features, network=network, layer="two", names=("eie", "nothing"))
    assert "names are eye, leaf, shell" in str(caught.value)
    with pytest.raises(RecipeError, match="names no motifs; those that do: two"):
        objectives.motif(features, network=network, layer="one")
    groups = {"skin": ("scale",), "birds": ("feather",)}
    untaught = replace(tiny(), heads={}, channels={"two": {"scale": 7}}, groups=groups)
    with pytest.raises(
        RecipeError, match=r"not taught to name motifs; channel='skin' has its channels grow, for one of skin$"
    ):
        objectives.motif(features, network=untaught, layer="two")
    with pytest.raises(RecipeError, match=r"not taught to name motifs$"):
        objectives.motif(features, network=replace(tiny(), heads={}), layer="two")
    with pytest.raises(RecipeError, match=r"knows no 'scales'; did you mean scale\?"):
        objectives.channel(features, network=network, layer="two", names=("scales",))
