"""Frames of two fields, taken one after the other, as whole pictures: libav's bwdif."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_SMALLEST = 3  # pixels: a side that bwdif accepts


def deinterlaced(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """The frames, as many as before and with their times; those that are not interlaced stay as they are."""
    import av

    graph: Any = None
    shape: Any = None
    for frame in frames:
        if min(frame.width, frame.height) < _SMALLEST:
            yield frame
            continue
        if shape != (frame.width, frame.height, frame.format.name):
            yield from _finished(graph)
            shape = (frame.width, frame.height, frame.format.name)
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            )
            bwdif = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
            graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        graph.push(frame)
        yield from _ready(graph)
    yield from _finished(graph)


def _finished(graph: Any) -> Iterator[VideoFrame]:
    """The frames that are left in a graph, which gets no more."""
    if graph is not None:
        graph.push(None)
        yield from _ready(graph)


def _ready(graph: Any) -> Iterator[VideoFrame]:
    import av

    with suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            yield graph.pull()
