"""Every operation of every port fails once, on every backend.

Laws
 1. What fails raises a BackendError that names the operation, and the file or the request.
 2. Nothing of it is half done: the effect is there as a whole, or not at all.
 3. The same call once more succeeds, and once more again changes nothing, but that a send may be
    delivered twice.

The operations are read off the protocols in `lambda_workflow.ports`: a new one fails here until it
has its case.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from lambda_workflow import ports
from lambda_workflow.errors import BackendError
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Response
from lambda_workflow.ports import ArmTimer, DisarmTimer, PutHeader, Query, SendResponse
from lambda_workflow.runtime.dispatch import dispatch
from tests.ports.faulty import OPENERS, S3_REQUESTS, Faulty, timers_of
from tests.ports.made import commit_of, header_of, message_send, task_send, turn

NEVER_FAIL: Final = {"Clock.sleep"}  # no host asks anybody for it
FAR: Final = 4_000_000_000_000
CONTENT: Final = b"content" * 100
Act = Callable[[Faulty, str], Awaitable[Any]]


def operations() -> list[str]:
    """Every coroutine function of every port of a Backend."""
    found = []
    for port in typing.get_type_hints(ports.Backend).values():
        if getattr(port, "_is_protocol", False):
            names = (n for n, f in vars(port).items() if inspect.iscoroutinefunction(f))
            found += [f"{port.__name__}.{name}" for name in names]
    return [name for name in found if name not in NEVER_FAIL]


@dataclass(frozen=True)
class Case:
    """One operation: what comes before it, the call, and what can be seen of its effect.

    Each takes the host and the id of an execution.

    Attributes:
        nothing: what is seen where it has not happened.
        all: what is seen where it has.
        is_sent: whether seeing it takes it, and it may come twice.
    """

    act: Act
    seen: Act
    nothing: Any
    all: Any
    given: Act | None = None
    is_sent: bool = False


async def commit(faulty: Faulty, e: str) -> None:
    made = commit_of(e, turn(1, 1_000), [task_send(1, execution_id=e)])
    await dispatch(await faulty.backend.store.commit(made), faulty.backend)


async def committed(faulty: Faulty, e: str) -> Any:
    return len((await faulty.backend.store.load(e)).texts), await header(faulty, e) is not None


async def begin(faulty: Faulty, e: str) -> None:
    await faulty.backend.store.commit(commit_of(e, turn(1, 1_000)))


async def loaded(faulty: Faulty, e: str) -> int:
    return len((await faulty.backend.store.load(e)).texts)


async def header(faulty: Faulty, e: str) -> Any:
    return await faulty.backend.store.header(e)


async def listed(faulty: Faulty, e: str) -> Any:
    page = await faulty.backend.store.list(Query(workflow="flow"))
    return [found.status for found in page.headers if found.execution_id == e]


async def put_header(faulty: Faulty, e: str) -> None:
    closed = header_of(e, 1_000, status=Status.COMPLETED, turn=2)
    await dispatch([PutHeader(closed)], faulty.backend)


async def send_tasks(faulty: Faulty, e: str) -> None:
    await faulty.backend.queue.send_tasks([task_send(n, execution_id=e) for n in (1, 2)])


async def tasks(faulty: Faulty, e: str) -> Any:
    return sorted({task.task_id[len(e) :] for task in await faulty.tasks()})


async def send_messages(faulty: Faulty, e: str) -> None:
    await faulty.backend.queue.send_messages([message_send(e, 1), message_send(f"{e}f", 2)])


async def messages(faulty: Faulty, e: str) -> Any:
    return sorted((found[len(e) :], n) for found, n in timers_of(await faulty.messages()))


async def send_responses(faulty: Faulty, e: str) -> None:
    response = Response(e, "flow", "COMPLETED", 7, None)
    await faulty.backend.queue.send_responses([SendResponse(response, f"{e}:outcome")])


async def responses(faulty: Faulty, e: str) -> bool:
    return await faulty.responses() > 0


async def arm(faulty: Faulty, e: str) -> None:
    due = faulty.backend.clock.now() + 5_000
    await faulty.backend.timers.arm([ArmTimer(e, str(n), due) for n in (1, 2)])


async def armed(faulty: Faulty, e: str) -> Any:
    return sorted(n for found, n in timers_of(await faulty.timers(10)) if found == e)


async def arm_far(faulty: Faulty, e: str) -> None:
    await faulty.backend.timers.arm([ArmTimer(e, "far", FAR)])


async def disarm(faulty: Faulty, e: str) -> None:
    await faulty.backend.timers.disarm([DisarmTimer(e, "far", FAR)])


async def put_blob(faulty: Faulty, e: str) -> None:
    await faulty.backend.blobs.put(f"{e}/key", CONTENT)


async def get_blob(faulty: Faulty, e: str) -> bytes:
    return await faulty.backend.blobs.get(f"{e}/key")


async def blob(faulty: Faulty, e: str) -> bytes | None:
    try:
        return await get_blob(faulty, e)
    except BackendError:
        return None


async def nothing(faulty: Faulty, e: str) -> None:
    """A timer that fires although it was withdrawn does no harm: there is nothing to see."""


RUNNING, COMPLETED = [Status.RUNNING], [Status.COMPLETED]
CASES: Final = {
    "Store.load": Case(loaded, loaded, 1, 1, begin),
    "Store.commit": Case(commit, committed, (0, False), (1, True)),
    "Store.put_header": Case(put_header, listed, RUNNING, COMPLETED, begin),
    "Store.header": Case(header, loaded, 1, 1, begin),
    "Store.list": Case(listed, loaded, 1, 1, begin),
    "Queue.send_tasks": Case(send_tasks, tasks, [], ["/1", "/2"], is_sent=True),
    "Queue.send_messages": Case(send_messages, messages, [], [("", "1"), ("f", "2")], is_sent=True),
    "Queue.send_responses": Case(send_responses, responses, False, True, is_sent=True),
    "Timers.arm": Case(arm, armed, [], ["1", "2"], is_sent=True),
    "Timers.disarm": Case(disarm, nothing, None, None, arm_far),
    "Blobs.put": Case(put_blob, blob, None, CONTENT),
    "Blobs.get": Case(get_blob, blob, CONTENT, CONTENT, put_blob),
}
EACH = [
    (host, operation)
    for host in OPENERS
    for operation in (operations() if host != "s3" else S3_REQUESTS)
]


@pytest.fixture
async def faulty(host: str, server_of_session: None, tmp_path: Path) -> AsyncIterator[Faulty]:
    async with OPENERS[host](tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(("host", "operation"), EACH)
async def test_an_operation_that_fails_once(faulty: Faulty, operation: str) -> None:
    case = CASES[operation]
    for number, way in enumerate(faulty.ways):
        e = f"e{number}"
        if case.given is not None:
            await case.given(faulty, e)
        await faulty.fail(operation, number)
        with pytest.raises(BackendError) as failed:
            await case.act(faulty, e)
        assert faulty.words(operation) in str(failed.value)
        await faulty.mend()
        was_done = way != "before"
        if way != "part":
            assert await case.seen(faulty, e) == (case.all if was_done else case.nothing)
        first = await case.act(faulty, e)
        taken = [case.all, case.nothing] if case.is_sent else [case.all]
        assert await case.seen(faulty, e) in (taken if was_done else [case.all])
        assert await case.act(faulty, e) == first
        assert await case.seen(faulty, e) in taken


def test_every_operation_has_its_case() -> None:
    assert sorted(operations()) == sorted(CASES)
