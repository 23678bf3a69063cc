"""What is watched: alarms, and a dashboard, made from the resources that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final

from lambda_workflow.aws.synth.resources import (
    Alarm,
    Dashboard,
    Function,
    LogCount,
    Metric,
    Queue,
    Resource,
    Table,
)
from lambda_workflow.aws.synth.values import Because, ListOf, Param, Parameter, Ref, Text, named

TOPIC: Final = Parameter("alarm-topic-arn", "ARN of the SNS topic that alarms go to.", default="")
NAMESPACE: Final = "LambdaWorkflow"
TO: Final = ListOf(Param(TOPIC.id))
# CloudWatch's own regular expressions, over lines of runtime/log.py, plain or escaped within JSON.
BLOCKED: Final = "%happening.{3,8}blocked%"
FAILED: Final = "%happening.{3,8}closed.+status.{3,8}FAILED%"
MINUTES: Final = 5

_COUNTS: Final = (
    ("blocked", BLOCKED, "Executions whose history does not fit the code: deploy code that does."),
    ("failed", FAILED, "Executions that ended in failure."),
)  # fmt: skip


def watch(resources: Sequence[Resource]) -> Iterator[Resource]:
    """The alarms and the dashboard of these resources."""
    alarms: list[Alarm] = []
    dead = {resource.dead_letters for resource in resources if isinstance(resource, Queue)}
    for resource in resources:
        match resource:
            case Queue():
                alarms += _of_queue(resource, dead)
            case Function():
                alarms += _of_function(resource)
            case _:
                pass
    if logs := [
        r.log for r in resources if isinstance(r, Function) and r.id == "workflow-function"
    ]:
        for words, pattern, why in _COUNTS:
            metric = Metric(NAMESPACE, named(f"-{words}"))
            count = f"{words}-executions"
            yield LogCount(id=count, why=why, log=logs[0], pattern=pattern, metric=metric)
            alarms.append(_alarm(count, why, metric, ("Sum", 0)))
    yield from alarms
    yield _dashboard(resources)


def _alarm(
    words: str, why: str, metric: Metric, over: tuple[str, Because | int], *, periods: int = 1
) -> Alarm:
    statistic, threshold = over
    return Alarm(
        id=f"{words}-alarm",
        why=why,
        name=named(f"-{words}"),
        metric=metric,
        statistic=statistic,
        threshold=threshold,
        periods=periods,
        topic=TO,
    )


def _of_queue(queue: Queue, dead: Set[str]) -> Iterator[Alarm]:
    if queue.visibility_seconds is not None:
        reason = "Twice the visibility timeout: even what a function died with should be done."
        if queue.delay_seconds:
            reason = f"The longest delay of {queue.delay_seconds} s. {reason}"
        late = queue.delay_seconds + 2 * queue.visibility_seconds.value
        metric = _sqs(queue, "ApproximateAgeOfOldestMessage")
        why = "Messages wait too long: look at the function's errors and throttles."
        yield _alarm(
            f"{queue.id}-age", why, metric, ("Maximum", Because(late, reason)), periods=MINUTES
        )
    elif queue.id in dead:
        metric = _sqs(queue, "ApproximateNumberOfMessagesVisible")
        why = "A dead-letter queue is not empty: read the reasons, mend, redrive."
        yield _alarm(queue.id, why, metric, ("Maximum", 0))


def _of_function(function: Function) -> Iterator[Alarm]:
    for name, why in (
        ("Errors", "The function raised, ran out of time, or could not be loaded."),
        ("Throttles", "The account has no concurrency left for the function."),
    ):
        metric = _lambda(function, name)
        yield _alarm(f"{function.id}-{name.lower()}", why, metric, ("Sum", 0), periods=MINUTES)


def _sqs(queue: Queue, name: str) -> Metric:
    return Metric("AWS/SQS", name, {"QueueName": Ref(queue.id, "name")})


def _lambda(function: Function, name: str) -> Metric:
    return Metric("AWS/Lambda", name, {"FunctionName": Ref(function.id, "name")})


def _dashboard(resources: Sequence[Resource]) -> Dashboard:
    queues = [r for r in resources if isinstance(r, Queue)]
    read = [q for q in queues if q.dead_letters]
    dead = {q.dead_letters for q in read}
    functions = [r for r in resources if isinstance(r, Function)]
    tables = [r for r in resources if isinstance(r, Table)]
    units = ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits")
    charts: list[tuple[str, str, tuple[Metric, ...]]] = [
        ("Messages waiting", "Maximum", _each(read, "ApproximateNumberOfMessagesVisible")),
        ("Oldest message (s)", "Maximum", _each(read, "ApproximateAgeOfOldestMessage")),
        ("Dead letters", "Maximum",
         _each([q for q in queues if q.id in dead], "ApproximateNumberOfMessagesVisible")),
        *((name, statistic, tuple(_lambda(function, name) for function in functions))
          for name, statistic in (("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"),
                                  ("Duration", "p99"))),
        ("Table units", "Sum", tuple(
            Metric("AWS/DynamoDB", unit, {"TableName": Ref(table.id, "name")})
            for table in tables for unit in units)),
    ]  # fmt: skip
    if any(function.id == "workflow-function" for function in functions):
        own = tuple(Metric(NAMESPACE, named(f"-{words}")) for words, _, _ in _COUNTS)
        charts.append(("Executions blocked and failed", "Sum", own))
    return Dashboard(
        id="dashboard",
        why="The stack at a glance.",
        name=Text(named("").parts[:1]),
        charts=tuple(chart for chart in charts if chart[2]),
    )


def _each(queues: Sequence[Queue], name: str) -> tuple[Metric, ...]:
    return tuple(_sqs(queue, name) for queue in queues)
