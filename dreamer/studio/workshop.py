"""What goes on behind the page: the queue is worked off, pictures are read, and thumbnails made when there is time."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dreamer.errors import DreamerError, UsageError
from dreamer.studio import jobs as states
from dreamer.studio.engines import Engine, EngineEnded
from dreamer.studio.jobs import Job, Jobs
from dreamer.studio.motion import kind_of
from dreamer.studio.shelf import Item, Shelf
from dreamer.studio.words import command_of, output_for, words_of

MAX_PIXELS = 100_000_000
"""The largest picture that the studio reads."""
_LOOK, _DRAFT = 224, 256  # pixels of the long side of a look's thumbnail, and of a draft
_DRAFTS = 6
_PATIENCE = 2.0  # seconds until the queue is tried again after the disk refused it


@dataclass(frozen=True)
class Thumbnail:
    """A small dream to be made over a picture: `name` is a look's, or a draft's key."""

    item: Item
    name: str
    words: tuple[str, ...]
    place: Path


class Workshop:
    """Two engines: one dreams, the other reads pictures and recipes, so that the page never waits for a dream."""

    def __init__(self, shelf: Shelf, engine: Sequence[str]) -> None:
        self.shelf, self.jobs = shelf, Jobs(shelf.own / "jobs")
        self.dreaming, self.reading = Engine(engine), Engine(engine)
        self.progress: dict[str, Any] = {}
        self.previews: dict[str, tuple[int, bytes]] = {}
        self._vocabulary: dict[str, Any] | None = None
        self._wanted: list[Thumbnail] = []
        self._unmade: dict[tuple[str, str], str] = {}
        self._stamps: dict[str, Any] = {}
        self._work, self._listeners = asyncio.Event(), set[asyncio.Queue[str | None]]()
        self._current = ""
        self._stopped = set[str]()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Start the engines, and go on with what is queued."""
        self._loop = asyncio.get_running_loop()
        await asyncio.gather(self.dreaming.start(), self.reading.start())
        self._task = asyncio.create_task(self._run())  # now, so that nobody starts an engine twice

    async def close(self) -> None:
        """End the engines; the dream being made is begun again the next time."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(self.dreaming.close(), self.reading.close())

    async def vocabulary(self) -> dict[str, Any]:
        """Looks and options; asked of an engine once."""
        if self._vocabulary is None:
            self._vocabulary = await self._read("vocabulary")
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
        if not place.is_file():
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
        if unread:
            found = await self._read("stamps", paths=[str(item.path) for item in unread])
            self._stamps |= {keys[item.id]: found["stamps"].get(str(item.path), {}) for item in unread}
        return [
            {
                "id": item.id,
                "name": item.name,
                "dropped": item.dropped,
                "changed": item.path.stat().st_mtime,
                "clip": item.is_clip,
                "recipe": self._stamps[keys[item.id]].get("recipe"),
                "photo": str(self._stamps[keys[item.id]].get("photo", ""))[:16],  # the id, if it was dropped here
            }
            for item in items
            if item.path.exists()
        ]

    def enqueue(self, settings: Mapping[str, Any]) -> Job:
        """Append a dream to the queue. Raises UsageError."""
        place = output_for(settings, self.shelf, self._outputs())
        words = words_of(settings, self.shelf, place)
        job = self.jobs.add(settings, place.name, command_of(words, kind_of(settings)))
        self._work.set()
        self.tell()
        return job

    async def act(self, id: str, act: str) -> None:
        """Stop, pause, go on with, try again or forget a job. Raises UsageError for another act."""
        job = self.jobs.get(id)
        if job is None:
            raise UsageError("this dream is not in the queue any more")
        if act in ("stop", "pause", "go") and id == self._current:
            self._stopped |= {id} if act == "stop" else set()
            self.progress["paused"] = act == "pause"
            await self.dreaming.tell(act)
        elif act in ("stop", "remove") and job.state != states.RUNNING:
            self.jobs.remove(id)
        elif act == "again" and job.state in (states.FAILED, states.STOPPED):
            self.jobs.change(id, state=states.WAITING, tries=0, problems=(), result="")
            self._work.set()
        self.tell()

    def look(self, item: Item, name: str) -> Path | None:
        """The thumbnail of a look over a picture; None while it is being made."""
        place = self.shelf.look(item, [name])
        if place.is_file():
            return place
        wanted = any((one.item.id, one.name) == (item.id, name) for one in self._wanted)
        if not wanted and (item.id, name) not in self._unmade:
            words = (*(("--preset", name) if name else ()), "--size", str(_LOOK))
            self._wanted.append(Thumbnail(item, name, words, place))
            self._work.set()
        return None

    def drafts(self, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Begin small dreams of the settings with other seeds, before all looks; the seed and the key of each.

        Raises UsageError.
        """
        found, first = [], []
        item = self.shelf.find(str(settings.get("photo")))
        for seed in random.sample(range(10**6), _DRAFTS):
            flags = {**(settings.get("flags") or {}), "seed": seed, "size": _DRAFT}
            still = {"flags": flags, kind_of(settings): {}, "path": []}
            words = words_of({**settings, **still}, self.shelf)
            assert item is not None  # words_of has raised
            place = self.shelf.look(item, list(words))
            first.append(Thumbnail(item, place.stem, words[1:], place))
            found.append({"seed": seed, "key": place.stem})
        self._wanted[:0] = first
        self._work.set()
        return found

    def unmade(self, item: Item) -> dict[str, str]:
        """Why some looks cannot be had over a picture, by name: their network is absent, say."""
        return {name: why for (id, name), why in self._unmade.items() if id == item.id}

    def want_looks_of(self, item: Item) -> None:
        """Make no more thumbnails of other pictures."""
        self._wanted = [one for one in self._wanted if one.item.id == item.id]

    def tell(self, **more: Any) -> None:
        """Tell every open page how things stand."""
        self._tell(json.dumps({**self.state(), **more}))

    def hang_up(self) -> None:
        """Tell the pages nothing more, from a signal's handler, say: the server waits for whoever listens."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._tell, None)

    def _tell(self, text: str | None) -> None:
        for listener in self._listeners:
            while listener.full():
                listener.get_nowait()
            listener.put_nowait(text)

    def state(self) -> dict[str, Any]:
        """The queue, and how far the dream being made is."""
        shown = [asdict(job) for job in self.jobs.all()]
        number = self.previews.get(self._current, (0, b""))[0]
        return {"jobs": shown, "now": {"id": self._current, "preview": number, **self.progress}}

    async def listen(self) -> AsyncIterator[str]:
        """How things stand, now and at each change."""
        queue = asyncio.Queue[str | None](2)
        self._listeners.add(queue)
        try:
            text: str | None = json.dumps(self.state())
            while text is not None:
                yield text
                try:
                    text = await asyncio.wait_for(queue.get(), 15)
                except TimeoutError:
                    text = ""
        finally:
            self._listeners.discard(queue)

    async def _run(self) -> None:
        while True:
            try:
                if job := self.jobs.next():
                    await self._dream(job)
                elif self._wanted:
                    await self._make_look(self._wanted[0])
                else:
                    self._work.clear()
                    await self._work.wait()
            except (DreamerError, OSError) as error:  # a full disk, say: the queue waits for room
                self.tell(problems=[str(error)])
                await asyncio.sleep(_PATIENCE)

    async def _dream(self, job: Job) -> None:
        self._current, self.progress = job.id, {"share": 0.0, "left": None, "paused": False}
        self.jobs.change(job.id, state=states.RUNNING, tries=job.tries + 1)
        self.tell()
        notices: list[str] = []

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "notice":
                notices.append(event["text"])
                return
            if data := event.pop("preview", None):
                self.previews[job.id] = self.previews.get(job.id, (0, b""))[0] + 1, base64.b64decode(data)
            self.progress |= {key: event[key] for key in ("share", "left", "doing", "watch") if key in event}
            self.tell()

        try:
            words = words_of(job.settings, self.shelf, self.shelf.folder / job.output)
            if (kind := kind_of(job.settings)) == "render":
                answer = await self.dreaming.ask("render", on_event, words=words)
            else:  # which goes on from the frames that are there
                answer = await self.dreaming.ask("film", on_event, kind=kind, words=(*words, "--resume"))
        except UsageError as error:  # its photo is gone, say
            self._finish(job, {"problems": error.problems}, notices)
        except EngineEnded:
            if job.id in self._stopped:
                self.jobs.change(job.id, state=states.STOPPED, notices=tuple(notices))
            else:
                self.jobs.again(job.id)
        else:
            self._finish(job, answer, notices)
        self._stopped.discard(job.id)
        self._current, self.progress = "", {}
        self.previews.pop(job.id, None)
        self.tell(pictures=True)

    def _finish(self, job: Job, answer: Mapping[str, Any], notices: Sequence[str]) -> None:
        changes: dict[str, Any] = {"notices": tuple(notices), "seconds": answer.get("seconds", 0.0)}
        if problems := answer.get("problems"):
            changes |= {"state": states.FAILED, "problems": tuple(problems)}
        else:
            state = states.STOPPED if answer.get("stopped") else states.DONE
            changes |= {"state": state, "result": Path(answer.get("result") or "").name}
        self.jobs.change(job.id, **changes)

    async def _make_look(self, one: Thumbnail) -> None:
        small, key = self.shelf.shown(one.item, "small"), (one.item.id, one.name)
        if small.is_file() and not one.place.is_file():
            try:
                words = (str(small), *one.words, "-o", str(one.place))
                asked = asyncio.create_task(self.dreaming.ask("render", words=words, previews=False))
                try:
                    while not asked.done():
                        await asyncio.wait({asked}, timeout=0.1)
                        if self.jobs.next():  # a dream that somebody waits for comes first
                            await self.dreaming.tell("stop")
                finally:
                    asked.cancel()
                answer = asked.result()
                if answer.get("stopped"):
                    if partial := answer.get("result"):
                        Path(partial).unlink(missing_ok=True)
                    return
                if problems := answer.get("problems"):
                    self._unmade[key] = " ".join(problems)
            except EngineEnded:
                self._unmade[key] = "the engine ended while it made this"
        if one in self._wanted:
            self._wanted.remove(one)
        about = {"photo": one.item.id, "name": one.name, "made": one.place.is_file()}
        self.tell(look={**about, "why": self._unmade.get(key, "")})

    def _outputs(self) -> list[Path]:
        """What jobs that are not done yet will write."""
        unfinished = (states.WAITING, states.RUNNING)
        return [self.shelf.folder / job.output for job in self.jobs.all() if job.state in unfinished]

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
