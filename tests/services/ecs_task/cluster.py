"""ECS over HTTP, as its API reference has it, with what moto leaves out: exit codes, tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ARN = "arn:aws:ecs:us-east-1:123456789012:"


class Refused(Exception):
    """An error of ECS: its code and its words."""


@dataclass(slots=True)
class Cluster:
    """One cluster, and what was asked of it.

    Attributes:
        run: the parameters of each RunTask.
        trouble: what the next requests are answered with, instead: an error, or failures.
        ends_with: how tasks end at the second look; None: they run on.
    """

    url: str
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    run: list[dict[str, Any]] = field(default_factory=list)
    trouble: list[Refused | list[dict[str, str]]] = field(default_factory=list)
    ends_with: int | None = None
    _tokens: dict[str, str] = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, Refused):
                raise trouble
            return {"tasks": [], "failures": trouble}
        if params["cluster"] != "films":
            raise Refused("ClusterNotFoundException", "Cluster not found.")
        match operation:
            case "RunTask":
                return {"tasks": [self._begin(params)], "failures": []}
            case "DescribeTasks":
                return self._describe(params["tasks"])
            case "ListTasks":
                return {"taskArns": [
                    arn for arn, task in self.tasks.items()
                    if task["startedBy"] == params["startedBy"] and task["lastStatus"] != "STOPPED"
                ]}  # fmt: skip
            case "StopTask":
                self.stop(params["task"], "UserInitiated", params["reason"], 143)
                return {"task": self.tasks[params["task"]]}
            case _:
                raise Refused("InvalidParameterException", operation)

    def stop(self, arn: str, code: str, reason: str, exit_code: int | None) -> None:
        """A task ends."""
        own: dict[str, Any] = {"name": "render", "reason": "" if exit_code is not None else reason}
        if exit_code is not None:
            own["exitCode"] = exit_code
        self.tasks[arn] |= {
            "lastStatus": "STOPPED", "stopCode": code, "stoppedReason": reason,
            "stoppedAt": time.time(), "containers": [own, {"name": "log", "exitCode": 137}],
        }  # fmt: skip

    def _begin(self, params: dict[str, Any]) -> dict[str, Any]:
        self.run.append(params)
        token = params["clientToken"]
        assert len(token) <= 64
        assert len(params["startedBy"]) <= 36
        if token not in self._tokens:
            arn = self._tokens[token] = f"{ARN}task/films/{len(self.tasks):032x}"
            self.tasks[arn] = {
                "taskArn": arn, "lastStatus": "PROVISIONING", "createdAt": time.time(),
                "startedBy": params["startedBy"],
                "containers": [{"name": "render"}, {"name": "log"}],
            }  # fmt: skip
        return self.tasks[self._tokens[token]]

    def _describe(self, arns: list[str]) -> dict[str, Any]:
        for arn in arns:
            self._looks[arn] = self._looks.get(arn, 0) + 1
            if arn in self.tasks and self._looks[arn] == 2 and self.ends_with is not None:
                self.stop(arn, "EssentialContainerExited", "Essential container in task exited",
                          self.ends_with)  # fmt: skip
        missing = [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in self.tasks]
        return {"tasks": [self.tasks[a] for a in arns if a in self.tasks], "failures": missing}


@contextmanager
def serving() -> Iterator[Cluster]:
    """A cluster at a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            params = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            try:
                status, answer = 200, cluster.answer(operation, params)
            except Refused as error:
                code, message = error.args
                status, answer = 400, {"__type": code, "message": message}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        cluster = Cluster(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield cluster
        server.shutdown()
        thread.join()
