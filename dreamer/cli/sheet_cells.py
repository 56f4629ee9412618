"""The cells of a sheet: from what was typed to a pipeline and a file for each, every mistake told first."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.cli.batch import Batch
from dreamer.cli.missing import check_preset
from dreamer.cli.photos import Place, check_spared
from dreamer.cli.render_options import RenderOptions
from dreamer.cli.shell import render_command
from dreamer.errors import UsageError, collect_problems
from dreamer.files import is_taken, taken
from dreamer.files.suffixes import suffix_of
from dreamer.recipes.cells import named_cell
from dreamer.recipes.sweeps import LOOKS, VARIATION, Axis, Cell, blamed, cells_of, counted, key_name, read_axis
from dreamer.recipes.variations import varied

if TYPE_CHECKING:
    from dreamer.image import Photo
    from dreamer.pipeline.build import Aim, Loaded, Request
    from dreamer.pipeline.pipeline import Notify, Pipeline
    from dreamer.pipeline.sweep import Group
    from dreamer.recipes.recipe import Recipe
    from dreamer.recipes.registry import Registry

_COUNT = 9  # variations, where nobody says how many


@dataclass(frozen=True)
class SheetOptions:
    """The options that make a sheet, as typed."""

    sweep: tuple[str, ...] = ()
    variations: int | None = None
    around: float | None = None
    seeds: tuple[int, ...] = ()
    as_page: bool = False

    @property
    def sheet(self) -> bool:
        """Whether a sheet is asked for."""
        return bool(self.sweep or self.variations or self.around is not None or len(self.seeds) > 1)

    def axes(self, problems: list[str], seed: int = 0) -> list[Axis]:
        """The axes; seeds begin with `seed` where only their number is said. What is wrong is added to the problems."""
        return [*self._swept(problems), *self._counted(seed)]

    def files(self) -> list[Path]:
        """The files that the axes name: nothing replaces them."""
        named = [
            value for axis in self._swept([]) if axis.sets in ("guide", "recipe", "preset") for value in axis.values
        ]
        return [Path(named_cell(str(value))[0]) for value in named]

    def check(self, given: RenderOptions, problems: list[str]) -> None:
        """Add what is wrong with the axes, beside the other options, as far as it takes no torch to know."""
        swept = self._swept(problems)
        with collect_problems(problems):
            cells_of([*swept, *self._counted(0)])
        typed = {key for key, value in given.flags.items() if value is not None}
        typed |= {key for key in LOOKS if getattr(given, key)}
        for axis in swept:
            whole = {"preset", "recipe"}
            if axis.sets in typed or (axis.sets in whole and whole & typed):
                problems.append(f"--sweep {axis.key}: it is given by an option as well; leave one of them out")
            for value in map(str, axis.values):
                with collect_problems(problems):
                    _check_named(axis, value)

    def _swept(self, problems: list[str]) -> list[Axis]:
        found = []
        for text in self.sweep:
            with collect_problems(problems):
                found.append(read_axis(text))
        return found

    def _counted(self, seed: int) -> list[Axis]:
        found = [counted("seed", self.seeds)] if len(self.seeds) > 1 else []
        if self.around is not None:
            found.append(counted(VARIATION, range(1, (self.variations or _COUNT) + 1)))
        elif self.variations:
            found.append(counted("seed", range(seed, seed + self.variations)))
        return found


def _check_named(axis: Axis, value: str) -> None:
    if axis.key == "preset":
        check_preset(value)
    if axis.key in ("recipe", "guide") and not Path(named_cell(value)[0] if axis.key == "recipe" else value).exists():
        raise UsageError(f"--sweep {axis.key}: there is no file {value}")


@dataclass(frozen=True)
class Job:
    """A cell with everything that it is made of; `done` says whether its file is there already.

    `photo` has its final size, `about` says in a line what is special, and `command` makes the cell alone, as do the
    `options`.
    """

    cell: Cell
    batch: Batch
    photo: Photo
    format: str
    file: Path
    about: str
    command: str
    done: bool
    options: RenderOptions


@dataclass(frozen=True)
class Sheet:
    """The cells of a sheet in reading order, and their groups: the cells of a group share one ascent."""

    axes: Sequence[Axis]
    jobs: list[Job]
    groups: Sequence[Group]
    notices: Sequence[str]


def sheet_of(
    photo: Path | None, output: Path, wanted: SheetOptions, given: RenderOptions, registry: Registry, **saving: Any
) -> Sheet:
    """The sheet of a photo, None for the sample scene, whose cells go into a folder beside `output`.

    `saving` are the fields of `Batch` that all cells share. Raises UsageError with every mistake of every cell.
    """
    from dreamer.pipeline.plan import reduced
    from dreamer.pipeline.sweep import groups, sharing

    asked = _Asked(given, registry, saving["reporter"].notify)
    axes = wanted.axes([], asked.seed() if wanted.variations else 0)
    cells = cells_of(axes)
    made: list[tuple[Pipeline, str, RenderOptions]] = []
    with blamed(cells) as wrong:  # of all cells, before a network is fetched for one of them
        for cell in cells:
            with wrong(cell):
                asked.recipe(cell)
    with blamed(cells) as wrong:
        for cell in cells:
            with wrong(cell):
                made.append(asked.pipeline(cell, wanted.around or 0.0))
    batches = [Batch(one, None, place=Place(None, False), **saving) for one in sharing([one for one, *_ in made])]
    pipelines = [batch.pipeline for batch in batches]
    whole = batches[0].load(photo)
    sized = {one.recipe.size: one.sized(whole) for one in pipelines}
    grouped, jobs, notices = groups(pipelines), list[Job](), list[str]()
    with blamed(cells) as wrong:
        for group in grouped:
            at = sized[group.whole.recipe.size]
            told = reduced(group.whole, (at.height, at.width), (whole.height, whole.width))
            with wrong(*(cells[number] for number in group.strengths)), told:
                group.whole.plan(at.height, at.width)
    with blamed(cells) as wrong:
        for cell, batch, (_, about, options) in zip(cells, batches, made, strict=True):
            with wrong(cell):
                at = sized[batch.pipeline.recipe.size]
                job = _job(cell, batch, at, output, len(cells), options)
                notices += batch.notices(whole, at, job.format)
                words = [*asked.options(cell).words(), *cell.settings]
                if cell.sets.get(VARIATION, 1) > 1:
                    words = given.repeating(f"{output}#{cell.number}").words()
                jobs.append(replace(job, about=about, command=render_command(photo, words)))
    return Sheet(axes, jobs, grouped, [*dict.fromkeys(notices)])


def _job(cell: Cell, batch: Batch, photo: Photo, output: Path, count: int, options: RenderOptions) -> Job:
    """The cell with its file; raises UsageError for one that cannot be written."""
    from dreamer.image import format_for

    format = format_for(photo, None)
    file = output.with_suffix("") / cell.file_name(count, suffix_of(format))
    batch.check_transparency(file, format)
    check_spared([file], batch.protected)
    done = batch.is_done(file, photo) and not batch.force
    if is_taken(file) and not done and not batch.force:
        raise UsageError(taken(file))
    return Job(cell, batch, photo, format, file, "", "", done, options)


@dataclass(frozen=True)
class _Asked:
    """The options and the registry for all cells; networks are loaded once."""

    given: RenderOptions
    registry: Registry
    notify: Notify
    networks: Loaded = field(default_factory=dict)

    def options(self, cell: Cell | None, changes: Sequence[tuple[str, Any]] = ()) -> RenderOptions:
        """The options of a cell, None for those that all of them share."""
        sets = dict(cell.sets) if cell else {}
        sets.pop(VARIATION, None)
        seed = None if "seed" in sets else self.given.seed  # a number of seeds begins with the one that is typed
        looks: dict[str, Any] = {
            key: Path(str(value)) if key == "guide" else str(value) for key, value in sets.items() if key in LOOKS
        }
        keys = [(key, value) for key, value in sets.items() if key not in LOOKS]
        return replace(self.given, **looks, seed=seed, swept=(*keys, *changes))

    def recipe(self, cell: Cell | None) -> Recipe:
        """The recipe as far as it can be read without its network."""

        def read(request: Request, aim: Aim | None) -> Recipe:
            return request.recipe(self.registry, {})

        return self.options(cell).made(read, self.registry, lambda sentence: None, [], fetch=False)[0]

    def seed(self) -> int:
        """The seed of what was typed; 0 where that cannot be read, which the cells' own mistakes say."""
        with suppress(UsageError):
            return self.recipe(None).seed
        return 0

    def pipeline(self, cell: Cell, amount: float) -> tuple[Pipeline, str, RenderOptions]:
        """The cell's pipeline, of a variation also what was changed, in words, and the options that it comes from."""

        def build(request: Request, aim: Aim | None) -> Pipeline:
            return replace(request, loaded=self.networks).build(self.registry, aim)

        plain = self.options(cell)
        found, _ = plain.made(build, self.registry, self.notify, [])
        number = cell.sets.get(VARIATION, 0)
        if number <= 1:
            return found, "as it is" if number else "", plain
        drawn = varied(found.to_dict(), self.registry.vocabulary, amount, number)
        options = self.options(cell, [(key, value) for key, value, _ in drawn])
        about = ", ".join(f"{key_name(key)} {value:g}" for key, value, _ in drawn)
        return options.made(build, self.registry, self.notify, [])[0], about, options
