"""Architecture for dreamer: places that are several things at once, and lines that rise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d
from torch import Tensor

from dreamer import Network, Range, RecipeError, hookimpl, unit


def edifice(
    features: Tensor,
    *,
    network: Network,
    layer: str,
    names: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    softness: Annotated[float, Range(0.05, 10)] = 1.0,
) -> Tensor:
    """More of places that show all of the named motifs at once: the geometric mean of their shares, squared.

    A sum of motifs is climbed by whichever is strongest, and a picture falls apart into districts. A geometric mean is
    climbed fastest through what a place lacks: a column grows an arch, an arch a window. Shares are those of the
    objective `motif`, rounded off below `softness` so that all may begin at nothing; the motifs in `without` take their
    mean share away from each of them. Without names, every motif that the network knows.

    (B, C, h, w) -> (B, h, w). Raises RecipeError for a layer that names no motifs, and for names that it lacks.
    """
    if layer not in network.heads:
        able = ", ".join(network.heads) or "none of its layers does"
        raise RecipeError(f"objectives.edifice: layer {layer} of {network.name} names no motifs; those that do: {able}")
    known = {label: row for row, label in enumerate(network.labels) if label != network.background}
    unknown = [name for name in (*names, *without) if name not in known]
    if unknown:
        raise RecipeError(f"objectives.edifice: {network.name} knows no {', '.join(unknown)}; only {', '.join(known)}")
    rows = network.heads[layer][0].to(features)
    if layer in network.statistics:
        mean, std = (values.to(features)[:, None, None] for values in network.statistics[layer])
        features = (features - mean) / std

    def shares(chosen: tuple[str, ...]) -> Tensor:
        directions = F.normalize(rows[[known[name] for name in chosen]] - rows.mean(0), dim=1)
        return F.conv2d(features, directions[:, :, None, None])

    wanted = shares(names or tuple(known))
    if without:
        wanted = wanted - shares(without).clamp(min=0).mean(1, keepdim=True)
    return F.softplus(wanted / softness).clamp(min=torch.finfo(wanted.dtype).tiny).log().mean(1).mul(2).exp()


def soaring(
    gradient: Tensor, *, pixels: Annotated[float, Range(1, 256)] = 12.0, amount: Annotated[float, Range(0, 1)] = 0.5
) -> Tensor:
    """Lines that rise, as the Gothic builders wanted them: a share `amount` of every step blurred up and down.

    Forms stretch to shafts and mullions about `pixels` pixels long. (B, 3, H, W), of RMS 1; zero stays zero.
    """
    gradient = unit(gradient)
    reach = min(math.ceil(3 * pixels), gradient.shape[-2] - 1)
    risen = gaussian_blur2d(gradient, (2 * reach + 1, 1), (pixels, 1.0), border_type="reflect")
    return unit(torch.lerp(gradient, unit(risen), amount))


@hookimpl
def register_objectives(register: Callable[..., None]) -> None:
    """The master builder."""
    register(edifice)


@hookimpl
def register_gradient_filters(register: Callable[..., None]) -> None:
    """The vertical."""
    register(soaring)
