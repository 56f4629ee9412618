"""Convolutions of 3x3 weights by Winograd's minimal filtering."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
from networks import calibrated
from torch import Tensor, nn
from torch.func import grad, jvp, vmap

from dreamer.networks import winograd
from dreamer.networks.winograd import Winograd, is_fast

pytestmark = pytest.mark.skipif(not torch.backends.nnpack.is_available(), reason="torch has no NNPACK here")
LAST = torch.channels_last


@pytest.fixture(autouse=True)
def fast_here(monkeypatch):
    monkeypatch.setattr(winograd, "is_fast", lambda: True)


def convolution(seen: int = 160, found: int = 192, padding: int = 1, **options) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(seen, found, 3, padding=padding, **options).requires_grad_(False)


def fast(plain: nn.Conv2d, **changes) -> Winograd:
    """A copy that computes by minimal filtering."""
    assert Winograd.may_replace(plain)
    changed = copy.deepcopy(plain)
    changed.__class__ = Winograd
    vars(changed).update(changes)
    return changed


def slope(module: nn.Module, image: Tensor) -> Tensor:
    image = image.clone().requires_grad_()
    return torch.autograd.grad(module(image).square().sum(), image)[0]


def far(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("planes", [True, False])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_it_gives_what_a_convolution_gives_and_its_gradient(padding, planes, bias):
    plain = convolution(padding=padding, bias=bias)
    exact, quick = copy.deepcopy(plain).double(), fast(plain, planes=planes)
    for size, form in product(((1, 160, 40, 57), (2, 160, 61, 45)), (LAST, torch.contiguous_format)):
        image = torch.randn(size).contiguous(memory_format=form)
        found = quick(image)
        assert quick._pays(image) and found.is_contiguous(memory_format=torch.contiguous_format if planes else LAST)
        assert 1e-7 < far(found, exact(image.double())) < 1e-5, "not bit by bit: it is another arithmetic"
        gradient = slope(quick, image)
        assert far(gradient, slope(exact, image.double())) < 1e-5 and gradient.is_contiguous(memory_format=form)


def test_torchs_defaults_change_nothing():
    quick, image = fast(convolution()), torch.randn(1, 160, 48, 48).contiguous(memory_format=LAST)
    expected = quick(image)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(quick(image), expected)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")  # torch's own, in jvp
def test_torch_func_and_second_derivatives_go_through_it():
    plain = convolution()
    quick, images, moved = fast(plain), torch.randn(2, 1, 160, 48, 48), torch.randn(1, 160, 48, 48)
    score = lambda module: lambda image: module(image).square().sum()  # noqa: E731
    assert torch.equal(vmap(grad(score(quick)))(images), vmap(grad(score(plain)))(images)), "there as usual"
    torch.testing.assert_close(jvp(quick, (images[0],), (moved,))[1], jvp(plain, (images[0],), (moved,))[1])
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(images[0], moved)
        found = [torch.autograd.forward_ad.unpack_dual(module(dual)).tangent for module in (quick, plain)]
        torch.testing.assert_close(*found)
    seconds = []
    for module in (quick, plain):
        image = images[0].clone().requires_grad_()
        (first,) = torch.autograd.grad(module(image).pow(3).sum(), image, create_graph=True)
        seconds.append(torch.autograd.grad(first.square().sum(), image)[0])
    assert far(seconds[0], seconds[1].double()) < 1e-5


@pytest.mark.parametrize(
    "change", [{"groups": 2}, {"dilation": 2}, {"stride": 2}, {"padding_mode": "reflect"}, {"padding": "same"}]
)
def test_other_convolutions_stay_what_they_are(change):
    assert Winograd.may_replace(nn.Conv2d(64, 64, 3))
    assert not Winograd.may_replace(nn.Conv2d(64, 64, 3, **change))
    assert not Winograd.may_replace(nn.Conv2d(64, 64, (3, 1))) and not Winograd.may_replace(nn.Conv2d(64, 64, 5))


def test_where_it_does_not_pay_nothing_changes(monkeypatch):
    def same(module: nn.Conv2d, image: Tensor) -> bool:
        plain = copy.deepcopy(module)
        plain.__class__ = nn.Conv2d
        return torch.equal(module(image), plain(image))

    image = torch.randn(1, 160, 48, 48)
    assert not same(fast(convolution()), image)
    assert same(fast(convolution()), image[..., :20, :20]), "few positions"
    assert same(fast(convolution(32, 32)), image[:, :32]), "few channels"
    assert same(fast(convolution()).double(), image.double()) and same(fast(convolution()).bfloat16(), image.bfloat16())
    for learnt in ("weight", "bias"):
        module = fast(convolution())
        getattr(module, learnt).requires_grad_()
        assert same(module, image), learnt
    assert same(fast(convolution()), image[:0]), "without a picture"
    assert fast(convolution()).to("meta")(image.to("meta")).shape == (1, 192, 48, 48)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        fast(convolution(padding=0))(torch.randn(1, 160, 3000, 2))
    with pytest.raises(RuntimeError, match="to have 160 channels, but got 150"):
        fast(convolution())(image[:, :150])
    assert same(fast(convolution()), image[0]), "without a batch"
    with torch.autocast("cpu", torch.bfloat16):
        assert same(fast(convolution()), image)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 16)
        assert same(fast(convolution()), image)
    monkeypatch.setattr(winograd, "is_fast", lambda: False)
    assert same(fast(convolution()), image)


def test_torchs_compiler_sees_a_usual_convolution():
    plain, image = convolution(), torch.randn(1, 160, 48, 48)
    compiled = torch.compile(fast(plain), backend="eager", fullgraph=True)
    assert torch.equal(compiled(image), plain(image))
    assert isinstance(torch.export.export(fast(plain), (image,)), torch.export.ExportedProgram)


class ByName(nn.Sequential):
    def __getitem__(self, name):
        return self._modules[name]


ZEN4 = dict.fromkeys(("avx2", "fma3", "sse4a", "avx512_f", "avx512_bf16"), True)


@pytest.mark.parametrize(
    ("has", "suits"),
    [
        ({"avx2": True, "fma3": True}, True),
        (ZEN4, True),
        (ZEN4 | {"avx_vnni": True}, False),  # Zen 5
        ({"avx2": True, "fma3": True, "avx512_f": True}, False),  # Intel
        ({"neon": True}, False),
        ({}, False),
    ],
)
def test_which_processors_it_suits(monkeypatch, has, suits):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert is_fast.__wrapped__() is suits


def test_results_are_handed_on_as_they_are_within_a_sequence():
    network = calibrated("vgg16").prepared(["features.22"], torch.device("cpu"), torch.float32)
    parts = [part for part in network.module.features if isinstance(part, Winograd)]
    assert [part.planes for part in parts] == [True] * 11 + [False]
    apart = ByName(
        *(convolution(), nn.ReLU(), nn.MaxPool2d(3, 2)),  # of windows that overlap
        *(convolution(192, 160), nn.Conv2d(160, 160, 1)),
        *(convolution(), nn.BatchNorm2d(192), convolution(192, 160)),
        *(convolution(), nn.ReLU(), nn.Identity(), nn.MaxPool2d(2), convolution(192, 160)),
    )
    for part in apart.children():
        if Winograd.may_replace(part):
            part.__class__ = Winograd
    winograd.keep_planes(apart)
    planes = [part.planes for part in apart.children() if isinstance(part, Winograd)]
    assert planes == [False, False, False, True, True, False]


@pytest.mark.parametrize(
    ("name", "layer"), [("vgg16", "features.22"), ("googlenet", "inception4c"), ("squeezenet1_0", "features.9")]
)
def test_a_prepared_network_has_the_same_features_and_gradient(name, layer):
    network = calibrated(name)
    quick = network.prepared([layer], torch.device("cpu"), torch.float32)
    assert any(isinstance(part, Winograd) for part in quick.module.modules())
    assert not any(isinstance(part, Winograd) for part in network.module.modules())
    image = torch.rand(1, 3, 203, 302, generator=torch.Generator().manual_seed(0))
    exact = network.prepared([layer], torch.device("cpu"), torch.float64)
    of = lambda of: lambda image: of.features(image, [layer])[layer]  # noqa: E731
    assert far(of(quick)(image), of(exact)(image.double())) < 1e-4
    # Which of two nearly equal values a pooling chooses, and which ReLU opens, is chance for float32 anyway.
    found, expected = slope(of(quick), image).double().flatten(), slope(of(exact), image.double()).flatten()
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > 0.9999
