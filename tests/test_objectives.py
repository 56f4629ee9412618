"""Every objective against its formula, written in NumPy, and one case of each worked by hand."""

import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import torch
from networks import pooling as tiny

from dreamer.errors import RecipeError
from dreamer.ingredients import objectives
from dreamer.motifs import MOTIFS
from dreamer.motifs.portrait import portraits
from dreamer.networks.randomness import Randomness
from dreamer.networks.reverie import reverie

C, H, W = 12, 5, 7


@pytest.fixture
def features():
    return torch.randn(3, C, H, W, dtype=torch.float64)


def taught(labels=("eye", "wing", "ground"), background="ground"):
    weight = torch.randn(len(labels), C, generator=torch.Generator().manual_seed(0))
    heads = {"two": (weight, torch.linspace(-1, 1, len(labels)))}
    return replace(tiny(), heads=heads, labels=labels, channels={"two": {"scale": 7}}, background=background)


def test_the_network_says_which_of_its_labels_cannot_be_asked_for(features):
    """Without names, all labels but the network's background grow; none is kept back of a network that has none."""
    every, motifs = (
        objectives.motif(features, network=taught(("eye", "nothing", "ground"), background), layer="two")
        for background in ("", "ground")
    )
    network = taught(("eye", "nothing", "ground"), "")
    parts = [objectives.motif(features, network=network, layer="two", names=(name,)) for name in network.labels]
    same(every, sum(parts).numpy() / 3)
    same(motifs, (parts[0] + parts[1]).numpy() / 2)
    with pytest.raises(RecipeError, match="knows no 'ground'"):
        objectives.motif(features, network=taught(), layer="two", names=("ground",))


def classifier():
    """The tiny network as if `two` ended in twelve classes."""
    return replace(tiny(), labels=tuple("abcdefghijkl"))


AT = {"network": tiny(), "layer": "two"}


def same(found, wanted):
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-7, atol=1e-9)


def hand(*values):
    """Features of one picture with two channels, a row of positions: ((channel 0 ...), (channel 1 ...))."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None, :]


# one neuron, plain channels


def test_neuron_is_one_activation(features):
    a = features.numpy()
    same(objectives.neuron(features, **AT, index=(4,)), a[:, 4, H // 2, W // 2].reshape(3, 1, 1))
    same(objectives.neuron(features, **AT, index=(4,), y=0.0, x=1.0), a[:, 4, 0, W - 1].reshape(3, 1, 1))
    same(objectives.neuron(features, network=taught(), layer="two", names=("scale",)), a[:, 7:8, 2, 3:4])
    same(objectives.neuron(hand((1, 2, 3), (4, 5, 6)), **AT, index=(1,)), [[[5.0]]])


def test_channel_without_square_is_the_mean_activation(features):
    same(objectives.channel(features, **AT, index=(4,), normalise=False, square=False), features.numpy()[:, 4])


# figures


def figured():
    """The tiny network that knows two motifs, two figures of each, 3x3 positions at `two`, on three directions."""
    random = torch.Generator().manual_seed(3)
    basis, weight = (torch.randn(*shape, generator=random) for shape in ((3, C), (2, 2, 3, 3, 3)))
    return replace(taught(), figures={"two": (basis, weight, torch.tensor([[0.5, 0.2], [-1.0, -0.4]]))})


def figure_by_hand(features, names):
    """How like each figure of each motif each position's surroundings are, one position after another."""
    basis, weight, bias = (values.double().numpy() for values in figured().figures["two"])
    seen = np.einsum("rc,bchw->brhw", basis, features.numpy())
    seen = np.pad(seen, ((0, 0), (0, 0), (1, 1), (1, 1)))
    found = np.zeros((len(seen), len(names), 2, H, W))
    for (k, name), kind, y, x in product(enumerate(names), range(2), range(H), range(W)):
        around = seen[:, :, y : y + 3, x : x + 3]
        found[:, k, kind, y, x] = (around * weight[name, kind]).sum((1, 2, 3)) + bias[name, kind]
    return found


@pytest.mark.parametrize("names", [("wing",), ("wing", "eye")])
def test_whole_motifs_climb_as_the_formula_says_in_numpy(features, names):
    """Squared above zero, ten times itself besides, and the less the better a neighbour is, of whichever figure."""
    features = features / 4
    found = figure_by_hand(features, [("eye", "wing").index(name) for name in names])

    def best(values, reach):
        around = np.full_like(values, -np.inf)
        for y in range(H):
            for x in range(W):
                near = values[..., max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
                around[..., y, x] = near.max((-2, -1))
        return around

    own = found.max(2, keepdims=True)
    behind = best(own, 4) + best(own.max(1, keepdims=True), 2) - 2 * found
    wanted = ((np.maximum(found, 0) ** 2 + 10 * found) * np.exp(-2 * behind)).sum(2).mean(1)
    scores = objectives.motif(features, network=figured(), layer="two", names=names, texture=0.0)
    same(scores, wanted)
    plain = objectives.motif(features, network=taught(), layer="two", names=names)
    same(objectives.motif(features, network=figured(), layer="two", names=names, texture=1.0), plain.numpy())
    mixed = objectives.motif(features, network=figured(), layer="two", names=names, texture=0.25)
    same(mixed, 0.75 * wanted + 0.25 * plain.numpy())


def test_figures_that_are_too_wide_for_tiles_are_refused():
    wide = replace(figured(), figures={"two": (torch.zeros(3, C), torch.zeros(2, 1, 3, 13, 13), torch.zeros(2, 1))})
    with pytest.raises(RecipeError, match="13 positions wide; at most 11"):
        objectives.motif(torch.zeros(1, C, 9, 9), network=wide, layer="two", names=("eye",))


def test_a_figure_grows_where_the_best_is_and_not_beside_it():
    """One position has the form, its neighbour half of it: nearly all of the slope is the best one's."""
    features = torch.zeros(1, C, 9, 9, dtype=torch.float64)
    basis, weight, _ = figured().figures["two"]
    form = torch.einsum("rc,ryx->cyx", basis, weight[0, 0]).double()
    features[0, :, 3:6, 2:5] = form / form.norm()
    features[0, :, 3:6, 6:9] = 0.5 * form / form.norm()
    features.requires_grad_()
    objectives.motif(features, network=figured(), layer="two", names=("eye",), texture=0.0).sum().backward()
    best, other = (features.grad[0, :, 3:6, left : left + 3].norm() for left in (2, 6))
    assert best > 20 * other


def test_a_group_is_all_of_its_motifs(features):
    network = replace(figured(), groups={"both": ("wing", "eye"), "birds": ("wing",)})
    for group, names in (("both", ("eye", "wing")), ("birds", ("wing",))):
        scores = objectives.motif(features, network=network, layer="two", names=(group,))
        same(scores, objectives.motif(features, network=network, layer="two", names=names).numpy())
    with pytest.raises(RecipeError, match=r"knows no 'bird'; did you mean birds\?") as caught:
        objectives.motif(features, network=network, layer="two", names=("bird",))
    assert str(caught.value).endswith("; groups of them are both, birds")


def test_features_are_normalised_where_their_statistics_are_known(features):
    mean, std = torch.linspace(-1, 1, C), torch.linspace(0.5, 2, C)
    known = {"network": replace(figured(), statistics={"two": (mean, std)}), "layer": "two"}
    bare = {"network": figured(), "layer": "two"}
    plain = (features - mean[:, None, None]) / std[:, None, None]
    for texture in (0.0, 0.5, 1.0):
        words = {"names": ("wing",), "texture": texture}
        same(objectives.motif(features, **known, **words), objectives.motif(plain, **bare, **words).numpy())
    same(objectives.channel(features, **known, index=(7, 2)), objectives.channel(plain, **bare, index=(7, 2)).numpy())


# classes


def test_logit_is_the_channel_of_a_class(features):
    a = features.numpy()
    same(objectives.logit(features, network=classifier(), layer="two", names=("c",)), a[:, 2])
    same(objectives.logit(features, network=classifier(), layer="two", index=(1,), names=("c",)), a[:, 1:3].mean(1))
    same(objectives.logit(features, **AT), a.max(1))


def test_logit_is_what_a_read_out_says_of_a_class(features):
    network = taught()
    weight, bias = (values.double().numpy() for values in network.heads["two"])
    wanted = np.einsum("c,bchw->bhw", weight[0], features.numpy()) + bias[0]
    same(objectives.logit(features, network=network, layer="two", names=("eye",)), wanted)


def test_probability_is_the_softmax(features):
    a = features.numpy()
    share = np.exp(a) / np.exp(a).sum(1, keepdims=True)
    same(objectives.probability(features, network=classifier(), layer="two", names=("c",)), share[:, 2])
    same(objectives.probability(features, **AT), share.max(1))
    by_hand = objectives.probability(hand((0.0,), (np.log(3),)), **AT, index=(1,))  # 3 / (1 + 3)
    same(by_hand, [[[0.75]]])


def test_a_probability_hardly_moves_near_its_ends_and_a_logit_does():
    """p (1 - p): what the field says against probabilities."""
    features = hand((20.0,), (0.0,)).requires_grad_()
    for objective, slope in ((objectives.logit, 1.0), (objectives.probability, 0.0)):
        (found,) = torch.autograd.grad(objective(features, **AT, index=(0,)).sum(), features)
        assert float(found[0, 0]) == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("objective", [objectives.logit, objectives.probability])
def test_unknown_classes_are_told_of(features, objective):
    with pytest.raises(RecipeError, match=r"classes 0 to 11, not 12"):
        objective(features, **AT, index=(12,))
    with pytest.raises(RecipeError, match=r"knows no 'wong'; did you mean wing\?"):
        objective(features, network=taught(), layer="two", names=("wong",))
    with pytest.raises(RecipeError, match=r"knows no 'a'(?s:.*)there are no names"):
        objective(features, **AT, names=("a",))


def test_an_error_does_not_list_a_thousand_names(features):
    many = taught(tuple(f"class {number}" for number in range(1000)))
    with pytest.raises(RecipeError) as caught:
        objectives.logit(features, network=many, layer="two", names=("class 10000",))
    assert "did you mean class" in str(caught.value) and len(str(caught.value)) < 300


# directions


def cosine_climb(a, v, power):
    """Lucid's dot product times its floored cosine."""
    dot = np.einsum("bchw,c->bhw", a, v / np.sqrt((v**2).sum()))
    if not power:
        return dot
    cosine = dot / (np.sqrt((a**2).sum(1)) + 1e-4)
    return dot * np.maximum(0.1, cosine) ** power


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_given_direction_is_climbed_by_its_cosine(features, power):
    vector = np.random.default_rng(0).normal(size=C)
    found = objectives.direction(features, layer="two", vector=tuple(vector), power=power)
    same(found, cosine_climb(features.numpy(), vector, power))


def test_direction_is_as_computed_by_hand_along_across_and_against_it():
    """Along (3, 4) / 5: (1, 0) is there 0.6 of its length, (3, 4) wholly, (-5, 0) against it: floored."""
    seen = hand((1, 3, -5), (0, 4, 0))
    same(objectives.direction(seen, layer="x", vector=(3, 4)), [[[0.6, 5, -3]]])
    found = objectives.direction(seen, layer="x", vector=(3, 4), power=2.0)
    np.testing.assert_allclose(found.numpy(), [[[0.6**3, 5, -0.03]]], rtol=3e-4)


def test_a_direction_of_a_seed_is_random_and_the_same_again(features):
    before = torch.get_rng_state()
    first, again, other = (objectives.direction(features, layer="two", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert torch.equal(before, torch.get_rng_state())
    ones = torch.eye(C)[:, :, None, None]
    lengths = objectives.direction(ones, layer="two", seed=3).square().sum()
    assert float(lengths) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(("vector", "why"), [((1.0,) * 3, "has 3 numbers"), ((0.0,) * C, "no number but 0")])
def test_a_vector_that_is_no_direction_is_refused(features, vector, why):
    with pytest.raises(RecipeError, match=why):
        objectives.direction(features, layer="two", vector=vector)


def test_arithmetic_adds_and_subtracts_directions(features):
    network = taught()
    weight = network.heads["two"][0].double().numpy()
    eye = weight[0] - weight.mean(0)
    axis = np.eye(C)
    wanted = cosine_climb(features.numpy(), axis[3] - axis[7] + eye / np.linalg.norm(eye), 1.0)
    found = objectives.arithmetic(
        features, network=network, layer="two", plus=("3", "eye"), minus=("scale",), power=1.0
    )
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_arithmetic_of_two_channels_is_as_computed_by_hand():
    """(1, -1) / root 2 on (5, 1) is 4 / root 2."""
    same(objectives.arithmetic(hand((5.0,), (1.0,)), **AT, plus=("0",), minus=("1",)), [[[4 / 2**0.5]]])


def test_arithmetic_refuses_what_leaves_nothing(features):
    with pytest.raises(RecipeError, match="leave nothing of each other"):
        objectives.arithmetic(features, **AT, plus=("3",), minus=("3",))
    with pytest.raises(RecipeError, match="channels 0 to 11, not 30"):
        objectives.arithmetic(features, **AT, plus=("30",))
    with pytest.raises(RecipeError, match=r"knows no 'scal'; did you mean scale"):
        objectives.arithmetic(features, network=taught(), layer="two", plus=("scal",))


def test_every_unknown_name_of_a_direction_is_told(features):
    where = {"network": taught(), "layer": "two"}
    with pytest.raises(RecipeError) as caught:
        objectives.arithmetic(features, **where, plus=("eyy", "30"), minus=("zzz",))
    assert all(name in str(caught.value) for name in ("'eyy'; did you mean eye", "'zzz'", "0 to 11, not 30"))
    with pytest.raises(RecipeError) as caught:
        objectives.interpolation(features, **where, first="eyy", second="zzz")
    assert all(name in str(caught.value) for name in ("'eyy'", "'zzz'"))
    with pytest.raises(RecipeError, match="channels 0 to 11, not 1000"):
        objectives.arithmetic(features, **where, plus=("9" * 5000,))


def test_interpolation_goes_from_one_to_the_other_along_the_batch(features):
    a = features.numpy()
    wanted = [(1 - t) * a[b, 3] + t * a[b, 7] for b, t in enumerate((0, 0.5, 1))]
    found = objectives.interpolation(features, network=taught(), layer="two", first="3", second="scale")
    same(found, wanted)
    halves = [
        objectives.interpolation(features, network=taught(), layer="two", first=first, second=second)
        for first, second in (("3", ""), ("", "7"))
    ]
    same(halves[0] + halves[1], wanted)
    same(objectives.interpolation(features[:1], **AT, first="3", second="7"), a[:1, 3])


# batches


def test_diversity_is_the_likeness_of_gram_matrices(features):
    a = features.numpy()
    grams = []
    for b in range(3):
        flat = a[b].reshape(C, H * W).T
        gram = flat.T @ flat
        grams.append(gram / np.sqrt((gram**2).sum()))
    total = sum((grams[i] * grams[j]).sum() for i in range(3) for j in range(3) if i != j)
    found = objectives.diversity(features)
    assert found.shape == (3, 1, 1)
    assert float(found.mean()) == pytest.approx(-total / 3)  # Distill's L_div
    assert not objectives.diversity(features[:1]).any()


def test_diversity_is_as_computed_by_hand_of_the_same_and_of_separate_channels():
    """The same picture twice is as alike as can be, 1; two of separate channels have nothing in common."""
    one, other = hand((1.0, 2.0), (0.0, 0.0)), hand((0.0, 0.0), (3.0, 1.0))
    same(objectives.diversity(torch.cat([one, one]))[:, 0, 0], [-1, -1])
    same(objectives.diversity(torch.cat([one, other]))[:, 0, 0], [0, 0])


def test_relative_diversity_counts_as_much_whatever_the_features_measure(features):
    plain, relative = objectives.diversity(features), objectives.diversity(features, relative=True)
    same(relative, plain * features.square().mean().sqrt())
    same(objectives.diversity(features * 7, relative=True), relative * 7)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_alignment_is_the_difference_of_neighbours(count):
    features = torch.randn(count, C, H, W, dtype=torch.float64)
    a = features.numpy()
    total = 0.0
    for apart in (1, 2, 3, 4):
        for i in range(count - apart):
            total += ((a[i] - a[i + apart]) ** 2).mean() / 3.0**apart
    assert float(objectives.alignment(features, decay=3.0).mean()) * count == pytest.approx(-total, abs=1e-12)


def test_alignment_of_two_pictures_is_as_computed_by_hand():
    """Two pictures, 2 and 4 apart in their two channels: (4 + 16) / 2, halved for being neighbours."""
    pictures = torch.cat([hand((0.0,), (0.0,)), hand((2.0,), (4.0,))])
    same(objectives.alignment(pictures), [[[-5]], [[0]]])


# likeness


def test_content_is_half_the_mean_squared_difference(features):
    known = torch.randn(1, C, H, W, dtype=torch.float64)
    wanted = -((features.numpy() - known.numpy()) ** 2).sum(1) / C / 2
    same(objectives.content(features, photo_features=known), wanted)
    same(objectives.content(hand((1.0,), (3.0,)), photo_features=hand((0.0,), (0.0,))), [[[-2.5]]])


def test_inversion_is_the_squared_distance_beside_the_photo(features):
    known = torch.randn(1, C, H, W, dtype=torch.float64)
    a, p = features.numpy(), known.numpy()
    wanted = [-((a[b] - p[0]) ** 2).sum() / (p**2).sum() for b in range(3)]
    same(objectives.inversion(features, photo_features=known)[:, 0, 0], wanted)
    same(objectives.guide_inversion(features, guide=known)[:, 0, 0], wanted)
    same(objectives.inversion(hand((1.0,), (3.0,)), photo_features=hand((0.0,), (2.0,))), [[[-0.5]]])


def test_guide_inversion_stretches_the_guide():
    found = objectives.guide_inversion(hand((2.0,) * 4, (1.0,) * 4), guide=hand((2.0,), (1.0,)))
    same(found, [[[0]]])


def test_style_is_the_distance_of_gram_matrices(features):
    guide = torch.randn(1, C, 4, 6, dtype=torch.float64)
    a, g = features.numpy(), guide.numpy()[0].reshape(C, -1)
    wanted = []
    for b in range(3):
        flat = a[b].reshape(C, -1)
        difference = flat @ flat.T / (H * W) - g @ g.T / 24
        wanted.append(-(difference**2).sum() / (4 * C**2))
    same(objectives.style(features, guide=guide)[:, 0, 0], wanted)


def test_style_is_as_computed_by_hand_and_does_not_depend_on_places():
    """Mean products (1, 0; 0, 4) and nothing: (1 + 16) / 4 pairs / 4. Where things are does not matter."""
    seen = hand((2.0, 0.0, 0.0, 0.0), (0.0, 4.0, 0.0, 0.0))
    same(objectives.style(seen, guide=torch.zeros_like(seen)), [[[-17 / 16]]])
    same(objectives.style(seen, guide=seen.flip(-1)), [[[0]]])


def sorted_distance(seen, wanted):
    """Squared distances of sorted values (D, n) and (D, m), of which the second are interpolated to n."""
    n, m = seen.shape[1], wanted.shape[1]
    at = (np.arange(n) + 0.5) / n * m - 0.5
    order = np.stack([np.interp(at, np.arange(m), np.sort(row)) for row in wanted])
    return (np.sort(seen, 1) - order) ** 2


@pytest.mark.parametrize("size", [(4, 6), (H, W), (9, 11)])
@pytest.mark.parametrize("directions", [0, 1, 7])
def test_texture_is_the_distance_of_sorted_values(features, size, directions):
    guide = torch.randn(1, C, *size, dtype=torch.float64) * 2 + 1
    torch.manual_seed(3)
    found = objectives.texture(features, guide=guide, directions=directions)[:, 0, 0]
    torch.manual_seed(3)
    ways = torch.randn(directions, C).numpy().astype(float) if directions else np.eye(C)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    a, g = features.numpy().reshape(3, C, -1), guide.numpy().reshape(C, -1)
    wanted = [-sorted_distance(ways @ a[b], ways @ g).mean() for b in range(3)]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)


def test_texture_is_as_computed_by_hand_and_does_not_depend_on_places():
    """Sorted, 3 1 2 0 is 0 1 2 3, and 1 3 is 1 1.5 2.5 3: (1 + .25 + .25 + 0) / 4. Where things are does not matter."""
    seen = hand((3.0, 1.0, 2.0, 0.0))
    same(objectives.texture(seen, guide=hand((1.0, 3.0)), directions=0), [[[-0.375]]])
    same(objectives.texture(seen, guide=seen.flip(-1), directions=0), [[[0]]])


def test_texture_tells_apart_what_has_the_same_gram_matrix():
    """Values of one mean square: 1 1 1 1 and 2 0 0 0."""
    even, peaked = hand((1.0, 1.0, 1.0, 1.0)), hand((2.0, 0.0, 0.0, 0.0))
    same(objectives.style(even, guide=peaked), [[[0]]])
    same(objectives.texture(even, guide=peaked, directions=0), [[[-1]]])
    same(objectives.texture(even, guide=peaked, directions=5), [[[-1]]])


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
def test_caricature_is_the_dot_product_times_the_true_cosine(features, power):
    known = features[:1] + torch.randn(1, C, H, W, dtype=torch.float64)
    a, p = features.numpy(), known.numpy()[0]
    wanted = []
    for b in range(3):
        dot = (a[b] * p).sum()
        cosine = dot / (np.sqrt((a[b] ** 2).sum()) * np.sqrt((p**2).sum()))
        wanted.append(dot * max(0.1, cosine) ** power)
    same(objectives.caricature(features, photo_features=known, power=power)[:, 0, 0], wanted)


def test_caricature_of_two_vectors_is_as_computed_by_hand():
    """(3, 4) and (4, 3): dot 24, cosine 24 / 25; a photo twice as strong counts twice, its cosine stays."""
    seen, known = hand((3.0,), (4.0,)), hand((4.0,), (3.0,))
    same(objectives.caricature(seen, photo_features=known, power=1.0), [[[24 * 0.96]]])
    same(objectives.caricature(seen, photo_features=2 * known, power=1.0), [[[48 * 0.96]]])


def test_some_of_the_names_are_drawn_for_each_seed() -> None:
    network, layer = reverie(), "m4a"
    features = torch.randn(1, 248, 6, 7)
    names = ("eye", "rose", "arch", "snake", "petals", "window")

    def scores(seed: int, **options: Any) -> torch.Tensor:
        with Randomness(seed):
            torch.rand(seed)  # what has been drawn by then does not matter
            return objectives.motif(features, network=network, layer=layer, **options)

    drawn = {seed: scores(seed, names=names, some=2) for seed in (0, 1, 2)}
    pairs = {pair: scores(0, names=pair) for pair in combinations(names, 2)}
    found = {seed: [pair for pair in pairs if torch.allclose(pairs[pair], mine)] for seed, mine in drawn.items()}
    assert all(len(pair) == 1 for pair in found.values()) and len({pair[0] for pair in found.values()}) > 1
    assert torch.equal(drawn[1], scores(1, names=names, some=2))
    assert torch.equal(scores(0, names=names), scores(0, names=names, some=6))


def test_the_names_that_are_drawn_are_by_preference_those_that_the_photo_is_like() -> None:
    """A photo of one motif on plain grey: that motif is drawn for most seeds, and others for some."""
    network, layer, names = reverie(), "m4a", ("eye", "rose", "nautilus", "arch")
    features = torch.randn(1, 248, 2, 3)

    def drawn(photo: torch.Tensor | None) -> Counter[str]:
        overview = None if photo is None else network.features(photo, [layer])[layer]

        def scores(seed: int, **options: Any) -> torch.Tensor:
            with Randomness(seed):
                return objectives.motif(features, network=network, layer=layer, overview=overview, **options)

        alone = {name: scores(0, names=(name,)) for name in names}
        found = [scores(seed, names=names, some=1) for seed in range(8)]
        return Counter(name for one in found for name, mine in alone.items() if torch.equal(one, mine))

    for motif in (motif for motif in MOTIFS if motif.name in ("eye", "nautilus")):
        photo, name = torch.full((1, 3, 192, 256), 0.5), motif.name
        photo[..., 50:138, 80:168] = portraits(motif, 1, 88, torch.Generator().manual_seed(5))
        assert drawn(photo)[name] > 5, name
    assert max(drawn(None).values()) < 5


def test_a_photo_is_looked_through_once_for_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    network, layer, looked = reverie(), "m4a", []
    module = sys.modules["dreamer.ingredients.objectives.motif"]
    like = module._like
    monkeypatch.setattr(module, "_like", lambda *given: looked.append(given) or like(*given))
    features, photos = torch.randn(1, 248, 2, 3), torch.randn(2, 1, 248, 6, 7).unbind()
    for seed, photo in ((0, 0), (0, 0), (1, 0), (0, 0), (0, 1)):
        with Randomness(seed):
            objectives.motif(features, network=network, layer=layer, overview=photos[photo], some=2)
    assert len(looked) == 3  # for each seed and photo
