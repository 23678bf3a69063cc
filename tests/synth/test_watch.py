"""What is watched: every queue and function, and what the log tells of executions."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter

import pytest

from lambda_workflow.aws.handlers import RETRY_SECONDS_MAX
from lambda_workflow.aws.synth.resources import (
    Alarm,
    Dashboard,
    Function,
    LogCount,
    LogGroup,
    Queue,
)
from lambda_workflow.aws.synth.values import Because, Ref
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
TASKS = {"service-wash-failed-tasks", "service-dry-failed-tasks"}
BLOCKED = Happening("blocked", "order-1", fields={"reason": "calls `charge`, not `refund`"})
FAILED = Happening("closed", "order-1", fields={"status": "FAILED"})
COMPLETED = Happening("closed", "order-1", fields={"status": "COMPLETED"})
FAILED_TURN = Happening("failed", "order-1", fields={"error": "AwsError: sqs: AccessDenied"})
MOVED = Happening("dead_letter", "order-1", fields={"reason": "MessageError: no JSON"})
SET_ASIDE = Happening("set_aside", "order-1", fields={"name": "add", "id": "s1", "reason": "str"})
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
        (FAILED_TURN, {"failed-turns", *TASKS}),
        (MOVED, {"failed-turns", *TASKS}),
        (SET_ASIDE, {"failed-turns", *TASKS}),
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
    assert {r.id for r in stack.resources if isinstance(r, LogCount)} == TASKS


def alarm(id_: str) -> Alarm:
    (found,) = (r for r in STACK.resources if isinstance(r, Alarm) and r.id == f"{id_}-alarm")
    return found


def fires(chosen: Alarm, bad_minutes: set[int], until: int = 60) -> int | None:
    """The minute at whose end an alarm fires, if in these minutes the metric is over."""
    for minute in range(until):
        window = range(max(0, minute - chosen.periods + 1), minute + 1)
        if len(bad_minutes & set(window)) >= chosen.breaching:
            return minute
    return None


@pytest.mark.parametrize("name", ["failed-turns", "failed-tasks"])
@pytest.mark.parametrize("second", range(60))
def test_what_fails_for_good_fires_within_two_minutes(name: str, second: int) -> None:
    """Each failure is tried again after 2, 4, 8 … s (`aws/handlers.py`, law 4)."""
    chosen = alarm(name)
    assert isinstance(chosen.threshold, Because)
    at, failures = second, Counter[int]()
    for tries in range(1, 9):
        failures[at // 60] += 1
        at += min(RETRY_SECONDS_MAX, 2**tries)
    over = {minute for minute, count in failures.items() if count > chosen.threshold.value}
    fired = fires(chosen, over)
    assert fired is not None
    assert fired <= 1


@pytest.mark.parametrize("every", [1, 2, 5, 10, 14])
@pytest.mark.parametrize("metric", ["errors", "throttles"])
def test_a_function_that_fails_every_ten_minutes_has_its_alarm(metric: str, every: int) -> None:
    chosen = alarm(f"workflow-function-{metric}")
    assert fires(chosen, set(range(0, 60, every))) == every
    assert fires(chosen, {0}) is None


def test_alarms_and_dashboard_can_be_left_out() -> None:
    stack = stack_of(**EVERYTHING, alarms=False)
    assert not [r for r in stack.resources if isinstance(r, Alarm)]
    assert "alarm-topic-arn" not in {parameter.id for parameter in stack.parameters}
    assert [r for r in stack.resources if isinstance(r, Dashboard)]
    stack = stack_of(**EVERYTHING, dashboard=False)
    assert not [r for r in stack.resources if isinstance(r, Dashboard)]
    assert [r for r in stack.resources if isinstance(r, Alarm)]
    neither = stack_of(**EVERYTHING, alarms=False, dashboard=False)
    assert not [r for r in neither.resources if isinstance(r, Alarm | Dashboard | LogCount)]


def test_no_log_has_more_patterns_than_cloudwatch_takes() -> None:
    logs = Counter(r.log for r in STACK.resources if isinstance(r, LogCount))
    assert max(logs.values()) <= 5  # CloudWatch Logs' quota of regular expressions of a log group


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
