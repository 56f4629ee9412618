"""Bodies of requests, read within bounds, and of responses in JSON, errors among them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from dreamer.errors import UsageError
from dreamer.studio.jobs import is_plain

_MOST = 2**20  # bytes of JSON


class JSONResponse(Response):
    """JSON in ASCII: the names of files may hold bytes that are no UTF-8, as halves of surrogate pairs."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body; raises ValueError for numbers that are not finite."""
        return json.dumps(content, allow_nan=False).encode()


async def bounded(request: Request, most: int, what: str = "this file is") -> AsyncIterator[bytes]:
    """The pieces of the body, which is `what`; raises UsageError as soon as there are more than `most` bytes."""
    sentence = f"{what} too large: at most {most / 1e6:.0f} MB can be sent"
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > most:
        raise UsageError(sentence)
    seen = 0
    async for piece in request.stream():
        seen += len(piece)
        if seen > most:
            raise UsageError(sentence)
        yield piece


async def words_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises UsageError."""
    data = b"".join([piece async for piece in bounded(request, _MOST, "these settings are")])
    with suppress(ValueError, RecursionError):
        words = json.loads(data)
        if isinstance(words, dict) and is_plain(words):
            return words
    raise UsageError("the page sent no settings that can be read; load it again")


async def wrong(request: Request, error: Exception) -> Response:
    problems = error.problems if isinstance(error, UsageError) else (str(error),)
    return JSONResponse({"problems": list(problems)}, 422)


async def failed(request: Request, error: OSError) -> Response:
    return JSONResponse({"problems": [f"this could not be kept: {error.strerror or error}"]}, 422)


async def gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)  # which nobody reads: the page was left while it sent something


async def missing(request: Request, error: HTTPException) -> Response:
    why = "there is no such thing here (any more); load the page again"
    if error.status_code == 405:
        why = f"{request.method}: this cannot be done here; load the page again"
    return JSONResponse({"problems": [why]}, error.status_code, headers=error.headers)
