"""Whether bfloat16 is exact enough for a network's gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import NetworkError
from dreamer.networks.network import Network

_ENOUGH = 0.99  # the cosine between the two gradients
_SIDE = 128


def bfloat16_suffices(prepared: Callable[[torch.dtype], Network], layers: Sequence[str], device: torch.device) -> bool:
    """Whether the gradient of the layers' mean squared features has the same direction in bfloat16 as in float32.

    It is tried on one picture for all photos, so that none depends on which was dreamt over before.
    """
    networks = prepared(torch.float32), prepared(torch.bfloat16)
    try:
        exact, quick = (_gradient(network, layers, _SIDE, device) for network in networks)
    except NetworkError:  # the picture is too small; to ask for the smallest at once takes longer than all else
        side = networks[0].smallest(layers) or _SIDE
        exact, quick = (_gradient(network, layers, side, device) for network in networks)
    return bool(F.cosine_similarity(exact, quick, dim=0) >= _ENOUGH)


def _gradient(network: Network, layers: Sequence[str], side: int, device: torch.device) -> Tensor:
    picture = smooth_noise(side).to(device).requires_grad_()
    with torch.enable_grad():
        features = network.features(picture, layers).values()
        score = torch.stack([seen.float().square().mean() for seen in features]).sum()
    return torch.autograd.grad(score, picture)[0].flatten()


def smooth_noise(side: int) -> Tensor:
    """A picture (1, 3, side, side) with the soft gradients of a sky, which eight bits of mantissa cut into stairs.

    Its amplitudes fall with the square of the frequency: on a photo's mean spectrum, where they fall with the
    frequency itself, the two gradients are more alike than on photos.
    """
    white = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    down, across = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    steepness = (down.square() + across.square()).clamp_min(side**-2)
    noise: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) / steepness, (side, side))
    return (0.5 + 0.1 * noise / noise.std()).clamp(0, 1)
