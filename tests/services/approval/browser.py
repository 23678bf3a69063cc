"""A real browser: Debian's Chromium, driven by the WebDriver protocol of the W3C."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

REQUIRED: Final = "LAMBDA_WORKFLOW_BROWSER"
PROGRAMS: Final = ("chromium", "chromedriver")
MISSING: Final = (
    f"no {' or no '.join(PROGRAMS)} here: on Debian, apt-get install chromium chromium-driver"
)
SECONDS_MAX: Final = 60.0
SEEN_SECONDS_MAX: Final = 20.0
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TAB, ENTER, SPACE = "\ue004", "\ue007", " "
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"


def is_missing() -> bool:
    """Whether a program is not installed; tests that need it must not pass then."""
    return not all(map(shutil.which, PROGRAMS))


def is_required() -> bool:
    """Whether its absence is an error, as where all is checked."""
    return os.environ.get(REQUIRED) == "1"


class WebDriverError(Exception):
    """The browser could not do it; the protocol's name for why, and its words."""


class Browser:
    """A session of the browser. Elements are named by CSS selectors, and waited for.

    A click may return before the page that it leads to is there: look next for what only that has.
    """

    def __init__(self, port: int, profile: Path, *, phone: bool = False) -> None:
        self._port = port
        self._session = ""
        options: dict[str, Any] = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, f"--user-data-dir={profile}", "--window-size=1000,900"],
        }
        if phone:
            metrics = {"width": 390, "height": 844, "pixelRatio": 2, "touch": True}
            options["mobileEmulation"] = {"deviceMetrics": metrics}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options}
        made = self._ask("POST", "/session", capabilities={"alwaysMatch": wanted})
        self._session = f"/session/{made['sessionId']}"
        self._wait(SEEN_SECONDS_MAX)

    def close(self) -> None:
        """End the session, and its browser."""
        self._ask("DELETE", self._session)

    def open(self, url: str) -> None:
        """Load a page."""
        self.post("/url", url=url)

    def back(self) -> None:
        """Press the back button."""
        self.post("/back")

    def reload(self) -> None:
        """Press the reload button."""
        self.post("/refresh")

    def click(self, css: str) -> None:
        """Click on an element."""
        self.post(f"/element/{self._find(css)}/click")

    def type(self, css: str, text: str) -> None:
        """Type into a field."""
        self.post(f"/element/{self._find(css)}/value", text=text)

    def press(self, *keys: str) -> None:
        """Press keys, whatever has the focus."""
        strokes = [{"type": kind, "value": k} for k in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keys", "actions": strokes}])

    def see(self, heading: str) -> None:
        """Wait for a page by its heading.

        Raises:
            WebDriverError: there is none.
        """
        self.post("/element", using="xpath", value=f"//h1[.='{heading}']")

    def see_focused(self, name: str) -> None:
        """Wait until an element has the focus: `autofocus` comes after the page.

        Raises:
            TimeoutError: another one has it.
        """
        end = time.monotonic() + SEEN_SECONDS_MAX
        while (found := self.focused()) != name:
            if time.monotonic() > end:
                raise TimeoutError(f"{found!r} has the focus, not {name!r}")
            time.sleep(0.05)

    def text(self, css: str = "main") -> str:
        """What an element shows."""
        return str(self.get(f"/element/{self._find(css)}/text"))

    def value(self, css: str) -> str:
        """What a field holds."""
        return str(self.get(f"/element/{self._find(css)}/property/value"))

    def has(self, css: str) -> bool:
        """Whether there is such an element now."""
        self._wait(0)
        try:
            return bool(self.post("/elements", using="css selector", value=css))
        finally:
            self._wait(SEEN_SECONDS_MAX)

    def focused(self) -> str:
        """The text of the element that has the focus, or its id if it is a field."""
        element = self.get("/element/active")[_ELEMENT]
        shown = self.get(f"/element/{element}/text")
        return str(self.get(f"/element/{element}/property/id") or shown)

    def style(self, css: str, name: str) -> str:
        """A computed style."""
        return str(self.get(f"/element/{self._find(css)}/css/{name}"))

    def label(self, css: str) -> str:
        """What a screen reader calls an element."""
        return str(self.get(f"/element/{self._find(css)}/computedlabel"))

    def run(self, script: str) -> Any:
        """The value of a script's `return`."""
        return self.post("/execute/sync", script=script, args=[])

    def devtools(self, command: str, **params: Any) -> Any:
        """Call Chromium's DevTools protocol."""
        return self.post("/goog/cdp/execute", cmd=command, params=params)

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.get("/url"))

    @property
    def title(self) -> str:
        """The page's title."""
        return str(self.get("/title"))

    def get(self, path: str) -> Any:
        """Ask the session."""
        return self._ask("GET", self._session + path)

    def post(self, path: str, **fields: Any) -> Any:
        """Tell the session."""
        return self._ask("POST", self._session + path, **fields)

    def _wait(self, seconds: float) -> None:
        self.post("/timeouts", implicit=int(seconds * 1000))

    def _find(self, css: str) -> str:
        found = self.post("/element", using="css selector", value=css)
        return str(found[_ELEMENT])

    def _ask(self, method: str, path: str, **fields: Any) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=SECONDS_MAX)
        try:
            body = json.dumps(fields).encode() if method == "POST" else None
            connection.request(method, path, body, {"Content-Type": "application/json"})
            value = json.load(connection.getresponse())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(f"{value['error']}: {value['message'].splitlines()[0]}")
        return value


@contextmanager
def driver() -> Iterator[int]:
    """Start chromedriver on loopback; its port."""
    process = subprocess.Popen(
        ["chromedriver", "--port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "successfully on port" in line:
                yield int(line.rstrip(". \n").rpartition(" ")[2])
                return
        raise RuntimeError("chromedriver did not start")
    finally:
        process.terminate()
        process.wait(SECONDS_MAX)
        process.stdout.close()


@contextmanager
def browsing(port: int, profile: Path, *, phone: bool = False) -> Iterator[Browser]:
    """A browser that has seen nothing yet."""
    browser = Browser(port, profile, phone=phone)
    try:
        yield browser
    finally:
        browser.close()
