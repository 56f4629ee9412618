"""`dreamer visualize` and `dreamer.visualize`: pictures from nothing, and everything that can be wrong about them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from command import dreamer, left_in, photo, refused, stamp_of
from networks import pooling, tiny
from PIL import Image
from torch import nn

import dreamer as api
from dreamer.api import registry
from dreamer.engine.device import Machine
from dreamer.errors import RecipeError, UsageError
from dreamer.image import to_pil
from dreamer.networks.network import Network
from dreamer.pipeline.build import build
from dreamer.testing import tiny_network
from dreamer.visualization.unit import FROM_NOTHING, Unit, grey, logits

QUICK = ("--size", "64", "--steps", "2", "--progress", "none")
CPU = Machine("cpu", "float32", 0)


def picture_of(*arguments, **words):
    """The one picture of `dreamer.visualize`, which gives a list."""
    (picture,) = api.visualize(*arguments, **words)
    return picture


def visualize(*arguments):
    return dreamer("visualize", *QUICK, *arguments)


def score_of(network, picture, layer, channel):
    image = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    return float(network.features(image, [layer])[layer][:, channel].mean())


def test_a_picture_of_a_unit_comes_from_nothing(tmp_path):
    assert visualize("-o", tmp_path / "eye.png", "--class", "eye").code == 0
    with Image.open(tmp_path / "eye.png") as picture:
        assert picture.size == (64, 64)
    recipe = stamp_of(tmp_path / "eye.png")["recipe"]
    assert recipe["objectives"][0]["names"] == ["eye"] and recipe["init"] == "canvas"
    assert recipe["canvas"] == {"name": "fourier", "decay": 1.0, "sigma": 0.01}
    assert recipe["optimiser"]["name"] == "adam" and recipe["optimiser"]["rate"] == 0.05


def test_the_recipe_inside_makes_the_same_bytes(tmp_path):
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    canvas = ("--canvas", "phase", "--optimiser", "nadam", "--set", "canvas.contrast=1.5", "--seed", "5")
    assert visualize("-o", one, "--channel", "7", *canvas).code == 0
    assert dreamer("visualize", "-o", two, "--recipe", one, "--progress", "none").code == 0
    assert one.read_bytes() == two.read_bytes()
    assert stamp_of(one)["recipe"]["canvas"]["contrast"] == 1.5


def test_another_seed_is_another_picture_and_several_come_as_one_sheet(tmp_path):
    for seed in ("0", "1"):
        assert visualize("-o", tmp_path / f"{seed}.png", "--channel", "7", "--seed", seed).code == 0
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()
    assert visualize("-o", tmp_path / "sheet.png", "--channel", "7", "--count", "3").code == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        cells = np.asarray(sheet).reshape(2, 64, 2, 64, 3).swapaxes(1, 2)
    assert not np.array_equal(cells[0, 0], cells[0, 1]) and not np.array_equal(cells[0, 1], cells[1, 0])
    assert (cells[1, 1] == 128).all()


def test_snapshots_are_kept_and_what_is_there_already_too(tmp_path):
    out = tmp_path / "unit.png"
    assert visualize("-o", out, "--channel", "7", "--snapshots", "1").code == 0
    assert left_in(tmp_path) == ["unit-0001.png", "unit.png"]
    before = out.read_bytes()
    assert visualize("-o", out, "--channel", "7").code == 0  # done already
    refused(visualize("-o", out, "--channel", "8"), "--force replaces it")
    assert out.read_bytes() == before


def test_over_a_photo_the_canvas_paints_a_change(tmp_path):
    source = photo(tmp_path / "photo.png", 96, 72)
    before = np.asarray(Image.open(source)).astype(int)
    changes = {}
    for canvas in ("fourier", "laplacian", "phase", "pixels", "cppn"):
        out = tmp_path / f"{canvas}.png"
        assert visualize(source, "-o", out, "--size", "96", "--channel", "7", "--canvas", canvas).code == 0
        changes[canvas] = np.asarray(Image.open(out)).astype(int) - before
    for canvas, change in changes.items():
        assert 0 < np.abs(change).mean() < 40, canvas
    refused(visualize(source, "-o", source, "--channel", "7", "--force"), "itself, which is never overwritten")


def test_render_takes_a_canvas_and_an_optimiser_too(tmp_path):
    source = photo(tmp_path / "photo.png", 96, 72)
    out = tmp_path / "out.png"
    settings = ("--set", "canvas.decay=1.2", "--set", "canvas.name=fourier", "--set", "octaves.steps=2")
    assert dreamer("render", source, "-o", out, *settings).code == 0
    assert stamp_of(out)["recipe"]["canvas"]["decay"] == 1.2  # in whatever order they are said
    assert stamp_of(out)["recipe"]["optimiser"]["name"] == "adam"
    change = np.asarray(Image.open(out)).astype(int) - np.asarray(Image.open(source)).astype(int)
    assert 0.5 < np.abs(change).mean() < 30


def test_strength_0_and_no_steps_leave_the_photo_as_it_is(tmp_path):
    source = photo(tmp_path / "photo.png", 96, 72)
    for canvas in ("fourier", "cppn", "laplacian"):
        words = {"canvas": {"name": canvas}, "optimiser": {"name": "adam", "rate": 1e-6}, "octaves": {"steps": 1}}
        dream = api.dream(source, **words)
        assert np.abs(np.asarray(dream).astype(int) - np.asarray(Image.open(source)).astype(int)).max() <= 1, canvas


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--class", "eyf"], ["reverie has no class 'eyf'; did you mean eye?"]),
        (["--neuron", "3,99,2"], ["row 99, column 2", "rows 0 to 7"]),
        (["--neuron", "1,2"], ["expected a channel, or a channel, a row and a column, as in 12,6,6, not '1,2'"]),
        (["--channel", "999"], ["channel 999: layer m4b of reverie has channels 0 to 271"]),
        (["--channel", "furr"], ["channel furr: ", "did you mean fur"]),
        (["--channel", "1", "--class", "eye"], ["--channel and --class cannot be combined"]),
        (["--canvas", "furier"], ["--canvas: no canvas is called 'furier'; did you mean fourier?"]),
        (["--optimiser", "adm"], ["--optimiser: no optimiser is called 'adm'; did you mean adam"]),
        (["--set", "canvas.dekay=2"], ["canvas.dekay: unknown key; did you mean decay?"]),
        (["--set", "canvas.decay=9"], ["canvas.decay: 9 is not a number from 0 to 4; the nearest is 4"]),
        (["--set", "canvas=3"], ["canvas: expected a table, as in [canvas]"]),
        (["--set", "canvas.name.x=3"], ["there is no such key"]),
        (["--optimiser", "cma-es"], ["at most 2000 numbers, and this canvas has 12672"]),
        (["--direction", "nothing.npy"], ["there is no such file"]),
        (["--network", "reveri"], ["did you mean reverie?"]),
        (["no-photo.jpg"], ["no-photo.jpg: there is no such file"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("-") else "",
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, arguments, words):
    refused(visualize("-o", tmp_path / "out.png", *arguments), *words)
    assert left_in(tmp_path) == []


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    words = ("--canvas", "furier", "--set", "optimiser.rate=-1", "--class", "a", "--layer", "m9", "--set", "colour=2")
    ran = visualize("-o", tmp_path / "out.doc", *words, "--channel", "1", "--direction", tmp_path / "none.npy")
    refused(ran, "out.doc", "cannot be combined", "none.npy")
    refused(visualize("-o", tmp_path / "out.png", *words), "furier", "optimiser.rate", "m9", "colour")


def test_a_canvas_too_small_for_its_layer_says_how_large_it_must_be(tmp_path):
    network = Network("striding", nn.Sequential(nn.Conv2d(3, 4, 33), nn.ReLU()), (0.5,) * 3, (1.0,) * 3, "", "", "1")
    with pytest.raises(UsageError, match="24x24 pixels are too small for striding at 1, which needs at least 33"):
        picture_of(network, channel=2, size=24)


def test_a_direction_comes_from_a_file(tmp_path):
    numbers = np.linspace(-1, 1, 272).astype(np.float32)
    np.save(tmp_path / "way.npy", numbers)
    assert visualize("-o", tmp_path / "out.png", "--direction", tmp_path / "way.npy").code == 0
    vector = stamp_of(tmp_path / "out.png")["recipe"]["objectives"][0]["vector"]
    assert vector == pytest.approx(numbers.tolist(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("1 2 3", "it has 3 numbers, and layer m4b of reverie has 272 channels"),
        ("one two", "no numbers can be read"),
        ("0 " * 272, "has no number but 0"),
    ],
)
def test_a_file_that_is_no_direction_is_refused(tmp_path, text, word):
    (tmp_path / "way.txt").write_text(text)
    refused(visualize("-o", tmp_path / "out.png", "--direction", tmp_path / "way.txt"), word)


def test_python_gets_the_same_picture_as_the_command_line(tmp_path):
    assert visualize("-o", tmp_path / "a.png", "--channel", "7").code == 0
    picture = picture_of("reverie", channel=7, size=64, steps=2)
    assert np.array_equal(np.asarray(picture), np.asarray(Image.open(tmp_path / "a.png")))


def test_the_more_steps_the_more_of_the_unit():
    network = tiny_network()
    scores = [score_of(network, picture_of(network, channel=2, size=48, steps=n), "two", 2) for n in (0, 8, 24)]
    assert scores[0] + 0.05 < scores[1] < scores[2]


def test_an_objective_may_be_a_function_of_the_features():
    network = tiny_network()
    seen = []

    def more(features):
        seen.append({name: tuple(features[name].shape) for name in ("one", "two")})
        return features["one"][:, 2].mean((1, 2)) + features["two"][:, 5]

    assert picture_of(network, more, size=40, steps=1).size == (40, 40)
    one = picture_of(network, lambda f: f["one"][:, 7].mean() - f["two"][:, 12].mean(), size=40, steps=12)
    two = picture_of(network, lambda f: f["two"][:, 12].mean() - f["one"][:, 7].mean(), size=40, steps=12)
    assert seen[0] == {"one": (1, 8, 20, 20), "two": (1, 16, 10, 10)}
    balance = [score_of(network, picture, "one", 7) - score_of(network, picture, "two", 12) for picture in (one, two)]
    assert balance[0] > balance[1] + 0.1


def test_a_function_of_python_may_be_wrong_in_two_ways():
    with pytest.raises(UsageError, match="uses no layer"):
        picture_of(tiny_network(), lambda features: 3.0, size=40)
    with pytest.raises(UsageError, match="depends on the features"):
        picture_of(tiny_network(), lambda features: features["one"].detach().mean(), size=40)
    with pytest.raises(UsageError, match=r"no layer 'oen'; .*did you mean one"):
        picture_of(tiny_network(), lambda features: features["oen"].mean(), size=40)


def test_an_objective_may_be_words_or_a_name():
    network = tiny_network()
    by_words = picture_of(
        network, {"name": "channel", "index": [3], "normalise": False, "square": False}, size=40, steps=2
    )
    by_list = picture_of(
        network, [{"name": "channel", "index": [3], "normalise": False, "square": False}], size=40, steps=2
    )
    assert by_words.tobytes() == by_list.tobytes() == picture_of(network, channel=3, size=40, steps=2).tobytes()
    assert picture_of(network, "deepdream", size=40, steps=2).size == (40, 40)
    assert picture_of(network, "leaf", size=40, steps=2).size == (40, 40)
    assert picture_of(network, channel="spiral", size=40, steps=2).tobytes() == by_words.tobytes()
    with pytest.raises(RecipeError, match="give one of them"):
        picture_of(network, "leaf", channel=3)


def test_several_pictures_are_a_list():
    pictures = api.visualize(tiny_network(), channel=3, size=40, steps=2, count=3)
    assert len(pictures) == 3 and len({picture.tobytes() for picture in pictures}) == 3


def classifier():
    """A network whose last layers are a convolution to 10 classes, ReLU, and their mean."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    labels = ("lion", "sea lion", "lynx", "crane", "crane", "tiger cat", "bee", "volcano", "castle", "web site")
    return Network("zoo", module, (0.5,) * 3, (0.25,) * 3, "none", "random", "1", labels=labels)


def test_a_class_is_seen_before_anything_is_done_to_its_score():
    network = classifier()
    assert logits(network) == "2"
    words = Unit(label="Lion").objectives(network, None, (48, 48))
    assert words == [{"name": "logit", "layer": "2", "names": ["lion"]}]
    lion, bee = (picture_of(network, name, size=48, steps=30) for name in ("LION", "6"))
    assert score_of(network, lion, "2", 0) > score_of(network, bee, "2", 0) + 0.03
    assert score_of(network, bee, "2", 6) > score_of(network, lion, "2", 6) + 0.03


@pytest.mark.parametrize(
    ("name", "word"),
    [("loin", "did you mean lion"), ("cat", "there are tiger cat"), ("10", "no class '10'"), ("", "there are lion")],
)
def test_a_class_that_there_is_not_is_told_with_those_near_it(name, word):
    with pytest.raises(UsageError, match=word):
        picture_of(classifier(), name, size=32)


def test_a_network_without_classes_says_so():
    with pytest.raises(UsageError, match="pooling has no layer of classes"):
        picture_of(pooling(), "lion", size=32)


def test_torchvision_s_classifiers_know_imagenet_s_classes():
    from dreamer.networks import untrained

    network = untrained(registry().networks, "squeezenet1_0")
    assert len(network.labels) == 1000 and network.labels[291] == "lion"
    assert logits(network) == "classifier.1"


def test_a_neuron_s_picture_is_at_its_place():
    """Only what the neuron sees changes: its field, about its place in the picture."""
    network = tiny_network()
    changed = {}
    for place in ((3,), (3, 2, 8)):
        words = {**FROM_NOTHING, "size": 40, "octaves": {"count": 1, "steps": 6}, "transforms": []}
        words |= {"canvas": {"name": "pixels", "sigma": 0.0}}
        pipeline = build(
            words, registry(), network=network, machine=CPU,
            aim=lambda network, words, place=place: Unit(neuron=place).objectives(network, None, (40, 40)),
        )  # fmt: skip
        dream = pipeline.ascend(grey(40, 40))[0]
        change = dream - dream[:, :1, :1]
        rows, columns = (change.abs().amax(0) > 1e-3).nonzero().unbind(1)
        changed[place] = (float(rows.float().mean()), float(columns.float().mean()))
    assert changed[(3,)] == pytest.approx((20, 20), abs=3)  # row and column 5 of 10, stride 4
    assert changed[(3, 2, 8)] == pytest.approx((8, 32), abs=3)


def silent():
    """A network whose only unit says nothing to grey: its ReLU is shut."""
    module = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.ReLU())
    module[0].weight.data = torch.ones_like(module[0].weight) / 27
    module[0].bias.data = torch.tensor([-0.3, 0.0])
    return Network("silent", module, (0.5,) * 3, (1.0,) * 3, "none", "by hand", "1")


def test_a_silent_unit_wakes_up():
    words = {"channel": 0, "size": 32, "steps": 80}
    assert score_of(silent(), to_pil(grey(32, 32)), "1", 0) == 0
    assert score_of(silent(), picture_of(silent(), **words), "1", 0) > 0.01
    with pytest.warns(UserWarning, match="the unit does not fire.*; try another seed, or another unit"):
        asleep = picture_of(silent(), canvas="pixels", optimiser="ascent", **words)  # the dream's own way wakes nobody
    assert score_of(silent(), asleep, "1", 0) == 0


def test_an_update_moves_what_a_canvas_paints():
    network, words = tiny_network(), {"size": 40, "canvas": "fourier", "steps": 4, "channel": 3}
    free = np.asarray(picture_of(network, **words)).astype(int)
    held = np.asarray(picture_of(network, updates=[{"name": "decay", "rate": 0.5}], **words)).astype(int)
    # Were each step's decay forgotten by the next, half of it all would be left instead of a quarter.
    assert 0 < np.abs(held - 128).mean() < 0.4 * np.abs(free - 128).mean()


def test_differentiable_says_whether_a_gradient_comes_back():
    class Shut(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Conv2d(3, 2, 3)

        def forward(self, image):
            return self.inside(image.detach())

    assert tiny().differentiable(["two"])
    assert not replace(tiny(), module=Shut(), default_layer="inside").differentiable(["inside"])


@pytest.mark.parametrize(("canvas", "octaves"), [(None, 3), ("pixels", 3), ("phase", 1), ("latent", 1)])
def test_it_begins_small_on_canvases_that_can_be_enlarged(canvas, octaves):
    seen = []
    picture_of("reverie", channel=7, size=120, steps=1, canvas=canvas, on_step=seen.append)
    assert [step.size[0] for step in seen] == [42, 71, 120][-octaves:]
