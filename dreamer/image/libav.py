"""Reads 16-bit pictures with libav (PyAV), since Pillow cuts them to 8 bits."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

CHANNELS = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}


def read_deep(file: BinaryIO, container: str) -> NDArray[np.uint16]:
    """The pixels of a file, (H, W, C); `container` is libav's name for its format, as in `png_pipe`.

    Raises ValueError when libav cannot decode it to 16 bits a channel.
    """
    import av

    file.seek(0)
    try:
        with av.open(file, "r", format=container) as opened:
            frame = next(opened.decode(video=0), None)
    except av.error.FFmpegError as error:
        raise ValueError(str(error)) from error
    if frame is None or frame.format.name[:-2] not in CHANNELS:
        raise ValueError("libav did not decode it to 16 bits a channel")
    channels, plane = CHANNELS[frame.format.name[:-2]], frame.planes[0]
    rows = np.frombuffer(memoryview(plane), "<u2" if frame.format.name.endswith("le") else ">u2")
    rows = rows.reshape(frame.height, plane.line_size // 2)[:, : frame.width * channels]
    return rows.reshape(frame.height, frame.width, channels).astype(np.uint16)
