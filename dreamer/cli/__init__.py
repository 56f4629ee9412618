"""The command line. Its files import click and nothing heavy: torch and the plugins come with the command that needs
them, so that `dreamer --help` answers at once."""

from __future__ import annotations

import sys
from typing import Any

import click

from dreamer import __version__
from dreamer.errors import DreamerError, Interrupted, UsageError


class _Main(click.Group):
    """The one place where errors become sentences on stderr and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DreamerError as error:
            if ctx.params.get("debug"):
                raise
            for line in str(error).splitlines():
                click.echo(f"dreamer: {line}", err=True)
            sys.exit(exit_code(error))
        except KeyboardInterrupt:
            sys.exit(130)


def exit_code(error: DreamerError) -> int:
    """0 done; 1 failed after the work had begun; 2 wrong usage, input or recipe; 130 interrupted."""
    if isinstance(error, Interrupted):
        return 130
    return 2 if isinstance(error, UsageError) else 1


@click.group(cls=_Main, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dreamer")
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
def main(debug: bool) -> None:
    """Paint what a neural network sees into your photographs.

    \b
    dreamer render photo.jpg            a dream beside it: photo-dream.jpg
    dreamer render --sample             no photo at hand? dreamer draws its own
    dreamer render photo.jpg --preset classic --strength 0.7
    """


from dreamer.cli import doctor, networks, plugins, presets, render  # noqa: E402 - they need nothing of the above

main.add_command(render.render)
main.add_command(presets.presets)
main.add_command(networks.networks)
main.add_command(plugins.plugins)
main.add_command(doctor.doctor)
