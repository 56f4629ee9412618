"""`dreamer plugins`: list and show plugins; `installing` and `authoring` have the other commands."""

from __future__ import annotations

import click

from dreamer.cli.authoring import check, new
from dreamer.cli.groups import Commands
from dreamer.cli.installing import install, restore, uninstall
from dreamer.cli.streams import echo, line
from dreamer.cli.tables import table
from dreamer.errors import UsageError, did_you_mean


@click.group(cls=Commands, commands=[install, uninstall, restore, new, check])
def plugins() -> None:
    """Manage plugins.

    Plugins add objectives, priors, transforms, filters, updates, segmenters, depths, networks and presets.
    """


@plugins.command("list")
def list_() -> None:
    """List the plugins, what they add, and whether they work."""
    from dreamer.plugins.loading import load_plugins
    from dreamer.plugins.preset_packs import chosen, is_called

    found = load_plugins()[1]
    for name in chosen() or ():
        if not any(is_called(name, plugin.name, plugin.distribution) for plugin in found):
            echo(line(f"dreamer: DREAMER_PLUGINS: no plugin is called {name}"), err=True)
    if not found:
        echo("no plugins are installed")
        return
    rows: dict[str, tuple[str, str, str, str]] = {}
    for plugin in found:  # one distribution may have several entry points
        _, _, adds, problem = rows.get(plugin.distribution, ("", "", "", ""))
        adds = ", ".join(filter(None, (adds, *plugin.adds)))
        rows[plugin.distribution] = (plugin.distribution, plugin.version, adds, problem or plugin.problem)
    shown = [(*row, f"broken: {problem}" if problem else "ok") for *row, problem in rows.values()]
    table(("plugin", "version", "adds", "status"), shown)


@plugins.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what a plugin adds and, if it is broken, why."""
    from importlib.metadata import PackageNotFoundError, metadata

    from dreamer.plugins.loading import load_plugins
    from dreamer.plugins.preset_packs import OWN

    found = load_plugins()[1]
    own = [plugin for plugin in found if name in (plugin.distribution, plugin.name)]
    if not own:
        known = [plugin.distribution for plugin in found]
        raise UsageError(f"no plugin is called {name!r}{did_you_mean(name, known) or '; none is installed'}")
    distribution = own[0].distribution
    echo(line(f"{distribution} {own[0].version}"))
    try:
        about = metadata(distribution)
        for key in ("Summary", "Author", "License-Expression", "Home-page"):
            if key in about:
                echo(line(f"{key.lower().replace('-expression', '')}: {about[key]}"))
    except PackageNotFoundError:  # your own presets are not a distribution
        pass
    for plugin in own:
        for thing in plugin.adds:
            echo(line(f"adds: {thing}"))
        if plugin.problem:
            for text in (f"broken ({plugin.name}): {plugin.problem}", *plugin.trace.split("\n")):
                echo(line(text))
            if distribution != OWN:
                echo(line(f"`dreamer plugins uninstall {distribution}` removes it"))
