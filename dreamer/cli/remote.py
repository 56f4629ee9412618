"""Photos behind addresses, as of a bucket: fetched, dreamt over and sent by the processes of --jobs and --on."""

from __future__ import annotations

import posixpath
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import groupby
from pathlib import Path
from typing import Any

from dreamer.cli.hands import Hands, order_of
from dreamer.cli.making import Photos, part_of
from dreamer.cli.many import Many
from dreamer.cli.missing import tell_missing
from dreamer.cli.progress import Reporter
from dreamer.cli.render_options import RenderOptions
from dreamer.errors import UsageError, collect_problems, many
from dreamer.files.suffixes import command_for
from dreamer.units.serving import Tell
from dreamer.units.storage import below, fetch, is_address, listed, send, shown
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
                none = "there are no pictures in this folder, nor in its subfolders; name another"
                raise UsageError(f"{shown(named)}: {none}")
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
    if not own:
        raise UsageError(f"-o {shown(out)}: all these photos are in it; name another folder for the dreams")
    if left := len(found) - len(own):
        reporter.notify(f"skipped {many(left, 'picture')} in the folder of the dreams")
    units = _units({each: below(out, found[each]) for each in own}, {*found})
    return Many(order, units, reporter, hands.hire(pipeline.machine)).run(own)


def _units(places: Mapping[str, str], photos: Set[str]) -> Iterator[Unit]:
    """The units of photos, given the folder for each one's dream; photos whose dreams might get one name are in one.

    `photos` are those that were named, which no dream may replace.
    """

    def dream_of(photo: str) -> str:
        return below(places[photo], posixpath.splitext(posixpath.basename(photo))[0]).casefold()

    stems: dict[str, list[str]] = {}
    for photo in photos:
        stems.setdefault(posixpath.splitext(photo)[0].casefold(), []).append(photo)
    for dream, alike in groupby(sorted(places, key=dream_of), dream_of):
        spared = sorted(stems.get(f"{dream}-dream", ()))
        words: list[dict[str, Any]] = [{"path": each, "to": places[each], "spared": spared} for each in alike]
        yield Unit(", ".join(shown(each["path"]) for each in words), {"photos": words})


class Remote(Photos):
    """Makes dreams over photos behind addresses: as `Photos`, but for `to`, the folder of the dream."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self._folder = Path(tempfile.gettempdir()) / f"dreamer-{secrets.token_hex(8)}"
        self._out = self._folder / "out"
        self._force = words["force"]
        super().__init__({**words, "output": str(self._out)})

    def make(self, unit: Unit, tell: Tell) -> dict[str, Any]:
        """Dream over the photos of a unit; what is wrong with one does not stop the others."""
        photos, told, sent = unit.words["photos"], [], dict[str, str]()
        for number, photo in enumerate(photos):
            try:
                facts = self._made(photo, part_of(tell, number, len(photos)), sent)
            except UsageError as error:
                facts = {"notices": [], "problems": error.problems, "code": 2}
            told.append({**facts, "photo": shown(photo["path"])})
        return {"told": told}

    def leave(self) -> None:
        """Remove the photo that is being dreamt over, as its process ends."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _made(self, photo: Mapping[str, Any], tell: Tell, sent: dict[str, str]) -> dict[str, Any]:
        """Dream over a photo, in a folder that is gone afterwards; `sent` has the photo of each dream."""
        address, to = photo["path"], photo["to"]
        self._folder.mkdir(mode=0o700)  # one that is there was made by somebody else
        try:
            self._out.mkdir()
            here = fetch(address, self._folder)
            dreamt = self._batch.place.of(here, "").name
            for there in _files_in(to):
                if posixpath.splitext(posixpath.basename(there))[0] == dreamt:
                    fetch(there, self._out)
            facts = self._dreamt(here, tell)
            for word in {"done", "skipped"} & facts.keys():
                place = below(to, Path(facts[word]).name)
                if word == "done":
                    if place in photo["spared"]:
                        raise UsageError(
                            f"{shown(place)} is a photo itself, which is never replaced; choose another -o"
                        )
                    if (other := sent.setdefault(place, address)) != address:
                        what = f"is also the name for the dream of {shown(other)}; use different folders"
                        raise UsageError(f"{shown(place)} {what}")
                    send(Path(facts[word]), place, replace=self._force)
                facts[word] = shown(place)
            if "problems" in facts:
                own, folder = str(self._folder), shown(posixpath.dirname(address))
                named = (each.replace(f"{own}/out", shown(to).rstrip("/")) for each in facts["problems"])
                facts["problems"] = [each.replace(own, folder) for each in named]
            return facts
        finally:
            self.leave()

    def _dreamt(self, photo: Path, tell: Tell) -> dict[str, Any]:
        """Dream over a photo in the folder and return the facts about it."""
        self._batch.forget_names()
        words = {"photos": [{"path": str(photo), "below": "", "spared": []}]}
        (facts,) = super().make(Unit(photo.name, words), tell)["told"]
        return dict(facts)


def _address(named: str) -> str:
    """The address of what was named; file:// for a path."""
    return named if is_address(named) else f"file://{Path(named).absolute().as_posix()}"


def _files_in(folder: str) -> list[str]:
    """The files in the folder of an address; none where it is not there yet."""
    try:
        return listed(folder, depth=1)
    except UsageError:
        return []
