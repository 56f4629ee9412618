"""One engine that dreams: it takes what is first in the queue, and makes thumbnails when there is nothing in it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamer.errors import UsageError, WriteError, described
from dreamer.files import is_link
from dreamer.studio import jobs as states
from dreamer.studio.engines import Engine, EngineEnded
from dreamer.studio.jobs import Job
from dreamer.studio.motion import kind_of
from dreamer.studio.shelf import Item
from dreamer.studio.words import words_of
from dreamer.videos.clip.unfinished import is_file

if TYPE_CHECKING:
    from dreamer.studio.workshop import Workshop

_PATIENCE = 2.0  # seconds until the queue is tried again after the disk refused it
_TOLD = ("share", "left", "doing", "watch")


@dataclass(frozen=True)
class Thumbnail:
    """A small dream to be made over a picture, or, around `at`, a part of one at its full size.

    `name` is a look's, or a draft's or proof's key; `at` is across and down, each 0 to 1; `first` ones precede others.
    """

    item: Item
    name: str
    words: tuple[str, ...]
    place: Path
    at: tuple[float, float] | None = None
    first: bool = False


class Bench:
    """An engine on a device of its own, and the job that it makes now.

    Attributes:
        engine: The process.
        job: The id of the job; empty without one.
        progress: How far it is.
        preview: How often it has been shown, and how it looks, a JPEG.
    """

    def __init__(self, workshop: Workshop, engine: Engine) -> None:
        self.engine, self._workshop = engine, workshop
        self.job, self.progress, self.preview = "", dict[str, Any](), (0, b"")
        self.renew = False  # for a plugin that is new
        self._stopped = False

    async def act(self, word: str) -> None:
        """Stop, pause or go on with its job."""
        self._stopped |= word == "stop"
        self.progress["paused"] = word == "pause"
        await self.engine.tell(word)

    async def run(self) -> None:
        """Work for ever."""
        shop = self._workshop
        while True:
            try:
                if self.renew:
                    self.renew = False
                    await self.engine.close()
                if job := shop.jobs.next():
                    await self._dream(job)
                elif shop.wanted:
                    await self._make(shop.wanted.pop(0))
                else:
                    shop.work.clear()
                    await shop.work.wait()
            except Exception as error:  # a full disk, say: the queue waits for room
                shop.tell(problems=[described(error)])
                await asyncio.sleep(_PATIENCE)

    async def _dream(self, job: Job) -> None:
        """Make a job, or fail it with a sentence. Raises what the disk says, also of a job that is done."""
        shop, notices = self._workshop, list[str]()
        self.job, self.progress, self._stopped = job.id, {"share": 0.0, "left": None, "paused": False}, False
        try:
            self._begin(job)
            self._finish(job, await self._answer(job, notices), notices)
        except EngineEnded:
            if self._stopped:
                shop.jobs.change(job.id, state=states.STOPPED, notices=tuple(notices))
            else:
                shop.jobs.again(job.id)
        finally:
            self.job, self.progress, self.preview = "", {}, (0, b"")
            shop.tell(pictures=True)

    def _begin(self, job: Job) -> None:
        try:
            self._workshop.jobs.change(job.id, state=states.RUNNING, tries=job.tries + 1)
        except WriteError:  # it waits for room
            with suppress(WriteError):
                self._workshop.jobs.change(job.id, state=states.WAITING, tries=job.tries)
            raise
        self._workshop.tell()

    async def _answer(self, job: Job, notices: list[str]) -> Mapping[str, Any]:
        """The engine's answer to a job, or one with the problems of the job itself; notices are added."""
        shop = self._workshop

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "notice":
                notices.append(event["text"])
                return
            if data := event.pop("preview", None):
                self.preview = self.preview[0] + 1, base64.b64decode(data)
            self.progress |= {key: event[key] for key in _TOLD if key in event}
            shop.tell()

        try:
            words = words_of(job.settings, shop.shelf, shop.shelf.folder / job.output)
            if (kind := kind_of(job.settings)) == "render":
                return await self.engine.ask("render", on_event, words=words)
            # A film goes on from the frames that are there.
            return await self.engine.ask("film", on_event, kind=kind, words=(*words, "--resume"))
        except EngineEnded:
            raise
        except UsageError as error:  # its photo is gone, say
            return {"problems": error.problems}
        except Exception as error:  # a job in a stranger's folder may ask for anything
            return {"problems": [f"this could not be begun ({described(error)}); ask for it again"]}

    def _finish(self, job: Job, answer: Mapping[str, Any], notices: Sequence[str]) -> None:
        changes: dict[str, Any] = {"notices": tuple(notices), "seconds": answer.get("seconds", 0.0)}
        if problems := answer.get("problems"):
            changes |= {"state": states.FAILED, "problems": tuple(problems)}
        else:
            state = states.STOPPED if answer.get("stopped") else states.DONE
            changes |= {"state": state, "result": Path(answer.get("result") or "").name}
        self._workshop.jobs.change(job.id, **changes)

    async def _make(self, one: Thumbnail) -> None:
        shop, why = self._workshop, ""
        small = shop.shelf.shown(one.item, "small")
        if one.at:
            request: dict[str, Any] = {"do": "proof", "words": one.words, "at": one.at, "into": str(one.place)}
        else:
            request = {"do": "render", "words": (str(small), *one.words, "-o", str(one.place)), "previews": False}
        if (one.at or is_file(small)) and not is_file(one.place):
            if is_link(one.place):  # it came with the folder
                one.place.unlink()
            try:
                answer = await self._unless_a_dream_waits(request)
                if answer.get("stopped"):
                    if partial := answer.get("result"):
                        Path(partial).unlink(missing_ok=True)
                    shop.wanted.insert(0, one)
                    return
                why = " ".join(answer.get("problems", ()))
            except EngineEnded:
                why = "the engine ended while it made this"
        shop.made(one, why)

    async def _unless_a_dream_waits(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The engine's answer; it is stopped when there is a dream in the queue."""
        asked = asyncio.create_task(self.engine.ask(**request))
        try:
            while not asked.done():
                await asyncio.wait({asked}, timeout=0.1)
                if self._workshop.jobs.next():
                    with suppress(ConnectionError):
                        await self.engine.tell("stop")
        finally:
            asked.cancel()
        return asked.result()
