"""Lambda's Invoke over HTTP, as its API reference has it; the functions are Python functions."""

from __future__ import annotations

import base64
import json
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Function = Callable[[Any, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of Lambda itself, for the next invocation."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Invoked:
    """What came in; `context` is the client context."""

    function: str
    kind: str
    event: Any
    context: Mapping[str, Any]


@dataclass(slots=True)
class Lambdas:
    """The functions, by their names as they are invoked, and what was invoked.

    A function may wait for `slow`, which is set when the server ends.
    """

    url: str
    functions: dict[str, Function] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    invoked: list[Invoked] = field(default_factory=list)
    hang_up: bool = False  # once, after the next request has come
    slow: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """As it was at the start."""
        self.functions.clear()
        self.refusals.clear()
        self.invoked.clear()
        self.hang_up = False
        self.slow.clear()

    def answer(self, invoked: Invoked, log: bool) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body, as the Python runtime's errors are."""
        self.invoked.append(invoked)
        headers = {"x-amzn-RequestId": f"request-{len(self.invoked)}"}
        if self.refusals:
            refusal = self.refusals.pop(0)
            body = {"Type": "User", "Message": "no", **refusal.more}
            headers |= {"X-Amzn-ErrorType": refusal.code, **refusal.headers}
            return refusal.status, headers, json.dumps(body).encode()
        if invoked.kind == "Event":
            return 202, headers, b""
        headers["X-Amz-Executed-Version"] = "$LATEST"
        if log:
            headers["X-Amz-Log-Result"] = base64.b64encode(b"START\nhere it broke\nEND").decode()
        try:
            result = self.functions[invoked.function](invoked.event, invoked.context)
        except Exception as error:  # noqa: BLE001  # a function may raise what it likes
            headers["X-Amz-Function-Error"] = "Unhandled"
            told = {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": headers["x-amzn-RequestId"],
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
            return 200, headers, json.dumps(told).encode()
        return 200, headers, result if isinstance(result, bytes) else json.dumps(result).encode()


class Exchange(BaseHTTPRequestHandler):
    """A request for an invocation, and its answer."""

    protocol_version = "HTTP/1.1"
    lambdas: Lambdas

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.lambdas.hang_up:
            self.lambdas.hang_up = False
            self.lambdas.invoked.append(Invoked("", "", None, {}))
            self.close_connection = True
            return
        context = base64.b64decode(self.headers.get("X-Amz-Client-Context", ""))
        parts = urlsplit(self.path)
        name = unquote(parts.path.split("/")[3])
        name += "".join(f":{found}" for found in parse_qs(parts.query).get("Qualifier", []))
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        invoked = Invoked(name, kind, json.loads(body), json.loads(context or "{}"))
        with suppress(ConnectionError):  # the caller waits no longer
            self.respond(*self.lambdas.answer(invoked, "X-Amz-Log-Type" in self.headers))

    def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what counts is in `invoked`."""


@contextmanager
def serving() -> Iterator[Lambdas]:
    """Lambda on a port of this machine's loopback."""
    lambdas = Lambdas("")
    handler = type("Handler", (Exchange,), {"lambdas": lambdas})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        lambdas.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield lambdas
        finally:
            lambdas.slow.set()
            server.shutdown()
            thread.join()
