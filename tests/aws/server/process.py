"""Starts the server, and speaks to it: the tests' side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from tests.aws.server.records import Request

ROOT: Final = Path(__file__).resolve().parents[3]
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
}


class Server:
    """A running server, as a test steers it.

    Attributes:
        moved_ms: how much its clock is ahead of the machine's.
    """

    moved_ms: ClassVar[int] = 0

    def __init__(self, url: str) -> None:
        self.url: Final = url

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead a process to it."""
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.url}

    def requests(self, service: str = "", operation: str = "", name: str = "") -> list[Request]:
        """The requests since the last reset, in the order in which they came."""
        return [
            line
            for line in (Request(**fields) for fields in self._ask("requests"))
            if service in ("", line.service)
            and operation in ("", line.operation)
            and name in ("", line.name)
        ]

    def mails(self) -> list[dict[str, Any]]:
        """What SES was given since the last reset: `kind`, and what moto keeps of each."""
        sent: list[dict[str, Any]] = self._ask("mails")
        return sent

    def fault(self, service: str, operation: str, kind: str, **more: Any) -> None:
        """Order a fault; see `Fault` in faults.py."""
        self._ask("faults", service=service, operation=operation, kind=kind, **more)

    def end_faults(self) -> None:
        """Forget the faults that have not come yet."""
        self._ask("end_faults")

    def advance(self, seconds: float) -> None:
        """Move the server's clock, and fire the schedules that are due then."""
        self._ask("advance", seconds=seconds)
        Server.moved_ms += round(seconds * 1000)

    def reset(self) -> None:
        """Forget everything, and be back at the machine's time."""
        self._ask("reset")
        Server.moved_ms = 0

    def _ask(self, what: str, **fields: Any) -> Any:
        data = json.dumps(fields).encode()
        with urlopen(HttpRequest(f"{self.url}/test/{what}", data, method="POST")) as answer:
            return json.load(answer)


_shared: list[tuple[Server, subprocess.Popen[bytes]]] = []
_holders: list[object] = []


@contextmanager
def shared_server() -> Iterator[Server]:
    """The one server of this process; the first to ask starts it, the last to leave stops it."""
    holder = object()
    _holders.append(holder)
    try:
        if not _shared:
            _shared.append(_start())
        yield _shared[0][0]
    finally:
        _holders.remove(holder)
        if not _holders and _shared:
            _stop(_shared.pop()[1])


def _start() -> tuple[Server, subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.aws.server"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    if not port:
        _stop(process)
        raise RuntimeError("the moto server did not start; its error is above")
    return Server(f"http://127.0.0.1:{int(port)}"), process


def _stop(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes its standard input, which ends it
        pass
