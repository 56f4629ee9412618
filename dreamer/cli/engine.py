"""The studio's engine: a process that reads requests as JSON lines and answers in JSON lines.

A dream is asked for by the words of `dreamer render`, and made by what makes it there, so that the files are the same.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from dreamer.cli.batch import Batch
from dreamer.cli.changed import change_of
from dreamer.cli.failures import sentences
from dreamer.cli.missing import tell_missing
from dreamer.cli.photos import Place, named_files
from dreamer.cli.progress import Reporter
from dreamer.cli.render import render
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.vocabulary import vocabulary
from dreamer.errors import options_named

if TYPE_CHECKING:
    import torch

    from dreamer.engine.step import Step
    from dreamer.image import Photo

Say = Callable[[Mapping[str, Any]], None]
_PREVIEW = 768  # pixels of the long side
_EVERY = 0.25  # seconds between two previews
_WORTH = 5  # times as long as a preview took, at least, until the next
_SIDES = {"view": (1600, "JPEG"), "small": (320, "PNG")}
"""What is made of every picture for the page: the long side in pixels, and the format."""


class Control:
    """What the person wants of the dream being made; set by the thread that reads the requests."""

    def __init__(self) -> None:
        self._may_go, self._stops = threading.Event(), False
        self.reset()

    def reset(self) -> None:
        """Begin another dream."""
        self._stops = False
        self._may_go.set()

    def hear(self, word: str) -> None:
        """Take stop, pause or go."""
        self._stops |= word == "stop"
        (self._may_go.clear if word == "pause" else self._may_go.set)()

    def obey(self) -> float:
        """Wait while it is paused, and return for how many seconds. Raises KeyboardInterrupt for a stop."""
        began = time.monotonic()
        self._may_go.wait()
        if self._stops:
            raise KeyboardInterrupt
        return time.monotonic() - began


class _Told(Reporter):
    """Tells of a dream's progress, with a small picture of it at times."""

    def __init__(self, say: Say, control: Control, previews: bool) -> None:
        super().__init__()
        self._say, self._control, self._previews = say, control, previews
        self._next = 0.0
        self.photo: Photo | None = None
        self.strength = 1.0
        self.answer: dict[str, Any] = {}

    def start(self, photo: str, number: int, total: int) -> None:
        self._began = time.monotonic()

    def step(self, step: Step) -> None:
        self._began += self._control.obey()
        spent = time.monotonic() - self._began
        done = {"octave": step.octave + 1, "octaves": step.octaves, "share": round(step.share, 4)}
        left = round(spent * (1 - step.share) / step.share, 1) if step.share else None
        self._say({"event": "step", **done, "left": left, **self._preview(step)})

    def _preview(self, step: Step) -> dict[str, str]:
        now = time.monotonic()
        if not self._previews or now < self._next or self.photo is None:
            return {}
        data = base64.b64encode(_jpeg(self._seen(step.picture()))).decode()
        self._next = time.monotonic() + max(_EVERY, _WORTH * (time.monotonic() - now))
        return {"preview": data}

    def _seen(self, picture: torch.Tensor) -> torch.Tensor:
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


class _Shown(Batch):
    """A batch whose reporter sees the photo that is dreamt over."""

    def notices(self, whole: Photo, photo: Photo, format: str) -> list[str]:
        if isinstance(self.reporter, _Told):
            self.reporter.photo = photo.at_most(_PREVIEW)
            self.reporter.strength = self.pipeline.recipe.strength
        return super().notices(whole, photo, format)


@dataclass
class Engine:
    """Answers one request after another; registry and plugins are loaded once."""

    say: Say
    control: Control

    def __post_init__(self) -> None:
        from dreamer.plugins.loading import load_plugins

        self.registry, self.plugins = load_plugins()

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request; `problems` in it are sentences."""
        with options_named():
            try:
                wanted: Callable[..., dict[str, Any]] = getattr(self, f"do_{request['do']}")
                return wanted(**{key: value for key, value in request.items() if key not in ("do", "id")})
            except KeyboardInterrupt:
                return {"stopped": True, "result": ""}
            except Exception as error:
                return {"problems": list(sentences(error))}

    def do_vocabulary(self) -> dict[str, Any]:
        """All that the page offers: looks, and every option of a recipe."""
        return vocabulary(self.registry)

    def do_read(self, path: str, into: Mapping[str, str], max_pixels: int) -> dict[str, Any]:
        """Read a picture, and write what the page shows of it `into` these files."""
        from dreamer.files import write_atomically
        from dreamer.image import load

        photo = load(Path(path), max_pixels=max_pixels)
        for kind, place in into.items():
            side, format = _SIDES[kind]
            write_atomically(Path(place), _encoded(photo.at_most(side).image(), format))
        return {"width": photo.width, "height": photo.height, "notices": photo.notices, **self.do_stamp(path)}

    def do_parts(self, path: str, into: str, max_pixels: int) -> dict[str, Any]:
        """Write a picture of a photo's parts `into` a file: each place has 20 times the number of its part."""
        import torch
        from PIL import Image

        from dreamer.api.part import parts_in
        from dreamer.files import write_atomically
        from dreamer.image import load

        photo = load(Path(path), max_pixels=max_pixels)
        masks = torch.cat([part.mask for part in parts_in(photo.at_most(_SIDES["view"][0]), None, None)])
        numbers = (masks.argmax(0)[0] + 1).mul(20).byte().numpy()
        data = io.BytesIO()
        Image.fromarray(numbers).save(data, "PNG")
        write_atomically(Path(into), data.getvalue())
        return {"count": len(masks)}

    def do_stamp(self, path: str) -> dict[str, Any]:
        """The recipe inside a picture, if there is one, and the hash of the photo that it was made of."""
        from dreamer.image import read_recipe
        from dreamer.recipes.provenance import Provenance

        text = read_recipe(path)
        if text is None:
            return {"recipe": None, "photo": ""}
        stamp = Provenance.read(text, Path(path).name)
        return {"recipe": dict(stamp.recipe), "photo": stamp.photo}

    def do_stamps(self, paths: Sequence[str]) -> dict[str, Any]:
        """What is inside several pictures, by path; no recipe for pictures without, and for what is no picture."""
        found = {path: self.answer({"do": "stamp", "path": path}) for path in paths}
        return {"stamps": {path: {"recipe": None, "photo": "", **stamp} for path, stamp in found.items()}}

    def do_recipe(self, words: Sequence[str]) -> dict[str, Any]:
        """The complete recipe that the words of `dreamer render` come to."""
        given, _ = self._given(words)
        pipeline, _ = given.pipeline(self.registry, lambda sentence: None, [], fetch=False)
        return {"recipe": pipeline.to_dict(), "layers": [layer.name for layer in pipeline.network.layers()]}

    def do_render(self, words: Sequence[str], previews: bool = True) -> dict[str, Any]:
        """Dream, as `dreamer render` does with these words."""
        from dreamer.engine.device import use_threads

        self.control.reset()
        given, params = self._given(words)
        reporter = _Told(self.say, self.control, previews)
        pipeline, provenance = given.pipeline(self.registry, reporter.notify, [], fetch=False)
        use_threads(pipeline.machine)
        photo = Path(params["photos"][0])
        spared = [photo, *named_files(params)]
        place = Place.read(params["output"], several=False)
        shared = (pipeline, provenance, self.plugins, place, reporter, given.max_pixels, spared)
        batch = _Shown(*shared, force=False, snapshots=())
        batch.run([photo])
        if batch.worked and (changed := change_of(given, pipeline)):
            reporter.notify(changed)
        return reporter.answer

    def _given(self, words: Sequence[str]) -> tuple[RenderOptions, dict[str, Any]]:
        """The options among the words of `dreamer render`, and all its parameters."""
        with render.make_context("render", list(words)) as context:
            params = dict(context.params)
        (params["seed"],) = params.pop("seeds") or (None,)  # several make a sheet, which the page never asks for
        options = {key: value for key, value in params.items() if key in RenderOptions.__dataclass_fields__}
        tell_missing([], options, *map(Path, params["photos"]))
        return RenderOptions(**options), params


def _encoded(image: torch.Tensor, format: str) -> bytes:
    from dreamer.image import to_pil

    data = io.BytesIO()
    to_pil(image).save(data, format, **({"quality": 88} if format == "JPEG" else {}))
    return data.getvalue()


def _jpeg(image: torch.Tensor) -> bytes:
    return _encoded(image, "JPEG")


def main() -> None:
    """Serve the requests on stdin until it ends; then the studio is gone, and so is this."""
    # What a library prints must not come between the answers.
    out: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    control, requests = Control(), SimpleQueue[dict[str, Any]]()

    def read() -> None:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if request["do"] in ("stop", "pause", "go"):
                control.hear(request["do"])
            else:
                requests.put(request)
        os._exit(0)

    def say(facts: Mapping[str, Any]) -> None:
        with suppress(OSError):
            out.write(json.dumps({**facts, "id": now}).encode() + b"\n")

    now = 0
    threading.Thread(target=read, daemon=True).start()
    engine = Engine(say, control)
    while True:
        request = requests.get()
        now = request["id"]
        say({"answer": engine.answer(request)})


if __name__ == "__main__":
    main()
