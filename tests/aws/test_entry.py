"""Where Lambda comes in: one event loop for all events of a container."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import pytest

from lambda_workflow.aws.entry import entry

KEPT: ContextVar[int] = ContextVar("kept", default=0)


async def _answer(made: list[str], event: Mapping[str, Any], seconds: float | None) -> Any:
    if event.get("stop"):
        try:
            raise KeyboardInterrupt
        finally:
            made.append("stopped")
    KEPT.set(KEPT.get() + 1)
    return KEPT.get(), asyncio.get_running_loop()


def test_events_share_an_event_loop_and_its_variables() -> None:
    handler = entry(list, _answer)
    (first, loop), (second, same) = handler({}, None), handler({}, None)
    assert (first, second) == (1, 2)
    assert loop is same
    assert KEPT.get() == 0
    loop.close()


def test_an_interrupt_ends_the_event_and_leaves_nothing_behind() -> None:
    made: list[str] = []
    handler = entry(lambda: made, _answer)
    with pytest.raises(KeyboardInterrupt):
        handler({"stop": True}, None)
    assert made == ["stopped"]
    _, loop = handler({}, None)
    assert asyncio.all_tasks(loop) == set()
    loop.close()


async def test_it_is_refused_within_an_event_loop() -> None:
    handler = entry(list, _answer)
    with pytest.raises(RuntimeError, match="running event loop"):
        handler({}, None)
