"""`dreamer plugins`: what is installed, and what is broken."""

from __future__ import annotations

import click

from dreamer.cli.tables import table


@click.group()
def plugins() -> None:
    """What others have added.

    Plugins bring objectives, priors, transforms, filters, updates, networks and presets.
    """


@plugins.command("list")
def list_() -> None:
    """Every plugin, and whether it works."""
    from dreamer.plugins import load_plugins

    found = load_plugins()[1]
    if not found:
        click.echo("no plugins are installed")
        return
    table(
        ("plugin", "version", "status"),
        [(p.distribution, p.version, f"broken: {p.problem}" if p.problem else "ok") for p in found],
    )
