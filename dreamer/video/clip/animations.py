"""GIF and animated WebP, which cannot be put together from encoded segments: all frames are encoded at the end.

libav encodes frame by frame, and the recipe is spliced in here, because Pillow would hold every frame in memory.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from dreamer.errors import RenderError, UsageError
from dreamer.image import xmp
from dreamer.video.clip.container import address
from dreamer.video.clip.encode import BIT_EXACT, Frame
from dreamer.video.clip.formats import Format

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAX_GIF_FRAMES, MAX_GIF_FPS = 600, 50
_GIF_CLOCK = Fraction(1, 100)  # seconds in a tick

Frames = Callable[[], Iterable[tuple[Fraction, Frame]]]
"""Returns the frames (H, W, 3 or 4), with their times in seconds; each call starts again from the first frame."""


def check_gif(frames: int | None, fps: Fraction) -> None:
    """Raise UsageError for a GIF of too many frames, or of more frames per second than players show."""
    if frames is not None and frames > MAX_GIF_FRAMES:
        raise UsageError(
            f"{frames} frames are too many for a GIF, which may have {MAX_GIF_FRAMES} at most here; write .webp or "
            ".mp4, which are smaller and keep all colours"
        )
    if fps > MAX_GIF_FPS:
        raise UsageError(f"a GIF has at most {MAX_GIF_FPS} frames a second, not {float(fps):.4g}; write .webp or .mp4")


def write_animation(
    frames: Frames, path: Path, format: Format, size: tuple[int, int], fps: Fraction, recipe: str
) -> None:
    """Write a GIF or an animated WebP of frames of `size` (height, width).

    Raises:
        OSError: It cannot be written.
        RenderError: A frame is damaged, or the format does not allow such frames.
    """
    import av

    try:
        if format.codec == "gif":
            write_gif(frames, path, size, fps, recipe, format.alpha)
        else:
            write_webp(frames, path, size, fps, format.quality, recipe, format.alpha)
    except (av.error.FFmpegError, ValueError, OverflowError, struct.error) as error:
        if isinstance(error, OSError):
            raise
        raise RenderError(f"the frames could not be encoded as {format.codec}: {error}") from error


def write_gif(
    frames: Frames, path: Path, size: tuple[int, int], fps: Fraction, recipe: str, alpha: bool = False
) -> None:
    """Write a looping GIF, dithered to the 256 colours that suit all frames best, with the recipe as its comment.

    `size` is (height, width), here and below; `alpha` says that frames have it. A GIF's pixels are there or not.
    """
    import av

    with av.open(address(path), "w", format="gif", options=BIT_EXACT | {"loop": "0"}) as container:
        stream: Any = container.add_stream("gif", rate=fps)
        stream.height, stream.width = size
        pixels = "rgba" if alpha else "rgb24"
        pictures = _dithered(frames, _palette(frames, size, pixels), size, pixels)
        _encode(container, stream, pictures, _GIF_CLOCK, fps, "pal8")
    path.write_bytes(insert_comment(path.read_bytes(), recipe))


def write_webp(
    frames: Frames, path: Path, size: tuple[int, int], fps: Fraction, quality: int, recipe: str, alpha: bool = False
) -> None:
    """Write a looping animated WebP of `quality` 0 to 100, with the recipe in its XMP packet, as in pictures."""
    import av

    clock = Fraction(1, 1000)
    with av.open(address(path), "w", format="webp", options=BIT_EXACT | {"loop": "0"}) as container:
        options = {"quality": str(quality), "compression_level": "4"}
        # libwebp_anim, which saves what does not change, leaves transparency out
        stream: Any = container.add_stream("libwebp" if alpha else "libwebp_anim", rate=fps, options=options)
        stream.height, stream.width = size
        pictures = (
            _video_frame(values, seconds, clock).reformat(format="bgra", threads=1) for seconds, values in frames()
        )
        _encode(container, stream, pictures, clock, fps, "bgra")
    webp = unblended(path.read_bytes()) if alpha else path.read_bytes()
    path.write_bytes(insert_xmp(webp, xmp.rewritten(b"", recipe=recipe)))


def insert_comment(gif: bytes, text: str) -> bytes:
    """Return the GIF with a comment extension (GIF89a, section 24) before its first picture."""
    flags = gif[10]
    start = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    words = text.encode()
    blocks = [words[i : i + 255] for i in range(0, len(words), 255)]
    comment = b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return gif[:start] + comment + gif[start:]


def unblended(webp: bytes) -> bytes:
    """Return the animated WebP with frames that replace those before, where libav has them lie on top of each other."""
    changed, at = bytearray(webp), 12
    while at + 8 <= len(changed):
        kind, length = struct.unpack_from("<4sI", changed, at)
        if kind == b"ANMF":
            changed[at + 8 + 15] |= 2  # WebP container, "Animation": blending method
        at += 8 + length + length % 2
    return bytes(changed)


def insert_xmp(webp: bytes, packet: bytes) -> bytes:
    """Return the WebP with a packet of XMP as its last chunk (WebP container, "Extended File Format")."""
    if webp[12:16] != b"VP8X":  # from identical frames libwebp makes a still picture without this header
        with Image.open(io.BytesIO(webp)) as still:
            sides = b"".join((side - 1).to_bytes(3, "little") for side in still.size)
        webp = webp[:12] + b"VP8X" + struct.pack("<II", 10, 0) + sides + webp[12:]
    body = bytearray(webp[8:] + b"XMP " + struct.pack("<I", len(packet)) + packet + bytes(len(packet) % 2))
    body[12] |= 4  # the flag for XMP
    return b"RIFF" + struct.pack("<I", len(body)) + bytes(body)


def _encode(
    container: Any, stream: Any, pictures: Iterable[VideoFrame], clock: Fraction, fps: Fraction, pixels: str
) -> None:
    """Encode every picture into the stream; the last one is shown for one frame at `fps`."""
    stream.pix_fmt = pixels
    stream.time_base = stream.codec_context.time_base = clock
    last = -1
    for picture in pictures:
        picture.pts = last = max(picture.pts or 0, last + 1)
        for packet in stream.encode(picture):
            packet.duration = round(1 / fps / clock)
            container.mux(packet)
    for packet in stream.encode(None):
        container.mux(packet)


def _palette(frames: Frames, size: tuple[int, int], pixels: str) -> VideoFrame:
    """The 256 colours that suit all frames best, as a picture of 16 x 16."""
    import av

    graph = av.filter.Graph()
    source, sink = _add_source(graph, size, pixels), graph.add("buffersink")
    graph.link_nodes(source, graph.add("palettegen", "stats_mode=full"), sink).configure()
    for seconds, values in frames():
        source.push(_video_frame(values, seconds, _GIF_CLOCK))
    source.push(None)
    palette: Any = sink.pull()
    palette.pts = 0
    return palette  # type: ignore[no-any-return]


def _dithered(frames: Frames, palette: VideoFrame, size: tuple[int, int], pixels: str) -> Iterator[VideoFrame]:
    """The frames in the colours of the palette."""
    import av

    graph = av.filter.Graph()
    source, sink = _add_source(graph, size, pixels), graph.add("buffersink")
    use = graph.add("paletteuse", "dither=sierra2_4a")
    colours = graph.add_buffer(width=16, height=16, format=palette.format, time_base=_GIF_CLOCK)
    source.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    colours.push(palette)
    colours.push(None)
    for seconds, values in frames():
        source.push(_video_frame(values, seconds, _GIF_CLOCK))
        yield from _finished_frames(sink)
    source.push(None)
    yield from _finished_frames(sink)


def _finished_frames(sink: Any) -> Iterator[VideoFrame]:
    """The frames that a filter graph has finished so far."""
    import av

    while True:
        try:
            yield sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _add_source(graph: Any, size: tuple[int, int], pixels: str) -> Any:
    """Add an input for frames of this size to a filter graph; `pixels` is libav's name of their format."""
    import av

    height, width = size
    format = av.VideoFormat(pixels, width, height)
    return graph.add_buffer(width=width, height=height, format=format, time_base=_GIF_CLOCK)


def _video_frame(values: Frame, seconds: Fraction, clock: Fraction) -> VideoFrame:
    import av

    frame = av.VideoFrame.from_ndarray(values, format="rgb24" if values.shape[2] == 3 else "rgba")
    frame.pts, frame.time_base = round(seconds / clock), clock
    return frame
