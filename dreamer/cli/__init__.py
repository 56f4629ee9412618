"""The command line: parses options, calls what is below, reports and writes; nothing else.

Layer 9. Files import click and nothing heavy at the top: torch and the plugins are imported inside the commands that
need them, so that `dreamer --help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Any

import click

from dreamer import __version__
from dreamer.cli import (
    atlas,
    cluster,
    concepts,
    doctor,
    exemplars,
    ingredients,
    loop,
    networks,
    parts,
    plugins,
    presets,
    render,
    studio,
    video,
    visualize,
    walk,
    zoom,
)
from dreamer.cli.failures import exit_code, sentences, tell
from dreamer.cli.groups import Commands
from dreamer.cli.print import print_
from dreamer.cli.shell import shell_word
from dreamer.cli.streams import echo, guard_streams
from dreamer.errors import UsageError, options_named, quoted, reported_together
from dreamer.files.suffixes import command_for
from dreamer.plugins.preset_packs import let_torch_start

_COMMANDS: list[click.Command] = [
    *(render.render, zoom.zoom, print_, video.video, walk.walk, loop.loop, visualize.visualize, presets.presets),
    *(
        networks.networks,
        ingredients.ingredients,
        exemplars.exemplars,
        atlas.atlas,
        concepts.concepts,
        parts.parts,
        studio.studio,
        cluster.cluster,
        plugins.plugins,
        doctor.doctor,
    ),
]
_PIECES = 12  # words that a name with spaces may have been torn into
_COLLECT = (100_000, 20, 20)  # new objects until Python looks for garbage; then for older garbage


class _Main(Commands):
    """The main command: the one place where errors become sentences and exit codes."""

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, *rest: Any, **extra: Any) -> Any:
        """Run a command and exit; `--debug` is accepted at any position."""
        guard_streams()
        _collect_rarely()
        let_torch_start()
        words = list(sys.argv[1:] if args is None else args)
        own = words[: words.index("--")] if "--" in words else words
        names = words[len(own) :]
        debug = "--debug" in own
        if debug:
            words = ["--debug", *(word for word in own if word != "--debug"), *names]
        try:
            _check_empty([*own, *names])
            _check_names(own)
            with options_named():
                code = super().main(words, prog_name or "dreamer", *rest, **{**extra, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = 2
        except Exception as error:
            if debug:
                echo(traceback.format_exc(), err=True)
            tell(sentences(error), as_json="--progress=json" in own or ("--progress", "json") in pairwise(own))
            code = exit_code(error)
        sys.exit(code)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; UsageError for a photo or a clip in its place, which says what to type."""
        verb = "" if args[0] in self.commands else "render" if os.path.isdir(args[0]) else command_for(args[0])
        if verb:
            typed = " ".join(map(shell_word, ("dreamer", verb, *args)))
            raise UsageError(f"{args[0]}: this is no command; to dream over it, type `{typed}`")
        return super().resolve_command(ctx, args)


def _collect_rarely() -> None:
    """Let Python seldom look for garbage, and not at the end: torch's million objects take it most of a second."""
    gc.set_threshold(*_COLLECT)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _check_empty(words: Sequence[str]) -> None:
    """Raise UsageError for an empty word, as an unset variable leaves it: as a path it would be the current folder."""
    with reported_together() as problems:
        for before, word in pairwise(["dreamer", *words]):
            if not (word.partition("=")[2] if word.startswith("--") and "=" in word else word):
                typed = word or f"{before} ''"
                problems.append(f"{typed}: this is empty; give a name or a value, or leave it out")


def _check_names(words: Sequence[str]) -> None:
    """Raise UsageError for words that are not what was meant.

    These are words that hold a NUL, which no name does; files whose names are taken for options, as -holiday.jpg, which
    begins with -h; and a file's name that its spaces have made several words of.
    """
    with reported_together() as problems:
        for word in words:
            if "\0" in word:
                problems.append(f"{quoted(word)}: no name and no value holds a NUL; leave it out")
            elif word.startswith("-") and len(word) > 2 and os.path.lexists(word):
                problems.append(f"{word}: a name that begins with a dash is taken for options; write ./{word}")
        problems += [f'{name}: a name with spaces needs quotes; write "{name}"' for name in _torn(words)]


def _torn(words: Sequence[str]) -> Iterator[str]:
    """The names of files among words that follow each other, none of them an option, the first no file by itself."""
    for start, word in enumerate(words):
        if word and not word.startswith("-") and not os.path.lexists(word):
            pieces = list(takewhile(lambda piece: not piece.startswith("-"), words[start : start + _PIECES]))
            names = (" ".join(pieces[:end]) for end in range(2, len(pieces) + 1))
            yield from (name for name in names if os.path.lexists(name))


@click.group("dreamer", cls=_Main, commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dreamer")
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
def main(debug: bool) -> None:
    """Paint what a neural network sees into your photographs.

    \b
    dreamer render photo.jpg            write photo-dream.jpg beside it
    dreamer render --sample             dream over a scene drawn by dreamer
    dreamer render photo.jpg --preset gaze --strength 0.7
    """
