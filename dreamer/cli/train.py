"""`dreamer networks motifs` and `dreamer networks train`: what reverie learns from, and its training."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.claims import claimed
from dreamer.cli.options import max_pixels_option, option, progress_option
from dreamer.cli.photos import check_new, check_spared, write_sheet
from dreamer.cli.progress import progress
from dreamer.cli.streams import echo
from dreamer.cli.values import DEVICE, FILE, SEED, THREADS, FiniteRange
from dreamer.errors import collect_problems, reported_together
from dreamer.files import is_taken
from dreamer.files.suffixes import check_folder_of_pictures, check_suffix

if TYPE_CHECKING:
    from dreamer.training.train import Report

_MEASURES = {
    "places": "{:.0%} of all places named correctly",
    "motifs": "{:.0%} of those on motifs",
    "psnr": "pictures reproduced at {:.1f} dB",
}

_MINUTES = FiniteRange(0, 10**6, min_open=True)
_WIDTH = "Multiply the number of channels by this, from 0.25 to 4. [1]"
_THREADS = "Number of CPU threads for training; one more process draws the pictures. [all cores but one]"


@click.command()
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The sheet to write, a picture.")
@option("--samples", type=click.IntRange(1, 100), default=12, metavar="N", help="Number of samples of each motif. [12]")
@option("--size", type=click.IntRange(16, 512), default=128, metavar="PIXELS", help="Side of each sample. [128]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed: another seed, other samples. [0]")
@option("--force", is_flag=True, help="Replace an existing sheet.")
def motifs(output: Path, samples: int, size: int, seed: int, force: bool) -> None:
    """Draw the motifs that reverie is trained on.

    The sheet has a row for each motif, from top to bottom in the order that is printed.
    """
    with reported_together() as problems:
        with collect_problems(problems):
            check_new(output, force)
        with collect_problems(problems):
            check_suffix(output)
    from dreamer.image import to_pil
    from dreamer.motifs import MOTIFS
    from dreamer.motifs.sheet import sheet

    place = write_sheet(output, to_pil(sheet(MOTIFS, samples, size, seed)), replace=force)
    echo(f"{place}: {', '.join(motif.name for motif in MOTIFS)}")


@click.command()
@option("-o", "--output", metavar="FILE", type=FILE, required=True, help="The weights to write, a .safetensors file.")
@option("--decoder", is_flag=True, help="Train the decoder instead, which draws pictures from small codes.")
@option("--pictures", metavar="FOLDER", type=FILE, help="Teach reverie these pictures on top of what it knows.")
@option("--start", metavar="FILE", type=FILE, help="Weights to start from. [none; built-in with --pictures]")
@option("--minutes", type=_MINUTES, metavar="MINUTES", help="Length of the training. [60; 15 with --pictures]")
@option("--seed", type=SEED, default=0, metavar="N", help="Random seed of the pictures and the start. [0]")
@option("--width", type=FiniteRange(0.25, 4), default=1.0, metavar="FACTOR", help=_WIDTH)
@option("--device", type=DEVICE, default="auto", help="Where to compute. [auto]")
@option("--threads", type=THREADS, metavar="N", help=_THREADS)
@option("--keep", "interval", type=_MINUTES, metavar="MINUTES", help="Also save numbered weights at this interval.")
@option("--resume", is_flag=True, help="Continue an interrupted training.")
@option("--force", is_flag=True, help="Replace existing weights.")
@max_pixels_option
@progress_option
def train(
    output: Path,
    decoder: bool,
    pictures: Path | None,
    start: Path | None,
    minutes: float | None,
    device: str,
    threads: int | None,
    interval: float | None,
    resume: bool,
    force: bool,
    max_pixels: int,
    how: str,
    **settings: Any,
) -> int:
    """Train reverie, or teach it your own pictures.

    reverie is the built-in network; it learns from pictures that are drawn during the training. Each subfolder of
    --pictures is one thing to learn; without subfolders each picture is one. Ctrl-C or a crash costs at most the last
    minute; --resume continues. Use the result with `dreamer render PHOTO --weights FILE`.
    """
    with progress(how) as reporter, claimed(output):
        _check_files(output, start, pictures, resume, force)
        import torch

        from dreamer.engine.device import Machine, keep_freed_memory
        from dreamer.ingredients.learned_priors import decoders_folder
        from dreamer.motifs import MOTIFS
        from dreamer.training.album import OwnPictures
        from dreamer.training.decoder import DecoderTraining
        from dreamer.training.reverie import ReverieTraining
        from dreamer.training.train import Settings, train

        # One core is left to the process that draws the pictures: a thread that shared it would make the others wait.
        torch.set_num_threads(threads or max(1, torch.get_num_threads() - 1))
        machine = Machine(device=device).resolved()
        keep_freed_memory()
        began = time.monotonic()
        reporter.start(str(output), 1, 1)
        album = None
        if pictures:
            album = OwnPictures.read(pictures, [*(motif.name for motif in MOTIFS), "nothing"], max_pixels)
            for notice in album.notices:
                reporter.notify(notice)
        kind = DecoderTraining if decoder else ReverieTraining
        wanted = Settings(minutes=minutes or (15 if pictures else 60), **settings)
        training = kind(wanted, torch.device(machine.device), album, start)

        def on_report(report: Report) -> None:
            reporter.trained(report, _in_words(report))

        try:
            place = train(output, training, resume=resume, interval=interval, replace=force, on_report=on_report)
        except KeyboardInterrupt:
            reporter.interrupted(str(output))
            reporter.notify("run the same command with --resume to continue")
            return 130
        reporter.done(str(output), str(place), time.monotonic() - began)
        if decoder:
            setting = shlex.quote(f"priors.autoencoder.decoder={place.stem}")
            reporter.notify(f"copy it to {decoders_folder() / place.name} to use it by name: --set {setting}")
        else:
            reporter.notify(f"`dreamer render PHOTO --weights {shlex.quote(str(place))}` dreams with it")
    return 0


def _check_files(output: Path, start: Path | None, pictures: Path | None, resume: bool, force: bool) -> None:
    """Raise UsageError with everything that is wrong with the files to be read and written."""
    with reported_together() as problems:
        with collect_problems(problems):
            check_new(output, force)
        begun = output.with_name(f"{output.name}.training")
        if is_taken(begun) and not (resume or force):
            problems.append(f"{begun}: a training was interrupted here; --resume continues it, --force starts over")
        problems += [f"{path} is a folder; choose another -o" for path in (output, begun) if path.is_dir()]
        if start and not start.is_file():
            problems.append(f"--start {start}: there is no such weights file")
        if pictures:
            with collect_problems(problems):
                check_folder_of_pictures(pictures, "--pictures")
        if output.suffix != ".safetensors":
            problems.append(f"-o {output}: weights are a .safetensors file")
        with collect_problems(problems):
            check_spared([output], [start] if start else [])


def _in_words(report: Report) -> str:
    measured = ", ".join(_MEASURES[name].format(value) for name, value in report.measures.items())
    return f"{report.samples:,} pictures seen, {report.rate:.0f} a second, loss {report.loss:.2f}, {measured}"
