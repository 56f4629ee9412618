"""`dreamer cluster`: a Ray cluster on this machine, for --on ray."""

from __future__ import annotations

from typing import Any

import click

from dreamer.cli.groups import Commands
from dreamer.cli.options import option
from dreamer.cli.streams import echo
from dreamer.cli.values import THREADS
from dreamer.errors import UsageError


@click.group(cls=Commands)
def cluster() -> None:
    """Start and stop a Ray cluster on this machine.

    It listens on this machine only, requires a token, and has no dashboard. Commands with --on ray use it while it is
    up; otherwise they start and stop one of their own, which takes some seconds.

    \b
    dreamer cluster up
    dreamer render holiday/ -o dreams/ --on ray
    dreamer cluster down
    """


@cluster.command()
@option("--cores", type=THREADS, metavar="N", help="Number of CPU cores that it may use. [all cores]")
def up(cores: int | None) -> int:
    """Start a cluster."""
    _check()
    from dreamer.units.cluster import up as begin

    echo(f"the cluster is up at {begin(cores)}; --on ray uses it, and `dreamer cluster down` ends it")
    return 0


@cluster.command()
def down() -> int:
    """Stop the cluster."""
    from dreamer.units.cluster import down as end

    end()
    echo("the cluster has ended")
    return 0


@cluster.command()
def status() -> int:
    """Show the cluster's machines and what is free on them."""
    _check()
    from dreamer.units.cluster import found
    from dreamer.units.rays import machines

    address = found()
    if address is None:
        raise UsageError("no cluster is up on this machine; `dreamer cluster up` begins one")
    there, free = machines(address)
    echo(f"cluster at {address}, {len(there)} machine{'s' if len(there) > 1 else ''}")
    for name, has in there.items():
        echo(f"  {name}: {_amounts(has)}")
    echo(f"  free: {_amounts(free)}")
    return 0


def _amounts(of: dict[str, Any]) -> str:
    return f"{of.get('CPU', 0):g} cores, {of.get('GPU', 0):g} GPUs, {of.get('memory', 0) / 2**30:.1f} GB of memory"


def _check() -> None:
    from dreamer.units.rays import check_installed

    check_installed()
