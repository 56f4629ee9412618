"""Architecture for dreamer: an objective for several motifs in one place, and a filter for rising lines."""

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
    """Strengthen places that show all of the named motifs at once: the geometric mean of their shares, squared.

    A sum of motifs grows fastest by the strongest one, and each part of the picture shows another motif. A geometric
    mean grows fastest by what a place lacks: a column gets an arch, an arch a window. Shares are those of the objective
    `motif`, smoothed below `softness` so that all can start at zero, minus the mean share of the motifs in `without`.
    By default `names` are all motifs that the network knows.

    (B, C, h, w) -> (B, h, w). Raises RecipeError for a layer without motifs, and for motifs that it does not know.
    """
    if layer not in network.heads:
        known_layers = ", ".join(network.heads) or "none"
        raise RecipeError(
            f"objectives.edifice: layer {layer} of {network.name} has no motifs; layers that have some: {known_layers}"
        )
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

    found = shares(names or tuple(known))
    if without:
        found = found - shares(without).clamp(min=0).mean(1, keepdim=True)
    return F.softplus(found / softness).clamp(min=torch.finfo(found.dtype).tiny).log().mean(1).mul(2).exp()


def soaring(
    gradient: Tensor, *, pixels: Annotated[float, Range(1, 256)] = 12.0, amount: Annotated[float, Range(0, 1)] = 0.5
) -> Tensor:
    """Stretch forms upwards, as in Gothic churches: a share `amount` of every step is blurred vertically.

    Forms become shafts and mullions of about `pixels` pixels. The result is (B, 3, H, W) with RMS 1; zero stays zero.
    """
    gradient = unit(gradient)
    reach = min(math.ceil(3 * pixels), gradient.shape[-2] - 1)
    risen = gaussian_blur2d(gradient, (2 * reach + 1, 1), (pixels, 1.0), border_type="reflect")
    return unit(torch.lerp(gradient, unit(risen), amount))


@hookimpl
def register_objectives(register: Callable[..., None]) -> None:
    """The objective `edifice`."""
    register(edifice)


@hookimpl
def register_gradient_filters(register: Callable[..., None]) -> None:
    """The filter `soaring`."""
    register(soaring)
