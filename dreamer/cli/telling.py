"""The studio engine's messages about a dream in progress, and its control: stop, pause, continue."""

from __future__ import annotations

import base64
import io
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dreamer.cli.batch import Batch
from dreamer.cli.failures import sentences
from dreamer.cli.progress import Frame, Pace, Reporter
from dreamer.videos.clip.unfinished import partial_of

if TYPE_CHECKING:
    import torch

    from dreamer.engine.step import Step
    from dreamer.image import Photo

Say = Callable[[Mapping[str, Any]], None]
PREVIEW = 768  # pixels of the long side
_EVERY = 0.25  # seconds between two previews
_WORTH = 5  # times as long as a preview took, at least, until the next


class Control:
    """Stop, pause and continue for the dream in progress, set by the thread that reads the requests.

    A word for a request may come before the request is begun, and counts all the same.
    """

    def __init__(self) -> None:
        self._may_go, self._stops = threading.Event(), False
        self._request, self._last = 0, (-1, "")
        self.reset()

    def expect(self, request: int) -> None:
        """The request of this number is the next."""
        self._request = request

    def reset(self) -> None:
        """Begin another dream."""
        self._stops = False
        self._may_go.set()
        if self._last[0] == self._request:
            self.hear(self._last[1])

    def hear(self, word: str, request: int | None = None) -> None:
        """Take stop, pause or go, for a request or for the present one."""
        if request is not None:
            self._last = request, word
        if request in (None, self._request):
            self._stops |= word == "stop"
            (self._may_go.clear if word == "pause" else self._may_go.set)()

    def obey(self) -> float:
        """Wait while paused; returns the seconds waited. Raises KeyboardInterrupt for a stop."""
        began = time.monotonic()
        self._may_go.wait()
        if self._stops:
            raise KeyboardInterrupt
        return time.monotonic() - began


class EngineReporter(Reporter):
    """Tells of a dream's progress, with a small picture of it at times.

    `photo` is what is dreamt over, at the preview's size, with this `strength`; or `clip` is the file to be written.
    """

    def __init__(self, say: Say, control: Control, previews: bool) -> None:
        super().__init__()
        self._say, self._control, self._previews = say, control, previews
        self._next = 0.0
        self.photo: Photo | None = None
        self.strength = 1.0
        self.clip: Path | None = None
        self._picture: Callable[[], torch.Tensor] | None = None
        self.answer: dict[str, Any] = {}

    def start(self, photo: str, number: int, total: int) -> None:
        self._pace = Pace()

    def step(self, step: Step) -> None:
        doing = f"octave {step.octave + 1} of {step.octaves}"
        self._progress(step.share, doing, lambda: self._at_strength(step.picture()) if self.photo else None)

    def seen(self, picture: Callable[[], torch.Tensor]) -> None:
        self._picture = picture

    def frame(self, frame: Frame) -> None:
        doing = ", ".join(filter(None, (f"frame {frame.number} of {frame.total}", frame.doing)))
        watched = {"watch": frame.number if self.clip and partial_of(self.clip).is_file() else 0}
        self._progress(frame.share, doing, lambda: _smaller(self._picture()) if self._picture else None, watched)

    def _progress(
        self,
        share: float,
        doing: str,
        picture: Callable[[], torch.Tensor | None],
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Send the progress, with a picture if it is time for one; waits or ends as `Control` says."""
        self._pace.paused(self._control.obey())
        left = round(self._pace.left(share), 1) if share else None
        facts = {"event": "step", "doing": doing, "share": round(share, 4), "left": left, **more}
        now = time.monotonic()
        if self._previews and now >= self._next and (shown := picture()) is not None:
            facts["preview"] = base64.b64encode(encoded(shown, "JPEG")).decode()
            self._next = time.monotonic() + max(_EVERY, _WORTH * (time.monotonic() - now))
        self._say(facts)

    def _at_strength(self, picture: torch.Tensor) -> torch.Tensor:
        """The first picture at the preview's size and at the recipe's strength."""
        from dreamer.image import resize

        assert self.photo is not None
        before = self.photo.image()
        after = resize(picture[:1].float().cpu(), (self.photo.height, self.photo.width))
        return (before + self.strength * (after - before)).clamp(0, 1)

    def notify(self, sentence: str) -> None:
        self._say({"event": "notice", "text": sentence})

    def skip(self, photo: str, result: str) -> None:
        self.answer = {"result": result}

    def done(self, photo: str, result: str, seconds: float) -> None:
        self.answer = {"result": result, "seconds": round(seconds, 1)}

    def fail(self, photo: str, error: Exception) -> None:
        self.answer = {"problems": list(sentences(error))}

    def interrupted(self, photo: str, partial: str = "") -> None:
        self.answer = {"result": partial, "stopped": True}


class Shown(Batch):
    """A batch whose reporter sees the photo that is dreamt over."""

    def notices(self, whole: Photo, photo: Photo, format: str) -> list[str]:
        if isinstance(self.reporter, EngineReporter):
            self.reporter.photo = photo.at_most(PREVIEW)
            self.reporter.strength = self.pipeline.recipe.strength
        return super().notices(whole, photo, format)


def encoded(image: torch.Tensor, format: str) -> bytes:
    """The bytes of a picture (1, 3, H, W) in [0, 1] as a file of a format of Pillow's."""
    from dreamer.image import to_pil

    data = io.BytesIO()
    to_pil(image).save(data, format, **({"quality": 88} if format == "JPEG" else {}))
    return data.getvalue()


def _smaller(picture: torch.Tensor) -> torch.Tensor:
    """A picture at the preview's size, if it is larger."""
    from dreamer.image import resize

    height, width = picture.shape[-2:]
    scale = min(1.0, PREVIEW / max(height, width))
    return resize(picture[:1].float().cpu(), (max(1, round(height * scale)), max(1, round(width * scale)))).clamp(0, 1)
