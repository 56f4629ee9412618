"""Debian's chromium, headless, driven by its own protocol through two pipes: nothing listens, nothing is installed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium")
_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--remote-debugging-pipe"),
)


class Browser:
    """One window. `look` evaluates JavaScript in it, `wait` does so until it is true."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        there, own = os.pipe()
        mine, theirs = os.pipe()

        def pipes() -> None:
            os.dup2(os.dup(there), 3)
            os.dup2(os.dup(theirs), 4)

        # Chromium reads commands from 3 and writes answers to 4.
        command = [str(CHROMIUM), *_QUIET, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        self._process = subprocess.Popen(
            command, preexec_fn=pipes, close_fds=False, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        os.close(there), os.close(theirs)
        self._to, self._from = os.fdopen(own, "wb", 0), os.fdopen(mine, "rb")
        self._number, self.events, self._rest = 0, list[dict[str, Any]](), b""
        self.session = ""
        self.session = self.tab()
        self.resize(width, height, dark)

    def tab(self) -> str:
        """Open another tab, and return its session; `session` is the one that is looked at."""
        before, self.session = self.session, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found: str = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.session = found
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.session = before or found
        return found

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Another size of the window, light or dark."""
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self._to.close()
        self._process.kill()
        self._process.wait()
        self._from.close()

    def call(self, method: str, **parameters: Any) -> Any:
        """What the protocol's method returns."""
        self._number += 1
        words = {"id": self._number, "method": method, "params": parameters}
        self._to.write(json.dumps(words | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while True:
            said = json.loads(self._line())
            if said.get("id") == self._number:
                assert "error" not in said, said
                return said["result"]
            self.events.append(said)

    def _line(self) -> bytes:
        while b"\0" not in self._rest:
            piece = os.read(self._from.fileno(), 2**16)
            assert piece, "chromium has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return line

    def open(self, address: str) -> None:
        """Go to an address."""
        said = self.call("Page.navigate", url=address)
        assert not said.get("errorText"), said

    def look(self, script: str) -> Any:
        """The value of an expression in the page, awaited."""
        said = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, script: str, seconds: float = 120) -> Any:
        """The value of an expression once it is true."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if value := self.look(f"try {{ {script} }} catch {{ false }}"):  # what it speaks of may not be there yet
                return value
            time.sleep(0.05)
        raise AssertionError(f"{script} did not come true; the page says: {self.look('document.body.innerText')}")

    def click(self, what: str) -> None:
        """Click the element of a selector."""
        self.look(f"document.querySelector({json.dumps(what)}).click()")

    def press(self, key: str) -> None:
        """Press a key, as a hand does."""
        code = {"key": key} | ({"text": key} if len(key) == 1 else {})
        codes = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27, "Tab": 9}
        code |= {"windowsVirtualKeyCode": codes[key], "code": key} if key in codes else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def drag(self, what: str, *places: tuple[float, float]) -> None:
        """Press the mouse on the first place of an element, from 0,0 to 1,1, and let go at the last."""
        box = f"document.querySelector({json.dumps(what)}).getBoundingClientRect()"
        x, y, width, height = self.look(f"(({{x, y, width, height}}) => [x, y, width, height])({box})")
        kinds = ("mousePressed", *("mouseMoved" for _ in places[1:]), "mouseReleased")
        for kind, (across, down) in zip(kinds, (*places, places[-1]), strict=True):
            at = {"x": x + across * width, "y": y + down * height}
            self.call("Input.dispatchMouseEvent", type=kind, **at, button="left", buttons=1, clickCount=1)

    def files(self, what: str, *paths: Path) -> None:
        """Give files to an input, as a person picks them."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=what)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def picture(self, whole: bool = False) -> bytes:
        """A PNG of what is seen, or of the whole page."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def complaints(self) -> list[str]:
        """What the page complained of in the console, and scripts that failed."""
        told = []
        for event in self.events:
            words = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                told.append(str(words["exceptionDetails"].get("exception", words)))
            elif event.get("method") == "Log.entryAdded" and words["entry"]["level"] == "error":
                told.append(f"{words['entry']['text']} {words['entry'].get('url', '')}")
        return told
