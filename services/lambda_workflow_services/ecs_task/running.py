"""What RunTask is asked for, and what its answer says.

Law: the client token follows from task id and attempt, so that ECS runs a repeated request once;
`startedBy` from the task id alone, so that a later attempt, or a withdrawal, finds what runs.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Final

from lambda_workflow import ServiceError, Task
from lambda_workflow.aws.client import AwsError
from lambda_workflow_services.ecs_task import Container
from lambda_workflow_services.ecs_task.settings import Settings

OVERRIDES_CHARACTERS_MAX: Final = 8_192  # of RunTask, says the API reference
NO_CAPACITY_PAUSE: Final = timedelta(minutes=1)
_SCARCE: Final = ("RESOURCE:", "AGENT", "CAPACITY")


def started_by(task_id: str) -> str:
    """36 characters at most, in whatever version of ECS."""
    return "lw-" + hashlib.sha256(task_id.encode()).hexdigest()[:32]


def request_of(container: Container, task: Task, settings: Settings) -> dict[str, Any]:
    """The parameters of RunTask.

    Raises:
        ServiceError: not allowed, or over a limit.
    """
    provider = container.capacity_provider or settings.capacity_provider
    return {
        "cluster": settings.cluster,
        "taskDefinition": settings.check(container.task_definition),
        "clientToken": hashlib.sha256(f"{task.task_id}:{task.attempt}".encode()).hexdigest(),
        "startedBy": started_by(task.task_id),
        "count": 1,
        "overrides": _overrides(container, task, settings),
        **settings.network,
        **(
            {"capacityProviderStrategy": [{"capacityProvider": provider}]}
            if provider
            else {"launchType": "FARGATE"}
        ),
    }


def result_place(task_id: str, settings: Settings) -> tuple[str, str]:
    """Bucket and key of a task's result, the same for each attempt.

    Raises:
        ServiceError: the deployment has no bucket for results.
    """
    if not settings.results:
        raise ServiceError(
            "the deployment has no place for results: set ECS_TASK_RESULTS (the stack's parameter "
            "EcsTaskResults) to BUCKET/PREFIX",
            type="NoPlaceForResults",
            retryable=False,
        )
    bucket, _, prefix = settings.results.partition("/")
    name = f"{hashlib.sha256(task_id.encode()).hexdigest()}.json"
    return bucket, f"{prefix}/{name}" if prefix else name


def _overrides(container: Container, task: Task, settings: Settings) -> dict[str, Any]:
    environment = {
        **container.environment,
        "LAMBDA_WORKFLOW_TASK_ID": task.task_id,
        "LAMBDA_WORKFLOW_EXECUTION_ID": task.execution_id,
        "LAMBDA_WORKFLOW_ATTEMPT": str(task.attempt),
    }
    if container.result:
        environment["LAMBDA_WORKFLOW_RESULT"] = "s3://{}/{}".format(
            *result_place(task.task_id, settings)
        )
    own: dict[str, Any] = {
        "name": container.container,
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
    }
    if container.command:
        own["command"] = container.command
    overrides: dict[str, Any] = {"containerOverrides": [own]}
    if container.cpu:
        overrides["cpu"] = str(container.cpu)
    if container.memory:
        overrides["memory"] = str(container.memory)
    if (size := len(json.dumps(overrides))) > OVERRIDES_CHARACTERS_MAX:
        raise ServiceError(
            f"command and environment are {size:,} characters, and ECS takes at most "
            f"{OVERRIDES_CHARACTERS_MAX:,}: put what is large into S3, and pass on where it is",
            type="OverridesTooLarge",
            retryable=False,
        )
    return overrides


def begun(answer: dict[str, Any]) -> str:
    """The ARN of the task that runs.

    Raises:
        ServiceError: ECS found no place for it, or would not run it.
    """
    if tasks := answer.get("tasks"):
        return str(tasks[0]["taskArn"])
    failures = answer.get("failures") or [{"reason": "ECS gave no task and no reason"}]
    reason = str(failures[0].get("reason") or "")
    detail = str(failures[0].get("detail") or "")
    text = ": ".join(filter(None, ("ECS did not run it", reason, detail)))
    raise (
        _no_capacity(text)
        if _is_scarce(reason)
        else ServiceError(
            text, type="NotRun", retryable=False, details={"reason": reason, "detail": detail}
        )
    )


def refusal(error: AwsError) -> ServiceError:
    """What a refused request is to the workflow."""
    if "capacity is unavailable" in error.message.lower():
        return _no_capacity(str(error))
    return ServiceError(
        str(error), type=error.code, retryable=error.transient, details={"status": error.status}
    )


def _no_capacity(text: str) -> ServiceError:
    return ServiceError(text, type="NoCapacity", retry_after=NO_CAPACITY_PAUSE)


def _is_scarce(reason: str) -> bool:
    return reason.upper().startswith(_SCARCE)
