"""The gradient of a network's first convolution, computed for blocks of pixels at once."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
from networks import calibrated
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from dreamer.networks import reverie
from dreamer.networks.stem import Stem


def stem(convolution: nn.Conv2d) -> Stem:
    """A copy that computes its gradient by blocks."""
    assert Stem.may_replace(convolution)
    fast = copy.deepcopy(convolution)
    fast.__class__ = Stem
    return fast


def slope(convolution: nn.Module, image: Tensor) -> Tensor:
    image = image.clone().requires_grad_()
    return torch.autograd.grad(convolution(image).square().sum(), image)[0]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (7, 2), (11, 4), (5, 3), (4, 3), (2, 1)])
def test_the_gradient_is_that_of_torch(kernel, stride):
    for channels, padding, height, width in product((1, 3, 4), (0, 1, 3, kernel // 2), (23, 24, 31), (17, 26, 30)):
        torch.manual_seed(0)
        plain = nn.Conv2d(channels, 6, kernel, stride, padding).double().requires_grad_(False)
        image = torch.rand(2, channels, height, width, dtype=torch.float64)
        expected, found = slope(plain, image), slope(stem(plain), image)
        assert (found - expected).abs().max() < 1e-12 * expected.abs().max(), (channels, padding, height, width)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # torch's own, in jvp
def test_torch_func_and_second_derivatives_go_through_it():
    torch.manual_seed(0)
    fast = stem(nn.Conv2d(3, 6, 5, 2, 2).double().requires_grad_(False))

    def score(picture: Tensor) -> Tensor:
        return fast(picture[None]).square().sum()

    pictures, moved = torch.rand(3, 3, 20, 21, dtype=torch.float64), torch.rand(3, 20, 21, dtype=torch.float64)
    slopes = torch.stack([grad(score)(picture) for picture in pictures])
    torch.testing.assert_close(vmap(grad(score))(pictures), slopes)
    torch.testing.assert_close(jvp(score, (pictures[0],), (moved,))[1], (slopes[0] * moved).sum())
    assert torch.autograd.gradgradcheck(fast, pictures[:1, :, :9, :9].clone().requires_grad_())


@pytest.mark.parametrize("change", [{"groups": 3}, {"dilation": 2}, {"padding_mode": "reflect"}, {"padding": "same"}])
def test_other_convolutions_stay_what_they_are(change):
    assert Stem.may_replace(nn.Conv2d(3, 6, 5))
    assert not Stem.may_replace(nn.Conv2d(3, 6, 5, **change))
    assert not Stem.may_replace(nn.Conv2d(3, 6, (3, 5))) and not Stem.may_replace(nn.Conv2d(8, 6, 5))
    assert not Stem.may_replace(nn.Conv2d(3, 6, 4, 4)), "as of a vision transformer, without a shared pixel"


@pytest.mark.parametrize("name", ["reverie", "googlenet", "squeezenet1_0"])
def test_a_prepared_network_has_it_and_the_same_gradient(name):
    network = reverie() if name == "reverie" else calibrated(name)
    layer = {"reverie": "m3a", "googlenet": "inception3a", "squeezenet1_0": "features.3"}[name]
    fast = network.prepared([layer], torch.device("cpu"), torch.float32)
    assert [type(part) for part in fast.module.modules()].count(Stem) == 1
    assert not any(isinstance(part, Stem) for part in network.module.modules())
    image = torch.rand(1, 3, 97, 122, generator=torch.Generator().manual_seed(0))
    slopes = [slope(lambda image, of=of: of.features(image, [layer])[layer], image) for of in (network, fast)]
    assert (slopes[0] - slopes[1]).norm() < 1e-4 * slopes[0].norm()


def test_weights_that_change_and_hooks_count():
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 6, 5).double().requires_grad_(False)
    plain.register_forward_hook(lambda module, given, found: 2 * found)
    fast, image = stem(plain), torch.rand(1, 3, 20, 20, dtype=torch.float64)
    for _ in range(2):
        torch.testing.assert_close(slope(fast, image), slope(plain, image))
        plain.weight.data = fast.weight.data = torch.randn_like(plain.weight)


def test_within_autocast_its_gradient_is_of_the_picture_s_type():
    torch.manual_seed(0)
    plain = nn.Conv2d(3, 6, 5, 2).requires_grad_(False)
    image = torch.rand(1, 3, 20, 20, requires_grad=True)
    slopes = []
    for convolution in (plain, stem(plain)):
        with torch.autocast("cpu", torch.bfloat16):
            found = convolution(image)
        slopes.append(torch.autograd.grad(found.float().square().sum(), image)[0])
    assert found.dtype == torch.bfloat16 and slopes[1].dtype == torch.float32
    torch.testing.assert_close(*slopes, rtol=0.02, atol=0.02 * float(slopes[0].abs().max()))
