"""The WSGI application round moto's: locks, long polls, journal and faults.

1. A request holds its service's lock while moto handles it.
2. A long poll looks, lets go of the lock, and looks again when something changed or a moment
   passed; one whose client has gone, or that a reset made obsolete, takes nothing.
3. Every request to a service is in the journal before its answer is sent.
"""

from __future__ import annotations

import io
import json
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import sqs_backends

from tests.aws.server import clock, mails, objects, rules, schedules
from tests.aws.server.faults import Fault, next_fault
from tests.aws.server.journal import Meter, opened
from tests.aws.server.records import Request

LOOK_SECONDS: Final = 0.05  # between two looks of a long poll that nothing woke: delays end unseen
REGION: Final = "us-east-1"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
_JSON: Final = "application/x-amz-json-1.0"


@dataclass(slots=True)
class Call:
    """An API request, taken apart."""

    environ: Environ
    service: str
    operation: str
    params: dict[str, Any]
    log: Request
    body: bytes


@dataclass(slots=True)
class Reply:
    """An answer that can still be changed."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body)) if self.body else {}

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        told = [value for name, value in self.headers if name.lower() == "content-length"]
        kept = [pair for pair in self.headers if pair[0].lower() != "content-length"]
        length = told[0] if told and not self.body else str(len(self.body))  # HEAD has but that
        start_response(self.status, [*kept, ("Content-Length", length)])
        return [self.body]


class Dropped(Exception):
    """The client gets no answer."""


@dataclass
class Gate:
    """See the module."""

    moto: Any = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))
    locks: dict[str, threading.Condition] = field(
        default_factory=lambda: defaultdict(threading.Condition)
    )
    journal: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    epoch: int = 0

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/test/"):
            return self._control(environ).send(start_response)
        call = _taken_apart(environ)
        try:
            return self._answer(call).send(start_response)
        except Dropped:
            _hang_up(environ)
            return []

    def _answer(self, call: Call) -> Reply:
        epoch, deadline = (
            self.epoch,
            time.monotonic() + float(call.params.get("WaitTimeSeconds", 0)),
        )
        lock = self.locks[call.service]
        with lock:
            self.journal.append(call.log)
            fault = next_fault(self.faults, call.service, call.operation, call.log.name)
            if call.operation == "ReceiveMessage":
                while not _has_visible(call) and time.monotonic() < deadline:
                    lock.wait(LOOK_SECONDS)
                    if self.epoch != epoch or _is_gone(call.environ):
                        raise Dropped
                call.params["WaitTimeSeconds"] = 0
                call.body = json.dumps(call.params).encode()
            try:
                return self._faulty(call, fault) if fault else self._apply(call)
            finally:
                if call.operation != "ReceiveMessage":
                    lock.notify_all()

    def _apply(self, call: Call) -> Reply:
        if call.service == "dynamodb":
            if why := rules.refusal(call.operation, call.params):
                call.log.failed = "ValidationException"
                return _refused(400, "ValidationException", why)
            meter = Meter(REGION, call.log, call.params)
        if call.service == "s3" and objects.is_another(call.environ):
            return Reply("412 Precondition Failed", [], objects.CHANGED)
        reply = _through(self.moto, call)
        if not reply.status.startswith("2"):
            call.log.failed = _code(reply)
        elif call.service == "sqs":
            answer = reply.json()
            call.log.failed_entries = len(answer.get("Failed", ()))
            if call.operation == "ReceiveMessage":
                call.log.entries = len(answer.get("Messages", ()))
        if call.service == "dynamodb" and call.log.failed in {
            "",
            "ConditionalCheckFailedException",
        }:
            meter.measure(reply.json())
        return reply

    def _faulty(self, call: Call, fault: Fault) -> Reply:
        call.log.fault = True
        if fault.kind == "entries":
            return self._partly(call, fault)
        if fault.after:
            self._apply(call)
        if fault.kind == "drop":
            call.log.failed = "dropped"
            raise Dropped
        status, code = fault.refusal()
        call.log.failed = code
        if call.operation == "HEAD":
            return Reply(f"{status} Ordered", [], b"")
        return _refused(status, code, "the test ordered it")

    def _partly(self, call: Call, fault: Fault) -> Reply:
        if call.service == "events":
            return _no_events(len(call.params["Entries"]))
        fine, failing = fault.split(call.params["Entries"])
        failed = [
            {"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "ordered"}
            for entry in failing
        ]
        answer: dict[str, Any] = {"Successful": []}
        headers = [("Content-Type", _JSON)]
        if fine:
            call.params["Entries"] = fine
            call.body = json.dumps(call.params).encode()
            reply = self._apply(call)
            answer, headers = reply.json(), reply.headers
        answer["Failed"] = [*answer.get("Failed", ()), *failed]
        call.log.failed_entries = len(answer["Failed"])
        return Reply("200 OK", headers, json.dumps(answer).encode())

    def _control(self, environ: Environ) -> Reply:
        asked = json.loads(_read(environ) or b"{}")
        answer: Any = {}
        match environ["PATH_INFO"].removeprefix("/test/"):
            case "requests":
                answer = [asdict(line) for line in list(self.journal)]
            case "mails":
                answer = mails.sent(REGION)
            case "faults":
                self.faults.append(Fault(**asked))
            case "advance":
                with self.locks["scheduler"], self.locks["sqs"]:
                    clock.advance(asked["seconds"])
                    schedules.fire(REGION)
                    self.locks["sqs"].notify_all()
            case "end_faults":
                self.faults.clear()
            case "reset":
                self._reset()
            case other:
                return _refused(404, "NotFound", other)
        return Reply("200 OK", [("Content-Type", "application/json")], json.dumps(answer).encode())

    def _reset(self) -> None:
        with self.locks["scheduler"], self.locks["sqs"], self.locks["dynamodb"], self.locks["s3"]:
            self.epoch += 1
            BackendDict.reset()
            clock.reset()
            self.journal.clear()
            self.faults.clear()
            self.locks["sqs"].notify_all()


def _taken_apart(environ: Environ) -> Call:
    """The service is in the signature's scope, as moto finds it."""
    body = _read(environ)
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")
    service = scope[3] if len(scope) > 3 else ""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        params = json.loads(body or b"{}")
        operation = target.rpartition(".")[2]
    else:
        operation = environ["REQUEST_METHOD"]
        params = {"Name": environ["PATH_INFO"].lstrip("/")}
    log = opened(service, operation, params)
    log.bytes = len(body)
    return Call(environ, service, operation, params, log, body)


def _read(environ: Environ) -> bytes:
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _through(app: Any, call: Call) -> Reply:
    environ = {**call.environ, "wsgi.input": io.BytesIO(call.body)}
    environ["CONTENT_LENGTH"] = str(len(call.body))
    caught: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        caught.extend((status, headers))

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return Reply(caught[0], caught[1], body)


def _has_visible(call: Call) -> bool:
    """Whether a receive would find something; a wrong queue is for moto to refuse."""
    queue = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues.get(call.log.name)
    if queue is None:
        return True
    held = {m.group_id for m in queue.pending_messages if not m.visible and queue.fifo_queue}
    return any(m.group_id is None or m.group_id not in held for m in queue.messages)


def _no_events(count: int) -> Reply:
    """PutEvents's answer where it took none."""
    entry = {"ErrorCode": "InternalFailure", "ErrorMessage": "ordered"}
    answer = {"FailedEntryCount": count, "Entries": [entry] * count}
    return Reply("200 OK", [("Content-Type", _JSON)], json.dumps(answer).encode())


def _refused(status: int, code: str, message: str) -> Reply:
    body = json.dumps({"__type": code, "message": message}).encode()
    return Reply(f"{status} Ordered", [("Content-Type", _JSON)], body)


def _code(reply: Reply) -> str:
    try:
        return str(reply.json()["__type"]).rpartition("#")[2]
    except (ValueError, KeyError):
        return reply.status


def _is_gone(environ: Environ) -> bool:
    connection: socket.socket = environ["werkzeug.socket"]
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _hang_up(environ: Environ) -> None:
    connection: socket.socket = environ["werkzeug.socket"]
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was first
