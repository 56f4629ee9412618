"""The way of a camera that moves in depth: beside the photo's own viewpoint, and before or behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dreamer.errors import UsageError, argument
from dreamer.videos.zoom.zoom import Zoom

_TICKS = 240  # per second
_FARTHEST = 0.6  # largest movement of near and far parts against each other, as a share of the long side
_LOOKED_AT = 200  # times at which it is seen how far the camera goes
_OUT = math.pi / 2  # on the first quarter of a turn the camera goes out to its circle


@dataclass(frozen=True)
class Camera:
    """The place of a camera, as a share of the way on which the nearest and farthest parts move by `parallax`.

    `across` is sideways (x to the right, y down), at most 1; `forward` towards what it looks at. `parallax` is a share
    of the frame's long side.
    """

    across: complex = 0j
    forward: float = 0.0
    parallax: float = 0.0

    @property
    def reach(self) -> float:
        """The largest distance that near and far parts have moved against each other, in long sides of the frame."""
        return self.parallax * (abs(self.across) + abs(self.forward) * math.sqrt(2))

    @property
    def around(self) -> float:
        """The largest distance beyond the frame's edges that it looks, in long sides of the frame."""
        return self.parallax * (abs(self.across) + abs(self.forward)) / 2


class CameraWay:
    """The way of a zoom's camera. In a loop it is on its circle from the beginning, and does not go out to it first.

    Raises UsageError where it goes through what it looks at, or does not come back in a loop.
    """

    def __init__(self, zoom: Zoom) -> None:
        seconds = zoom.seconds
        forward, turned = zoom.advance((np.arange(math.ceil(seconds * _TICKS)) + 0.5) / _TICKS)
        self._forward = np.concatenate([[0.0], np.cumsum(forward) / _TICKS])
        self._turned = np.concatenate([[0.0], np.cumsum(np.radians(turned)) / _TICKS])
        self._zoom = zoom
        cameras = [self.at(float(time)) for time in np.linspace(0, seconds, _LOOKED_AT)]
        self.reach = max(camera.reach for camera in cameras)
        """The largest `Camera.reach`."""
        self.around = max(camera.around for camera in cameras)
        """The largest `Camera.around`."""
        self._check(seconds)

    @classmethod
    def of(cls, zoom: Zoom) -> CameraWay:
        """The way of a zoom's camera; see above."""
        return _way_of(zoom)

    def at(self, time: float) -> Camera:
        """The camera at a time in seconds."""
        ticks = np.arange(len(self._forward))
        forward, turned = (float(np.interp(time * _TICKS, ticks, each)) for each in (self._forward, self._turned))
        out = 1.0 if self._zoom.loop and self._turned.any() else min(abs(turned) / _OUT, 1.0)
        out = out * out * (3 - 2 * out)
        return Camera(out * complex(math.sin(turned), -math.cos(turned)), forward, self._zoom.parallax_at(time))

    def _check(self, seconds: float) -> None:
        if self.reach > _FARTHEST:
            raise UsageError(
                f"the camera goes too far, through what is near; let it go slower ({argument('dolly')}), or make the "
                f"depth weaker ({argument('parallax')})"
            )
        turns = float(self._turned[-1]) / (2 * math.pi)
        if self._zoom.loop and (abs(turns - math.floor(turns + 0.5)) > 0.01 or abs(self._forward[-1]) > 1e-6):
            raise UsageError(
                f"{argument('loop')} needs a camera that comes back: let it go round a whole number of times "
                f"({argument('orbit', round(360 / seconds, 3))} is once), and as far back as forward"
            )


@lru_cache(maxsize=1)
def _way_of(zoom: Zoom) -> CameraWay:
    return CameraWay(zoom)
