"""Processes without the seconds that importing torch takes: forked off one that has imported it.

Such a process has its own arguments, environment, folder, streams and process group, dies of signals, and ends as any
Python does. It is for tests of what happens to a process; those of how one starts take `subprocess`.
"""

from __future__ import annotations

import atexit
import gc
import io
import os
import runpy
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

AFRESH = "import sys\nfor name in [*sys.modules]:\n    if name.partition('.')[0] == 'dreamer': del sys.modules[name]\n"
"""What a script begins with that imports dreamer itself; torch alone is there already."""
FORKS = sys.platform == "linux"  # elsewhere forking is absent, or not safe once the system's libraries are loaded


class Forked(subprocess.Popen[Any]):
    """A Python process, used as `subprocess.Popen` is; `sys.executable` is the first of its arguments.

    They go on with `-m MODULE`, `-c CODE` or the path of a script.
    """

    def __init__(self, args: list[Any], *, start_new_session: bool = False, **options: Any) -> None:
        self._session = start_new_session
        super().__init__(args, **options, **({} if FORKS else {"start_new_session": start_new_session}))

    if FORKS:

        def _execute_child(self, args: Any, executable: Any, preexec: Any, close: Any, passed: Any, *rest: Any) -> None:
            cwd, env, _, _, _, *ends = rest
            p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *_ = ends
            asked = ([str(word) for word in args[1:]], os.path.abspath(cwd or "."), dict(env or os.environ))
            streams = [own if given < 0 else given for own, given in enumerate((p2cread, c2pwrite, errwrite))]
            self._keeper = _socket()
            self._keeper.connect(_server())
            socket.send_fds(self._keeper, [repr((*asked, self._session)).encode()], streams)
            self.pid = int(self._keeper.recv(16))
            self._child_created = True
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)

        def _wait(self, timeout: float | None) -> int:
            if self.returncode is None:
                self._keeper.settimeout(timeout)
                try:
                    self.returncode = os.waitstatus_to_exitcode(int(self._keeper.recv(16)))
                except (TimeoutError, BlockingIOError):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
                self._keeper.close()
            return self.returncode

        def _internal_poll(self, *_: Any, **__: Any) -> int | None:
            try:
                return self._wait(0)
            except subprocess.TimeoutExpired:
                return None


def run(args: list[Any], timeout: float | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run such a process to its end; what it prints is captured, but for streams that are given."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    with Forked(args, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(args, process.returncode, out, err)


def _socket() -> socket.socket:
    """A socket on which what is sent at once arrives at once, and by itself."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@cache
def _server() -> bytes:
    """The address of this process's server, which is started when it is first needed and ends with this process."""
    with _socket() as listening:
        listening.bind("")  # to a name that is no file
        listening.listen()
        line = [sys.executable, __file__, str(listening.fileno()), str(os.getpid())]
        server = subprocess.Popen(line, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL)
        atexit.register(lambda: (server.terminate(), server.wait()))
        address: bytes = listening.getsockname()
    return address


def serve(listening: socket.socket, parent: int) -> list[str]:
    """Fork a process for each that connects; there it returns, with the words after `python`."""
    listening.settimeout(1)
    running = 0
    while os.getppid() == parent:
        while running and os.waitpid(-1, os.WNOHANG)[0]:
            running -= 1
        try:
            asking, _ = listening.accept()
        except TimeoutError:
            continue
        if not os.fork():
            listening.close()
            return _kept(asking)
        running += 1
        asking.close()
    sys.exit()


def _kept(asking: socket.socket) -> list[str]:
    """Fork the process and tell of its end; the process itself takes all that is its own."""
    asking.settimeout(None)
    said, streams, *_ = socket.recv_fds(asking, 2**20, 3)
    words, folder, environment, session = eval(said)  # what this file wrote
    if pid := os.fork():
        for stream in streams:
            os.close(stream)
        asking.send(str(pid).encode())
        asking.send(str(os.waitpid(pid, 0)[1]).encode())
        os._exit(0)
    asking.close()
    if session:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), _stream(1, "strict"), _stream(2, "backslashreplace")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return words


def _stream(number: int, errors: str) -> io.TextIOWrapper:
    return open(number, "w", encoding="utf-8", errors=errors, closefd=False, buffering=1 if number == 2 else -1)


def main() -> None:
    """Serve. A forked process runs its words as Python would, and ends by itself."""
    import dreamer.api
    import dreamer.cli  # noqa: F401
    from dreamer.networks.reverie import reverie
    from dreamer.plugins.loading import load_plugins

    load_plugins(), reverie()  # what they keep
    os.fsync = lambda file: None  # as in `conftest.py`
    gc.freeze()
    words = serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    sys.path.remove(str(Path(__file__).parent))
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.path.insert(0, "")
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    main()
