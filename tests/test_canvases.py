"""Each canvas against its published formula, written here in numpy."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from dreamer.engine.colour import decorrelated, natural
from dreamer.ingredients import canvases
from dreamer.motifs.sample_scene import scene

SIZES = [(24, 32), (31, 24), (25, 33)]
M = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]]) / math.sqrt(0.26**2 + 2 * 0.27**2)
MEAN = np.log(np.array([0.485, 0.456, 0.406]) / (1 - np.array([0.485, 0.456, 0.406])))


def grey(height, width, count=1):
    return torch.full((count, 3, height, width), 0.5, dtype=torch.float64)


def coloured(c):
    """c (B, 3, H, W) of decorrelated colours, as a picture."""
    return 1 / (1 + np.exp(-(np.einsum("ij,bjhw->bihw", M, c) + MEAN[:, None, None])))


def frequencies(height, width):
    return np.sqrt(np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width)[None] ** 2)


def same(found, wanted):
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=0, atol=1e-9)


def moved(canvas):
    """The same canvas somewhere else: parameters that an optimiser might have come to."""
    for parameter in canvas.parameters:
        parameter.data += torch.randn(parameter.shape, dtype=parameter.dtype) * 0.3
    return canvas


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_the_picture_in_decorrelated_colours(size):
    canvas = moved(canvases.pixels(grey(*size)))
    same(canvas.paint(), coloured(canvas.parameters[0].detach().numpy()))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_a_fourier_canvas_is_the_inverse_transform_of_scaled_frequencies(size, decay):
    height, width = size
    canvas = moved(canvases.fourier(grey(*size, 2), decay=decay))
    z = canvas.parameters[0].detach().numpy()
    scale = math.sqrt(height * width) / np.maximum(frequencies(*size), 1 / max(size)) ** decay
    c = np.fft.irfft2((z[..., 0] + 1j * z[..., 1]) * scale, s=size) / 4
    same(canvas.paint(), coloured(c))


def test_the_first_wave_of_a_fourier_canvas_is_as_computed_by_hand():
    """The first wave alone on 4 x 4: s = 4 * 4 = 16, irfft2 gives 16 / 16 = 1, c = 1/4; red's M is 0.26 / 0.4619."""
    canvas = canvases.fourier(grey(4, 4), sigma=0.0)
    canvas.parameters[0].data[0, 0, 0, 0, 0] = 1.0
    picture = canvas.paint()
    assert picture.std(dim=(-2, -1)).max() < 1e-12
    red = math.log(0.485 / 0.515) + 0.25 * 0.26 / 0.461952
    assert picture[0, 0, 0, 0].item() == pytest.approx(1 / (1 + math.exp(-red)), abs=1e-6)
    assert picture[0, 0, 0, 0].item() == pytest.approx(0.5202, abs=1e-4)


def test_a_few_frequencies_are_a_small_canvas_that_paints_nothing_finer():
    canvas = moved(canvases.fourier(grey(48, 64), frequencies=3))
    assert canvas.count == 3 * 7 * 4 * 2
    c = decorrelated(canvas.paint().detach()).numpy()
    spectrum = np.abs(np.fft.rfft2(c))
    rows = np.abs(np.fft.fftfreq(48) * 48) > 3.5
    assert spectrum[..., rows, :].max() < 1e-6 and spectrum[..., 4:].max() < 1e-6
    assert spectrum[..., 3, :4].min() > 1e-3


def expanded(coarse, size):
    """Burt and Adelson's EXPAND along both axes, away from the borders: zeros between, then 2 [1 4 6 4 1] / 16 each."""
    for axis, side in ((2, size[0]), (3, size[1])):
        shape = list(coarse.shape)
        shape[axis] = side
        spread = np.zeros(shape)
        where = [slice(None)] * 4
        where[axis] = slice(0, side, 2)
        spread[tuple(where)] = coarse
        coarse = np.apply_along_axis(np.convolve, axis, spread, np.array([1, 4, 6, 4, 1]) / 8, mode="same")
    return coarse


@pytest.mark.parametrize("size", [(40, 56), (41, 55)])
def test_a_laplacian_canvas_is_the_sum_of_its_expanded_bands(size):
    canvas = moved(canvases.laplacian(grey(*size), levels=2))
    one, two, rest = (band.detach().numpy() for band in canvas.parameters)
    c = (one + expanded(two + expanded(rest, two.shape[2:]), size)) / math.sqrt(3)
    inside = (..., slice(8, -8), slice(8, -8))
    same(canvas.paint()[inside], coloured(c)[inside])


def test_a_flat_residual_of_a_laplacian_canvas_stays_flat_however_often_it_is_expanded():
    """A residual of 2 alone, everywhere, stays 2 however often it is expanded; of 4 bands, c = 2 / 2 = 1."""
    canvas = canvases.laplacian(grey(33, 24), levels=3, sigma=0.0)
    canvas.parameters[-1].data[:, 0] = 2.0
    c = np.zeros((1, 3, 33, 24))
    c[:, 0] = 1
    same(canvas.paint(), coloured(c))


def enlarged(part, size):
    """A picture (H, W) by cubic convolution with a = -0.75, torch's, whose pixels are equal parts of the whole."""

    def weights(count, whole):
        found = np.zeros((whole, count))
        for place in range(whole):
            at = (place + 0.5) * count / whole - 0.5
            for k in range(math.floor(at) - 1, math.floor(at) + 3):
                x, a = abs(at - k), -0.75
                near, far = (a + 2) * x**3 - (a + 3) * x**2 + 1, a * (x**3 - 5 * x**2 + 8 * x - 4)
                found[place, min(max(k, 0), count - 1)] += near if x <= 1 else far
        return found

    return weights(part.shape[0], size[0]) @ part @ weights(part.shape[1], size[1]).T


@pytest.mark.parametrize("size", SIZES)
def test_a_stack_is_the_sum_of_its_enlarged_pictures_each_for_the_sizes_it_stands_for(size):
    """From the whole each side is at most 2 / 3 of the one above, 4 less at least, and stands for all between."""
    canvas = moved(canvases.stack(grey(*size, 2)))
    longest = max(size)
    sides = {32: [1, 5, 9, 14, 21, 32], 31: [1, 4, 8, 13, 20, 31], 33: [1, 5, 9, 14, 22, 33]}[longest]
    assert [max(part.shape[-2:]) for part in canvas.parameters] == sides
    c = np.zeros((2, 3, *size))
    for before, side, part in zip([0, *sides], sides, canvas.parameters, strict=False):
        share = math.sqrt((side - before) / 4)
        c += [[share * enlarged(plane, size) for plane in picture] for picture in part.detach().numpy()]
    same(canvas.paint(), coloured(c))


def test_the_single_pixel_of_a_stack_fills_the_picture_evenly():
    """The single pixel is 2, and stands for a quarter of 4 sizes, so sqrt(1 / 4) of it: everywhere 1."""
    canvas = canvases.stack(grey(24, 32), sigma=0.0)
    canvas.parameters[0].data[:, 0] = 2.0
    c = np.zeros((1, 3, 24, 32))
    c[:, 0] = 1
    same(canvas.paint(), coloured(c))


@pytest.mark.parametrize("size", [(150, 224), (224, 224), (683, 1024)])
def test_a_stack_takes_8_bytes_for_each_value_of_its_picture(size):
    canvas = canvases.stack(torch.empty(1, 3, *size, device="meta"))
    assert 4 * canvas.count <= 8 * 3 * math.prod(size)


def test_broad_forms_of_a_stack_go_further_down_the_same_gradient():
    """What a step of plain descent moves of a wave falls with its frequency, as natural pictures' spectra do."""
    rows = torch.arange(128, dtype=torch.float64)[:, None].expand(128, 128)
    moved_by = []
    for cycles in (2, 4, 8, 16, 32):
        canvas = canvases.stack(grey(128, 128), sigma=0.0)
        wave = (2 * math.pi * cycles * rows / 128).cos()
        slopes = torch.autograd.grad((canvas.paint()[0, 1] * wave).sum(), canvas.parameters)
        for parameter, slope in zip(canvas.parameters, slopes, strict=True):
            parameter.data += 1e-4 * slope
        moved_by.append(float((decorrelated(canvas.paint().detach())[0, 0] * wave).mean()))
    falls = [math.log2(one / other) for one, other in pairwise(moved_by)]
    assert all(0.4 < fall < 2 for fall in falls), falls


@pytest.mark.parametrize("size", SIZES)
def test_a_cppn_computes_each_pixel_from_its_place(size):
    height, width = size
    canvas = moved(canvases.cppn(grey(*size), channels=5, layers=3))
    parameters = [parameter.detach().numpy()[0] * 0.1 for parameter in canvas.parameters]
    weights, biases = parameters[:4], parameters[4:]
    c = np.zeros((1, 3, *size))
    for row in range(height):
        for column in range(width):
            longest = max(size) - 1
            h = np.array([2 * column - (width - 1), 2 * row - (height - 1)]) / longest * math.sqrt(3)
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                a = np.arctan(weight @ h + bias[:, 0])
                h = np.concatenate([a / 0.67, a**2 / 0.6])
            c[0, :, row, column] = weights[-1] @ h + biases[-1][:, 0]
    same(canvas.paint(), coloured(c))


def test_a_cppn_begins_flat_with_weights_of_variance_one_over_inputs():
    canvas = canvases.cppn(grey(16, 16), channels=64, layers=2)
    assert canvas.paint().std(dim=(-2, -1)).max() < 1e-9
    assert canvas.parameters[1].detach().std().item() * 0.1 == pytest.approx(1 / math.sqrt(128), rel=0.05)


@pytest.mark.parametrize("size", SIZES)
def test_a_phase_canvas_from_nothing_has_natural_magnitudes_and_the_wished_contrast(size):
    canvas = moved(canvases.phase(grey(*size), contrast=1.5))
    r = 1 / np.maximum(frequencies(*size), 1 / max(size))
    r[0, 0] = 0
    waves = np.fft.irfft2(r * np.exp(3j * canvas.parameters[0].detach().numpy()), s=size)
    flat = decorrelated(grey(*size)).numpy()
    same(canvas.paint(), coloured(flat + 1.5 * waves / waves.std(ddof=1)))


def test_phase_over_a_photo_begins_as_the_photo_and_keeps_its_magnitudes():
    photo = scene(48, 36).double() * 0.8 + 0.1
    canvas = canvases.phase(photo)
    torch.testing.assert_close(canvas.paint(), photo, rtol=0, atol=1e-9)
    moved(canvas)
    assert (canvas.paint() - photo).abs().mean() > 0.02
    before, after = (np.fft.rfft2(decorrelated(picture.detach()).numpy()) for picture in (photo, canvas.paint()))
    inner = (..., slice(1, 17), slice(1, 23))  # elsewhere a real picture's phases come in pairs
    np.testing.assert_allclose(np.abs(after[inner]), np.abs(before[inner]), rtol=1e-5, atol=1e-6)


def test_colours_come_back_from_decorrelation_and_zero_is_the_mean_of_photos():
    photo = scene(16, 12).double() * 0.9 + 0.05
    torch.testing.assert_close(natural(decorrelated(photo)), photo)
    same(natural(torch.zeros(1, 3, 1, 1, dtype=torch.float64))[0, :, 0, 0], [0.485, 0.456, 0.406])
    assert natural(decorrelated(torch.tensor([[[[0.0]], [[1.0]], [[0.5]]]]))).isfinite().all()


@pytest.mark.parametrize("name", ["pixels", "fourier", "laplacian", "cppn", "phase"])
def test_pictures_made_at_once_are_each_their_own(name):
    canvas = moved(getattr(canvases, name)(grey(24, 32, 2)))
    picture = canvas.paint()
    assert (picture[0] - picture[1]).abs().max() > 1e-3
    for slope in torch.autograd.grad(picture[0].square().sum(), canvas.parameters):
        assert slope[0].any() and not slope[1].any()


def moisan(u):
    """The periodic part of a picture (H, W), by Moisan's equations 1 to 11."""
    height, width = u.shape
    v = np.zeros_like(u)
    v[0] += u[-1] - u[0]
    v[-1] += u[0] - u[-1]
    v[:, 0] += u[:, -1] - u[:, 0]
    v[:, -1] += u[:, 0] - u[:, -1]
    q, r = np.arange(height)[:, None], np.arange(width)[None]
    below = 2 * np.cos(2 * np.pi * q / height) + 2 * np.cos(2 * np.pi * r / width) - 4
    below[0, 0] = 1
    s = np.fft.fft2(v) / below
    s[0, 0] = 0
    return u - np.fft.ifft2(s).real


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("decay", [0.0, 0.7])
def test_an_accent_turns_and_weakens_the_waves_of_the_photos_periodic_part(size, decay):
    photo = scene(size[1], size[0]).double() * 0.8 + 0.1
    canvas = moved(canvases.accent(photo, decay=decay))
    turns, gains = (parameter.detach().numpy() for parameter in canvas.parameters)
    u = decorrelated(photo).numpy()
    periodic = np.array([[moisan(plane) for plane in picture] for picture in u])
    f = np.maximum(frequencies(*size), 1 / max(size)) * max(size)
    change = np.exp(3j * turns / f**decay) / (1 + np.exp(-5 - gains))
    same(canvas.paint(), coloured(u - periodic + np.fft.irfft2(np.fft.rfft2(periodic) * change, s=size)))


def test_accent_begins_as_the_photo_all_but_its_magnitudes():
    photo = scene(48, 36).double() * 0.8 + 0.1
    assert (canvases.accent(photo).paint() - photo).abs().max() < 0.01
    colours = decorrelated(photo)
    ramp = torch.linspace(-1, 1, 48, dtype=torch.float64).expand(1, 3, 36, 48)
    stripes = torch.fft.rfft2(ramp)[..., 0, 4:].abs().max()
    kept = torch.fft.rfft2(ramp - canvases._aperiodic(ramp))[..., 0, 4:].abs().max()
    assert kept < 0.1 * stripes and colours.shape == photo.shape


def test_accent_from_nothing_begins_with_waves_that_fall_as_1_over_f():
    torch.manual_seed(0)
    c = decorrelated(canvases.accent(grey(96, 96)).paint().detach())[0]
    c -= c.mean((-2, -1), keepdim=True)
    power, f = np.abs(np.fft.rfft2(c.numpy())) ** 2, frequencies(96, 96)
    low, high = (power[:, (f > a) & (f < 2 * a)].mean() for a in (0.04, 0.16))
    assert math.log2(low / high) / 2 == pytest.approx(2, abs=0.5)
