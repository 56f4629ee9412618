"""Names of networks and layers from other programs, and that all names are checked before anything is downloaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from command import dreamer, photo, refused, render, stamp_of
from networks import calibrated

from dreamer.errors import NetworkError
from dreamer.networks import load_from, untrained
from dreamer.networks import torchvision as classic
from dreamer.networks.network import Network
from dreamer.plugins.loading import load_plugins

NETWORKS = {
    "googlenet": "inception_v1 InceptionV1 bvlc_googlenet googlenet_places GoogLeNet inception5h",
    "inception_v3": "InceptionV3 inception-v3",
    "vgg16": "VGG-16 VGG_ILSVRC_16_layers",
    "vgg19": "vgg-19 VGG_ILSVRC_19_layers vgg_19",
    "vgg16_bn": "vgg16-bn",
    "resnet50": "resnet-50 ResNet50 resnet_v1_50",
    "wide_resnet50_2": "wide_resnet50",
    "mobilenet_v2": "MobileNetV2",
    "densenet121": "densenet-121 DenseNet121",
    "efficientnet_b0": "EfficientNetB0 efficientnet-b0",
    "vit_b_16": "vit_base_patch16_224",
    "alexnet": "caffenet bvlc_alexnet",
}
LAYERS = {
    "googlenet": {
        "inception_4c/output": "inception4c",
        "inception_4c": "inception4c",
        "mixed4c": "inception4c",
        "mixed4c:0": "inception4c",
        "Inception4c": "inception4c",
        "inception_4c/1x1": "inception4c.branch1",
        "inception_4c/3x3_reduce": "inception4c.branch2.0",
        "inception_4c/3x3": "inception4c.branch2.1",
        "inception_4c/relu_5x5": "inception4c.branch3.1",
        "inception_4c/pool_proj": "inception4c.branch4.1",
        "mixed4c_3x3_bottleneck_pre_relu": "inception4c.branch2.0.bn",
        "mixed4c_1x1_pre_relu": "inception4c.branch1.bn",
        "inception4c_branch2": "inception4c.branch2",
        "conv2d2": "conv3",
        "conv2/3x3": "conv3",
        "pool5/7x7_s1": "avgpool",
    },
    "inception_v3": {"mixed0": "Mixed_5b", "mixed5": "Mixed_6c", "mixed10": "Mixed_7c", "mixed_6b": "Mixed_6b"},
    "vgg19": {
        "relu4_2": "features.22",
        "conv4_2": "features.21",
        "block4_conv2": "features.22",
        "block4_pool": "features.27",
        "pool4": "features.27",
        "features_22": "features.22",
        "fc7": "classifier.3",
    },
    "vgg16_bn": {"conv4_2": "features.27", "bn4_2": "features.28", "relu4_2": "features.29"},
    "alexnet": {"conv3": "features.6", "relu3": "features.7", "pool5": "features.12"},
    "resnet50": {
        "conv4_block6_out": "layer3.5",
        "res4f": "layer3.5",
        "res4f_relu": "layer3.5",
        "res4f_branch2b": "layer3.5.conv2",
        "conv4_block6_2_bn": "layer3.5.bn2",
        "layer3_5": "layer3.5",
    },
    "efficientnet_b0": {"blocks.3.1": "features.4.1"},
    "convnext_tiny": {"stages.2.blocks.5": "features.5.5"},
    "swin_t": {"layers.2.blocks.3": "features.5.3"},
    "vit_b_32": {"blocks.7": "encoder.layers.encoder_layer_7"},
    "regnet_y_400mf": {"s3.b2": "trunk_output.block3.block3-1"},
}
GUESSED = {
    "reverie": {
        "mixed4c": "m4c",
        "inception_4c/output": "m4c",
        "inception_4c/3x3": "m4c",
        "mixed4c_3x3_bottleneck_pre_relu": "m4c",
        "inception4b": "m4b",
    },
    "googlenet": {
        "Mixed_4c": "inception4b or inception4c",
        "inception4cc": "inception4c",
        "mixed5": "mixed5b or mixed5a",
    },
    "vgg19": {"relu4_9": "relu4_4"},
}


@cache
def look(name: str) -> Network:
    if name == "reverie":
        return calibrated(name)
    with torch.device("cpu" if name.startswith(("regnet", "googlenet")) else "meta"):
        return untrained(load_plugins()[0].networks, name)


@pytest.mark.parametrize(("own", "theirs"), [(own, one) for own, many in NETWORKS.items() for one in many.split()])
def test_a_networks_name_elsewhere_is_guessed_right(own: str, theirs: str) -> None:
    with pytest.raises(NetworkError, match=rf"no network is called '{theirs}'; did you mean {own}\?"):
        load_from(load_plugins()[0].networks, theirs)


@pytest.mark.parametrize("network", LAYERS)
def test_a_layers_name_elsewhere_is_understood(network: str) -> None:
    assert {theirs: look(network).layer(theirs).name for theirs in LAYERS[network]} == LAYERS[network]


@pytest.mark.parametrize("network", GUESSED)
def test_a_layers_name_elsewhere_is_guessed(network: str) -> None:
    for theirs, guess in GUESSED[network].items():
        with pytest.raises(NetworkError) as told:
            look(network).layer(theirs)
        assert f"did you mean {guess}" in str(told.value), theirs


def test_features_and_speed_are_those_of_the_layer_whatever_it_is_called() -> None:
    network, image = look("googlenet"), torch.rand(1, 3, 64, 64)
    names = ["mixed3a_3x3_bottleneck_pre_relu", "inception_4c/output"]
    found = network.features(image, names)
    prepared = network.prepared(names, torch.device("cpu"), torch.float32).features(image, names)
    own = network.features(image, ["inception3a.branch2.0.bn", "inception4c"])
    for name, expected in zip(names, own.values(), strict=True):
        assert torch.equal(found[name], expected)
        torch.testing.assert_close(prepared[name], expected, rtol=1e-3, atol=1e-4)


NAME = "squeezenet1_1"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder for weights, which is not there, and no way to download any."""

    def download(*arguments: object, **options: object) -> None:
        raise AssertionError("nothing is to be downloaded")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    return tmp_path / "torch"


WRONG = {
    "layer": (("render", "{photo}", "--layer", "features.99"), "has no layer 'features.99'"),
    "layer of a setting": (("render", "{photo}", "--set", "objectives.deepdream.layer=mixed4c"), "'mixed4c'"),
    "channel of a setting": (
        ("render", "{photo}", "--set", 'objectives=[{{name="channel",layer="features.3",index=[999]}}]'),
        "0 to 127",
    ),
    "zoom": (("zoom", "{photo}", "--layer", "features.99", "-o", "{folder}/z.mp4"), "has no layer"),
    "layer to visualize": (("visualize", "-o", "{folder}/v.png", "--layer", "inception4c"), "has no layer"),
    "channel": (("visualize", "-o", "{folder}/v.png", "--layer", "features.3", "--channel", "999"), "0 to 127"),
    "class": (("visualize", "-o", "{folder}/v.png", "--class", "liom"), "no class 'liom'; did you mean lion"),
    "exemplars": (("exemplars", "{folder}", "-o", "{folder}/e.png", "--channel", "9999"), "channels 0 to"),
    "exemplars' layer": (
        ("exemplars", "{folder}", "-o", "{folder}/e.png", "--channel", "1", "--layer", "mixed4c"),
        "has no layer 'mixed4c'",
    ),
    "atlas": (("atlas", "-o", "{folder}/a.html", "--layer", "features.3,relu4_2"), "has no layer 'relu4_2'"),
    "channels of an atlas": (("atlas", "-o", "{folder}/a.html", "--channels", "0-9999"), "channels 0 to"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_nothing_is_downloaded_before_every_name_is_checked(tmp_path: Path, published: Path, kind: str) -> None:
    words, problem = WRONG[kind]
    source = photo(tmp_path / "a.png")
    command = [word.format(photo=source, folder=tmp_path) for word in words]
    refused(dreamer(*command, "--network", NAME), problem)
    assert not published.exists() and sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


@pytest.mark.parametrize("command", [("networks", "layers"), ("networks", "show")])
def test_a_look_at_a_network_downloads_nothing(published: Path, command: tuple[str, str]) -> None:
    assert dreamer(*command, NAME).code == 0
    refused(dreamer(*command, "squeezenet-1.1"), "did you mean squeezenet1_1?")
    assert not published.exists()


def test_a_picture_tells_the_layers_own_name(tmp_path: Path) -> None:
    network = next(c for c in classic.classics() if c.name == NAME).untrained()
    torch.save(network.module.state_dict(), tmp_path / "own.pth")
    theirs = ("--network", NAME, "--weights", tmp_path / "own.pth", "--layer", "features_3")
    assert render(photo(tmp_path / "a.png"), *theirs, "-o", tmp_path / "b.png").code == 0
    assert [item["layer"] for item in stamp_of(tmp_path / "b.png")["recipe"]["objectives"]] == ["features.3"]
    ran = dreamer("visualize", "-o", tmp_path / "c.png", "--channel", "1", "--size", "40", "--steps", "1", *theirs)
    assert ran.code == 0
    assert [item["layer"] for item in stamp_of(tmp_path / "c.png")["recipe"]["objectives"]] == ["features.3"]
