"""Run a container to its end on ECS: `ctx.call(ECS_TASK, Container(task_definition=…))`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from lambda_workflow import Service

__all__ = ["ECS_TASK", "Container", "Exit"]

RESERVED: Final = "LAMBDA_WORKFLOW_"

_DEFINITION: Final = re.compile(
    r"(?:arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/)?[A-Za-z0-9_-]{1,255}(?::[0-9]+)?"
)


class Container(BaseModel):
    """What to run.

    Attributes:
        task_definition: `FAMILY`, whose latest revision is taken, or `FAMILY:REVISION`, or the ARN
            of one of both; one that the stack allows.
        container: the name, in the task definition, of the container that does the work: it gets
            command and environment, and its exit code is the task's.
        command: instead of the image's own.
        environment: added to the task definition's; names do not begin with LAMBDA_WORKFLOW_.
        cpu: of the whole task, in CPU units (1,024 are one vCPU), instead of the definition's.
        memory: of the whole task, in MiB, instead of the definition's.
        capacity_provider: such as FARGATE_SPOT, instead of the stack's own.
        result: whether the container leaves a JSON object in S3, at the place that
            LAMBDA_WORKFLOW_RESULT names in its environment (s3://BUCKET/KEY), as its result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    task_definition: str
    container: str = Field(min_length=1, max_length=255)
    command: list[str] = Field(default_factory=list)
    environment: dict[str, str] = Field(default_factory=dict)
    cpu: int | None = Field(default=None, gt=0)
    memory: int | None = Field(default=None, gt=0)
    capacity_provider: str = Field(default="", max_length=255)
    result: bool = False

    @field_validator("task_definition")
    @classmethod
    def _check_definition(cls, definition: str) -> str:
        if not _DEFINITION.fullmatch(definition):
            raise ValueError(
                "write FAMILY or FAMILY:REVISION, such as render:7, or the ARN of one, "
                "arn:aws:ecs:REGION:ACCOUNT:task-definition/render:7"
            )
        return definition

    @field_validator("environment")
    @classmethod
    def _check_names(cls, environment: dict[str, str]) -> dict[str, str]:
        if wrong := [name for name in environment if name.startswith(RESERVED)]:
            raise ValueError(f"{', '.join(wrong)}: names of the service's own begin so")
        return environment


class Exit(BaseModel):
    """A task whose container has ended with 0.

    Attributes:
        arn: of the task.
        result: the JSON that the container left, where it was asked for.
        exit_codes: of all its containers; null for one that never ran.
        stopped_reason: in ECS's words.
        began: when the task was made.
        ended: when it had stopped.
    """

    arn: str
    result: Any = None
    exit_codes: dict[str, int | None]
    stopped_reason: str = ""
    began: datetime
    ended: datetime


ECS_TASK: Final[Service[Container, Exit]] = Service(
    "ecs_task",
    Container,
    Exit,
    # The adapter is away while it runs; this makes it hear of a call that is given up.
    heartbeat_timeout=timedelta(hours=1),
)
