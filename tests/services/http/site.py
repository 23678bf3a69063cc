"""A web site on loopback: answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """What is answered; `stream` writes the body itself, where it is not `body`."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: Callable[[BaseHTTPRequestHandler], None] | None = None


def json_reply(value: Any, **more: Any) -> Reply:
    """JSON, as servers send it."""
    headers = {"Content-Type": "application/json"}
    return Reply(body=json.dumps(value).encode(), headers=headers, **more)


def echo(seen: Seen) -> Reply:
    """What arrived, as JSON."""
    return json_reply(
        {
            "method": seen.method,
            "path": seen.path,
            "headers": dict(seen.headers),
            "body": seen.body.decode(),
        }
    )


Answer = Callable[[Seen], Reply]


class Site:
    """See the module; `answers` has functions by path, without query."""

    def __init__(self) -> None:
        self.seen: Final[list[Seen]] = []
        self.answers: Final[dict[str, Answer]] = {"/echo": echo}
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """The address of a page."""
        return f"{scheme}://{host}:{self.port}{path}"

    def says(self, path: str, *replies: Reply) -> None:
        """Answer requests for a path with these, one after the other, and then the last."""
        left = list(replies)
        self.answers[path] = lambda seen: left.pop(0) if len(left) > 1 else left[0]


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length))
            site.seen.append(seen)
            answer = site.answers.get(self.path.partition("?")[0])
            reply = answer(seen) if answer else Reply(404, b"no such page")
            self.send_response_only(reply.status)  # and no Date of its own
            for name, value in reply.headers.items():
                for line in value.split("\n"):
                    self.send_header(name, line)
            if reply.stream is None:
                self.send_header("Content-Length", str(len(reply.body)))
            else:
                self.close_connection = True
            self.end_headers()
            if reply.stream is not None:
                reply.stream(self)
            elif self.command != "HEAD":
                self.wfile.write(reply.body)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what some tests are about."""


@contextmanager
def running_site(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site, as long as the block runs."""
    site = Site()
    server = _Server(("127.0.0.1", 0), _handler(site))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
