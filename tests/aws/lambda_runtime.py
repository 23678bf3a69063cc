"""Lambda's runtime interface, on loopback: runs a function under the real `awslambdaric`.

It serves the four paths of the Runtime API that the client uses, one invocation at a time as Lambda
does for one environment, and plays the event source mapping: receive, invoke, delete what did not
fail. What it cannot show: Lambda's own freeze between invocations, and its scaling.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
API: Final = "/2018-06-01/runtime/"
SECONDS_MAX: Final = 60.0  # for any one answer


class FunctionError(Exception):
    """The function raised; holds what it reported to the Runtime API."""


@dataclass(slots=True)
class Environment:
    """One execution environment of a function: a process, and the invocations given to it."""

    arn: str
    timeout_seconds: float
    waiting: Queue[tuple[str, bytes]] = field(default_factory=Queue)
    answers: dict[str, Future[Any]] = field(default_factory=dict)
    broken: Future[Any] = field(default_factory=Future)
    closing: bool = False
    ready: Event = field(default_factory=Event)  # it has asked for its first invocation
    pid: int = 0
    _ids: Iterator[int] = field(default_factory=count)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The function's answer.

        Raises:
            FunctionError: it raised, or could not be loaded.
        """
        if self.broken.done():
            raise FunctionError(self.broken.result())
        request_id = f"request-{next(self._ids)}"
        answer = self.answers[request_id] = Future()
        self.waiting.put((request_id, json.dumps(event).encode()))
        return answer.result(SECONDS_MAX)

    def next(self) -> tuple[str, bytes] | None:
        """What the client asks for; None when all is over."""
        self.ready.set()
        while not self.closing:
            try:
                return self.waiting.get(timeout=0.05)
            except Empty:
                continue
        return None

    def take(self, path: str, body: bytes) -> None:
        """What the client tells."""
        if path == "init/error":
            self.broken.set_result(json.loads(body))
            for answer in self.answers.values():
                answer.set_exception(FunctionError(json.loads(body)))
            return
        _, request_id, what = path.split("/")
        answer = self.answers.pop(request_id)
        if what == "response":
            answer.set_result(json.loads(body))
        else:
            answer.set_exception(FunctionError(json.loads(body)))


def _handler_of(environment: Environment) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's ACK

        def do_GET(self) -> None:
            found = environment.next()
            if found is None:
                self.close_connection = True
                return
            deadline = round((time.time() + environment.timeout_seconds) * 1000)
            self._answer(
                200,
                found[1],
                {
                    "Lambda-Runtime-Aws-Request-Id": found[0],
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": environment.arn,
                },
            )

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            environment.take(self.path.removeprefix(API), body)
            self._answer(202, b"{}", {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not news."""

    return RuntimeApi


class _Api(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """That a process is killed in the middle of a request is no news; all else is."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def function(
    handler: str,
    variables: Mapping[str, str],
    *,
    timeout_seconds: float = 30,
    folders: Sequence[Path] = (),
) -> Iterator[Environment]:
    """A cold environment of the function `module.handler`, stopped at the end.

    Args:
        folders: where its code is, and what else there is to import besides the standard library;
            none: the repository and this environment.
    """
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{handler.replace('.', '-')}"
    environment = Environment(arn, timeout_seconds)
    server = _Api(("127.0.0.1", 0), _handler_of(environment))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    process = subprocess.Popen(
        [sys.executable, *(("-S", "-s", "-P") if folders else ()), "-m", "awslambdaric", handler],
        cwd=folders[0] if folders else ROOT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **variables,
            "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": handler,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "PYTHONPATH": os.pathsep.join(map(str, folders or (ROOT,))),
        },
    )
    environment.pid = process.pid
    try:
        yield environment
    finally:
        process.kill()
        process.wait()
        environment.closing = True
        server.shutdown()
        server.server_close()


def event_of(messages: list[dict[str, Any]], queue_arn: str) -> dict[str, Any]:
    """The event that Lambda makes of received messages."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": "us-east-1",
            }
            for message in messages
        ]
    }
