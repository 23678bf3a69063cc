"""The page behind HTTP on loopback, as a function URL would have it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from lambda_workflow_services.approval.page import Page
from lambda_workflow_services.approval.settings import read_settings

from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.entry import Event


class Site:
    """A server whose requests go to the page one at a time, on a thread and loop of its own.

    Attributes:
        requests: method and path of what was asked.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.aws: Aws | None = None
        self.runner = asyncio.Runner()
        site = self

        class Front(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                site.requests.append(f"{self.command} {self.path}")
                answer = site.container.submit(site.invoke, self, body).result()
                content = answer["body"].encode()
                self.send_response(answer["statusCode"])
                for name, value in answer["headers"].items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the tests' output clean."""

        self.container = ThreadPoolExecutor(1)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Front)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def invoke(self, request: BaseHTTPRequestHandler, body: bytes) -> Any:
        """Call the page with the event that Lambda makes of a request."""
        path, _, query = request.path.partition("?")
        event = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "requestContext": {
                "domainName": "127.0.0.1",
                "http": {"method": request.command, "path": path},
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        return self.runner.run(self.answer(event))

    async def answer(self, event: Event) -> Any:
        """The page's answer, on connections that stay open between requests."""
        self.aws = self.aws or Aws()
        return await Page(self.aws, read_settings(), SystemClock()).answer(event)

    def close(self) -> None:
        """Close the connections, and the loop."""
        if self.aws is not None:
            self.runner.run(self.aws.close())
        self.runner.close()


@contextmanager
def serving() -> Iterator[Site]:
    """A site on loopback, for as long as it is needed."""
    site = Site()
    thread = Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()
        site.container.submit(site.close).result()
        site.container.shutdown()
