import pytest
import torch
import torch.nn.functional as F

from dreamer.image import blurred
from dreamer.image.luma import luma
from dreamer.ingredients.gradient_filters import chroma, even, laplacian, normalise, smooth

FILTERS = [laplacian, normalise, smooth, even, chroma]


def reference(gradient: torch.Tensor, levels: int, residual: float) -> torch.Tensor:
    """Laplacian normalisation, written out in float64: pad, convolve, divide, put together again."""
    taps = torch.tensor([1, 4, 6, 4, 1], dtype=torch.float64) / 16
    kernel = (taps[:, None] * taps).expand(3, 1, 5, 5)

    def shrink(image):
        return F.conv2d(F.pad(image, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=3)

    def grow(image, size):
        spread = torch.zeros(1, 3, *size, dtype=torch.float64)
        spread[..., ::2, ::2] = image
        return F.conv2d(F.pad(spread, (2, 2, 2, 2), mode="reflect"), 4 * kernel, groups=3)

    bands = []
    image = gradient.double()
    for _ in range(levels):
        small = shrink(image)
        bands.append(image - grow(small, image.shape[-2:]))
        image = small
    bands = [band / band.square().mean().sqrt() for band in [*bands, image]]
    result = bands.pop() * residual
    while bands:
        band = bands.pop()
        result = band + grow(result, band.shape[-2:])
    return result / result.square().mean().sqrt()


@pytest.mark.parametrize("size", [(128, 160), (131, 167)])
@pytest.mark.parametrize("residual", [0.0, 0.1, 1.0])
def test_laplacian_is_what_it_says(size, residual):
    gradient = F.interpolate(torch.randn(1, 3, 20, 20), size=size, mode="bicubic") + 0.1 * torch.randn(1, 3, *size)
    result = laplacian(gradient.clone(), levels=3, residual=residual)
    torch.testing.assert_close(result.double(), reference(gradient, 3, residual), rtol=0, atol=1e-4)


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("size", [(64, 80), (5, 7), (1, 30)])
def test_zero_gives_zero(filter, size):
    assert torch.equal(filter(torch.zeros(1, 3, *size)), torch.zeros(1, 3, *size))


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("scale", [5e-21, 1e-6, 1e15])
def test_the_strength_does_not_depend_on_the_gradients_scale(filter, scale):
    gradient = torch.randn(1, 3, 64, 80)
    result = filter(gradient * scale)
    torch.testing.assert_close(result, filter(gradient.clone()), rtol=1e-3, atol=1e-3)
    assert float(result.square().mean().sqrt()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_chroma_is_soft_and_a_share_of_the_luma(share):
    gradient = torch.randn(2, 3, 96, 120) * torch.tensor([1.0, 50.0]).view(2, 1, 1, 1)
    grey = luma(gradient)
    result = chroma(gradient.clone(), share=share, sigma=4.0)
    light = luma(result)
    colours = result - light
    torch.testing.assert_close(
        light / light.square().mean((1, 2, 3), True).sqrt(), grey / grey.square().mean((1, 2, 3), True).sqrt()
    )
    for picture in range(2):
        assert float(colours[picture].square().mean() / light[picture].square().mean()) == pytest.approx(
            share**2, abs=1e-5
        )
    if share:
        step = colours.diff(dim=-1).square().mean() / colours.square().mean()
        assert step < 0.1 < (gradient - grey).diff(dim=-1).square().mean() / (gradient - grey).square().mean()


@pytest.mark.parametrize("sigma", [5.0, 12.0])
def test_a_wide_blur_of_the_chroma_is_a_gaussian(sigma):
    """It is computed on a coarser grid."""
    gradient = torch.randn(1, 3, 150, 203)
    colours = chroma(gradient.clone(), sigma=sigma)
    colours -= luma(colours)
    wanted = blurred(gradient - luma(gradient), sigma)
    wanted *= colours.std() / wanted.std()
    assert (colours - wanted).std() < 0.2 * wanted.std()
    inside = slice(40, -40)
    assert (colours - wanted)[..., inside, inside].std() < 0.15 * wanted.std()


def test_laplacian_lifts_the_low_bands():
    coarse = F.interpolate(torch.randn(1, 3, 8, 8), size=(128, 128), mode="bicubic")
    fine = torch.randn(1, 3, 128, 128)
    result = laplacian(0.01 * coarse + fine)
    plain = normalise(0.01 * coarse + fine)

    def share(image):
        return float(F.avg_pool2d(image, 8).square().mean())

    assert share(result) > 5 * share(plain)


def test_smooth_takes_the_grain_away():
    grain = torch.randn(1, 3, 64, 64)
    assert (
        smooth(grain.clone(), sigma=2.0).diff(dim=-1).square().mean()
        < 0.3 * normalise(grain).diff(dim=-1).square().mean()
    )


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_even_lifts_weak_places_by_its_amount(amount):
    gradient = torch.randn(1, 3, 256, 256)
    gradient[..., :128] *= 0.01
    result = even(gradient, amount=amount)
    weak, strong = result[..., 16:112].square().mean().sqrt(), result[..., 144:240].square().mean().sqrt()
    assert float(weak / strong) == pytest.approx(0.01 ** (1 - amount), rel=0.05)
