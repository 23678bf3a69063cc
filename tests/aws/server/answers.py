"""Answers in one write each: werkzeug's own handler takes several, and then waits for more input.

Every body is read whole here, and the gate gives every answer its length. A connection is closed
after its answer, so that a test which drops a client leaves no open socket behind.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler


class OneWriteHandler(MotoRequestHandler):
    """Answers one request, and closes its connection."""

    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        environ = self.environ = self.make_environ()
        if not environ.get("wsgi.input_terminated"):  # else chunked: the gate reads to its end
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(length))
        self.close_connection = True
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], error: Any = None, /
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return self.wfile.write

        body = b"".join(self.server.app(environ, start_response))
        if not started:
            return  # the gate has hung up
        status, headers = started[0]
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        lines += ["Connection: close", "", ""]
        try:
            self.wfile.write("\r\n".join(lines).encode("latin-1") + body)
        except OSError:
            return  # the client has gone
