"""Who may ask: a page that this server sent, in a browser that was opened with the token.

Loopback is no boundary: any page in any browser of this machine can send requests to it.
"""

from __future__ import annotations

import hmac

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_SAFE = ("GET", "HEAD")
_NO_TOKEN = "This page opens with the address that `dreamer studio` printed when it started; open that one."
_ELSEWHERE = "This request comes from another page; dreamer's own page alone may ask."


class Guard:
    """Lets through what comes from the page itself, and puts the same careful headers on every answer."""

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        self._cookie = f"dreamer-studio-{port}"
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        await (self._refusal(request) or self._app)(scope, receive, careful)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that is not the page's own; None for one that is."""
        host = request.headers.get("host", "")
        if host not in self._hosts:
            return PlainTextResponse("This address is not the studio's.", 421)
        given = request.query_params.get("token")
        if request.method in _SAFE and request.url.path == "/" and given is not None and self._fits(given):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, self._token.decode(), httponly=True, samesite="strict")
            return answer
        if not self._fits(request.cookies.get(self._cookie, "")):
            return PlainTextResponse(_NO_TOKEN, 403)
        site = request.headers.get("sec-fetch-site", "same-origin")
        if site not in ("same-origin", "none"):
            return PlainTextResponse(_ELSEWHERE, 403)
        if request.method not in _SAFE and request.headers.get("origin") != f"http://{host}":
            return PlainTextResponse(_ELSEWHERE, 403)
        return None

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self._token)
