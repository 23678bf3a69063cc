"""What is watched: every queue and function, and what the log tells of executions."""

from __future__ import annotations

import json
import logging
import re

import pytest

from lambda_workflow.aws.synth.resources import (
    Alarm,
    Dashboard,
    Function,
    LogCount,
    LogGroup,
    Queue,
)
from lambda_workflow.aws.synth.values import Ref
from lambda_workflow.ports import Happening
from lambda_workflow.runtime.log import LogObserver
from tests.synth.apps import EVERYTHING, served, stack_of

STACK = stack_of(**EVERYTHING)
# CloudWatch's expressions of these patterns, between their percent signs, mean what Python's do.
PATTERNS = {
    found.id: re.compile(found.pattern.strip("%"))
    for found in STACK.resources
    if isinstance(found, LogCount)
}
BLOCKED = Happening("blocked", "order-1", fields={"reason": "calls `charge`, not `refund`"})
FAILED = Happening("closed", "order-1", fields={"status": "FAILED"})
COMPLETED = Happening("closed", "order-1", fields={"status": "COMPLETED"})
LATE = Happening("late", "blocked-1", fields={"reason": "closed as FAILED"})


def lines(happening: Happening, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What stands in CloudWatch, in both of Lambda's log formats."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "lambda_workflow"):
        LogObserver().notify(happening)
    (record,) = caplog.records
    message = record.getMessage()
    return [message, json.dumps({"level": record.levelname, "message": message})]


@pytest.mark.parametrize(
    ("happening", "counted"),
    [
        (BLOCKED, {"blocked-executions"}),
        (FAILED, {"failed-executions"}),
        (COMPLETED, set()),
        (LATE, set()),
    ],
)
def test_the_log_is_counted(
    happening: Happening, counted: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    for line in lines(happening, caplog):
        assert {id_ for id_, pattern in PATTERNS.items() if pattern.search(line)} == counted


def alarmed(metric: str) -> set[str]:
    """The resources with an alarm on a metric."""
    return {
        ref.id
        for alarm in STACK.resources
        if isinstance(alarm, Alarm) and alarm.metric.name == metric
        for ref in alarm.metric.dimensions.values()
    }


def test_every_dead_letter_queue_every_fed_queue_and_every_function_has_its_alarms() -> None:
    queues = [r for r in STACK.resources if isinstance(r, Queue)]
    fed = {queue.id for queue in queues if queue.dead_letters}
    dead = {queue.dead_letters for queue in queues if queue.dead_letters}
    functions = {r.id for r in STACK.resources if isinstance(r, Function)}
    assert alarmed("ApproximateNumberOfMessagesVisible") == dead
    assert alarmed("ApproximateAgeOfOldestMessage") == fed
    assert alarmed("Errors") == alarmed("Throttles") == functions
    own = {str(r.metric.name) for r in STACK.resources if isinstance(r, LogCount)}
    assert own <= {str(r.metric.name) for r in STACK.resources if isinstance(r, Alarm)}


def test_the_dashboard_shows_every_queue_function_and_table() -> None:
    (board,) = (r for r in STACK.resources if isinstance(r, Dashboard))
    shown = {
        ref.id
        for _, _, metrics in board.charts
        for metric in metrics
        for ref in metric.dimensions.values()
    }
    watched = {r.id for r in STACK.resources if isinstance(r, Queue | Function)} | {"table"}
    assert shown == watched - {"response-queue"}


def test_an_app_of_services_counts_no_executions() -> None:
    stack = stack_of(served, callers=["shop"])
    assert not [r for r in stack.resources if isinstance(r, LogCount)]


def test_every_function_has_a_log_of_its_own_that_ends() -> None:
    logs = {r.id: r for r in STACK.resources if isinstance(r, LogGroup)}
    functions = [r for r in STACK.resources if isinstance(r, Function)]
    assert {function.log for function in functions} == set(logs)
    assert all(log.days == 30 for log in logs.values())
    for function in functions:  # the group that Lambda would make, were it not here
        assert logs[function.log].name.parts == ("/aws/lambda/", *function.name.parts)


def test_alarms_name_things_that_are_there() -> None:
    ids = {resource.id for resource in STACK.resources}
    for alarm in STACK.resources:
        if isinstance(alarm, Alarm):
            for ref in alarm.metric.dimensions.values():
                assert isinstance(ref, Ref)
                assert ref.id in ids
