"""The studio's server: the page, pictures by their ids, the queue, and what happens as server-sent events."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from dreamer.errors import DreamerError, UsageError
from dreamer.studio.bodies import JSONResponse, bounded, failed, gone, missing, words_of, wrong
from dreamer.studio.guard import Guard
from dreamer.studio.shelf import Item, Shelf, is_clip
from dreamer.studio.workshop import Workshop
from dreamer.videos.clip.unfinished import is_file, partial_of

MOST_BYTES = 256 * 2**20
"""The largest picture that can be dropped onto the page; a clip may have four times as many."""
_MOST_MASK = 16 * 2**20
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PAGE = Path(__file__).with_name("page")
_KEPT = {"Cache-Control": "private, max-age=31536000, immutable"}
_DREAMT = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "avif": "image/avif"}
_MOVING = {"mp4": "video/mp4", "m4v": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "gif": "image/gif"}
_CLIP = 4  # times as large as the largest picture a clip may be


def app(folder: Path, engine: Sequence[str], *, token: str, port: int, most_bytes: int = MOST_BYTES) -> Starlette:
    """The studio over a folder.

    Args:
        folder: Where dreams are written.
        engine: The command of an engine's process.
        token: What the page's address has to hold.
        port: Where the server listens.
        most_bytes: The largest file that can be dropped.
    """
    workshop = Workshop(Shelf(folder), engine)
    answers = Answers(workshop, most_bytes)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await workshop.open()
        yield
        await workshop.close()

    routes = [
        Route("/", answers.page),
        Route("/page/{name:str}", answers.part),
        Route("/events", answers.events),
        Route("/vocabulary", answers.vocabulary),
        Route("/pictures", answers.pictures),
        Route("/pictures", answers.drop, methods=["POST"]),
        Route("/pictures/{id}", answers.about),
        Route("/pictures/{id}/{kind}", answers.picture),
        Route("/looks/{id}", answers.looks),
        Route("/looks/{id}/{name}", answers.look),
        Route("/drafts", answers.drafts, methods=["POST"]),
        Route("/proofs", answers.proof, methods=["POST"]),
        Route("/drafts/{key}", answers.draft),
        Route("/masks", answers.mask, methods=["POST"]),
        Route("/plugins", answers.plugins),
        Route("/plugins/plan", answers.plan, methods=["POST"]),
        Route("/plugins/install", answers.install, methods=["POST"]),
        Route("/recipe", answers.recipe, methods=["POST"]),
        Route("/jobs", answers.enqueue, methods=["POST"]),
        Route("/jobs/{id}/preview", answers.preview),
        Route("/jobs/{id}/film", answers.film),
        Route("/jobs/{id}/{act}", answers.act, methods=["POST"]),
    ]
    handlers: dict[Any, Callable[..., Any]] = {DreamerError: wrong, OSError: failed, HTTPException: missing}
    handlers[ClientDisconnect] = gone
    guarded = [Middleware(Guard, token=token, port=port)]
    made = Starlette(routes=routes, middleware=guarded, exception_handlers=handlers, lifespan=lifespan)
    made.state.workshop = workshop
    return made


class Answers:
    """The answer at each address."""

    def __init__(self, workshop: Workshop, most_bytes: int) -> None:
        self._workshop, self._shelf, self._most_bytes = workshop, workshop.shelf, most_bytes

    async def page(self, request: Request) -> Response:
        """The page itself."""
        return _part("page.html")

    async def part(self, request: Request) -> Response:
        """The page's style, scripts and icon."""
        return _part(request.path_params["name"])

    async def events(self, request: Request) -> Response:
        """The state, now and at each change, as server-sent events."""

        async def lines() -> AsyncIterator[str]:
            async for text in self._workshop.pages.listen():
                yield f"data: {text}\n\n" if text else ": still here\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def vocabulary(self, request: Request) -> Response:
        """Looks and options."""
        return JSONResponse({**await self._workshop.vocabulary(), "folder": str(self._shelf.folder)})

    async def pictures(self, request: Request) -> Response:
        """The gallery."""
        return JSONResponse(await self._workshop.pictures())

    async def drop(self, request: Request) -> Response:
        """A picture that was dropped: the body is the file, `name` its name."""
        place, digest = self._shelf.room(request.query_params.get("name", "photo.jpg")), hashlib.sha256()
        most = self._most_bytes * (_CLIP if is_clip(place.name) else 1)
        try:
            with place.open("xb") as file:
                async for piece in bounded(request, most):
                    digest.update(piece)
                    file.write(piece)
            item = self._shelf.settle(place, digest.hexdigest())
            place = item.path
            found = await self._workshop.about(item)
        except BaseException as error:
            self._shelf.clear(place)
            if isinstance(error, UsageError):  # its sentence names a path, of which the page knows but the end
                raise UsageError(*(text.replace(str(place), place.name) for text in error.problems)) from None
            raise
        return JSONResponse({"id": item.id, "name": item.name, **found})

    async def about(self, request: Request) -> Response:
        """Size, notices and recipe of a picture."""
        item = self._item(request)
        return JSONResponse({"id": item.id, "name": item.name, **await self._workshop.about(item)})

    async def picture(self, request: Request) -> Response:
        """A picture: its `view`, its `small` one, its `parts`, or the whole `file`."""
        item, kind = self._item(request), request.path_params["kind"]
        if kind == "file" and (
            type := (_DREAMT | _MOVING).get(item.path.suffix.lower().strip(".").replace("jpeg", "jpg"))
        ):
            return FileResponse(item.path, media_type=type)
        if kind == "parts":
            return FileResponse(await self._workshop.parts(item))
        if kind not in ("view", "small"):
            raise HTTPException(404)
        await self._workshop.about(item)
        is_fixed = item.dropped or request.url.query  # known by its bytes, or asked for by its date
        return FileResponse(self._shelf.shown(item, kind), headers=_KEPT if is_fixed else None)

    async def looks(self, request: Request) -> Response:
        """Begin the thumbnails of all looks over a picture; which are there, and which cannot be."""
        item = self._item(request)
        await self._workshop.about(item)
        self._workshop.want_looks_of(item)
        names = await self._names()
        made = [name for name in names if self._workshop.look(item, name)]
        return JSONResponse({"made": made, "unmade": self._workshop.unmade(item)})

    async def look(self, request: Request) -> Response:
        """The thumbnail of one."""
        name = request.path_params["name"]
        name = "" if name == "_" else name
        place = self._workshop.look(self._item(request), name) if name in await self._names() else None
        if place is None:
            raise HTTPException(404)
        return FileResponse(place, headers=_KEPT)

    async def drafts(self, request: Request) -> Response:
        """Begin small dreams of other seeds; the keys of their pictures."""
        return JSONResponse(self._workshop.drafts(await words_of(request)))

    async def proof(self, request: Request) -> Response:
        """Begin a part of the dream at its full size, around the place `at` of the body; the key of its picture."""
        words = await words_of(request)
        at = words.get("at")
        if not (isinstance(at, list) and len(at) == 2 and all(isinstance(one, (int, float)) for one in at)):
            raise UsageError("a proof needs a place on the photo; point at it")
        across, down = (min(max(float(one), 0.0), 1.0) for one in at)
        return JSONResponse({"key": self._workshop.proof(words, (across, down))})

    async def draft(self, request: Request) -> Response:
        """A small dream."""
        place = self._shelf.draft(request.path_params["key"])
        if place is None:
            raise HTTPException(404)
        return FileResponse(place)

    async def _names(self) -> list[str]:
        """The names of all looks; the empty one is dreamer's own recipe, `_` in an address."""
        return ["", *(look["name"] for look in (await self._workshop.vocabulary())["looks"])]

    async def mask(self, request: Request) -> Response:
        """Save a painted mask, a PNG."""
        data = b"".join([piece async for piece in bounded(request, _MOST_MASK, "this mask is")])
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise UsageError("a mask is a PNG; paint it again")
        return JSONResponse({"id": self._shelf.mask(data)})

    async def plugins(self, request: Request) -> Response:
        """The plugins, and packs that could be installed."""
        return JSONResponse(await self._workshop.plugins())

    async def plan(self, request: Request) -> Response:
        """The packages that an installation would change."""
        specs = (await words_of(request)).get("specs")
        if not (isinstance(specs, list) and 0 < len(specs) <= 20 and all(isinstance(one, str) for one in specs)):
            raise UsageError("name a plugin, as in dreamer-botanica")
        return JSONResponse(await self._workshop.plan(specs))

    async def install(self, request: Request) -> Response:
        """Install what the plan of the body's key said."""
        return JSONResponse(await self._workshop.install(str((await words_of(request)).get("plan"))))

    async def recipe(self, request: Request) -> Response:
        """The command and the complete recipe of the page's settings."""
        return JSONResponse(await self._workshop.recipe(await words_of(request)))

    async def enqueue(self, request: Request) -> Response:
        """A dream more in the queue."""
        job = self._workshop.enqueue(await words_of(request))
        return JSONResponse({"id": job.id, "command": job.command})

    async def act(self, request: Request) -> Response:
        """Stop, pause, continue, repeat or remove a job."""
        await self._workshop.act(request.path_params["id"], request.path_params["act"])
        return JSONResponse({})

    async def preview(self, request: Request) -> Response:
        """The dream being made, as it is now."""
        bench = self._workshop.bench(request.path_params["id"])
        if bench is None or not bench.preview[0]:
            raise HTTPException(404)
        return Response(bench.preview[1], media_type="image/jpeg")

    async def film(self, request: Request) -> Response:
        """The clip being made, as far as it is."""
        job = self._workshop.jobs.get(request.path_params["id"])
        so_far = partial_of(self._shelf.folder / job.output) if job else None
        if so_far is None or not is_file(so_far):
            raise HTTPException(404)
        return FileResponse(so_far, media_type="video/mp4")

    def _item(self, request: Request) -> Item:
        item = self._shelf.find(request.path_params["id"])
        if item is None:
            raise HTTPException(404)
        return item


def _part(name: str) -> Response:
    """A file of the page."""
    found = {path.name: path for path in _PAGE.iterdir() if path.suffix in _TYPES}
    if name not in found:
        raise HTTPException(404)
    return Response(found[name].read_bytes(), media_type=_TYPES[found[name].suffix])
