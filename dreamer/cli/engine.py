"""The studio's engine: a process that reads requests as JSON lines and answers in JSON lines.

A dream is asked for by the words of `dreamer render`, and made by what makes it there, so that the files are the same.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from dreamer.cli.camera import plan_of
from dreamer.cli.changed import change_of
from dreamer.cli.failures import sentences
from dreamer.cli.loop import loop
from dreamer.cli.missing import tell_missing
from dreamer.cli.photos import Place, named_files
from dreamer.cli.plans import done, planned, plugins_and_packs
from dreamer.cli.render import render
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.telling import Control, EngineReporter, Say, Shown, encoded
from dreamer.cli.video import video
from dreamer.cli.vocabulary import look_of, vocabulary
from dreamer.cli.zoom import zoom
from dreamer.errors import DreamerError, collect_problems, options_named, reported_together
from dreamer.files.suffixes import CLIPS, command_for

if TYPE_CHECKING:
    from dreamer.image import Photo

_SIDES = {"view": (1600, "JPEG"), "small": (320, "PNG")}
"""Versions of a picture that the page shows: name -> long side in pixels, and format."""
_SMALL, _PROOF = 600, (480, 640)
"""Long side of the whole dream that a proof begins with, and (height, width) of the part that it shows, in pixels."""
_KINDS: dict[str, click.Command] = {"render": render, "zoom": zoom, "loop": loop, "video": video}


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

    def do_devices(self) -> dict[str, Any]:
        """The GPUs, as CUDA_VISIBLE_DEVICES names them, if there are several."""
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
        return {"devices": [name.strip() for name in visible.split(",")][:count] if count > 1 else []}

    def do_plugins(self) -> dict[str, Any]:
        """The plugins, and packs that could be installed."""
        return plugins_and_packs(self.plugins)

    def do_plan(self, specs: Sequence[str]) -> dict[str, Any]:
        """The packages that an installation would change."""
        return planned(specs)

    def do_install(self, specs: Sequence[str], changes: Sequence[dict[str, str]]) -> dict[str, Any]:
        """Install what the plan said."""
        return done(specs, changes)

    def do_vocabulary(self) -> dict[str, Any]:
        """All that the page offers: looks, and every option of a recipe."""
        return vocabulary(self.registry)

    def do_read(self, path: str, into: Mapping[str, str], max_pixels: int) -> dict[str, Any]:
        """Read a picture or a clip, and write what the page shows of it `into` these files."""
        from dreamer.files import write_atomically
        from dreamer.image import load

        if command_for(path) == "video":
            photo, about = _first_frame(Path(path), max_pixels)
        else:
            photo, about = load(Path(path), max_pixels=max_pixels), {}
        for kind, place in into.items():
            side, format = _SIDES[kind]
            write_atomically(Path(place), encoded(photo.at_most(side).image(), format))
        about = {"width": photo.width, "height": photo.height, "notices": photo.notices} | about
        return {**about, **self.do_stamp(path)}

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
        """The recipe inside a picture or clip, if there is one, and the hash of the photo that it was made of."""
        from dreamer.image import read_recipe
        from dreamer.recipes.provenance import Provenance
        from dreamer.videos.clip import reader

        stamp = None
        if Path(path).suffix.lower() not in (*CLIPS, ".gif"):
            if text := read_recipe(path):
                stamp = Provenance.read(text, Path(path).name)
        elif text := reader.read_recipe(Path(path)):
            with suppress(DreamerError):  # any comment may be inside
                stamp = Provenance.read(text, Path(path).name)
        if stamp is None:
            return {"recipe": None, "photo": "", "look": ""}
        return {"recipe": dict(stamp.recipe), "photo": stamp.photo, "look": look_of(stamp.recipe, self.registry)}

    def do_stamps(self, paths: Sequence[str]) -> dict[str, Any]:
        """The recipes inside several pictures, by path; None for a picture without one, and for anything else."""
        found = {path: self.answer({"do": "stamp", "path": path}) for path in paths}
        return {"stamps": {path: {"recipe": None, "photo": "", "look": "", **stamp} for path, stamp in found.items()}}

    def do_recipe(self, words: Sequence[str], kind: str = "render") -> dict[str, Any]:
        """The complete recipe that the words of `dreamer render`, or of another kind, come to."""
        given, params = self._given(words, kind)
        with reported_together() as problems:
            if kind == "zoom":
                with collect_problems(problems):
                    plan_of(params)
            with collect_problems(problems):
                pipeline, _ = given.pipeline(self.registry, lambda sentence: None, [], fetch=False)
        return {"recipe": pipeline.to_dict(), "layers": [layer.name for layer in pipeline.network.layers()]}

    def do_render(self, words: Sequence[str], previews: bool = True) -> dict[str, Any]:
        """Dream, as `dreamer render` does with these words."""
        from dreamer.engine.device import use_threads

        self.control.reset()
        given, params = self._given(words)
        reporter = EngineReporter(self.say, self.control, previews)
        pipeline, provenance = given.pipeline(self.registry, reporter.notify, [], fetch=False)
        use_threads(pipeline.machine)
        photo = Path(params["photos"][0])
        spared = [photo, *named_files(params)]
        place = Place.read(params["output"], several=False)
        shared = (pipeline, provenance, self.plugins, place, reporter, given.max_pixels, spared)
        batch = Shown(*shared, force=False, snapshots=())
        batch.run([photo])
        if batch.worked and (changed := change_of(given, pipeline)):
            reporter.notify(changed)
        return reporter.answer

    def do_proof(self, words: Sequence[str], at: Sequence[float], into: str) -> dict[str, Any]:
        """Write a part of the dream at its full size `into` a file, around `at`: across and down, each 0 to 1."""
        from dreamer.engine.device import use_threads
        from dreamer.files import write_atomically
        from dreamer.image import load
        from dreamer.pipeline.enlarging import Enlargement

        self.control.reset()
        given, params = self._given(words)
        pipeline, _ = given.pipeline(self.registry, lambda sentence: None, [], fetch=False)
        use_threads(pipeline.machine)
        photo = pipeline.sized(load(Path(params["photos"][0]), max_pixels=given.max_pixels))
        way = Enlargement.of_dream(pipeline, photo, _SMALL)

        def on_step(step: object) -> None:
            self.control.obey()

        piece = way.piece(way.begun(on_step), _PROOF, (at[1], at[0]), on_step)
        write_atomically(Path(into), encoded(piece, "JPEG"))
        return {"width": photo.width, "height": photo.height}

    def do_film(self, kind: str, words: Sequence[str], previews: bool = True) -> dict[str, Any]:
        """Make a clip, as `dreamer zoom`, `dreamer loop` or `dreamer video` does with these words."""
        self.control.reset()
        self.do_recipe(words, kind)  # nothing is fetched that its looks lack
        reporter = EngineReporter(self.say, self.control, previews)
        with _KINDS[kind].make_context(kind, list(words), obj=reporter) as context:
            reporter.clip = Path(context.params["output"])
            context.invoke(_KINDS[kind].callback or _KINDS[kind], **context.params)
        return reporter.answer

    def _given(self, words: Sequence[str], kind: str = "render") -> tuple[RenderOptions, dict[str, Any]]:
        """The options among the words of a command, and all its parameters."""
        with _KINDS[kind].make_context(kind, list(words)) as context:
            params = dict(context.params)
        if kind == "render":
            (params["seed"],) = params.pop("seeds") or (None,)  # several make a sheet, which the page never asks for
        options = {key: value for key, value in params.items() if key in RenderOptions.__dataclass_fields__}
        photos = params.get("photos") or params.get("clips") or (params["photo"],)
        tell_missing([], options, *map(Path, photos))
        return RenderOptions(**options), params


def _first_frame(path: Path, max_pixels: int) -> tuple[Photo, dict[str, Any]]:
    """The first frame of a clip, and what there is to know of the clip."""
    from dreamer.image import load
    from dreamer.videos.clip.reader import frames, probe

    clip = probe(path, max_pixels=max_pixels)
    about = {"clip": True, "seconds": float(clip.duration), "fps": float(clip.fps), "frames": clip.frames}
    return load(next(values for _, values in frames(clip))), {**about, "sound": clip.has_audio, "notices": clip.notices}


def main() -> None:
    """Serve the requests on stdin until it ends, as it does with the studio."""
    # What a library prints must not come between the answers.
    out: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    control, requests = Control(), SimpleQueue[dict[str, Any]]()

    def read() -> None:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if request["do"] in ("stop", "pause", "go"):
                control.hear(request["do"], request["id"])
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
        control.expect(now)
        say({"answer": engine.answer(request)})


if __name__ == "__main__":
    main()
