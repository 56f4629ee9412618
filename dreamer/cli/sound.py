"""The options --dance, --drives and --chart of `zoom` and `video`, and the song that they need."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.options import option, together
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.values import FILE
from dreamer.errors import UsageError
from dreamer.files import is_taken, read_bounded, replacing, taken
from dreamer.files.suffixes import is_file_name
from dreamer.recipes.drives import CURVES, Drive

WAVEFORM = "waveform"

if TYPE_CHECKING:
    from dreamer.videos.sound.song import Song
    from dreamer.videos.sound.spectrum import Floats

sound_options = together(
    option("--dance", is_flag=True, help="Move with the music, which is that of --audio or the clip's own."),
    option(
        "--drives", metavar="FILE", type=FILE, help="What the music moves, and how far: a .toml file of [[drives]]."
    ),
    option("--chart", metavar="FILE", type=FILE, help="Draw the music and what it moves: a .png file."),
)


@dataclass(frozen=True)
class Hearing:
    """The values of `sound_options`."""

    dance: bool
    drives: Path | None
    chart: Path | None

    @classmethod
    def read(cls, options: dict[str, Any]) -> Hearing:
        """Take the values of `sound_options` out of a command's options."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})

    def check(self, sources: Sequence[Path | None], force: bool) -> None:
        """Raise UsageError for two kinds of drives, and where the chart cannot be written or replaces something."""
        if self.dance and self.drives:
            raise UsageError("--dance and --drives cannot be combined; each says what the music moves")
        if self.chart is None:
            return
        if self.chart.suffix.lower() != ".png":
            raise UsageError(f"--chart {self.chart}: a chart is a .png file; name one")
        check_folder(self.chart.parent, f"--chart {self.chart}")
        check_spared([self.chart], [source for source in sources if source is not None and source.exists()])
        if is_taken(self.chart) and not force:
            raise UsageError(taken(self.chart).replace("-o chooses", "--chart chooses"))

    def tables(self, before: Any, dance: Sequence[Drive]) -> Any:
        """The tables of drives: those of --drives, else those of --dance, else `before`, a repeated clip's.

        Raises UsageError for a clip that names files, which may be a stranger's.
        """
        from dreamer.videos.zoom.schedule import read_schedule

        if self.drives:
            return read_schedule(self.drives, "drives")
        if self.dance:
            return [drive.words() for drive in dance]
        if isinstance(before, Sequence) and any(map(_names_files, before)):
            raise UsageError("the drives in a clip may name curves and presets, but no file; use --drives for that")
        return before or []

    @property
    def folder(self) -> Path | None:
        """The folder of the tables that drives name."""
        return self.drives.parent if self.drives else None

    def song(self, audio: Path | None, wanted: bool, told: str, notify: Callable[[str], None]) -> Song | None:
        """The song in `audio`, if it is `wanted` or charted; notifies if its hash is not `told`, the repeated clip's.

        Raises UsageError for a file without sound, and for a dance without a file.
        """
        from dreamer.videos.sound.driven import check_dance
        from dreamer.videos.sound.song import heard_in

        if audio is None and self.dance:
            check_dance(None)
        if audio is None or not (wanted or self.chart):
            return None
        song = heard_in(audio)
        if told and told != song.sha256:
            notify(f"{audio} is another recording than the one that drove the clip; it will move otherwise")
        return song

    def draw(
        self,
        song: Song | None,
        seconds: float,
        moves: Mapping[str, Floats],
        begin: float = 0.0,
        *,
        replace: bool,
        resume: bool,
    ) -> None:
        """Write the chart, if one is wanted.

        Args:
            song: What is heard, if there is sound.
            seconds: The length of the clip.
            moves: What moves in it, by name: (n,) over the clip.
            begin: The time in the song at which the clip begins.
            replace: Whether the chart may replace a file.
            resume: Whether the chart may be there already, as the begun clip's own.

        Raises:
            UsageError: It is another chart, or no chart, that is there.
            WriteError: It cannot be written, or may not replace a file that is there by now.
        """
        import numpy as np

        from dreamer.videos.sound.spectrum import STEP
        from dreamer.visualization.chart import Lane, chart

        if self.chart is None:
            return
        lanes: list[Lane] = []
        beats = sections = np.zeros(0)
        if song:
            first, last = (round(time / STEP) for time in (begin, begin + seconds))
            part = {name: song.curves[name][first:last] for name in (WAVEFORM, *CURVES)}
            short = max(last - first - len(part[WAVEFORM]), 0)
            heard = {name: np.pad(values, (0, short)) for name, values in part.items()}
            lanes += [Lane(WAVEFORM, heard.pop(WAVEFORM), about=_heard(song), mirrored=True)]
            lanes += [Lane(name, values) for name, values in heard.items()]
            beats, sections = (
                times[(times >= begin) & (times <= begin + seconds)] - begin for times in (song.beats, song.sections)
            )
        for name, values in moves.items():
            low, high = float(values.min()), float(values.max())
            lanes.append(Lane(name, values, low, high if high > low else low + 1))
        data = io.BytesIO()
        chart(lanes, seconds, beats.tolist(), sections.tolist()).save(data, "PNG")
        if resume and not replace and is_taken(self.chart):
            self._check_own(data.getvalue())
            return
        with replacing(self.chart, replace=replace) as path:
            path.write_bytes(data.getvalue())

    def _check_own(self, chart: bytes) -> None:
        """Raise UsageError unless this is the chart that is there."""
        assert self.chart
        with suppress(OSError, UsageError):
            if read_bounded(self.chart, len(chart)) == chart:
                return
        raise UsageError(f"--chart {self.chart}: another file has this name; choose another name for the clip's chart")


def _names_files(table: Any) -> bool:
    """Whether a table of drives has the name of a file somewhere: of a curve, or of a preset."""
    values = table.values() if isinstance(table, Mapping) else ()
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    return any(is_file_name(text) for text in texts if isinstance(text, str))


def song_in(recipe: str | None) -> str:
    """The hash of the song that drove a repeated clip; empty if there was none."""
    from dreamer.videos.clip.reader import recipe_text

    if not recipe or Path(recipe).suffix == ".toml":
        return ""
    return str(json.loads(recipe_text(Path(recipe))).get("sound", ""))


def _heard(song: Song) -> str:
    """The song's tempo and its sections, in words."""
    import numpy as np

    tempo = f"{60 / float(np.median(np.diff(song.beats))):.4g} beats a minute" if len(song.beats) > 1 else "no beat"
    many = len(song.sections)
    return f"{tempo}, {many} section{'s' if many != 1 else ''}"
