"""Options shared by `zoom` and `video`, and the loop that makes a clip's frames and loses none."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.options import Command, option, together
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import Frame, Reporter
from dreamer.cli.provenance import provenance_in
from dreamer.errors import Interrupted, RenderError, UsageError, WriteError
from dreamer.files import is_taken
from dreamer.videos.clip.unfinished import fitting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from dreamer.engine.step import Step
    from dreamer.image import Photo
    from dreamer.videos.clip.formats import Format
    from dreamer.videos.clip.writer import ClipWriter

    Size = tuple[int, int]
    Frames = Iterator[tuple[NDArray[np.uint8], Fraction | None]]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
_DREAM = 40.0  # frames that take about as long as one dream, until it has been measured


def clip_options_for(preview: str) -> Callable[[Command], Command]:
    """Return --codec, --quality, --resume, --preview, of which `preview` is the help, and --force."""
    return together(
        option("--codec", metavar="NAME", help="Codec: h264, h265 or av1 in .mp4; vp9 or av1 in .webm. [the first]"),
        option("--quality", type=click.IntRange(0, 100), metavar="0..100", help="Quality of the compression. [75]"),
        option("--resume", is_flag=True, help="Continue an interrupted clip; the finished file is the same."),
        option("--preview", is_flag=True, help=preview),
        option("--force", is_flag=True, help="Replace an existing clip, or start over."),
    )


clip_options = clip_options_for("Make a preview: the whole clip in few frames and small, with its sound.")
_PREVIEW_RATE = 10  # frames a second of a zoom's preview, at most


def few(fps: Fraction) -> int:
    """The n of a zoom's preview, which shows every n-th frame."""
    return max(1, math.ceil(fps / _PREVIEW_RATE))


@dataclass(frozen=True)
class ClipFile:
    """The clip that a command writes, and the values of `clip_options`."""

    output: Path
    codec: str | None
    quality: int | None
    resume: bool
    preview: bool
    force: bool

    @classmethod
    def read(cls, output: Path, options: dict[str, Any], small: str | None = None) -> ClipFile:
        """Take the values of `clip_options` out of a command's options; a preview gets a name of its own.

        `small` is what is appended to that name, if not "preview".

        Raises UsageError for an output without a name, such as `.`.
        """
        if not output.name:
            raise UsageError(f"-o {output}: this is a folder; name the clip as well, as in -o {output / 'dream.mp4'}")
        given = {field.name: options.pop(field.name) for field in fields(cls) if field.name != "output"}
        small = small or ("preview" if given["preview"] else "")
        given["preview"] = bool(small)
        name = fitting(output.stem, f"-{small}{output.suffix}") if small else output.name
        return cls(output.with_name(name), **given)

    def format(self, sources: Iterable[Path | None]) -> Format:
        """Return the format of the file; UsageError if it cannot be written, or would replace one of the sources."""
        from dreamer.videos.clip.formats import format_for
        from dreamer.videos.clip.unfinished import folder_of, partial_of

        format = format_for(self.output, self.codec, self.quality)
        check_folder(self.output.parent, f"-o {self.output}")
        there = [source for source in sources if source is not None and source.exists()]
        check_spared([self.output, partial_of(self.output)], there)
        for folder, source in product((self.output, folder_of(self.output)), there):
            if source.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{source}, an input, is in {folder}, which the clip replaces; choose another -o")
        return format

    def framed(
        self, photo: Photo, side: int, format: Format, small: Callable[[int, int], int]
    ) -> tuple[Photo, Size, dict[Size, Size]]:
        """Return a photo as large as the frames, which have `side` pixels on their long side, or as those of a preview.

        With it come the (height, width) of the frames, and of a preview `Pipeline.wholes`. `small` gives a preview's
        long side for the (height, width) of what it is a preview of.
        """
        from dreamer.videos.clip.formats import frame_size

        sized = photo.resized(side)
        size = large = frame_size(format, sized.height, sized.width)
        if not self.preview:
            return sized, size, {}
        sized = photo.resized(small(*large))
        size = frame_size(format, sized.height, sized.width)
        return sized, size, {size: large}

    def note(self, name: str) -> Any:
        """Return what the manifest of a clip to resume notes under a name, which may be damaged; None without one."""
        from dreamer.videos.clip.manifest import notes_of

        return notes_of(self.output).get(name) if self.resume else None

    def tiles(self, count: int) -> list[int | None]:
        """Return the tiles of a clip to resume, one for each of its `count` looks; other tiles give other frames.

        None for each, where they are missing or damaged, and for a new clip.
        """
        tiles = self.note("tiles")
        if not isinstance(tiles, list) or len(tiles) != count:
            return [None] * count
        return [tile if type(tile) is int and (tile == 0 or 32 <= tile <= 65536) else None for tile in tiles]

    def write(
        self,
        make: Callable[[ClipWriter], tuple[Frames, Pace]],
        reporter: Reporter,
        label: str,
        format: Format,
        *,
        recipe: Mapping[str, Any],
        decides: Mapping[str, Any],
        tiles: Sequence[int],
        place: tuple[int, int] = (1, 1),
        notes: Mapping[str, Any] | None = None,
        join: Callable[[ClipWriter], int] | None = None,
        **about: Any,
    ) -> int:
        """Write the clip, or what an interrupted one lacks.

        Args:
            make: Returns the frames that a writer lacks, and the pace at which they are made.
            reporter: Receives the progress.
            label: The name of the job, for the reporter.
            format: From `format`.
            recipe: What is written into the clip.
            decides: What a clip must have in common with an interrupted one to continue it; the machine is left out.
            tiles: The tiles of its looks.
            place: Its number among the clips of the command, from 1, and how many these are.
            notes: Further decisions, for `note`.
            join: Makes and finishes the clip in place of `make`, and returns the exit code.
            **about: Its size, fps, frames and sound, as `ClipWriter.open` takes them.

        Returns:
            The exit code.
        """
        from dreamer.videos.clip.writer import ClipWriter

        identity = json.dumps({key: value for key, value in decides.items() if key != "machine"})
        settings = {
            "resume": self.resume,
            "force": self._may_replace(),
            "notes": {"tiles": list(tiles), **(notes or {})},
            **about,
        }
        settings |= {"notify": reporter.notify}
        reporter.start(label, *place)
        with ClipWriter.open(self.output, format, recipe=json.dumps(recipe), identity=identity, **settings) as writer:
            if not writer.finished:
                return join(writer) if join else film(writer, *make(writer), reporter, label)
            reporter.skip(label, str(self.output))
            return 0

    def _may_replace(self) -> bool:
        """Whether the clip may replace what exists: with --force, or as a preview of earlier previews."""
        from dreamer.videos.clip.unfinished import folder_of, partial_of

        there = [path for path in (self.output, partial_of(self.output)) if is_taken(path)]
        is_again = bool(there) or is_taken(
            folder_of(self.output)
        )  # else nothing may be replaced that appears meanwhile
        return self.force or (self.preview and is_again and all(map(is_dreamt, there)))


def is_dreamt(path: Path) -> bool:
    """Whether dreamer made a clip."""
    try:
        provenance_in(path)
    except UsageError:
        return False
    return True


class Pace:
    """Estimates how much of a clip's work is done, where frames and dreams take unequally long."""

    def __init__(self, frames: tuple[int, int], dreams: tuple[int, int] = (0, 0)) -> None:
        """Each pair holds the number done before, and the number in all."""
        self._frame, self._frames = frames
        self._dream, self._dreams = float(dreams[0]), dreams[1]
        self._before = (self._frame, self._dream)
        self._spent = [0.0, 0.0]  # seconds for frames, and for dreams
        self._then = time.monotonic()
        self._share = 0.0

    def frame(self, number: int) -> Frame:
        """Return the progress after a frame; `number` frames are done."""
        self._spent[0] += self._passed()
        self._frame = number
        return self._now("")

    def step(self, number: int, step: Step) -> Frame:
        """Return the progress after a step of dream `number`, counted from 0."""
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
        self._share = max(self._share, share)  # it never goes back when the cost turns out higher
        return Frame(self._frame, self._frames, self._share, doing)

    def _passed(self) -> float:
        then, self._then = self._then, time.monotonic()
        return self._then - then


def film(writer: ClipWriter, frames: Frames, pace: Pace, reporter: Reporter, label: str) -> int:
    """Write the frames that a clip lacks and finish it.

    Ctrl-C leaves a playable clip of the frames so far; after a full disk or a kill --resume continues.

    Args:
        writer: Takes the frames.
        frames: Pixels (H, W, 3), uint8, and the frame's time in seconds; None for the writer's own rate. When the next
            one is asked for, all before it are safe.
        pace: Turns numbers of frames into progress.
        reporter: Receives the progress.
        label: The name of the job, for the reporter.

    Returns:
        The exit code: 0 when the clip is finished, 130 when it was interrupted.

    Raises:
        WriteError: A frame or the clip cannot be written.
    """
    began = time.monotonic()
    try:
        for values, moment in frames:
            writer.add(values, moment)
            reporter.seen(partial(_picture, values))
            reporter.frame(pace.frame(writer.done))
        writer.finish()
    except (Interrupted, KeyboardInterrupt):
        with suppress(RenderError):
            writer.flush()
        reporter.interrupted(label, str(writer.partial if writer.partial.exists() else writer.folder))
        reporter.notify("run the same command with --resume to continue")
        return INTERRUPTED
    except WriteError as error:
        raise WriteError(f"{error}; what is done is kept, and --resume continues") from error
    reporter.done(label, str(writer.output), time.monotonic() - began)
    return 0


def _picture(values: NDArray[np.uint8]) -> Tensor:
    """A frame (H, W, 3 or 4) as a picture (1, 3, H, W) in [0, 1]."""
    import torch

    return torch.from_numpy(values[..., :3]).permute(2, 0, 1)[None].div(255)
