"""Convolution by wide kernels: the direct one's values, and its gradient."""

import pytest
import torch
import torch.nn.functional as F

from dreamer.engine.wide import wide_convolution


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (23, 34), (45, 61)])
@pytest.mark.parametrize("wide", [3, 11])
def test_it_is_the_direct_convolution_and_so_is_its_gradient(size: tuple[int, int], wide: int) -> None:
    seen = torch.randn(2, 5, *size, dtype=torch.float64, requires_grad=True)
    kernels, bias = torch.randn(3, 4, 5, wide, wide, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    for rows in ([2, 0], [1]):
        direct = F.conv2d(seen, kernels[rows].flatten(0, 1), bias[rows].flatten(), padding=wide // 2)
        found = wide_convolution(seen, kernels, rows, bias)
        assert torch.allclose(found, direct, rtol=0, atol=1e-10)
        up = torch.randn_like(direct)
        (slope,), (true,) = (torch.autograd.grad(scores, seen, up) for scores in (found, direct))
        assert torch.allclose(slope, true, rtol=0, atol=1e-10)


def test_it_keeps_the_type_and_the_gradient_has_one_too() -> None:
    kernels, bias = torch.randn(1, 1, 2, 5, 5), torch.zeros(1, 1)
    assert wide_convolution(torch.randn(1, 2, 60, 60).bfloat16(), kernels, [0], bias).dtype == torch.bfloat16
    near = wide_convolution(torch.randn(1, 2, 60, 60), kernels, [0], bias)
    assert near.dtype == torch.float32
    seen = torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: wide_convolution(x, kernels, [0], bias).square(), seen)


def test_spectra_go_with_their_kernels_and_stay_few() -> None:
    from dreamer.engine import wide

    kernels, bias = torch.randn(8, 1, 2, 3, 3), torch.zeros(8, 1)
    before = len(wide._SPECTRA)
    for row in range(8):
        wide_convolution(torch.randn(1, 2, 5, 5), kernels, [row], bias)
    assert len(wide._SPECTRA) == before + 1 and len(wide._SPECTRA[kernels]) <= wide._KEPT
    del kernels
    assert len(wide._SPECTRA) == before
