"""What is watched: alarms, and a dashboard, made from the resources that are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final

from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.resources import (
    Alarm,
    Dashboard,
    Function,
    LogCount,
    Metric,
    Queue,
    Resource,
    Table,
    Trigger,
)
from lambda_workflow.aws.synth.values import Because, ListOf, Param, Parameter, Ref, Text, named

TOPIC: Final = Parameter("alarm-topic-arn", "ARN of the SNS topic that alarms go to.", default="")
NAMESPACE: Final = "LambdaWorkflow"
WORKFLOW: Final = "workflow-function"
TO: Final = ListOf(Param(TOPIC.id))
# CloudWatch's own regular expressions, over lines of runtime/log.py, plain or escaped within JSON.
BLOCKED: Final = "%happening.{3,8}blocked%"
FAILED: Final = "%happening.{3,8}closed.+status.{3,8}FAILED%"
# Lambda's own Errors stay 0 for what a partial batch response reports.
TROUBLED: Final = "%happening.{3,8}failed|happening.{3,8}dead_letter|happening.{3,8}set_aside%"
MINUTES: Final = 5
REPEATED: Final = 2  # bad minutes …
WITHIN_MINUTES: Final = 15  # … of so many: a function that times out every ten minutes has them
FAILURES: Final = Because(
    2,
    "One is repeated after seconds and may pass; what fails for good is tried again after 2, 4, 8, "
    "16 s and fails more often than this within its first two minutes.",
)

_COUNTS: Final = (
    ("blocked-executions", "-blocked", BLOCKED, 0,
     "Executions whose history does not fit the code: deploy code that does."),
    ("failed-executions", "-failed", FAILED, 0, "Executions that ended in failure."),
    ("failed-turns", "-failed-turns", TROUBLED, FAILURES,
     "Turns failed and are tried again, or messages were moved away: see the function's log."),
)  # fmt: skip
_TASKS: Final = (
    "failed-tasks",
    "Tasks failed without an answer and are tried again: see the log of the service's function.",
)


def watch(resources: Sequence[Resource], options: Options) -> Iterator[Resource]:
    """The alarms and the dashboard of these resources, as far as they are wanted."""
    if options.alarms or options.dashboard:
        yield from _counts(resources)
    if options.alarms:
        yield from _alarms(resources)
    if options.dashboard:
        yield _dashboard(resources)


def _counts(resources: Sequence[Resource]) -> Iterator[LogCount]:
    for function in resources:
        if not isinstance(function, Function):
            continue
        if function.id == WORKFLOW:
            for id_, suffix, pattern, _, why in _COUNTS:
                metric = Metric(NAMESPACE, named(suffix))
                yield LogCount(id=id_, why=why, log=function.log, pattern=pattern, metric=metric)
        elif _takes_tasks(function, resources):
            words, why = _TASKS
            id_ = f"{function.id.removesuffix('-function')}-{words}"
            metric = Metric(NAMESPACE, named(f"-{words}"))
            yield LogCount(id=id_, why=why, log=function.log, pattern=TROUBLED, metric=metric)


def _takes_tasks(function: Function, resources: Sequence[Resource]) -> bool:
    return any(isinstance(r, Trigger) and r.function == function.id for r in resources)


def _alarms(resources: Sequence[Resource]) -> Iterator[Alarm]:
    dead = {resource.dead_letters for resource in resources if isinstance(resource, Queue)}
    for resource in resources:
        match resource:
            case Queue():
                yield from _of_queue(resource, dead)
            case Function():
                yield from _of_function(resource)
            case _:
                pass
    functions = [resource for resource in resources if isinstance(resource, Function)]
    if any(function.id == WORKFLOW for function in functions):
        for id_, suffix, _, over, why in _COUNTS:
            yield _alarm(id_, why, Metric(NAMESPACE, named(suffix)), ("Sum", over))
    if any(f.id != WORKFLOW and _takes_tasks(f, resources) for f in functions):
        words, why = _TASKS
        yield _alarm(words, why, Metric(NAMESPACE, named(f"-{words}")), ("Sum", FAILURES))


def _alarm(
    words: str,
    why: str,
    metric: Metric,
    over: tuple[str, Because | int],
    *,
    minutes: tuple[int, int] = (1, 1),
) -> Alarm:
    """`minutes`: so many over the threshold, of so many."""
    statistic, threshold = over
    return Alarm(
        id=f"{words}-alarm",
        why=why,
        name=named(f"-{words}"),
        metric=metric,
        statistic=statistic,
        threshold=threshold,
        breaching=minutes[0],
        periods=minutes[1],
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
        over = ("Maximum", Because(late, reason))
        yield _alarm(f"{queue.id}-age", why, metric, over, minutes=(MINUTES, MINUTES))
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
        minutes = REPEATED, WITHIN_MINUTES
        yield _alarm(f"{function.id}-{name.lower()}", why, metric, ("Sum", 0), minutes=minutes)


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
    if own := {str(count.metric.name): count.metric for count in _counts(resources)}:
        title = "Executions blocked and failed, turns and tasks failed"
        charts.append((title, "Sum", tuple(own.values())))
    return Dashboard(
        id="dashboard",
        why="The stack at a glance.",
        name=Text(named("").parts[:1]),
        charts=tuple(chart for chart in charts if chart[2]),
    )


def _each(queues: Sequence[Queue], name: str) -> tuple[Metric, ...]:
    return tuple(_sqs(queue, name) for queue in queues)
