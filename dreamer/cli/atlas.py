"""`dreamer atlas`: a page that shows what each channel of a network responds to, and where it fires on a photo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.claims import claimed
from dreamer.cli.missing import tell_missing
from dreamer.cli.options import DEVICE, FILE, SEED, THREADS, max_pixels_option, option, progress_option
from dreamer.cli.photos import check_folder, check_spared
from dreamer.cli.progress import Frame, Reporter, clock, counting, progress
from dreamer.errors import UsageError, WriteError, collect_problems
from dreamer.files import is_taken, rescue, write_atomically
from dreamer.files.suffixes import pictures_in

if TYPE_CHECKING:
    import torch

    from dreamer.engine.step import Step
    from dreamer.networks.network import Network
    from dreamer.pipeline.pipeline import Pipeline
    from dreamer.visualization.atlas.layer_section import LayerSection
    from dreamer.visualization.atlas.page import Atlas
    from dreamer.visualization.exemplars import Exemplar, Ranker, Search

_KEPT = 60.0  # seconds between two unfinished pages that are saved
_LONG = 600.0  # seconds; for longer work a notice says how to shorten it
_NAMED = 10  # channels that a sentence names
_SIDE, _STEPS = click.IntRange(32, 512), click.IntRange(1, 2048)


@click.command()
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The page to write, an .html file.")
@option("--network", metavar="NAME", help="The network; downloaded if missing. [reverie]")
@option("--weights", metavar="FILE", type=FILE, help="Weights for the network: a .safetensors or .pth file.")
@option("--layer", "wished", metavar="LAYER,...", help="One layer or several. [the network's default layer]")
@option("--channels", metavar="0-31,NAME", help="Limit the channels, by number or name. [all]")
@option("--photo", metavar="FILE", type=FILE, help="Show where each channel fires on this photo.")
@option("--exemplars", metavar="FOLDER", type=FILE, help="Show the pictures of this folder that excite each channel.")
@option("--size", type=_SIDE, default=96, metavar="PIXELS", help="Side of the picture of a channel. [96]")
@option("--steps", type=_STEPS, default=32, metavar="N", help="Number of steps for each channel. [32]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other pictures. [0]")
@option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]")
@option("--threads", type=THREADS, metavar="N", help="Number of CPU threads. [all cores]")
@option("--resume", is_flag=True, help="Continue after Ctrl-C; keep the pictures of an existing page.")
@option("--force", is_flag=True, help="Replace an existing page.")
@max_pixels_option
@progress_option
def atlas(
    output: Path,
    network: str | None,
    weights: Path | None,
    wished: str | None,
    channels: str | None,
    photo: Path | None,
    exemplars: Path | None,
    size: int,
    steps: int,
    seed: int,
    device: str,
    threads: int | None,
    resume: bool,
    force: bool,
    max_pixels: int,
    how: str,
) -> int:
    """Make a web page of all channels of a layer.

    It shows what each channel responds to, the pictures that excite it, and where it fires on a photo.

    \b
    dreamer atlas -o atlas.html --photo photo.jpg
    dreamer atlas -o atlas.html --layer m4a,m4b --exemplars holiday/
    dreamer atlas -o vgg.html --network vgg16 --layer features.24 --channels 0-63

    The page is a single self-contained file; it opens offline. Click the photo for the channels that are strongest
    there, or a channel for its map; the arrow keys step through channels and layers.
    """
    partial = output.parent / f"{output.stem}-partial{output.suffix}"
    names: list[str] = []
    with progress(how) as reporter, claimed(output):
        problems = about_files(output, partial, photo, resume, force)
        with collect_problems(problems):
            check_spared([output, partial], filter(None, (photo, weights)))
        with collect_problems(problems):
            names = pictures_in(exemplars, "--exemplars") if exemplars else []
        tell_missing(problems, {"weights": weights})
        owned = is_taken(output), is_taken(partial)
        import torch

        from dreamer.engine.device import Machine, keep_freed_memory, use_threads
        from dreamer.image import load
        from dreamer.networks import load_from
        from dreamer.plugins.loading import load_plugins
        from dreamer.recipes.recipe import Recipe
        from dreamer.visualization.atlas.activation_maps import activations_on
        from dreamer.visualization.atlas.exemplar_crops import COUNT, Channels
        from dreamer.visualization.atlas.layer_section import sections_of
        from dreamer.visualization.atlas.page import Atlas, reuse_images

        problems = []
        registry, _ = load_plugins()
        machine, seen = Machine(), None
        parts: list[tuple[LayerSection, Pipeline]] = []
        with collect_problems(problems):
            machine = Machine(device, "auto", 0, threads or 0).resolved()
        with collect_problems(problems):
            drawing: dict[str, Any] = {"size": size, "steps": steps, "seed": seed, "machine": machine}

            def sections_in(network: Network) -> list[tuple[LayerSection, Pipeline]]:
                layers = [part.strip() for part in (wished or network.default_layer).split(",")]
                return sections_of(network, registry, layers, channels, notify=reporter.notify, **drawing)

            wanted, fetch = network or Recipe.network, network is not None and not problems
            loaded = load_from(registry.networks, wanted, weights, fetch=fetch, check=sections_in)
            use_threads(machine)
            parts = sections_in(loaded)
            layers = [section.layer for section, _ in parts]
            if photo and photo.is_file():
                whole = load(photo, max_pixels=max_pixels)
                seen = activations_on(whole, photo.name, loaded, layers, torch.device(machine.device))
        sections = tuple(section for section, _ in parts)
        for page in (output, partial) if resume else ():
            with collect_problems(problems):
                reuse_images(page, sections)
        if problems:
            raise UsageError(*problems)
        for notice in loaded.notices:
            reporter.notify(notice)
        keep_freed_memory()
        page_of = Atlas(loaded.name, sections, str(weights or ""), seen)
        making = Making(page_of, output, partial, reporter, *owned, torch.device(machine.device))
        try:
            for section, pipeline in parts:
                making.paint(section, pipeline)
            if exemplars:
                ranker = Channels(loaded, {section.layer: section.channels for section in sections})
                making.search(exemplars, names, ranker, ranker.named, COUNT, size, max_pixels, resume)
        except KeyboardInterrupt:
            return making.interrupted()
        except WriteError as error:
            reporter.notify(f"{error}; the page shows the exemplars found by then")
            making.finished()
            return 1
        return making.finished()


def about_files(output: Path, partial: Path, photo: Path | None, resume: bool, force: bool) -> list[str]:
    """What is wrong with the files, a sentence each."""
    problems: list[str] = []
    if output.suffix.lower() not in (".html", ".htm"):
        problems.append(f"-o {output}: this is a web page; its name must end in .html")
    with collect_problems(problems):
        check_folder(output.parent, f"-o {output}")
    if resume and force:
        problems.append("--resume and --force cannot be combined; one continues a page, the other replaces it")
    for path in (output, partial):
        if path.is_dir():
            problems.append(f"{path} is a folder; name a file")
        elif path.exists() and not path.is_file():
            problems.append(f"{path} is not a regular file; name one that is")
        elif is_taken(path) and not (resume or force):
            problems.append(f"{path} already exists; --resume continues it, --force starts over")
    if photo and not photo.is_file():
        problems.append(f"--photo {photo}: there is no such file")
    return problems


@dataclass
class Making:
    """Makes the pictures of an atlas and writes the page; unfinished pages are saved beside it as `partial`.

    `replaces` and `own_partial` say whether a file of these names may be replaced: one that was there at the beginning.
    """

    atlas: Atlas
    output: Path
    partial: Path
    reporter: Reporter
    replaces: bool
    own_partial: bool
    device: torch.device

    def __post_init__(self) -> None:
        self.notes = self.output.with_name(f".{self.output.name}.exemplars")
        self.began = self.kept = time.monotonic()
        self.warned = False

    def paint(self, section: LayerSection, pipeline: Pipeline) -> None:
        """Make the pictures that a section lacks."""
        from dreamer.visualization.atlas.channel_images import draw_channels, silent_channels

        left, count, began = section.missing, len(section.channels), time.monotonic()
        noun = "channel" if section.directions is None else "concept"
        number = self.atlas.sections.index(section) + 1
        self.reporter.start(f"{self.atlas.network} {section.layer}", number, len(self.atlas.sections))

        def on_step(done: int, batch: int, step: Step) -> None:
            share = (done + batch * step.share) / len(left)
            self.reporter.frame(Frame(count - len(left) + done, count, share, unit=noun))
            whole = (time.monotonic() - began) / share if share else 0.0
            if step.share == 1 and whole > _LONG and not self.warned and noun == "channel":
                self.warned = True
                self.reporter.notify(
                    f"the {count} channels of {section.layer} take about {clock(whole)}; --channels 0-31 shows a part "
                    "of them, a smaller --size or fewer --steps are quicker; Ctrl-C keeps what is done, and --resume "
                    "continues"
                )

        for channel, image in draw_channels(pipeline, left, directions=section.directions, on_step=on_step):
            section.images[channel] = image
            if time.monotonic() - self.kept > _KEPT:
                self.keep()
        if noun == "channel" and (silent := silent_channels(pipeline, section.images)):
            some = ", ".join(map(str, silent[:_NAMED])) + (" and others" if len(silent) > _NAMED else "")
            how_many = f"{len(silent)} of {count} channels do not fire in their own pictures"
            self.reporter.notify(f"{section.layer}: {how_many} and may never fire: {some}")

    def search(
        self,
        folder: Path,
        names: list[str],
        ranker: Ranker,
        units: Sequence[tuple[str, int]],
        most: int,
        side: int,
        max_pixels: int,
        resume: bool,
    ) -> dict[tuple[str, int], list[Exemplar]]:
        """Find the pictures of a folder that excite the units; an interrupted search keeps the best so far.

        Args:
            folder: Where the pictures are.
            names: Their names.
            ranker: Ranks each for all units.
            units: Layer and number of each unit.
            most: How many pictures are shown for each.
            side: Of the crops, in pixels.
            max_pixels: Larger pictures are skipped.
            resume: Whether an interrupted search goes on.

        Returns:
            The best for each unit.
        """
        from dreamer.visualization.atlas.exemplar_crops import cut_crops
        from dreamer.visualization.exemplars import forget, search

        best: dict[tuple[str, int], list[Exemplar]] = {}
        self.reporter.start(str(folder), 1, 1)
        count = counting(self.reporter, "picture", len(names))

        def on_picture(so_far: Search) -> None:
            best.update(zip(units, so_far.best, strict=True))
            count(len(so_far.done))

        if not resume:
            forget(self.notes)
        try:
            limits = {"count": most, "max_pixels": max_pixels}
            found = search(folder, names, ranker, notes=self.notes, device=self.device, on_picture=on_picture, **limits)
            for name, why in found.skipped.items():
                self.reporter.notify(f"skipped {name}: {why}")
        finally:
            crops = cut_crops(folder, best, side, max_pixels)
            for section in self.atlas.sections:
                section.crops = {channel: crops.get((section.layer, channel), []) for channel in section.channels}
        return best

    def keep(self) -> None:
        """Save the unfinished page; where it cannot be, say so and go on."""
        try:
            self.partial = write_atomically(self.partial, self.atlas.page().encode(), replace=self.own_partial)
            self.own_partial = True
        except WriteError as error:
            self.reporter.notify(str(error))
        self.kept = time.monotonic()

    def interrupted(self) -> int:
        """Save the unfinished page after Ctrl-C, and return the exit code."""
        if any(section.images for section in self.atlas.sections):
            place = self._write(self.partial, self.own_partial)
            self.reporter.interrupted(str(self.output), str(place))
            self.reporter.notify("run the same command with --resume to continue")
        else:
            self.reporter.interrupted(str(self.output))
        return 130

    def finished(self) -> int:
        """Write the finished page, and return the exit code."""
        place = self._write(self.output, self.replaces)
        with suppress(OSError):
            if self.own_partial:
                self.partial.unlink(missing_ok=True)
            self.notes.unlink(missing_ok=True)
        self.reporter.done(str(self.output), str(place), time.monotonic() - self.began)
        return 0

    def _write(self, output: Path, replace: bool) -> Path:
        """Write the page and return where it is; where it cannot be written, save it in the temporary folder."""
        page = self.atlas.page().encode()
        try:
            return write_atomically(output, page, replace=replace)
        except WriteError as error:
            place = rescue(output.name, page)
            kept = f"; the page was saved as {place} instead" if place else ""
            raise WriteError(f"{error}{kept}") from error
