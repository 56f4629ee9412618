"""`dreamer studio`: the page on this machine."""

from __future__ import annotations

import secrets
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from dreamer.cli.options import option
from dreamer.cli.streams import echo, line
from dreamer.cli.values import FILE
from dreamer.errors import UsageError

ENGINE = (sys.executable, "-P", "-m", "dreamer.cli.engine")


@click.command()
@click.argument("folder", type=FILE, default=".", required=False)
@option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Port of the page. [any free port]")
@option("--no-browser", is_flag=True, help="Only print the page's address.")
def studio(folder: Path, port: int, no_browser: bool) -> int:
    """Open a page in the browser that dreams over photos.

    Its pictures are those of FOLDER, and its dreams are written there. The page can be opened on this machine
    only and works offline; Ctrl-C stops it, and its queue continues when it is opened again.
    """
    if folder.is_file():
        raise UsageError(f"{folder}: this is a file; name the folder in which the pictures are")
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; create it, or name another")
    try:
        import uvicorn

        from dreamer.studio.server import app
        from dreamer.studio.shelf import own_folder
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio", "h11"):
            raise
        raise UsageError("the studio needs two small packages: pip install 'dreamer-art[studio]'") from None
    from filelock import FileLock, Timeout

    folder = folder.resolve()
    try:
        lock = FileLock(own_folder(folder / ".studio") / "lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"{folder}: a studio is open in this folder already; use its page") from None
    except (OSError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{folder}: dreams cannot be written here ({why}); name another folder") from error
    listening = _listening(port)
    port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
    address = f"http://127.0.0.1:{port}/?token={token}"
    made = app(folder, ENGINE, token=token, port=port)

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            made.state.workshop.pages.hang_up()
            super().handle_exit(sig, frame)

    quiet: dict[str, Any] = {"log_level": "error", "access_log": False, "server_header": False}
    server = Server(uvicorn.Config(made, timeout_graceful_shutdown=1, **quiet))
    echo(line(f"The studio is open: {address}"))
    echo("Ctrl-C ends it.", err=True)
    if not no_browser:
        import webbrowser

        webbrowser.open(address)
    try:
        with listening, lock:
            server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    return 0


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone. Raises UsageError for a port that is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise UsageError(f"--port {port}: it cannot be used ({error.strerror}); leave it out, for a free one") from None
    return listening
