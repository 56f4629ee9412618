"""The formats a clip can be written in: containers by the file's suffix, codecs by their common names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreamer.errors import UsageError, did_you_mean

QUALITY = 75  # of 100; crf 18 in H.264, at which few people see a difference
ENCODERS = {"h264": "libx264", "h265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
"""libav's encoder for each codec; its frames are yuv420p."""
CODECS = {".mp4": ("h264", "h265", "av1"), ".webm": ("vp9", "av1"), ".gif": ("gif",), ".webp": ("webp",), "": ("png",)}
"""The codecs that each suffix allows, the default one first; no suffix means a folder of PNGs."""
_CRF = {"h264": (51, 18), "h265": (51, 21), "vp9": (63, 24), "av1": (63, 25)}  # at quality 0, and at 75


@dataclass(frozen=True)
class Format:
    """The format of a clip.

    `suffix` is ".mp4", ".webm", ".gif", ".webp", or "" for a folder of PNGs; `codec` h264, h265, vp9, av1, gif, webp
    or png; `quality` 0 to 100. With `segmented`, the clip is put together from encoded segments by stream copy; else
    all frames are kept losslessly and encoded at the end. With `alpha`, its frames are transparent somewhere.
    `plays` is how often a GIF or a WebP is played, 0 for without end.
    """

    suffix: str
    codec: str
    quality: int
    segmented: bool
    alpha: bool = False
    plays: int = 0

    @property
    def settings(self) -> dict[str, object]:
        """The format as the manifest of an unfinished clip has it."""
        plain = {"suffix": self.suffix, "codec": self.codec, "quality": self.quality}
        return plain | ({"alpha": True} if self.alpha else {}) | ({"plays": self.plays} if self.plays else {})

    @property
    def holds_alpha(self) -> bool:
        """Whether a clip of this format can be transparent."""
        return self.codec in ("gif", "webp", "png", "vp9")

    @property
    def encoding(self) -> Format:
        """The format that the clip's segments are encoded in."""
        return self if self.segmented else PREVIEW

    @property
    def has_sound(self) -> bool:
        """Whether a clip of this format can carry sound."""
        return self.segmented

    @property
    def crf(self) -> int:
        """The quality as the encoder's constant rate factor; lower is better."""
        worst, usual = _CRF[self.codec]
        return round(worst + (usual - worst) * self.quality / QUALITY)


PREVIEW = Format(".mp4", "h264", QUALITY, True)
"""The format of the preview of an unfinished clip whose own format is not segmented."""


def format_for(output: Path, codec: str | None = None, quality: int | None = None) -> Format:
    """The format for a path's suffix, a codec (by default the suffix's first) and a quality from 0 to 100.

    Raises UsageError for an unknown suffix or codec, or a wrong quality; it names what this build of libav offers.
    """
    suffix = output.suffix.lower()
    if suffix not in CODECS:
        known = ", ".join(suffix for suffix in CODECS if suffix)
        raise UsageError(f"{output}: unsupported suffix; use one of {known}, or none for a folder of PNGs")
    offered = [name for name in CODECS[suffix] if _is_offered(name)]
    place = suffix or "a folder of PNGs"
    if codec is not None and codec not in offered:
        if codec not in CODECS[suffix]:
            fitting = [other for other, codecs in CODECS.items() if codec in codecs and _is_offered(codec)]
            near = did_you_mean(codec, offered).partition("; known")[0]  # all are named in any case
            hint = f"; {codec} needs {' or '.join(fitting)}" if fitting else near
            raise UsageError(f"--codec {codec}: {place} allows {' or '.join(offered) or 'none'} here{hint}")
        raise UsageError(f"--codec {codec}: this build of libav lacks {ENCODERS[codec]}{did_you_mean(codec, offered)}")
    if not offered:
        lacking = ", ".join(ENCODERS[name] for name in CODECS[suffix])
        raise UsageError(
            f"{output}: this build of libav has no encoder for {suffix} ({lacking}); choose another suffix"
        )
    codec = codec or offered[0]
    if quality is not None and not 0 <= quality <= 100:
        raise UsageError(f"--quality {quality}: expected a number from 0 to 100")
    if quality is not None and codec in ("gif", "png"):
        raise UsageError(f"--quality {quality}: {codec} has only one quality; leave this option out")
    return Format(suffix, codec, QUALITY if quality is None else quality, codec in ENCODERS)


def frame_size(format: Format, height: int, width: int) -> tuple[int, int]:
    """The (height, width) that can be written: an odd last row or column is cut off where yuv420p needs even sizes."""
    return (height - height % 2, width - width % 2) if format.segmented else (height, width)


def _is_offered(codec: str) -> bool:
    """Whether this build of libav can write the codec; Pillow and dreamer write the others."""
    import av

    encoder = ENCODERS.get(codec, "gif" if codec == "gif" else None)
    return encoder is None or encoder in av.codecs_available
