"""Halving by hand is the mirroring convolution that it stands for, and so is its gradient."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import grad, jvp, vmap

import dreamer
from dreamer.networks.blur_pool import BlurPool, blur_pool
from dreamer.networks.layers import inspect_layers
from dreamer.networks.network import Network


def convolved(seen: torch.Tensor) -> torch.Tensor:
    taps = torch.tensor([1, 3, 3, 1], dtype=seen.dtype) / 8
    kernel = (taps[:, None] * taps).expand(seen.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(seen, (1, 2, 1, 2), mode="reflect"), kernel, stride=2, groups=seen.shape[1])


@pytest.mark.parametrize("size", [(3, 3), (4, 3), (7, 10), (16, 9)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_convolution(size, order):
    seen = torch.randn(2, 5, *size, dtype=torch.float64).contiguous(memory_format=order).requires_grad_()
    halved = blur_pool(seen)
    assert halved.is_contiguous(memory_format=order)
    assert blur_pool(seen.detach().to("meta")).shape == halved.shape
    torch.testing.assert_close(halved, convolved(seen), rtol=0, atol=1e-14)
    upstream = torch.randn_like(halved)
    (own,), (wanted,) = (torch.autograd.grad(f(seen), seen, upstream) for f in (blur_pool, convolved))
    torch.testing.assert_close(own, wanted, rtol=0, atol=1e-14)


def test_two_positions_cannot_be_mirrored():
    with pytest.raises(ValueError, match="2x7 positions are too few"):
        blur_pool(torch.zeros(1, 1, 7, 2))


def test_its_receptive_field_is_known():
    layer = inspect_layers(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), BlurPool())).layers["1"]
    assert (layer.rows.stride, layer.rows.first, layer.rows.last) == (2, -2, 3)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # torch's own, in jvp
def test_features_go_through_torch_func():
    """`vmap` over pictures, `grad` for each, and `jvp`: as one by one."""
    network = Network.wrap(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), BlurPool(), torch.nn.Tanh()))
    pictures, moved = torch.rand(2, 3, 1, 3, 8, 9)

    def score(picture: torch.Tensor) -> torch.Tensor:
        return network.features(picture, ["2"])["2"].square().sum()

    slopes = torch.stack([grad(score)(picture) for picture in pictures])
    torch.testing.assert_close(vmap(score)(pictures), torch.stack([score(picture) for picture in pictures]))
    torch.testing.assert_close(vmap(grad(score))(pictures), slopes)
    torch.testing.assert_close(jvp(score, (pictures[0],), (moved[0],))[1], (slopes[0] * moved[0]).sum())
    with pytest.raises(dreamer.NetworkError, match="needs at least 3 pixels a side"):
        grad(score)(torch.rand(1, 3, 2, 2))
