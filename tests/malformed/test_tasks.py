"""A malformed task: done, refused with a MessageError, or answered with an error; nothing else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given

from lambda_workflow.errors import BackendError, MessageError
from lambda_workflow.model.messages import Heartbeat, Task, Update
from lambda_workflow.model.references import check_task
from lambda_workflow.model.wire import parse, parse_task, render, render_task
from lambda_workflow.runtime.attend import Postponed
from lambda_workflow.runtime.workshop import Unheard, Workshop
from lambda_workflow.testing.clock import VirtualClock
from lambda_workflow.testing.memory import MemoryBlobs
from tests.malformed.samples import APP, TASK_BODIES, TASK_FIELDS
from tests.malformed.strategies import damaged, quick, thorough

TASKS: Final = damaged(TASK_BODIES, TASK_FIELDS)


def check(body: str) -> None:
    """Do a task as the hosts do; what comes of it can be sent."""
    with suppress(MessageError):
        task = parse_task(body)
        check_task(task)
        if (adapter := APP.adapters.get(task.service)) is not None:
            asyncio.run(_do(task, adapter.service.name))


async def _do(task: Task, service: str) -> None:
    async def post(task: Task, beat: Heartbeat) -> None:
        assert parse(render(beat)) == beat

    shop = Workshop(MemoryBlobs, post, VirtualClock().now)
    try:
        done = await shop.do(APP.adapters[service], task)
    except (BackendError, Unheard) as error:  # nothing is stored under its reference, or no reply
        str(error).encode()
        return
    if isinstance(done, Update):
        assert parse(render(done)).execution_id == task.execution_id
    elif isinstance(done, Postponed):
        assert parse_task(render_task(done.task)) == done.task
        assert 0 <= done.delay_ms <= 900_000


@quick(100)
@given(TASKS)
def test_a_malformed_task_is_done_or_refused(body: str) -> None:
    check(body)


@pytest.mark.thorough
@thorough(2_000)
@given(TASKS)
def test_any_malformed_task_is_done_or_refused(body: str) -> None:
    check(body)
