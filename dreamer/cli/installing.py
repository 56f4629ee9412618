"""`dreamer plugins install`, `uninstall` and `restore`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from packaging.utils import canonicalize_name

from dreamer.cli.failures import tell
from dreamer.cli.options import option
from dreamer.cli.streams import echo, line
from dreamer.cli.tables import table
from dreamer.errors import DreamerError, UsageError, did_you_mean
from dreamer.plugins.installed import Entry, entries, forget, ledger_path, remember
from dreamer.plugins.installer import (
    HELD,
    InstallError,
    Place,
    Plan,
    Source,
    Tool,
    choose,
    core_changes,
    held_versions,
    installed,
    is_plugin,
    parse_sources,
    process,
)

_YES = option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
_ANYWAY = option("--anyway", is_flag=True, help="Proceed even if conda or the system manages this Python.")
_CORE = option("--allow-core-change", is_flag=True, help="Allow other versions of torch, numpy and the like.")


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@_YES
@_CORE
@_ANYWAY
def install(specs: tuple[str, ...], yes: bool, allow_core_change: bool, anyway: bool) -> int:
    """Install plugins.

    A SPEC is a name on the package index, with or without a version, a wheel, a folder or a git address. The changes
    are shown first. A plugin is code that runs with your rights: install only what you trust.

    \b
    dreamer plugins install dreamer-botanica "dreamer-motion>=2"
    dreamer plugins install ./my-plugin plugin-1.0-py3-none-any.whl
    dreamer plugins install git+https://example.org/plugin@v1
    """
    entries()  # a record that cannot be read stops here, before anything is installed
    tool, sources, held, plan = plan_for(specs, allow_core_change, anyway)
    _show(plan, tool)
    return _status(install_plan(tool, sources, held, plan)) if _agreed(yes) else 0


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@_ANYWAY
def uninstall(names: tuple[str, ...], anyway: bool) -> int:
    """Uninstall plugins and remove them from the record of `restore`."""
    there = installed()
    known = {entry.name for entry in entries()} | {name for name, found in there.items() if is_plugin(found)}
    wanted = list(dict.fromkeys(map(canonicalize_name, names)))
    problems = [
        f"{name} is part of dreamer, not a plugin"
        if name in HELD
        else f"{name} is installed, but is not a plugin"
        if name in there
        else f"no plugin is called {name!r}{did_you_mean(name, known) or '; none is installed'}"
        for name in wanted
        if name not in known or name in HELD
    ]
    if problems:
        raise UsageError(*problems)
    present = [name for name in wanted if name in there]
    if present:
        tool = _tool(["uninstall", *present], {}, anyway)
        with _reported("run the same command again to continue"):
            tool.uninstall(present, _as_it_comes)
    left = sorted(set(installed()) & set(present))
    forget(set(wanted) - set(left))
    for name in wanted:
        if name not in left:
            echo(f"{name} {'is uninstalled' if name in present else 'was not installed; its record is removed'}")
    if left:
        raise DreamerError(
            f"{', '.join(left)}: not uninstalled, since it lies outside {sys.prefix}; use what installed it"
        )
    return 0


@click.command()
@_YES
@_CORE
@_ANYWAY
def restore(yes: bool, allow_core_change: bool, anyway: bool) -> int:
    """Reinstall the plugins that were installed before.

    Use this after reinstalling dreamer, or in another environment: everything that `install` recorded and that is
    missing is installed again.
    """
    there, noted = installed(), entries()
    missing = [entry for entry in noted if entry.name not in there]
    if not missing:
        count = "one plugin is" if len(noted) == 1 else f"{len(noted) or 'no'} plugins are"
        echo(line(f"{count} recorded in {ledger_path()}, and none is missing"))
        return 0
    sources, problems = [], []
    for entry in missing:
        try:
            sources += [Source(source.spec, entry.name) for source in parse_sources([entry.spec])]
        except UsageError as error:
            problems += [f"{entry.name} cannot be restored: {problem}" for problem in error.problems]
    done: list[Entry] = []
    if sources:
        held = held_versions(there, allow_core_change)
        tool = _tool(["install", *(source.spec for source in sources)], held, anyway)
        done = _together_or_each(tool, sources, held, yes, problems)
    code = _status(done) if done else 0
    tell(problems, as_json=False)
    return 1 if problems else code


def _together_or_each(
    tool: Tool, sources: Sequence[Source], held: dict[str, str], yes: bool, problems: list[str]
) -> list[Entry]:
    """Install all at once, or, if one of them prevents that, one by one."""
    try:
        plan = _plan(tool, sources, held, quietly=len(sources) > 1)
        _show(plan, tool)
        return install_plan(tool, sources, held, plan) if _agreed(yes) else []
    except (InstallError, UsageError) as error:
        if len(sources) == 1:
            problems.append(f"{sources[0].name} cannot be restored: {error}")
            return []
    return [entry for source in sources for entry in _together_or_each(tool, [source], held, yes, problems)]


def plan_for(
    specs: Sequence[str], allow_core_change: bool = False, anyway: bool = False
) -> tuple[Tool, Sequence[Source], dict[str, str], Plan]:
    """The tool, the sources, the versions to keep, and the plan. Raises UsageError, InstallError."""
    sources = parse_sources(specs)
    held = held_versions(installed(), allow_core_change)
    tool = _tool(["install", *(source.spec for source in sources)], held, anyway)
    return tool, sources, held, _plan(tool, sources, held)


def _tool(command: Sequence[str], held: dict[str, str], anyway: bool) -> Tool:
    with _reported("nothing was changed"):
        return choose(Place.here(), command, held, anyway=anyway)


def _plan(tool: Tool, sources: Sequence[Source], held: dict[str, str], quietly: bool = False) -> Plan:
    with _reported("nothing was changed", quietly):
        plan = tool.plan(sources, held)
    if refused := core_changes(plan, held):
        raise UsageError(*refused)
    return plan


def _show(plan: Plan, tool: Tool) -> None:
    if not plan:
        echo("everything is already installed")
        return
    echo(f"{tool.name} would install:")
    rows = [(change.name, change.new or "?", change.old or "-", change.url or "the index") for change in plan]
    table(("distribution", "version", "installed now", "from"), rows)


def _agreed(yes: bool) -> bool:
    """Ask for confirmation in a terminal; a script has decided by running the command."""
    if yes or not sys.stdin.isatty() or click.confirm("Continue?", default=True):
        return True
    echo("nothing was changed")
    return False


def install_plan(tool: Tool, sources: Sequence[Source], held: dict[str, str], plan: Plan) -> list[Entry]:
    """Install and record, once everything is installed; what was installed before keeps its record."""
    with _reported("nothing was recorded; run the same command again to continue"):
        tool.install(sources, held, _as_it_comes)
    there = installed()
    done = [(name, source.spec) for source in sources if (name := source.named(there)) in there]
    new = [Entry(name, spec, there[name].version) for name, spec in done]
    if lost := [source.spec for source in sources if source.named(there) not in there]:
        why = f"these are still not installed: {', '.join(lost)}; nothing was recorded"
        raise DreamerError(f"{tool.name} reported success, but {why}")
    changed, noted = {canonicalize_name(change.name) for change in plan}, {entry.name for entry in entries()}
    remember(entry for entry in new if entry.name in changed or entry.name not in noted)
    return new


def _status(new: Sequence[Entry]) -> int:
    """Print whether the plugins work, and return the exit code.

    A new process finds out, since this one has older modules loaded; -P keeps it from importing from the current
    folder, which may be a checkout of dreamer.
    """
    there = installed()
    ran = process.run([sys.executable, "-P", "-m", "dreamer", "plugins", "list"], {"DREAMER_PLUGINS": None})
    rows = [row.split("\t") for row in ran.output.splitlines() if "\t" in row]
    status: dict[str, str] = {canonicalize_name(row[0]): row[-1] for row in rows}
    problems = []
    if ran.code:
        last = (ran.output.strip() or "no output").splitlines()[-1]
        names = " ".join(entry.name for entry in new)
        raise DreamerError(f"dreamer itself no longer works ({last}); `dreamer plugins uninstall {names}` undoes this")
    for entry in new:
        found, undo = status.get(entry.name, ""), f"; `dreamer plugins uninstall {entry.name}` undoes this"
        if found == "ok":
            echo(line(f"{entry.name} {entry.version} works"))
            continue
        why = f"is {found}{undo}"
        if not found and is_plugin(there[entry.name]):
            why = "is installed, but `dreamer plugins list` does not show it"
        elif not found:
            why = f"is installed, but is not a plugin for dreamer{undo}"
        problems.append(f"{entry.name} {entry.version} {why}")
    tell(problems, as_json=False)
    return 1 if problems else 0


@contextmanager
def _reported(interrupted: str, quietly: bool = False) -> Iterator[None]:
    """Before the error of a tool that failed, show its last lines; after Ctrl-C, say what was done."""
    try:
        yield
    except InstallError as error:
        for text in () if quietly else error.said:
            echo(f"dreamer: | {line(text)}", err=True)
        if error.refused:
            raise UsageError(str(error)) from error
        raise
    except KeyboardInterrupt:
        echo(f"dreamer: interrupted; {interrupted}", err=True)
        raise click.exceptions.Exit(130) from None


def _as_it_comes(text: str) -> None:
    """Show a line of a tool's output in a terminal, except indented details and what is already installed."""
    if sys.stderr.isatty() and text[:1].strip() and not text.startswith(("Requirement already", "Looking in")):
        echo(f"  {line(text)}", err=True)
