"""The work behind the page: jobs in the queue, pictures to read, and thumbnails when there is time."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dreamer.errors import DreamerError, UsageError
from dreamer.studio import jobs as states
from dreamer.studio.bench import Bench, Thumbnail
from dreamer.studio.engines import Engine, EngineEnded
from dreamer.studio.jobs import Job, Jobs
from dreamer.studio.listeners import Listeners
from dreamer.studio.motion import kind_of
from dreamer.studio.outputs import clear_unfinished, output_for
from dreamer.studio.shelf import Item, Shelf
from dreamer.studio.words import command_of, is_look, words_of
from dreamer.videos.clip.unfinished import is_file

MAX_PIXELS = 100_000_000
"""The largest picture that the studio reads."""
_LOOK, _DRAFT = 224, 256  # pixels of the long side of a look's thumbnail, and of a draft
_DRAFTS = 6
_UNDONE = (states.WAITING, states.RUNNING)
_SHOWN = 60  # jobs that have ended
_FIRST, _AT_ONCE = 100, 8  # pictures whose recipes the page waits for, and that an answer is about: 1 MB each, at most


class Workshop:
    """Engines that dream, one for each device, and one that reads, so that the page never waits for a dream."""

    def __init__(self, shelf: Shelf, engine: Sequence[str]) -> None:
        self.shelf, self.jobs = shelf, Jobs(shelf.own / "jobs")
        self.reading, self._command = Engine(engine), engine
        self.benches = [Bench(self, Engine(engine))]
        self.wanted: list[Thumbnail] = []
        self.work = asyncio.Event()
        self._plans = dict[str, tuple[list[str], list[Any]]]()
        self._vocabulary: dict[str, Any] | None = None
        self._unmade: dict[tuple[str, str], str] = {}
        self._stamps: dict[str, Any] = {}
        self.pages = Listeners(self.state)
        self._tasks = set[asyncio.Task[None]]()

    async def open(self) -> None:
        """Start the engines, and go on with what is queued."""
        engines = [self.reading, *(bench.engine for bench in self.benches)]
        await asyncio.gather(*(engine.start() for engine in engines))  # now, so that nobody starts one twice
        self._tasks = {asyncio.create_task(bench.run()) for bench in self.benches}
        self._tasks.add(asyncio.create_task(self._more()))

    async def close(self) -> None:
        """End the engines; the dreams being made are begun again the next time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self.reading.close(), *(bench.engine.close() for bench in self.benches))

    async def _more(self) -> None:
        """An engine for each further device; the first engine takes the first device by itself."""
        with suppress(DreamerError):
            for device in (await self._read("devices")).get("devices", ())[1:]:
                self.benches.append(Bench(self, Engine(self._command, {"CUDA_VISIBLE_DEVICES": str(device)})))
                self._tasks.add(asyncio.create_task(self.benches[-1].run()))

    async def vocabulary(self) -> dict[str, Any]:
        """Looks that can be asked for, and options; asked of an engine once."""
        if self._vocabulary is None:
            found = await self._read("vocabulary")
            self._vocabulary = {**found, "looks": [look for look in found["looks"] if is_look(look["name"])]}
        return self._vocabulary

    async def about(self, item: Item) -> dict[str, Any]:
        """Size, notices and recipe of a picture; its view and thumbnail are there afterwards. Raises UsageError."""
        if (known := self.shelf.about(item)) is not None:
            return known
        into = {kind: str(self.shelf.shown(item, kind)) for kind in ("view", "small")}
        found = await self._read("read", path=str(item.path), into=into, max_pixels=MAX_PIXELS)
        self.shelf.note(item, found)
        return found

    async def parts(self, item: Item) -> Path:
        """The picture of a photo's parts. Raises UsageError."""
        place = self.shelf.shown(item, "parts")
        if not is_file(place):
            await self.about(item)
            source = self.shelf.shown(item, "view") if item.is_clip else item.path
            await self._read("parts", path=str(source), into=str(place), max_pixels=MAX_PIXELS)
        return place

    async def recipe(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The command of the settings, and the complete recipe. Raises UsageError."""
        words = words_of(settings, self.shelf)
        place = output_for(settings, self.shelf, self._outputs())
        kind = kind_of(settings)
        found = await self._read("recipe", words=words, kind=kind)
        return {"command": command_of((*words, "-o", str(place)), kind), **found}

    async def pictures(self) -> list[dict[str, Any]]:
        """Every picture of the folder, the newest first, and the recipes of those that are dreams."""
        items = list(self.shelf.items().values())[::-1]
        keys = {item.id: str(self.shelf.shown(item, "view")) for item in items}
        unread = [item for item in items if keys[item.id] not in self._stamps]
        self._stamps |= {keys[item.id]: {} for item in unread}  # until it is read
        await self._stamp(unread[:_FIRST])
        if rest := unread[_FIRST:]:
            self._tasks.add(asyncio.create_task(self._stamp_rest(rest)))
        stamps = {item.id: self._stamps.get(keys[item.id], {}) for item in items}
        return [
            {
                "id": item.id,
                "name": item.name,
                "dropped": item.dropped,
                "changed": item.path.stat().st_mtime,
                "clip": item.is_clip,
                "recipe": stamps[item.id].get("recipe"),
                "look": str(stamps[item.id].get("look", "")),
                "photo": str(stamps[item.id].get("photo", ""))[:16],  # the id, if it was dropped here
            }
            for item in items
            if item.path.exists()
        ]

    async def _stamp(self, items: Sequence[Item]) -> bool:
        """Read what is inside pictures, and whether any could be read; the others are tried another time."""
        any_read = False
        for begin in range(0, len(items), _AT_ONCE):
            some = {str(self.shelf.shown(item, "view")): str(item.path) for item in items[begin : begin + _AT_ONCE]}
            try:
                found = (await self._read("stamps", paths=[*some.values()]))["stamps"]
                self._stamps |= {key: found.get(path, {}) for key, path in some.items()}
                any_read = True
            except (DreamerError, OSError):
                for key in some:
                    self._stamps.pop(key, None)
        return any_read

    async def _stamp_rest(self, items: Sequence[Item]) -> None:
        """Read what is inside many, by and by, so that the page need not wait."""
        if await self._stamp(items):  # the page asks for the pictures again, and so for those that were not read
            self.tell(pictures=True)

    def enqueue(self, settings: Mapping[str, Any]) -> Job:
        """Append a dream to the queue. Raises UsageError."""
        place = output_for(settings, self.shelf, self._outputs())
        words = words_of(settings, self.shelf, place)
        job = self.jobs.add(settings, place.name, command_of(words, kind_of(settings)))
        self.work.set()
        self.tell()
        return job

    async def act(self, id: str, act: str) -> None:
        """Stop, pause, go on with, try again or forget a job. Raises UsageError for another act."""
        job = self.jobs.get(id)
        if job is None:
            raise UsageError("this dream is not in the queue any more; load the page again")
        if act in ("stop", "pause", "go") and (bench := self.bench(id)):
            await bench.act(act)
        elif act in ("stop", "remove") and job.state != states.RUNNING:
            self.jobs.remove(id)
            if job.state != states.DONE:  # whose name may be another's by now
                await asyncio.to_thread(clear_unfinished, self.shelf.folder / job.output)
        elif act == "again" and job.state in (states.FAILED, states.STOPPED):
            self.jobs.change(id, state=states.WAITING, tries=0, problems=(), result="")
            self.work.set()
        self.tell()

    def bench(self, id: str) -> Bench | None:
        """The bench at which a job is being made, if it is."""
        return next((bench for bench in self.benches if bench.job == id), None)

    def look(self, item: Item, name: str) -> Path | None:
        """The thumbnail of a look over a picture; None while it is being made."""
        place = self.shelf.look(item, [name])
        if is_file(place):
            return place
        wanted = any((one.item.id, one.name) == (item.id, name) for one in self.wanted)
        if not wanted and (item.id, name) not in self._unmade:
            words = (*(("--preset", name) if name else ()), "--size", str(_LOOK))
            self.wanted.append(Thumbnail(item, name, words, place))
            self.work.set()
        return None

    def drafts(self, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Begin small dreams of the settings with other seeds, before all looks; the seed and the key of each.

        Raises UsageError.
        """
        return [
            {"seed": seed, "key": self._want(settings, {"seed": seed, "size": _DRAFT}).name}
            for seed in random.sample(range(10**6), _DRAFTS)
        ]

    def proof(self, settings: Mapping[str, Any], at: tuple[float, float]) -> str:
        """Begin a part of the dream at its full size, around `at` (across and down, each 0 to 1); the key of it.

        Raises UsageError.
        """
        return self._want(settings, {}, at).name

    def _want(
        self, settings: Mapping[str, Any], flags: Mapping[str, Any], at: tuple[float, float] | None = None
    ) -> Thumbnail:
        """Ask for a small dream of the settings, before all looks. Raises UsageError."""
        given = settings.get("flags") or {}
        flags = {**given, **flags} if isinstance(given, dict) else given  # words_of says what is wrong
        words = words_of({**settings, "flags": flags, kind_of(settings): {}, "path": []}, self.shelf)
        item = self.shelf.find(str(settings.get("photo")))
        assert item is not None  # words_of has raised
        place = self.shelf.look(item, [*words, *map(str, at or ())])
        one = Thumbnail(item, place.stem, words if at else words[1:], place, at, first=True)
        self.wanted.insert(sum(each.first for each in self.wanted), one)
        self.work.set()
        return one

    async def plugins(self) -> dict[str, Any]:
        """The plugins, and packs that could be installed."""
        return await self._read("plugins")

    async def plan(self, specs: Sequence[str]) -> dict[str, Any]:
        """The changes that installing these would make, and the key that `install` needs. Raises UsageError."""
        found = await self._apart("plan", specs=list(specs))
        self._plans = {(key := secrets.token_hex(8)): (list(specs), found["changes"])}
        return {**found, "plan": key}

    async def install(self, key: str) -> dict[str, Any]:
        """Install what a plan said, and start the engines again, which then have it. Raises UsageError."""
        if key not in self._plans:
            raise UsageError("this plan is not the last one that was shown; look at it again")
        specs, changes = self._plans.pop(key)
        try:
            return await self._apart("install", specs=specs, changes=changes)
        finally:
            self._vocabulary, self._unmade = None, {}
            for bench in self.benches:
                bench.renew = True
            await self.reading.close()

    async def _apart(self, do: str, **request: Any) -> dict[str, Any]:
        """The answer of an engine of its own, as it may take minutes. Raises UsageError for its problems."""
        engine = Engine(self._command)
        try:
            answer = await engine.ask(do, **request)
        finally:
            await engine.close()
        if problems := answer.get("problems"):
            raise UsageError(*problems)
        return answer

    def made(self, one: Thumbnail, why: str = "") -> None:
        """Tell that a thumbnail is made, or why it cannot be."""
        if why:
            self._unmade[one.item.id, one.name] = why
        self.tell(look={"photo": one.item.id, "name": one.name, "made": is_file(one.place), "why": why})

    def unmade(self, item: Item) -> dict[str, str]:
        """Reasons why looks cannot be made over a picture, by name: their network is absent, say."""
        return {name: why for (id, name), why in self._unmade.items() if id == item.id}

    def want_looks_of(self, item: Item) -> None:
        """Make no more thumbnails of other pictures."""
        self.wanted = [one for one in self.wanted if one.item.id == item.id]

    def tell(self, **news: Any) -> None:
        """Send the state to every open page."""
        self.pages.tell(news)

    def state(self) -> dict[str, Any]:
        """The queue, and how far the dreams being made are, by their jobs' ids."""
        now = {bench.job: {"preview": bench.preview[0], **bench.progress} for bench in self.benches if bench.job}
        jobs = self.jobs.all()
        ended = [job for job in jobs if job.state not in _UNDONE]
        shown = {job.id for job in (*ended[-_SHOWN:], *(job for job in jobs if job.state in _UNDONE))}
        return {"jobs": [asdict(job) for job in jobs if job.id in shown], "now": now}

    def _outputs(self) -> list[Path]:
        """The outputs of jobs that are not done, among them those that have been stopped, which can go on."""
        return [self.shelf.folder / job.output for job in self.jobs.all() if job.state != states.DONE]

    async def _read(self, do: str, **request: Any) -> dict[str, Any]:
        """The reading engine's answer. Raises UsageError for its problems."""
        for last in (False, True):
            with suppress(EngineEnded):
                answer = await self.reading.ask(do, **request)
                if problems := answer.get("problems"):
                    raise UsageError(*problems)
                return answer
            if last:
                break
        raise DreamerError("this took the engine down twice; it was started again, and nothing else is lost")
