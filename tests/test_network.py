import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from networks import calibrated
from networks import pooling as tiny
from safetensors.torch import load_file, save_file
from torch import nn

from dreamer.errors import NetworkError
from dreamer.hookspecs import UntrainedFactory
from dreamer.networks import load_from, untrained
from dreamer.networks.network import Network
from dreamer.networks.reverie import reverie, weights_path
from dreamer.networks.torchvision import REFUSED, classics
from dreamer.networks.weights import file_hash, metadata, story
from dreamer.plugins.loading import load_plugins
from dreamer.recipes.registry import NamedRegistry
from dreamer.testing.tiny import tiny_network

CPU = torch.device("cpu")


def plain(module: nn.Module) -> Network:
    return Network("plain", module, (0.0,) * 3, (1.0,) * 3, "none", "test", "conv")


def test_preprocessing_belongs_to_the_network():
    network = tiny()
    image = torch.rand(1, 3, 16, 16)
    expected = network.module.one((image - 0.5) / 0.25)
    torch.testing.assert_close(network.features(image, ["one"])["one"], expected)


def test_features_are_differentiable_in_the_image():
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    network = tiny()
    (gradient,) = torch.autograd.grad(network.features(image, ["two"])["two"].sum(), image)
    assert gradient.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.module.parameters())


def test_the_pass_stops_at_the_deepest_layer_and_leaves_no_hook():
    ran = []
    network = tiny()
    handle = network.module.two.register_forward_hook(lambda *_: ran.append("two"))
    network.features(torch.rand(1, 3, 16, 16), ["one", "pool"])
    handle.remove()
    assert not ran
    for module in network.module.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_hooks_are_removed_when_the_pass_fails():
    network = tiny()
    with pytest.raises(NetworkError, match="16x0 pixels are too small"):
        network.features(torch.rand(1, 3, 0, 16), ["one"])
    assert not any(module._forward_hooks for module in network.module.modules())


@pytest.mark.parametrize("names", [["one.0"], ["one.0", "one.1"], ["one.0", "two"]])
def test_an_in_place_activation_does_not_change_a_requested_layer(names):
    network = tiny()
    image = torch.rand(1, 3, 16, 16)
    expected = network.module.one[0]((image - 0.5) / 0.25)
    assert expected.min() < 0
    torch.testing.assert_close(network.features(image, names)["one.0"], expected)


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.norm.running_mean += 0.3
        self.norm.running_var *= 4
        self.deep = nn.Conv2d(4, 4, 1)

    def forward(self, image):
        return self.deep(torch.relu_(self.norm(self.conv(image))))


@pytest.mark.parametrize(("asked", "folded"), [("deep", True), ("norm", True), ("conv", False)])
def test_batch_norm_is_folded_but_never_across_a_layer_that_was_asked_for(asked, folded):
    network = plain(Normed())
    image = torch.rand(1, 3, 12, 12)
    prepared = network.prepared([asked], CPU, torch.float32)
    assert isinstance(prepared.module.norm, nn.Identity) == folded
    expected = network.features(image, [asked])[asked]
    torch.testing.assert_close(prepared.features(image, [asked])[asked], expected, rtol=1e-4, atol=1e-5)
    assert isinstance(network.module.norm, nn.BatchNorm2d)


@pytest.mark.parametrize("name", ["googlenet", "densenet121", "mobilenet_v2", "resnet18"])
def test_a_prepared_network_computes_the_same(name):
    network = calibrated(name)
    layers = [network.default_layer]
    image = torch.rand(1, 3, 96, 128)
    expected = network.features(image, layers)[layers[0]]
    found = network.prepared(layers, CPU, torch.float32).features(image, layers)[layers[0]]
    assert (found - expected).abs().max() < 1e-3 * expected.abs().max()


def test_swin_comes_with_channels_first():
    network = calibrated("swin_t")
    layer = network.layer(network.default_layer)
    features = network.features(torch.rand(1, 3, 96, 128), [layer.name])[layer.name]
    assert features.shape == (1, layer.channels, 6, 8)


def test_logits_come_as_a_map_of_one_position():
    network = calibrated("squeezenet1_0")
    name = network.layers()[-1].name
    assert network.features(torch.rand(1, 3, 64, 64), [name])[name].shape[1] == 1000
    assert calibrated("resnet18").features(torch.rand(1, 3, 64, 64), ["fc"])["fc"].shape == (1, 1000, 1, 1)


def test_sizes_are_known_without_computing():
    network = calibrated("squeezenet1_0")
    features = network.features(torch.rand(1, 3, 131, 97), ["features.10"])["features.10"]
    assert network.sizes(131, 97, ["features.10"])["features.10"] == features.shape[-2:]


def test_a_picture_too_small_is_told_how_small_it_may_be():
    network = calibrated("squeezenet1_0")
    smallest = network.smallest(["features.10"])
    network.sizes(smallest, smallest, ["features.10"])
    with pytest.raises(NetworkError, match=rf"5x3000 pixels are too small .* at least {smallest} pixels"):
        network.sizes(3000, 5, ["features.10"])


def test_every_classification_network_of_torchvision_is_known():
    from torchvision import models

    names = {factory.name for factory in classics()}
    assert names | set(REFUSED) == set(models.list_models(module=models))
    assert not names & set(REFUSED)


FAMILIES = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet50", "shufflenet_v2_x0_5",
    "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vgg16", "vit_b_32",
]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_has_its_default_layer(name):
    made_on = "cpu" if name.startswith("regnet") else "meta"  # which takes no memory; a regnet reads its own weights
    with torch.device(made_on):
        network = untrained(load_plugins()[0].networks, name)
    layer = network.layer(network.default_layer)
    assert network.sizes(224, 224, [layer.name])[layer.name] > (6, 6)
    assert layer.channels > 16
    if name.startswith(("efficientnet", "mnasnet", "mobilenet")):
        block = network.module.get_submodule(re.split(r"\.(?:block|conv|layers\.2)", layer.name)[0])
        narrow = [part.out_channels for part in block.modules() if isinstance(part, torch.nn.Conv2d)][-1]
        assert layer.channels >= 3 * narrow  # widened, and not the block's narrow output


@pytest.mark.parametrize(("name", "hint"), [("gogglenet", "did you mean googlenet"), ("maxvit_t", "one size only")])
def test_an_unknown_or_refused_network_says_why(name, hint):
    with pytest.raises(NetworkError, match=hint):
        load_from(load_plugins()[0].networks, name)


def test_an_unknown_layer_brings_the_nearest():
    with pytest.raises(NetworkError, match="did you mean m4b"):
        calibrated("reverie").layer("m4bb")


def test_weights_change_no_network_that_its_plugin_keeps(tmp_path: Path):
    kept, shelf = tiny(), NamedRegistry("network", "dreamer networks list")
    shelf.add("kept", "plugin", lambda: kept)
    before = {key: value.clone() for key, value in kept.module.state_dict().items()}
    torch.save({key: value + 1 for key, value in before.items()}, tmp_path / "other.pth")
    other = load_from(shelf, "kept", tmp_path / "other.pth")
    assert other.weights == file_hash(tmp_path / "other.pth") and kept.weights != other.weights
    for key, value in before.items():
        assert torch.equal(kept.module.state_dict()[key], value)
        assert torch.equal(other.module.state_dict()[key], value + 1)
    assert not any(parameter.requires_grad for parameter in other.module.parameters())


class Partial:
    """A factory that takes one of the keywords and can do without its weights."""

    def __call__(self, fetch=False):
        return tiny() if fetch else pytest.fail("its weights are absent")

    def untrained(self):
        return calibrated("reverie")


def test_a_factory_is_given_what_it_takes():
    shelf = NamedRegistry("network", "dreamer networks list")
    shelf.add("partial", "plugin", Partial())
    shelf.add("plain", "plugin", tiny)
    assert isinstance(Partial(), UntrainedFactory) and not isinstance(tiny, UntrainedFactory)
    assert load_from(shelf, "partial", fetch=True).name == load_from(shelf, "plain", fetch=True).name == "pooling"
    assert untrained(shelf, "partial").name == "reverie" and untrained(shelf, "plain").name == "pooling"


def somebodys(path: Path, **about: str | None) -> Path:
    """The built-in weights, telling something else of themselves."""
    changed = metadata(weights_path()) | about
    save_file(load_file(weights_path()), path, {key: text for key, text in changed.items() if text is not None})
    return path


@pytest.mark.parametrize(
    ("about", "problem"),
    [
        ({"width": "abc"}, "width is 'abc'"),
        ({"width": "nan"}, "width is 'nan'"),
        ({"width": "2"}, "of another shape"),
        ({"width": "1e30"}, "of another shape"),
        ({"motifs": "{"}, "its motifs should read like"),
        ({"motifs": "3"}, "its motifs should read like"),
        ({"motifs": "[1]"}, "its motifs should read like"),
        ({"motifs": "[" * 10**5}, "its motifs should read like"),
        ({"motifs": '["eye"]'}, "heads.m3b.bias is 50 instead of 1"),
        ({"dreams": "x"}, "its dreams should read like"),
        ({"channels": '{"m4b": ["eye"]}'}, "its channels should read like"),
        ({"channels": '{"m4b": {"eye": "3"}}'}, "its channels should read like"),
        ({"channels": '{"m4b": {"eye": 272}}'}, "'eye' is to be channel 272 of m4b"),
        ({"channels": '{"m9": {"eye": 0}}'}, "'eye' is to be channel 0 of m9"),
    ],
)
def test_what_weights_tell_of_themselves_is_checked(tmp_path: Path, about: dict[str, str], problem: str):
    with pytest.raises(NetworkError) as refused:
        reverie(somebodys(tmp_path / "theirs.safetensors", **about))
    assert problem in str(refused.value) and "theirs.safetensors" in str(refused.value)


def test_the_built_in_network_is_ones_own():
    image, first = torch.rand(1, 3, 32, 32), reverie()
    assert reverie().anatomy is first.anatomy  # but read and looked through once
    before = first.features(image, ["m3a"])["m3a"]
    with torch.no_grad():
        for parameter in first.module.parameters():
            parameter.zero_()
    first.module.m3a.register_forward_hook(lambda *_: torch.zeros(1))
    torch.testing.assert_close(reverie().features(image, ["m3a"])["m3a"], before, rtol=0, atol=0)


def test_weights_need_not_tell_anything(tmp_path: Path):
    file = somebodys(tmp_path / "own.safetensors", channels=None, dreams=None, training=None, width=None, soft=None)
    network = reverie(file)
    assert network.channels == {} and len(network.labels) == 50 and story(file) == {}
    for told in ("{", "[]", "3"):
        with pytest.raises(NetworkError, match="its training should read like"):
            story(somebodys(file, training=told))
    bare = {
        key: value for key, value in load_file(weights_path()).items() if key[:5] not in ("heads", "stati", "figur")
    }
    save_file(bare, file)
    assert reverie(file).heads == reverie(file).figures == {} and reverie(file).labels == ()


def test_weights_are_whole_and_not_too_large(tmp_path: Path):
    file, about, whole = tmp_path / "own.safetensors", metadata(weights_path()), load_file(weights_path())
    for key in ("heads.m4b.bias", "statistics.m3a.std", "m3a.one.0.weight", "figures.m4a.basis", "figures.m4a.bias"):
        save_file({name: value for name, value in whole.items() if name != key}, file, about)
        with pytest.raises(NetworkError, match=f"does not fit: missing: {key}"):
            reverie(file)
    for key in ("heads", "heads.m9.bias", "statistics.m3a.median", "figures.m4b.bias", "other"):
        save_file(whole | {key: torch.zeros(2)}, file, about)
        with pytest.raises(NetworkError, match=f"does not fit: not known: {key}"):
            reverie(file)
    save_file(whole | {"statistics.m3a.std": torch.zeros(2)}, file, about)
    with pytest.raises(NetworkError, match=r"m3a\.std is 2 instead of 136"):
        reverie(file)
    for group, part, wrong in (
        ("basis", torch.zeros(300, 248), "300x248 instead of 248x248"),
        ("basis", torch.zeros(()), "of another shape"),
        ("weight", torch.zeros(49, 4, 96, 13, 13), "49x4x96x13x13 instead of 49x4x96x11x11"),
    ):
        save_file(whole | {f"figures.m4a.{group}": part}, file, about)
        with pytest.raises(NetworkError, match=wrong):
            reverie(file)
    with file.open("wb") as empty:
        empty.truncate(65 * 2**20)
    with pytest.raises(NetworkError, match="65 MiB is too large"):
        reverie(file)


def test_passes_in_many_threads_give_what_one_gives_alone():
    """Features, sizes and layers of one network, asked for by eight threads at once."""
    network = tiny_network()
    names = [layer.name for layer in network.layers()]
    asked = [(torch.rand(1, 3, 24 + 8 * (k % 3), 32), [names[k % len(names)]]) for k in range(200)]

    def passed(asking):
        image, layers = asking
        return network.features(image, layers), network.sizes(*image.shape[-2:], layers)

    alone = [passed(asking) for asking in asked]
    network = tiny_network()  # whose layers no pass has looked up yet
    with ThreadPoolExecutor(8) as pool:
        together = [*pool.map(passed, asked)]
    for (features, sizes), (found, found_sizes) in zip(alone, together, strict=True):
        assert sizes == found_sizes and features.keys() == found.keys()
        assert all(torch.equal(features[name], found[name]) for name in features)
