"""The work: a container is run, looked at now and then, and stopped if nobody wants it.

Laws
 1. A delivery that comes twice runs it once; an attempt after a lost one finds what still runs.
 2. Between two looks nothing runs here. The pause grows with the age of the task.
 3. What AWS cannot answer at the moment is asked again later; a task is not given up for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambda_workflow import Later, ServiceError, Task, serve
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.ecs_task import ECS_TASK, Container, Exit
from lambda_workflow_services.ecs_task.results import read_result
from lambda_workflow_services.ecs_task.running import begun, refusal, request_of, started_by
from lambda_workflow_services.ecs_task.settings import settings

PAUSE_MIN: Final = timedelta(seconds=10)  # Fargate takes longer to start a container
PAUSE_MAX: Final = timedelta(minutes=5)  # ECS forgets a stopped task after an hour
PAUSE_TROUBLED: Final = timedelta(minutes=1)
PAUSE_SHARE: Final = 0.2  # of its age: what ends is seen at most a fifth of its time later
_INTERRUPTED: Final = ("SpotInterruption", "TerminationNotice")
_TOLD_TO_END: Final = (*_INTERRUPTED, "UserInitiated")  # a 0 then is no word of success


@serve(ECS_TASK)
async def ecs_task(container: Container, task: Task) -> Exit:
    """Run the container, or look how far it is."""
    if not task.state:
        raise Later(PAUSE_MIN, {"task": await _begin(container, task)})
    arn = str(task.state["task"])
    try:
        answer = await aws_client().call(
            "ecs", "DescribeTasks", cluster=settings().cluster, tasks=[arn]
        )
    except AwsError as error:
        if error.transient:
            raise Later(PAUSE_TROUBLED, task.state) from error
        raise refusal(error) from error
    if not answer.get("tasks"):
        raise ServiceError(
            f"ECS knows nothing of task {arn}: it stopped more than an hour ago, or never began",
            type="TaskGone",
            retryable=False,
            details={"task": arn},
        )
    found: dict[str, Any] = answer["tasks"][0]
    if found["lastStatus"] != "STOPPED":
        raise Later(pause_at(datetime.now(UTC) - _moment(found, "createdAt")), task.state)
    done = _ended(container, found)
    if container.result:
        done.result = await read_result(task.task_id, settings())
    return done


@ecs_task.on_cancel
async def stop(task: Task) -> None:
    """Stop what runs for a task."""
    for arn in await _present(task):
        await aws_client().call(
            "ecs",
            "StopTask",
            cluster=settings().cluster,
            task=arn,
            reason=f"the workflow has given up task {task.task_id}"[:255],
        )


def pause_at(age: timedelta) -> timedelta:
    """The pause before the next look at a task that runs for so long."""
    return min(PAUSE_MAX, max(PAUSE_MIN, PAUSE_SHARE * age))


async def _begin(container: Container, task: Task) -> str:
    request = request_of(container, task, settings())
    try:
        if task.attempt > 1 and (present := await _present(task)):
            return present[0]
        answer = await aws_client().call("ecs", "RunTask", **request)
    except AwsError as error:
        raise refusal(error) from error
    return begun(answer)


async def _present(task: Task) -> list[str]:
    answer = await aws_client().call(
        "ecs", "ListTasks", cluster=settings().cluster, startedBy=started_by(task.task_id)
    )
    return list(answer["taskArns"])


def _ended(container: Container, found: dict[str, Any]) -> Exit:
    codes = {one["name"]: one.get("exitCode") for one in found.get("containers", ())}
    reason, stop_code = str(found.get("stoppedReason") or ""), str(found.get("stopCode") or "")
    code = codes.get(container.container)
    if code == 0 and stop_code not in _TOLD_TO_END:
        return Exit(
            arn=found["taskArn"],
            exit_codes=codes,
            stopped_reason=reason,
            began=_moment(found, "createdAt"),
            ended=_moment(found, "stoppedAt"),
        )
    kind, retryable = _kind(container, codes, stop_code)
    own = [c.get("reason") for c in found.get("containers", ()) if c["name"] == container.container]
    why = (own and own[0]) or reason or "no reason was given"
    raise ServiceError(
        f"container {container.container!r} of {found['taskArn']} "
        f"{'did not run' if code is None else f'ended with {code}'}: {why}",
        type=kind,
        retryable=retryable,
        details={
            "task": found["taskArn"],
            "exit_codes": codes,
            "stop_code": stop_code,
            "stopped_reason": reason,
            "container_reason": own[0] if own else None,
        },
    )


def _kind(container: Container, codes: dict[str, int | None], stop_code: str) -> tuple[str, bool]:
    """What the workflow reads, and whether another attempt may mend it."""
    if stop_code in _INTERRUPTED:
        return "Interrupted", True
    if stop_code == "UserInitiated":
        return "TaskStopped", False
    if container.container not in codes:
        return "NoSuchContainer", False
    if codes[container.container] is None:
        return "TaskFailedToStart", True
    return "ContainerFailed", True


def _moment(found: dict[str, Any], name: str) -> datetime:
    moment: datetime = found.get(name) or datetime.now(UTC)
    return moment
