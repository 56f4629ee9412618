"""Photos behind addresses, as of a bucket: fetched, dreamt over and sent by the processes of --jobs and --on."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamer.cli.hands import Hands, order_of
from dreamer.cli.making import Photos
from dreamer.cli.many import Many
from dreamer.cli.missing import tell_missing
from dreamer.cli.progress import Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems
from dreamer.files.suffixes import command_for
from dreamer.units.serving import Tell
from dreamer.units.storage import below, fetch, is_address, listed, send
from dreamer.units.unit import Unit


def render_addresses(
    photos: Sequence[str],
    output: str | None,
    hands: Hands,
    options: dict[str, Any],
    reporter: Reporter,
    problems: list[str],
    **saving: Any,
) -> int:
    """Dream over photos of which some, or whose dreams, are behind addresses; returns the exit code."""
    if output is None or posixpath.splitext(output)[1]:
        problems.append("addresses: name a folder for the dreams, as in -o s3://bucket/dreams/")
    found: dict[str, str] = {}
    for named in photos:
        with collect_problems(problems):
            address = _address(named)
            names = listed(address)
            pictures = [name for name in names if command_for(name) == "render"]
            root = posixpath.dirname(address) if names == [address] else address.rstrip("/")
            found |= {each: posixpath.dirname(each)[len(root) :].strip("/") for each in pictures}
            if not pictures:
                raise UsageError(f"{named}: there are no pictures in this folder, nor in its subfolders")
    tell_missing(problems, options)

    from dreamer.plugins.loading import load_plugins

    hands = hands or Hands(1, None)
    options["threads"] = options["threads"] or 1
    given = RenderOptions(**options)
    pipeline, _ = given.pipeline(load_plugins()[0], reporter.notify, [])
    place = {"output": "", "is_folder": True, "spared": [], "snapshots": []}
    order = order_of("dreamer.cli.remote:Remote", **given.to_dict(), **place, **saving)
    out = _address(str(output))
    own = [each for each in found if not each.startswith(f"{out.rstrip('/')}/")]
    units = (Unit(each, {"photos": [{"path": each, "to": below(out, found[each])}]}) for each in own)
    return Many(order, units, reporter, hands.hire(pipeline.machine)).run(own)


class Remote(Photos):
    """Makes dreams over photos behind addresses: a photo has its `path`, and the folder `to` which its dream goes."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dreamer-"))
        self._out = self._folder / "out"
        self._force = words["force"]
        super().__init__({**words, "output": str(self._out)})

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        """Dream over the photo of a unit, in a folder of this machine that is emptied afterwards."""
        ((address, to),) = ((each["path"], each["to"]) for each in unit.words["photos"])
        try:
            self._out.mkdir(parents=True)
            photo = fetch(address, self._folder)
            dreamt = f"{photo.stem}-dream"
            for there in _files_in(to):
                if posixpath.splitext(posixpath.basename(there))[0] == dreamt:
                    fetch(there, self._out)
            here = {"path": str(photo), "below": "", "spared": []}
            (facts,) = super().make(Unit(address, {"photos": [here]}), tell)["told"]
            facts["photo"] = address
            for word in ("done", "skipped"):
                if word in facts:
                    place = below(to, Path(facts[word]).name)
                    if word == "done":
                        send(Path(facts[word]), place, replace=self._force)
                    facts[word] = place
            if "problems" in facts:
                own = str(self._folder)
                facts["problems"] = [
                    each.replace(f"{own}/out", to.rstrip("/")).replace(own, posixpath.dirname(address))
                    for each in facts["problems"]
                ]
            return {"told": [facts]}
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _address(named: str) -> str:
    """What was named as an address, a path too."""
    return named if is_address(named) else f"file://{Path(named).absolute().as_posix()}"


def _files_in(folder: str) -> list[str]:
    """The files in the folder of an address; none where it is not there yet."""
    try:
        return listed(folder)
    except UsageError:
        return []
