"""`dreamer networks motifs` and `dreamer networks train`: reverie's pictures, and its training."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamer.cli.options import progress_option
from dreamer.cli.photos import check_folder
from dreamer.cli.progress import progress
from dreamer.errors import UsageError, collect_problems

if TYPE_CHECKING:
    from dreamer.training.train import Report

_FILE = click.Path(path_type=Path)
_MEASURES = {
    "places": "{:.0%} of all places named right",
    "motifs": "{:.0%} of a motif's",
    "psnr": "pictures drawn again at {:.1f} dB",
}


@click.command()
@click.option("-o", "--output", type=_FILE, required=True, help="The sheet, a picture.")
@click.option("--samples", type=click.IntRange(1, 100), default=12, show_default=True, help="Of each motif.")
@click.option("--size", type=click.IntRange(16, 512), default=128, show_default=True, help="Pixels a side, of each.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other samples.")
@click.option("--force", is_flag=True, help="Replace a sheet that is there already.")
def motifs(output: Path, samples: int, size: int, seed: int, force: bool) -> None:
    """Draw what reverie is taught to see.

    A row for each motif, from top to bottom in the order that is printed.
    """
    _claim(output, force)
    from dreamer.files import write_atomically
    from dreamer.image import check_suffix, encode, load, to_pil
    from dreamer.motifs import MOTIFS
    from dreamer.motifs.sheet import sheet

    format = check_suffix(output)
    photo = load(to_pil(sheet(MOTIFS, samples, size, seed)))
    write_atomically(output, encode(photo, photo.pixels, format))
    click.echo(f"{output}: {', '.join(motif.name for motif in MOTIFS)}")


@click.command()
@click.option("-o", "--output", type=_FILE, required=True, help="The weights, a .safetensors file.")
@click.option("--decoder", is_flag=True, help="Train the decoder instead, which draws pictures from small codes.")
@click.option("--pictures", type=_FILE, help="A folder of your own: reverie learns them on top of what it knows.")
@click.option("--start", type=_FILE, help="Weights to begin with; for your own --pictures, the built-in ones.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="How long.  [60; 15 with --pictures]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other pictures, another start.")
@click.option("--width", type=click.FloatRange(0.25, 4), default=1.0, show_default=True, help="Times the channels.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="That learn; one more process draws.  [all cores but one]")
@click.option("--keep", type=click.FloatRange(0, min_open=True), help="Keep the weights of every so many minutes too.")
@click.option("--resume", is_flag=True, help="Go on with a training that was interrupted.")
@click.option("--force", is_flag=True, help="Replace weights that are there already.")
@progress_option
def train(
    output: Path,
    decoder: bool,
    pictures: Path | None,
    start: Path | None,
    minutes: float | None,
    device: str,
    threads: int | None,
    keep: float | None,
    resume: bool,
    force: bool,
    how: str,
    **settings: Any,
) -> int:
    """Train reverie, the network that ships inside, or teach it your own pictures.

    It learns from pictures that are drawn as it learns. Ctrl-C, or a kill, costs at most the last minute: `--resume`
    goes on. Of your own --pictures, each subfolder is a thing to learn; without subfolders each picture is one. Dream
    of what was learnt: dreamer render PHOTO --weights FILE. With --decoder it is the decoder that is trained, by all
    the same options.
    """
    problems: list[str] = []
    with collect_problems(problems):
        _claim(output, force)
    begun = output.with_name(f"{output.name}.training")
    if begun.exists() and not (resume or force):
        problems.append(f"{begun}: a training was interrupted here; --resume goes on with it, --force begins anew")
    if output.suffix != ".safetensors":
        problems.append(f"-o {output}: weights are a .safetensors file")
    if problems:
        raise UsageError(*problems)
    with progress(how) as reporter:
        import torch

        from dreamer.engine.device import Machine, keep_freed_memory
        from dreamer.ingredients.learned_priors import decoders_folder
        from dreamer.motifs import MOTIFS
        from dreamer.training.album import OwnPictures
        from dreamer.training.decoder import DecoderTraining
        from dreamer.training.reverie import ReverieTraining
        from dreamer.training.train import Settings, train

        # Another process draws. Where it has no core of its own, threads that wait for one another stand still with it.
        torch.set_num_threads(threads or max(1, torch.get_num_threads() - 1))
        machine = Machine(device=device).resolved()
        keep_freed_memory()
        began = time.monotonic()
        reporter.start(str(output), 1, 1)
        album = None
        if pictures:
            album = OwnPictures.read(pictures, [*(motif.name for motif in MOTIFS), "nothing"])
            for notice in album.notices:
                reporter.say(notice)
        kind = DecoderTraining if decoder else ReverieTraining
        wanted = Settings(minutes=minutes or (15 if pictures else 60), **settings)
        training = kind(wanted, torch.device(machine.device), album, start)

        def on_report(report: Report) -> None:
            reporter.trained(report, _in_words(report))

        try:
            train(output, training, resume=resume, keep=keep, on_report=on_report)
        except KeyboardInterrupt:
            reporter.interrupted(str(output))
            reporter.say("the same command with --resume goes on")
            return 130
        reporter.done(str(output), str(output), time.monotonic() - began)
        if decoder:
            wish = shlex.quote(f"priors.autoencoder.decoder={output.stem}")
            reporter.say(f"as {decoders_folder() / output.name} it goes by its name: --set {wish}")
        else:
            reporter.say(f"dreamer render PHOTO --weights {shlex.quote(str(output))}")
    return 0


def _in_words(report: Report) -> str:
    measured = ", ".join(_MEASURES[name].format(value) for name, value in report.measures.items())
    return f"{report.samples:,} pictures seen, {report.rate:.0f} a second, loss {report.loss:.2f}, {measured}"


def _claim(output: Path, force: bool) -> None:
    if output.exists() and not force:
        raise UsageError(f"-o {output}: the file is there already; --force replaces it")
    check_folder(output.parent, f"-o {output}")
