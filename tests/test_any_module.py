"""Networks of people's own: whatever they are made of, they can be looked at, and are left as they were."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.models import VisionTransformer

import dreamer
from dreamer.errors import NetworkError
from dreamer.networks.network import Network


class Cifar(nn.Module):
    """Takes pictures of one size alone, behind `wide`."""

    def __init__(self, side: int = 32) -> None:
        super().__init__()
        self.wide, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * side * side, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.wide(x)).flatten(1))


class Branching(nn.Sequential):
    """Its pass depends on its data."""

    def forward(self, x: Tensor) -> Tensor:
        x = self[0](x)
        return self[1](x) if x.sum() > 0 else self[1](-x)


class Recurrent(nn.Module):
    """Reads the rows of a map, and gives a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.reads = nn.Conv2d(3, 8, 3, padding=1), nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.wide(x)
        states, last = self.reads(x.mean(3).transpose(1, 2))
        return {"states": states, "last": last}


def two(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)).to(dtype)


MODULES = {
    "one size": (Cifar, "wide"),
    "one size, behind": (Cifar, "head"),
    "an unusual size": (lambda: Cifar(44), "wide"),
    "branching": (lambda: Branching(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)), "1"),
    "recurrent": (Recurrent, "wide"),
    "a transformer": (lambda: VisionTransformer(32, 8, 2, 2, 16, 16), "encoder.layers.encoder_layer_1"),
    "float64": (lambda: two(torch.float64), "3"),
    "bfloat16": (lambda: two(torch.bfloat16), "3"),
    "half": (lambda: two(torch.float16), "3"),
    "parallel": (lambda: nn.DataParallel(two()), "3"),
    "compiled": (lambda: torch.compile(two(), backend="eager"), "3"),
    "spectral norm": (lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3))), "0"),
    "weight norm": (lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))), "0"),
}


@pytest.mark.parametrize("kind", MODULES)
def test_any_module_can_be_looked_at(kind: str) -> None:
    torch.manual_seed(0)
    make, layer = MODULES[kind]
    network = Network.wrap(make())
    assert layer in network.anatomy.layers and not any("_orig_mod" in name for name in network.anatomy.layers)
    (picture,) = dreamer.visualize(network, layer=layer, channel=1, size=40, steps=2)
    assert picture.size == (40, 40)
    features = network.features(torch.rand(1, 3, 40, 40), [layer])[layer]
    sizes = network.sizes(40, 40, [layer])[layer]
    assert features.shape[2:] == sizes and features.isfinite().all()


def test_layers_before_one_that_takes_one_size_alone_take_any() -> None:
    module = Cifar(44)
    network = Network.wrap(module)
    assert [*network.anatomy.layers] == ["wide"]  # the size is none that is tried
    network = Network.wrap(module, input_size=44, labels=[f"class {k}" for k in range(10)])
    assert [*network.anatomy.layers] == ["wide", "head"] and network.default_layer == "wide"
    image = torch.rand(1, 3, 60, 52)
    assert network.features(image, ["wide"])["wide"].shape == (1, 8, 60, 52)
    assert network.features(image, ["head"])["head"].shape == (1, 10, 1, 1)
    own = torch.rand(1, 3, 44, 44)
    expected = module((own - own.new_tensor(network.mean)[:, None, None]) / own.new_tensor(network.std)[:, None, None])
    torch.testing.assert_close(network.features(own, ["head"])["head"][:, :, 0, 0], expected)
    (picture,) = dreamer.visualize(network, "class 3", size=60, steps=2)
    assert picture.size == (60, 60)
    with pytest.raises(NetworkError, match=r"cannot take a picture \(1, 3, 32, 32\) \(RuntimeError: "):
        Network.wrap(module, input_size=32).layers()


def test_a_transformer_of_one_size_gives_the_map_of_its_patches() -> None:
    torch.manual_seed(0)
    module, image = VisionTransformer(44, 4, 2, 2, 16, 16).eval(), torch.rand(2, 3, 44, 44)
    network = Network.wrap(module, mean=(0, 0, 0), std=(1, 1, 1), input_size=44)
    name, kept = "encoder.layers.encoder_layer_0", []
    with module.get_submodule(name).register_forward_hook(lambda module, args, output: kept.append(output)):
        module(image)
    expected = kept[0][:, 1:].transpose(1, 2).reshape(2, 16, 11, 11)
    torch.testing.assert_close(network.features(image, [name])[name], expected)
    with pytest.raises(NetworkError, match=r"cannot take a picture \(1, 3, 40, 40\) \(AssertionError: .*Expected 44"):
        Network.wrap(module, input_size=40).layers()
    with pytest.raises(NetworkError, match="or wrap it in a module that takes RGB pictures"):
        Network.wrap(nn.Sequential(nn.Conv2d(1, 4, 3)))


def test_the_module_stays_as_its_owner_left_it() -> None:
    module = two().train()
    seen: list[Tensor] = []
    places: set[str] = set()  # a hook is called with what is computed, and not in looks without values

    def hook(module: nn.Module, args: Any, output: Tensor) -> None:
        places.add(output.device.type)
        seen.append(output.detach().numpy())

    module[0].register_forward_hook(hook)
    before = copy.deepcopy(module.state_dict())
    network = Network.wrap(module)
    dreamer.visualize(network, layer="3", channel=1, size=40, steps=2)
    assert module.training and all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert places == {"cpu"}
    assert not network.module.training and len(module[0]._forward_hooks) == 1
    image = torch.rand(1, 3, 8, 8)
    first = network.features(image, ["3"])["3"]
    module(torch.rand(2, 3, 8, 8)).sum().backward()
    torch.optim.SGD(module.parameters(), 0.1).step()
    assert not torch.equal(network.features(image, ["3"])["3"], first)  # it sees what is learnt
    module.train()
    assert torch.equal(network.features(image, ["3"])["3"], network.features(image, ["3"])["3"])


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("mobilenet_v3_small", "features"),  # whose layers look at the whole picture from the second on
        ("vit_b_32", "encoder"),
        ("swin_t", "permute"),
        ("vgg11", "features"),  # and not its pooling to 7x7
        ("squeezenet1_1", "classifier.2"),
    ],
)
def test_the_default_layer_is_the_last_that_gives_a_map(name: str, layer: str) -> None:
    with torch.device("meta"):
        module = torchvision.models.get_model(name, weights=None)
    network = Network.wrap(module.to_empty(device="cpu"))
    assert network.default_layer == layer and network.sizes(224, 224, [layer])[layer] > (1, 1)


def test_features_are_those_of_the_module_in_evaluation_mode() -> None:
    module, image = two(), torch.rand(2, 3, 16, 20)
    module(torch.rand(8, 3, 16, 20))  # its batch norm has seen something
    network = Network.wrap(module, mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 1))
    seen = (image - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 0.5, 1])[:, None, None]
    expected = module.eval()(seen)
    torch.testing.assert_close(network.features(image, ["3"])["3"], expected)


def test_what_cannot_be_looked_at_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3)))
    with pytest.raises(NetworkError, match="a scripted module has no layers"):
        Network.wrap(scripted)

    class Locked(nn.Conv2d):
        def __deepcopy__(self, known: object) -> None:
            raise TypeError("cannot pickle '_thread.lock' object")

    with pytest.raises(NetworkError, match=r"this Locked cannot be copied.*_thread\.lock"):
        Network.wrap(Locked(3, 4, 3))
    with pytest.raises(
        NetworkError, match=r"cannot take a picture \(1, 3, H, W\) of any usual size; say which with input_size"
    ):
        Network.wrap(nn.Sequential(nn.Linear(7, 7)))


def test_it_shows_itself_shortly() -> None:
    network = dreamer.load_network("reverie")
    assert repr(network) == f"<Network reverie: {len(network.layers())} layers, m4b by default>"
    table = network._repr_html_()
    assert table.count("<tr>") == len(network.layers()) + 1 and "<td>m4a</td>" in table
