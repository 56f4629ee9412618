"""Groups of commands that know what else their commands may be called."""

from __future__ import annotations

import click

_MEANT = {
    "add": ("install",),
    "create": ("new", "save"),
    "delete": ("uninstall",),
    "download": ("fetch", "install"),
    "dream": ("render",),
    "get": ("fetch", "install"),
    "help": ("--help",),
    "info": ("show", "doctor"),
    "install": ("fetch",),
    "ls": ("list",),
    "remove": ("uninstall",),
    "rm": ("uninstall",),
    "start": ("up",),
    "stop": ("down",),
    "version": ("--version",),
}
"""Words of other programs -> the commands and options that may be meant, the likeliest first."""


class Commands(click.Group):
    """A group that answers other programs' words with its own."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; click.UsageError for another word, with what may be meant by it."""
        word = args[0]
        own = {*self.commands, *(name for option in self.get_params(ctx) for name in option.opts)}
        meant = next((name for name in _MEANT.get(word, ()) if name in own), None)
        if meant and word not in self.commands:
            raise click.UsageError(f"No such command {word!r}; did you mean {meant}?", ctx)
        return super().resolve_command(ctx, args)
