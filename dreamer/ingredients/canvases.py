"""Canvases, each an image parameterization (Lucid's `param`): (image (B, 3, H, W), *, options) -> Canvas of that size.

Every picture of the batch has its own parameters. All canvases can give the same pictures; they differ in which of
these an optimiser finds, since its steps are even in the parameters (Mordvintsev, Pezzotti, Schubert, Olah 2018). Their
random beginnings are drawn from torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.engine.canvas import Canvas, clouds, falloff, is_flat
from dreamer.engine.colour import decorrelated, natural
from dreamer.engine.laplacian import add_expanded
from dreamer.hookspecs import Register, hookimpl
from dreamer.recipes.options import Range, leaving_edges

_TURN = 3.0  # phases are this many times their parameters
_WHOLE = 5.0  # its sigmoid is 0.993: magnitudes are all but the photo's
_GAIN = 0.1  # weights are this many times their parameters: a rate that suits a spectrum then suits them, too

Sigma = Annotated[float, Range(0, 10)]
Decay = Annotated[float, Range(0, 4)]


def pixels(image: Tensor, *, sigma: Sigma = 0.01) -> Canvas:
    """One parameter for each value of each pixel: grainy, the baseline for all others.

    Colours are decorrelated, c ~ N(0, sigma^2); the picture is sigmoid(M c), about the mean colour.
    """
    colours = _drawn(image, image.shape, sigma)
    return Canvas((colours,), lambda: natural(colours))


def fourier(
    image: Tensor, *, decay: Decay = 1.0, sigma: Sigma = 0.01, frequencies: Annotated[int, Range(1, 4096)] | None = None
) -> Canvas:
    """The picture's spectrum, scaled as natural pictures' is, by 1 / f^`decay`: broad forms first (Olah 2017).

    c = irfft2(s z) / 4 with s = sqrt(W H) / max(f, 1 / max(W, H))^decay and complex z ~ N(0, sigma^2); the picture is
    sigmoid(M c). With `frequencies` only the lowest so many each way exist: a small canvas.
    """
    size = height, width = (image.shape[-2], image.shape[-1])
    scale = math.sqrt(height * width) * falloff(image, decay)
    if frequencies is None:
        rows = list(range(height))
    else:
        lowest = min(frequencies, (height - 1) // 2, width // 2)
        rows = [*range(lowest + 1), *range(height - lowest, height)]
        scale = scale[rows, : lowest + 1]
    z = _drawn(image, (*image.shape[:2], *scale.shape, 2), sigma)

    def paint() -> Tensor:
        spectrum = torch.view_as_complex(z) * scale
        if frequencies is not None:
            whole = spectrum.new_zeros(*image.shape[:2], height, width // 2 + 1)
            whole[:, :, rows, : spectrum.shape[-1]] = spectrum
            spectrum = whole
        return natural(torch.fft.irfft2(spectrum, s=size) / 4)

    return Canvas((z,), paint)


@leaving_edges
def laplacian(image: Tensor, *, levels: Annotated[int, Range(1, 12)] = 6, sigma: Sigma = 0.01) -> Canvas:
    """A Laplacian pyramid: bands of detail, each half as wide as the one above it (Burt, Adelson 1983).

    `levels` bands and a residual, n in all, each N(0, sigma^2), fewer where a side would fall under 2 pixels; c is the
    picture merged from them, divided by sqrt(n), and the picture is sigmoid(M c).
    """
    sides = [tuple(image.shape[-2:])]
    while len(sides) <= levels and min(sides[-1]) > 2:
        sides.append(tuple(math.ceil(side / 2) for side in sides[-1]))
    bands = tuple(_drawn(image, (*image.shape[:2], *size), sigma) for size in sides)

    def paint() -> Tensor:
        merged = bands[-1]
        for band in reversed(bands[:-1]):
            merged = add_expanded(band.clone(), merged)
        return natural(merged / math.sqrt(len(bands)))

    return Canvas(bands, paint)


@leaving_edges
def stack(
    image: Tensor,
    *,
    spacing: Annotated[int, Range(1, 256)] = 4,
    growth: Annotated[float, Range(1.25, 4)] = 1.5,
    sigma: Sigma = 0.01,
) -> Canvas:
    """A sum of pictures of all sizes, each enlarged to the whole (Direct Ascent Synthesis: Fort, Whitaker 2025).

    Their long sides fall from the picture's own to 1 pixel, each `growth` times smaller, and by `spacing` at least;
    each is N(0, sigma^2). c = sum of g e, where e is one of them enlarged (bicubically) and g^2 the number of sizes,
    `spacing` apart, that it stands for; the picture is sigmoid(M c). By plain gradient descent spectra then come out
    as natural pictures' do: a broad form moves all of its pixels at once. By default it has 8 bytes for each of the
    picture's values.
    """
    size = (image.shape[-2], image.shape[-1])
    longest = max(size)
    sides = [longest]
    while sides[0] > 1:
        sides.insert(0, max(1, min(sides[0] - spacing, math.floor(sides[0] / growth))))
    shares = [math.sqrt((side - before) / spacing) for before, side in zip([0, *sides], sides, strict=False)]
    parts = tuple(
        _drawn(image, (*image.shape[:2], *(max(1, round(whole * side / longest)) for whole in size)), sigma)
        for side in sides
    )

    def paint() -> Tensor:
        colours = image.new_zeros(image.shape)
        for share, part in zip(shares, parts, strict=True):
            colours = colours + share * F.interpolate(part, size, mode="bicubic", align_corners=False)
        return natural(colours)

    return Canvas(parts, paint)


@leaving_edges
def cppn(
    image: Tensor, *, channels: Annotated[int, Range(1, 64)] = 24, layers: Annotated[int, Range(1, 16)] = 8
) -> Canvas:
    """A small network that paints each point from its place: smooth at any size (Stanley 2007; Mordvintsev 2018).

    x and y, from -sqrt(3) to sqrt(3) along the long side, go through `layers` of h <- [a / 0.67, a^2 / 0.6] with
    a = atan(W h + b), W ~ N(0, 1 / inputs), b = 0, and a last one, which begins at 0, into c = W h + b; the picture is
    sigmoid(M c). W and b are a tenth of their parameters. It gives clear forms even without random transforms.
    """
    batch, height, width = len(image), image.shape[-2], image.shape[-1]
    reach = math.sqrt(3) / max(height - 1, width - 1, 1)
    y, x = torch.meshgrid(*(torch.arange(n).to(image) * 2 - (n - 1) for n in (height, width)), indexing="ij")
    places = (torch.stack([x, y]).flatten(1) * reach).expand(batch, 2, -1)
    inputs = [2, *[2 * channels] * (layers - 1)]
    weights = [_drawn(image, (batch, channels, n), 1 / math.sqrt(n) / _GAIN) for n in inputs]
    weights.append(_drawn(image, (batch, 3, 2 * channels), 0))
    biases = [_drawn(image, (*weight.shape[:2], 1), 0) for weight in weights]

    def paint() -> Tensor:
        *hidden, (weight, bias) = zip(weights, biases, strict=True)
        seen = places
        for before, shift in hidden:
            bent = torch.atan(torch.baddbmm(shift * _GAIN, before * _GAIN, seen))
            seen = torch.cat([bent / 0.67, bent.square() / 0.6], 1)
        return natural(torch.baddbmm(bias * _GAIN, weight * _GAIN, seen).view(batch, 3, height, width))

    return Canvas((*weights, *biases), paint)


def phase(image: Tensor, *, decay: Decay = 1.0, contrast: Annotated[float, Range(0.1, 10)] = 2.0) -> Canvas:
    """Only the phases of the spectrum are free; magnitudes stay those of a natural picture (MACO, Fel 2023).

    c = irfft2(r exp(i phi)), and the picture is sigmoid(M c). From nothing r falls as 1 / f^`decay`, phi is drawn from
    -pi to pi, and c is brought to standard deviation `contrast`; over a photo r and phi begin as the photo's own.
    The mean colour never moves.
    """
    size = (image.shape[-2], image.shape[-1])
    colours = decorrelated(image)
    mean = colours.mean((-2, -1), keepdim=True)
    spectrum = torch.fft.rfft2(colours - mean)
    flat = is_flat(image)
    if flat:
        phi = (torch.rand(spectrum.shape) * (2 * math.pi) - math.pi).to(image)
        magnitude = falloff(image, decay).expand_as(phi).clone()
        magnitude[..., 0, 0] = 0
    else:
        phi, magnitude = spectrum.angle(), spectrum.abs()
    angles = (phi / _TURN).requires_grad_()

    def paint() -> Tensor:
        waves = torch.fft.irfft2(torch.polar(magnitude, angles * _TURN), s=size)
        if flat:
            waves = waves * (contrast / waves.std((1, 2, 3), keepdim=True))
        return natural(mean + waves)

    return Canvas((angles,), paint)


@leaving_edges
def accent(image: Tensor, *, decay: Decay = 0.25) -> Canvas:
    """A photo that stays what it is while a feature grows out of its own waves (Feature Accentuation: Hamblin 2024).

    c = e + irfft2(z s(5 + a) exp(3 i p / (n f)^`decay`)), and the picture is sigmoid(M c), where s is the sigmoid. z is
    the spectrum of the photo's periodic part, and e is the rest of it, smooth, which has the jumps from border to
    border: waves would show them as stripes (Moisan 2011). a and p begin at 0, one for each wave; f is at least 1 / n,
    n the long side in pixels: broad forms turn sooner. From nothing waves are drawn that fall as 1 / f.
    """
    size = (image.shape[-2], image.shape[-1])
    colours = decorrelated(image)
    if is_flat(image):
        colours = colours + clouds(image)
    edges = _aperiodic(colours)
    waves = torch.fft.rfft2(colours - edges)
    turns = torch.zeros_like(waves.real).requires_grad_()
    gains = torch.zeros_like(waves.real).requires_grad_()
    reach = _TURN * falloff(image, decay) / max(size) ** decay

    def paint() -> Tensor:
        change = torch.polar((_WHOLE + gains).sigmoid(), turns * reach)
        return natural(edges + torch.fft.irfft2(waves * change, s=size))

    return Canvas((turns, gains), paint)


def _aperiodic(colours: Tensor) -> Tensor:
    """The non-periodic part of a picture (B, C, H, W): smooth, of mean 0, with its jumps from border to border.

    The smooth part of Moisan's "Periodic plus smooth image decomposition" (2011).
    """
    height, width = colours.shape[-2:]
    jumps = torch.zeros_like(colours)
    for axis in (-2, -1):
        first, last = colours.narrow(axis, 0, 1), colours.narrow(axis, colours.shape[axis] - 1, 1)
        jumps.narrow(axis, 0, 1).add_(last - first)
        jumps.narrow(axis, colours.shape[axis] - 1, 1).add_(first - last)
    down = torch.fft.fftfreq(height, dtype=colours.dtype, device=colours.device)[:, None]
    across = torch.fft.rfftfreq(width, dtype=colours.dtype, device=colours.device)
    curvature = 2 * (2 * math.pi * down).cos() + 2 * (2 * math.pi * across).cos() - 4
    curvature[0, 0] = 1  # where the jumps have nothing
    smooth: Tensor = torch.fft.irfft2(torch.fft.rfft2(jumps) / curvature, s=(height, width))
    return smooth


def _drawn(image: Tensor, shape: Sequence[int], sigma: float) -> Tensor:
    """Parameters ~ N(0, sigma^2) of the picture's type and device; drawn on the CPU, so the same on every device."""
    return (sigma * torch.randn(tuple(shape))).to(image).requires_grad_()


@hookimpl
def register_canvases(register: Register) -> None:
    """The built-in canvases."""
    for function in (pixels, fourier, laplacian, stack, cppn, phase, accent):
        register(function)
