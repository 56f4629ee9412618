import weakref
from functools import partial

import pytest
import torch
from networks import calibrated
from networks import pooling as tiny

from dreamer import image
from dreamer.engine.ascent import Ascent, draw
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.octaves import Octave
from dreamer.engine.render import render
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import Interrupted, NotFiniteError
from dreamer.ingredients.gradient_filters import normalise
from dreamer.ingredients.objectives import content, deepdream
from dreamer.ingredients.transforms import crop, jitter, noise, rotate, standard
from dreamer.motifs.sample_scene import scene
from dreamer.networks.randomness import Randomness

CPU = torch.device("cpu")
STEP = Step(0, 1, 0, 1, 0.0, (64, 80))


def sight(network=None, *, dtype=torch.float32, weights=(1.0,), layers=("two",), objective=deepdream, notify=print):
    terms = tuple(
        WeightedObjective(f"{layer}-{k}", weight, layer, lambda seen, moment: objective(seen))
        for k, (weight, layer) in enumerate(zip(weights, layers, strict=True))
    )
    return Scorer(network or tiny(), terms, device=CPU, precision=dtype, tile=0, notify=notify)


def moment(image):
    return StepContext(image, image, STEP)


def test_the_score_and_its_gradient_in_float64():
    network = tiny()
    image = torch.rand(1, 3, 64, 80, dtype=torch.float64)
    weights, layers = (1.0, -0.5), ("one", "two")
    score, gradient = sight(dtype=torch.float64, weights=weights, layers=layers).gradient(image, moment(image))
    module = network.prepared(layers, CPU, torch.float64).module
    leaf = image.clone().requires_grad_()
    one = module.one((leaf - 0.5) / 0.25)
    two = module.two(module.pool(one))
    expected = one.square().mean() - 0.5 * two.square().mean()
    (slope,) = torch.autograd.grad(expected, leaf)
    assert score == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-15)


def test_balance_makes_every_term_one_on_the_undreamt_picture():
    image = torch.rand(1, 3, 64, 80)
    layers = ("one", "two")
    looking = sight(weights=(1.0, 1.0), layers=layers)
    weights = looking.balance(image, moment(image))
    assert looking.gradient(image, moment(image), weights)[0] == pytest.approx(2.0, rel=1e-5)
    alone = sight(weights=weights[:1], layers=("one",)).gradient(image, moment(image))[0]
    assert alone == pytest.approx(1.0, rel=1e-5)


def test_the_gradient_comes_back_through_the_transforms():
    image = torch.rand(1, 3, 20, 30)
    seen_gradient = torch.randn(1, 3, 20, 30)

    def rolled(picture, moment):
        return lambda picture: picture.roll((3, 5), (2, 3))

    ascent = Ascent(lambda picture, moment: (0.0, seen_gradient), transforms=(rolled,), colour=0.0)
    base = torch.full_like(image, 0.5)
    moved, _ = ascent.step(base, base, 1e-3, moment(image))
    torch.testing.assert_close((moved - base) / 1e-3, seen_gradient.roll((-3, -5), (2, 3)), rtol=1e-3, atol=1e-3)


def test_a_priors_weight_is_its_pull_beside_a_gradient_of_rms_one():
    base = torch.full((1, 3, 8, 8), 0.5)
    pull = Ascent(
        lambda picture, moment: (0.0, torch.zeros_like(picture)),
        priors=((2.0, lambda picture, moment: picture.mean()),),
        colour=0.0,
    )
    moved, _ = pull.step(base, base, 0.01, moment(base))
    torch.testing.assert_close(moved, base - 0.02)


def octaves(steps=3):
    return [Octave((46, 57), steps, 0.01), Octave((64, 80), steps, 0.01)]


def ascent_at(moment):
    return Ascent(sight().gradient, gradient_filters=(lambda gradient, moment: normalise(gradient),), colour=0.5)


def test_the_score_rises_and_the_photos_detail_stays():
    photo = scene(80, 64)
    steps = []
    dreamt = render(photo, photo, octaves(6), ascent_at, on_step=steps.append)
    assert steps[-1].score > steps[6].score and steps[5].score > steps[0].score
    assert [step.octave for step in steps] == [0] * 6 + [1] * 6
    assert steps[-1].share == pytest.approx(1) and steps[0].share < steps[1].share
    detail = photo - torch.nn.functional.avg_pool2d(photo, 3, 1, 1)
    dream_detail = dreamt - torch.nn.functional.avg_pool2d(dreamt, 3, 1, 1)
    assert torch.corrcoef(torch.stack([detail.flatten(), dream_detail.flatten()]))[0, 1] > 0.5


def test_no_steps_give_the_photo():
    photo = scene(80, 64)
    assert torch.equal(render(photo, photo, octaves(0), ascent_at), photo)


def test_interrupting_keeps_the_octave_at_the_pictures_size():
    photo = scene(80, 64)

    def stop(step):
        if step.octave == 1 and step.number == 0:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        render(photo, photo, octaves(), ascent_at, on_step=stop)
    assert caught.value.picture.shape == photo.shape
    assert (caught.value.picture - photo).abs().mean() > 1e-4


def test_interrupting_between_octaves_keeps_the_picture(monkeypatch):
    photo = scene(80, 64)

    def interrupted_at(call):
        """The picture kept of a dream stopped in that call of `resize`."""
        sizes = []

        def resize(picture, size, edges):
            sizes.append(size)
            if len(sizes) == call:
                raise KeyboardInterrupt
            return image.resize(picture, size, edges)

        monkeypatch.setattr("dreamer.engine.render.resize", resize)
        with pytest.raises(Interrupted) as caught:
            render(photo, photo, octaves(), ascent_at)
        return caught.value.picture

    assert interrupted_at(1).shape == interrupted_at(2).shape == photo.shape


def test_snapshots_are_whole_pictures():
    photo = scene(80, 64)
    kept = {}
    render(photo, photo, octaves(), ascent_at, snapshots=(2, 6), on_snapshot=kept.__setitem__)
    assert list(kept) == [2, 6]
    assert all(picture.shape == photo.shape for picture in kept.values())
    assert (kept[6] - photo).abs().mean() > (kept[2] - photo).abs().mean() > 0


def broken(features):
    return features.square().mean(1) * float("inf")


def test_nan_names_the_octave_and_the_layer():
    photo = scene(80, 64)
    with pytest.raises(NotFiniteError, match=r"layer two gave .*octave 1 of 2 \(57x46\)"):
        render(photo, photo, octaves(), lambda m: Ascent(sight(objective=broken).gradient))


def test_nan_in_bfloat16_goes_on_in_float32():
    said = []

    def fragile(features):
        exact = torch.equal(features, features.bfloat16().float())
        return features.square().mean(1) * (float("nan") if exact else 1.0)

    looking = sight(dtype=torch.bfloat16, objective=fragile, notify=said.append)
    image = scene(80, 64)
    score, gradient = looking.gradient(image, moment(image))
    assert score > 0 and gradient.isfinite().all()
    assert looking.precision == torch.float32 and "float32" in said[0]


def test_out_of_memory_on_a_gpu_goes_on_with_smaller_tiles():
    said = []
    looking = sight(calibrated("reverie"), layers=("m3a",), notify=said.append)
    whole = looking._gradient

    def short(*arguments):
        if looking.tile == 0 or looking.tile > 100:
            raise torch.cuda.OutOfMemoryError
        return whole(*arguments)

    looking._gradient = short
    image = scene(300, 200)
    expected = sight(calibrated("reverie"), layers=("m3a",)).gradient(image, moment(image))[1]
    _, found = looking.gradient(image, moment(image))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-7)
    assert looking.tile == 75 and "tiles of 75 pixels" in said[-1]


def at_once(transform):
    """The transform in the form that returns the transformed image itself."""
    return partial(draw, lambda image, context: transform(image)(image))


DRAWING = tuple(lambda image, context, f=f: f(image) for f in (jitter, rotate, noise, standard))
AT_ONCE = tuple(at_once(f) for f in (jitter, rotate, noise, standard))


@pytest.mark.parametrize("shaken", [DRAWING, AT_ONCE], ids=["drawing", "at once"])
def test_what_needs_the_photo_sees_it_through_the_same_transforms(shaken):
    """The photo itself is then no way from the photo, however it is thrown about; the random state is not touched."""
    term = WeightedObjective(
        "likeness", 1.0, "two", lambda seen, moment: content(seen, photo_features=moment.photo_features), True
    )
    looking = Scorer(tiny(), (term,), device=CPU, precision=torch.float32, tile=0, notify=print)
    image, other = scene(64, 48), scene(64, 48, 5)
    ascent = Ascent(looking.gradient, transforms=shaken)
    torch.manual_seed(3)
    _, score = ascent.step(image, image, 0.01, moment(image))
    after = torch.rand(())
    assert score == 0
    torch.manual_seed(3)
    sight_alone = Ascent(sight().gradient, transforms=shaken)
    sight_alone.step(image, image, 0.01, moment(image))
    assert torch.equal(torch.rand(()), after)
    assert ascent.step(image, image, 0.01, StepContext(other, image, STEP))[1] < 0


def seen_through(transforms, image):
    """The image as it is scored, and the function that transforms other pictures alike."""
    known = []
    Ascent(lambda seen, context: known.append((seen, context)) or (0.0, torch.zeros_like(seen)), transforms).step(
        image, image, 0.01, moment(image)
    )
    return known[0][0], known[0][1].apply_transforms


def test_transforms_do_the_same_in_either_form():
    image, other = scene(64, 48), scene(64, 48, 5)
    found = []
    for shaken in (DRAWING, AT_ONCE):
        with Randomness(3):
            seen, apply = seen_through(shaken, image)
            found.append((seen, torch.rand(()), apply(other), torch.rand(())))
    assert all(torch.equal(one, same) for one, same in zip(*found, strict=True))


class Passing(torch.autograd.Function):
    """Passes pictures and gradients on, and calls a function on the way back."""

    @staticmethod
    def forward(ctx, picture, passed):
        ctx.passed = passed
        return picture.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.passed()
        return gradient.clone(), None


def test_a_large_gradient_is_let_go_of_on_its_way_back():
    """A large picture has no room for what every transform has made of it."""
    alive, known = [], []

    def gradient(seen, context):
        found = torch.ones_like(seen)
        known.append(weakref.ref(found))
        return 0.0, found

    def passing(image, context):
        return lambda picture: Passing.apply(picture, lambda: alive.append(known[0]() is not None))

    image = scene(64, 48)
    Ascent(gradient, transforms=(passing, passing)).step(image, image, 0.01, moment(image))
    assert alive == [True, False]


def test_a_mask_is_moved_as_the_picture_is():
    """The noise draws less for one channel; what is drawn after it must not depend on that."""
    image = scene(64, 48)
    shaken = (lambda image, context: noise(image, sigma=0.0), *DRAWING[:2], lambda image, context: crop(image))
    torch.manual_seed(3)
    seen, apply = seen_through(shaken, image)
    torch.testing.assert_close(apply(image[:, :1]), seen[:, :1])
    assert not torch.equal(seen, crop(image)(image))


def test_likeness_is_measured_at_the_same_place_in_tiles():
    term = WeightedObjective(
        "likeness", 1.0, "two", lambda seen, moment: content(seen, photo_features=moment.photo_features), True
    )
    image, photo = (scene(96, 80, seed).double() for seed in (0, 5))
    found = [
        Scorer(tiny(), (term,), device=CPU, precision=torch.float64, tile=tile, notify=print).gradient(
            image, StepContext(photo, image, STEP)
        )
        for tile in (0, 24)
    ]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=0, atol=1e-9 * float(found[0][1].abs().max()))
    network = tiny().prepared(["two"], CPU, torch.float64)
    features = [network.features(picture, ["two"])["two"] for picture in (image, photo)]
    assert found[0][0] == pytest.approx(-float((features[0] - features[1]).square().mean()) / 2, rel=1e-12)
