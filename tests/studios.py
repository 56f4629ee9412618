"""A studio in this process, with a browser's part played by http.client, and an engine that needs no torch.

The engine's process is the real one; what dreams in it takes a few hundredths of a second.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forked
import uvicorn

from dreamer.cli.studio import ENGINE, _listening
from dreamer.studio.server import app

TOKEN = "a-token-of-tests"
PNG = b"\x89PNG\r\n\x1a\n and so on"
_ENGINE = """
import os, sys, time
from pathlib import Path
from dreamer.cli import engine
from dreamer.files import write_atomically

class Fake:
    def __init__(self, say, control):
        self.say, self.control = say, control
    def answer(self, request):
        try:
            return getattr(self, "do_" + request.pop("do"))(request)
        except KeyboardInterrupt:
            return {"stopped": True, "result": "partial.png"}
    def do_vocabulary(self, request):
        names = ["gaze", *filter(None, os.environ.get("FAKE_LOOKS", "").split(","))]
        return {"looks": [{"name": name, "title": name} for name in names]}
    def do_read(self, request):
        if not Path(request["path"]).read_bytes().startswith(b"\\x89PNG"):
            return {"problems": [request["path"] + ": not a picture"]}
        for place in request["into"].values():
            write_atomically(Path(place), b"small")
        return {"width": 4, "height": 3, "notices": [], "recipe": None}
    def do_devices(self, request):
        return {"devices": os.environ.get("FAKE_DEVICES", "").split()}
    def do_film(self, request):
        return self.do_render(request | {"words": request["words"][:-1]})
    def do_plugins(self, request):
        return {"plugins": [], "packs": []}
    def do_plan(self, request):
        return {"tool": "pip", "changes": [{"name": request["specs"][0], "new": "1", "old": "", "from": "the index"}]}
    def do_install(self, request):
        return {"said": [f"{request['changes'][0]['name']} 1 is installed"]}
    def do_proof(self, request):
        Path(request["into"]).write_bytes(b"proof")
        return {}
    def do_stamps(self, request):
        return {"stamps": {}}
    def do_recipe(self, request):
        return {"recipe": {"seed": 0}, "layers": []}
    def do_render(self, request):
        self.control.reset()
        words = request["words"]
        output, crash = Path(words[-1]), Path(words[0]).with_name("crash")
        steps = 100_000 if "--motif" in words else 3  # which nobody waits for: it ends when it is stopped
        for number in range(steps):
            self.control.obey()
            if crash.exists():
                crash.write_text(crash.read_text()[1:]) if crash.read_text() else crash.unlink()
                os._exit(9)
            done = {"doing": "dreaming", "share": number / steps, "left": 1}
            self.say({"event": "step", "preview": "aGk=", **done})
            time.sleep(0.01)
        output.write_text("dream" + os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        return {"result": str(output), "seconds": 0.1}

engine.Engine = Fake
engine.main()
"""
FAKE = (sys.executable, "-P", "-c", _ENGINE)

_CLIENT = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect(bytes.fromhex(sys.argv[1]))
    words = (["-m", "dreamer.cli.engine"], os.getcwd(), dict(os.environ), False)
    socket.send_fds(server, [repr(words).encode()], [0, 1, 2])
    pid = int(server.recv(16))
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(pid, signal.SIGKILL))
    server.recv(16)
"""


def forked_engine() -> tuple[str, ...]:
    """The command of a real engine, without the seconds that importing torch takes where there is a way.

    Where there is one, SIGUSR1 kills the engine.
    """
    if not forked.FORKS:
        return ENGINE
    return (sys.executable, "-I", "-S", "-c", _CLIENT, forked._server().hex())


class Studio:
    """A running studio, and a page in it: `ask` as the page's own script asks."""

    def __init__(self, folder: Path, engine: tuple[str, ...], most_bytes: int) -> None:
        self.folder, self._listening = folder, _listening(0)
        self.port = self._listening.getsockname()[1]
        self.app = app(folder, engine, token=TOKEN, port=self.port, most_bytes=most_bytes)
        self.workshop = self.app.state.workshop
        self._server = uvicorn.Server(
            uvicorn.Config(self.app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._connections = list[http.client.HTTPConnection]()
        self._thread.start()
        until(lambda: self._server.started)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self.workshop.pages.hang_up()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def page_headers(self) -> dict[str, str]:
        """What the page's own requests carry."""
        host = f"127.0.0.1:{self.port}"
        return {"Host": host, "Origin": f"http://{host}", "Cookie": f"dreamer-studio-{self.port}={TOKEN}"}

    def request(self, method: str, path: str, body: Any = None, **headers: str | None) -> http.client.HTTPResponse:
        """A request with the page's headers, but for those given; None leaves one out."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.putrequest(method, path, skip_host=True)
        chunked = body is not None and not isinstance(body, bytes)
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body or b""))}
        wanted: dict[str, str | None] = {**self.page_headers(), **length, **given}
        for key, value in wanted.items():
            if value is not None:
                connection.putheader(key, value)
        connection.endheaders()
        try:
            if chunked:
                connection.send(b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in body) + b"0\r\n\r\n")
            elif body:
                connection.send(body)
        except ConnectionError:
            pass  # refused before all was sent
        self._connections.append(connection)
        return connection.getresponse()

    def status(self, method: str, path: str, body: Any = None, **headers: str | None) -> int:
        answer = self.request(method, path, body, **headers)
        answer.read()
        return answer.status

    def ask(self, path: str, words: Any = None, body: bytes | None = None) -> Any:
        """The JSON at an address; with words or a body, of a POST."""
        data = json.dumps(words).encode() if words is not None else body
        answer = self.request("GET" if data is None else "POST", path, data)
        found = json.loads(answer.read())
        return found

    def drop(self, name: str = "lake.png", data: bytes = PNG) -> Any:
        from urllib.parse import quote

        return self.ask(f"/pictures?name={quote(name)}", body=data)

    def now(self) -> dict[str, Any]:
        """How far the dream being made is."""
        return next(iter(self.workshop.state()["now"].values()), {})

    def states(self) -> list[str]:
        return [job.state for job in self.workshop.jobs.all()]


@contextmanager
def opened(folder: Path, engine: tuple[str, ...] = FAKE, most_bytes: int = 10_000) -> Iterator[Studio]:
    """A studio over a folder."""
    folder.mkdir(exist_ok=True)
    studio = Studio(folder, engine, most_bytes)
    try:
        yield studio
    finally:
        studio.close()


def until(true: Any, seconds: float = 120) -> Any:
    """Wait until something is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not come true")
