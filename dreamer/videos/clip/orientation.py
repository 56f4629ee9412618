"""The rotation and mirroring that make a clip's frames upright, as telephones write them into the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_SLACK = 1.0  # degrees by which a turn may miss a quarter of a circle and still count as one


@dataclass(frozen=True)
class Orientation:
    """`turns` quarters counter-clockwise, after mirroring if `mirrored`; `exact` unless that is rounded."""

    turns: int = 0
    mirrored: bool = False
    exact: bool = True

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """The orientation that a frame's display matrix states, rounded to quarters of a circle."""
        try:
            side_data: Any = frame.side_data
            matrix = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32)
        except (KeyError, ValueError):  # ValueError: some other side data is of a kind that PyAV does not know
            return cls(round(frame.rotation / 90) % 4 if abs(frame.rotation) <= 180 else 0)
        a, b, c, d = (float(matrix[k]) for k in (0, 1, 3, 4))
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        angle = math.degrees(math.atan2(b, a))  # clockwise, as y points down
        turns = round(angle / 90)
        return cls(-turns % 4, mirrored, bool(a or b) and abs(angle - 90 * turns) <= _SLACK)

    @property
    def sideways(self) -> bool:
        """Whether width and height are exchanged."""
        return self.turns % 2 == 1

    def applied(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values (H, W, C) of a stored frame, upright."""
        return np.ascontiguousarray(np.rot90(values[:, ::-1] if self.mirrored else values, self.turns))
