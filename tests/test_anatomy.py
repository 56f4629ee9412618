"""The layers' fields, against an experiment: a row of NaN in the picture reaches exactly the positions that see it."""

from functools import cache

import pytest
import torch
from networks import tiny
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from dreamer.api import registry
from dreamer.networks import untrained
from dreamer.networks.layers import inspect_layers
from dreamer.networks.network import Network
from dreamer.networks.receptive_field import ReceptiveField, padded_window, receptive_field_rule

NETWORKS = {
    "squeezenet1_0": "features.12",
    "googlenet": "inception4c",
    "inception_v3": "Mixed_6a",
    "densenet121": "features.denseblock1",
    "mobilenet_v2": "features.7",
    "convnext_tiny": "features.2",
    "shufflenet_v2_x0_5": "stage2",
    "resnet18": "layer2",
    "reverie": "m4b",
}


@cache
def known(name):
    """A network with any weights: fields do not depend on them."""
    return untrained(registry().networks, name)


@cache
def exact(name):
    """The same in float64, where torch computes no position from others' pixels."""
    return known(name).prepared([], torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("axis", [2, 3])
def test_fields_are_what_a_row_of_nan_reaches(name, axis):
    layers = known(name).anatomy.layers
    names = [layer for layer in list(layers)[: list(layers).index(NETWORKS[name]) + 1] if layers[layer].calls == 1]
    largest = max(layers[layer].rows.size for layer in names)
    length, row = 2 * largest + 96, largest + 48
    picture = torch.rand(1, 3, length, 96, dtype=torch.float64)
    picture[:, :, row] = torch.nan
    picture = picture if axis == 2 else picture.transpose(2, 3)
    for layer, features in exact(name).features(picture, names).items():
        field = layers[layer].rows if axis == 2 else layers[layer].columns
        reached = features.isnan().any(1)[0].any(3 - axis).nonzero().flatten().tolist()
        first = -(-(row - field.last) // field.stride)
        last = (row - field.first) // field.stride
        assert (reached[0], reached[-1]) == (first, last), layer


def test_a_layer_behind_a_global_operation_has_no_field_and_says_why():
    network = known("efficientnet_b0")
    assert network.layer("features.1.0.block.0").rows is not None
    layer = network.layer("features.3")
    assert layer.rows is None and layer.whole == "adaptive_avg_pool2d"


def test_layers_come_in_order_with_their_channels():
    layers = {layer.name: layer.channels for layer in tiny().layers()}
    assert list(layers) == ["one.0", "one.1", "one", "pool", "two.0", "two.1", "two"]
    assert layers["one"] == 8 and layers["two"] == 16


def test_the_layers_of_squeezenet_and_reverie_have_their_known_strides_and_fields():
    def field(name, layer):
        rows = known(name).layer(layer).rows
        return rows.stride, rows.size

    assert field("squeezenet1_0", "features.10") == (8, 107)
    assert field("reverie", "m4b") == (8, 128)
    assert field("reverie", "m5a") == (16, 248)


class Twice(nn.Module):
    """A convolution whose output is read twice, and one whose batch norm may be folded."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)
        self.other, self.other_norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, image):
        seen = self.conv(image)
        seen = self.relu(self.norm(seen)) + seen
        return self.relu(self.other_norm(self.other(seen)))


def test_only_a_convolution_that_nobody_else_reads_is_folded():
    found = inspect_layers(Twice())
    assert found.foldable == (("other", "other_norm"),)
    assert found.layers["relu"].calls == 2


def test_an_operation_it_does_not_know_counts_as_global():
    class Rolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, image):
            return self.conv(image.roll(1, 3))

    layer = inspect_layers(Rolled()).layers["conv"]
    assert layer.rows is None and layer.whole == "roll"


def test_an_operation_brings_its_own_receptive_field_along():
    @receptive_field_rule(padded_window(5, 2, (1, 0), mirrored=True))
    def shrunk(seen):
        if has_torch_function_unary(seen):
            return handle_torch_function(shrunk, (seen,), seen)
        return seen[:, :, ::2, ::2]

    class Shrinking(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, image):
            return self.conv(shrunk(image))

    layer = inspect_layers(Shrinking()).layers["conv"]
    assert layer.rows == layer.columns == ReceptiveField(stride=2, first=-3, last=5, reach=2)


class NormAndRelu(nn.BatchNorm2d):
    """As timm's: a batch norm that ends in an activation."""

    def forward(self, seen):
        return super().forward(seen).relu()


class Standardised(nn.Conv2d):
    """A convolution with weights of mean 0."""

    def forward(self, seen):
        return nn.functional.conv2d(seen, self.weight - self.weight.mean(), self.bias)


@pytest.mark.parametrize("parts", [(nn.Conv2d(3, 8, 3), NormAndRelu(8)), (Standardised(3, 8, 3), nn.BatchNorm2d(8))])
def test_what_does_more_than_a_convolution_or_a_batch_norm_is_not_folded(parts):
    module = nn.Sequential(*parts, nn.Conv2d(8, 8, 1))
    network = Network.wrap(module)
    image = torch.rand(1, 3, 24, 32)
    fast = network.prepared(["2"], torch.device("cpu"), torch.float32)
    torch.testing.assert_close(fast.features(image, ["2"]), network.features(image, ["2"]))
    assert not network.anatomy.foldable
