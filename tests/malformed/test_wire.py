"""Whatever a queue holds: it is parsed, or refused with a MessageError; never anything else."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given

from lambda_workflow.errors import MessageError
from lambda_workflow.model.bus_events import parse_bus_event, render_bus_event
from lambda_workflow.model.wire import parse, parse_task, render, render_task
from tests.malformed.samples import BUS_EVENTS, FIELDS, TASK_BODIES, TASK_FIELDS, bodies
from tests.malformed.strategies import damaged, nonsense, quick, thorough

BODIES: Final = bodies("e")
MESSAGES: Final = damaged(BODIES, FIELDS) | nonsense
TASKS: Final = damaged(TASK_BODIES, TASK_FIELDS) | nonsense
EVENTS: Final = damaged(BUS_EVENTS) | nonsense
PAIRS: Final[dict[str, Any]] = {
    "messages": (parse, render),
    "tasks": (parse_task, render_task),
    "events": (parse_bus_event, render_bus_event),
}


def check(kind: str, body: str) -> None:
    """What is understood can be sent on, and means the same then."""
    read, write = PAIRS[kind]
    refusal = ""
    try:
        found = read(body)
    except MessageError as error:
        refusal = str(error)
        refusal.encode()
    if not refusal:
        again = write(found)
        again.encode()
        assert read(again) == found


@quick(400)
@given(MESSAGES)
def test_a_message_is_understood_or_refused(body: str) -> None:
    check("messages", body)


@quick(120)
@given(TASKS)
def test_a_task_is_understood_or_refused(body: str) -> None:
    check("tasks", body)


@quick(100)
@given(EVENTS)
def test_an_event_of_a_bus_is_understood_or_refused(body: str) -> None:
    check("events", body)


@pytest.mark.thorough
@thorough(5_000)
@given(MESSAGES, TASKS, EVENTS)
def test_any_message_task_and_event_is_understood_or_refused(
    message: str, task: str, event: str
) -> None:
    check("messages", message)
    check("tasks", task)
    check("events", event)
