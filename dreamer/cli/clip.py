"""What commands that make clips share: their options, and the loop that makes frames and loses none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.options import together
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.provenance import provenance_in
from dreamer.errors import Interrupted, UsageError, WriteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dreamer.engine.step import Step
    from dreamer.video.clip import ClipWriter

_DREAM = 40.0  # a dream takes about as long as so many frames, until it has been measured

clip_options = together(
    click.option("--codec", metavar="NAME", help="h264, h265 or av1 in .mp4; vp9 or av1 in .webm. [the first]"),
    click.option("--quality", type=click.IntRange(0, 100), metavar="0..100", help="Of the picture. [75]"),
    click.option("--resume", is_flag=True, help="Go on with a clip that was interrupted; the same file comes of it."),
    click.option("--preview", is_flag=True, help="A look first: a quarter of the size, one second."),
    click.option("--force", is_flag=True, help="Replace a clip that is there already, or begin anew."),
)
"""--codec, --quality, --resume, --preview and --force, by their names."""


def preview_of(output: Path) -> Path:
    """Where the preview of a clip goes."""
    return output.with_name(f"{output.stem}-preview{output.suffix}")


def may_replace(output: Path, preview: bool, force: bool) -> bool:
    """Whether a clip may take the place of what lies there: with --force, and a preview that of earlier ones."""
    from dreamer.video.clip import partial_of

    there = [path for path in (output, partial_of(output)) if path.exists()]
    return force or (preview and all(map(_is_dreamt, there)))


def _is_dreamt(path: Path) -> bool:
    try:
        provenance_in(path)
    except UsageError:
        return False
    return True


def tiles_of(output: Path, count: int) -> list[int | None]:
    """The tiles of a clip that was begun, one for each of its `count` looks: with others it were not the same clip.

    None where it says nothing that makes sense.
    """
    from dreamer.video.clip import notes_of

    tiles = notes_of(output).get("tiles")
    if not isinstance(tiles, list) or len(tiles) != count:
        return [None] * count
    return [tile if type(tile) is int and (tile == 0 or 32 <= tile <= 65536) else None for tile in tiles]


def identity_of(recipe: Mapping[str, Any]) -> str:
    """What a clip must share with one that was begun to go on with it: all that it is made of but the machine."""
    return json.dumps({key: value for key, value in recipe.items() if key != "machine"})


class Pace:
    """How much of a clip's work is done, where frames and dreams between them take unequally long."""

    def __init__(self, frames: tuple[int, int], dreams: tuple[int, int] = (0, 0)) -> None:
        """How many `frames` and `dreams` are done already, and how many there are in all."""
        self._frame, self._frames = frames
        self._dream, self._dreams = float(dreams[0]), dreams[1]
        self._before = (self._frame, self._dream)
        self._spent = [0.0, 0.0]  # seconds for frames, and for dreams
        self._then = time.monotonic()
        self._share = 0.0

    def frame(self, number: int) -> Frame:
        """A frame is done, `number` in all."""
        self._spent[0] += self._passed()
        self._frame = number
        return self._now("")

    def step(self, number: int, step: Step) -> Frame:
        """A step of dream `number`, counted from 0, is done."""
        self._spent[1] += self._passed()
        if self._dreams:
            self._dream = number + step.share
        which = f"keyframe {number + 1}/{self._dreams}" if self._dreams else "dreaming"
        return self._now(f"{which}, octave {step.octave + 1}/{step.octaves}")

    def _now(self, doing: str) -> Frame:
        frames, dreams = self._frame - self._before[0], self._dream - self._before[1]
        cost = _DREAM
        if frames and dreams > 0.5:
            cost = (self._spent[1] / dreams) / max(self._spent[0] / frames, 1e-9)
        whole = (self._frames - self._before[0]) + cost * (self._dreams - self._before[1])
        share = min((frames + cost * dreams) / max(whole, 1e-9), 1.0)
        self._share = max(self._share, share)  # what was promised before the cost was known is not taken back
        return Frame(self._frame, self._frames, self._share, doing)

    def _passed(self) -> float:
        then, self._then = self._then, time.monotonic()
        return self._then - then


def film(
    writer: ClipWriter,
    frames: Iterable[tuple[NDArray[np.uint8], Fraction | None]],
    checkpoint: Callable[[int], None],
    pace: Pace,
    reporter: Reporter,
    label: str,
) -> int:
    """Put the frames that the writer lacks on it, with their times or at its rate, and make the clip: the exit code.

    Ctrl-C leaves a playable clip of what there is, and a full disk or a kill a writer to go on with. `checkpoint` is
    called with a frame's number before that frame is put on the writer: all before it are safe.
    """
    began = time.monotonic()
    try:
        for values, moment in frames:
            checkpoint(writer.done)
            writer.add(values, moment)
            reporter.frame(pace.frame(writer.done))
        writer.finish()
    except (Interrupted, KeyboardInterrupt):
        with suppress(WriteError):
            writer.flush()
        reporter.interrupted(label, str(writer.partial if writer.partial.exists() else writer.folder))
        reporter.say("--resume goes on with it")
        return 130
    except WriteError as error:
        raise WriteError(f"{error}; what was made is kept, and --resume goes on with it") from error
    reporter.done(label, str(writer.output), time.monotonic() - began)
    return 0
