"""The work: an execution is begun once, looked at now and then, and stopped if nobody wants it.

Laws
 1. An execution's name follows from the task id, so that a task that comes twice, or an attempt
    after a lost one, finds the execution that was begun. Only `rerun` begins another one.
 2. Between two looks nothing runs. The pause grows with the age of the execution.
 3. What AWS cannot answer at the moment is asked again later; an execution is not given up for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambda_workflow import Later, ServiceError, Task, serve
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow_services.stepfunctions import STEPFUNCTIONS, Execution, Run
from lambda_workflow_services.stepfunctions.settings import settings

INPUT_BYTES_MAX: Final = 262_144  # Step Functions' quota; the output's is the same
PAUSE_MIN: Final = timedelta(seconds=2)
PAUSE_MAX: Final = timedelta(minutes=5)
PAUSE_TROUBLED: Final = timedelta(minutes=1)
PAUSE_SHARE: Final = 0.2  # of its age: what ends is seen at most a fifth of its time later
NAME_CHARACTERS: Final = 40  # of the task id, for a reader; the digest behind it makes it unique
CAUSE_CHARACTERS_MAX: Final = 4_000
_UNNAMED: Final = {"TIMED_OUT": "States.Timeout", "ABORTED": "ExecutionAborted"}


@serve(STEPFUNCTIONS)
async def stepfunctions(run: Run, task: Task) -> Execution:
    """Begin the execution, or look how far it is."""
    if not task.state:
        raise Later(PAUSE_MIN, {"execution": await _begin(run, task)})  # not seen at once by all
    try:
        found = await _look(task.state["execution"])
    except AwsError as error:
        if error.transient:
            raise Later(PAUSE_TROUBLED, task.state) from error
        raise _refused(error) from error
    match found["status"]:
        case "SUCCEEDED":
            return _result(found)
        case "RUNNING" | "PENDING_REDRIVE":
            raise Later(pause_at(datetime.now(UTC) - found["startDate"]), task.state)
        case _:
            raise _failed(run, found)


@stepfunctions.on_cancel
async def stop(task: Task) -> None:
    """Stop what was begun for a task; a withdrawal does not say of which state machine."""
    for machine in settings().machines:
        for attempt in range(1, task.attempt + 1):
            try:
                await aws_client().call(
                    "stepfunctions",
                    "StopExecution",
                    executionArn=_arn(machine, _name(task.task_id, attempt)),
                    error="TaskCancelled",
                    cause=f"the workflow has given up task {task.task_id}",
                )
            except AwsError as error:
                if error.code != "ExecutionDoesNotExist":
                    raise


def pause_at(age: timedelta) -> timedelta:
    """The pause before the next look at an execution that runs for so long."""
    return min(PAUSE_MAX, max(PAUSE_MIN, PAUSE_SHARE * age))


async def _begin(run: Run, task: Task) -> str:
    """The ARN of the task's execution, which is begun unless it was."""
    machine = settings().check(run.state_machine)
    text = json.dumps(run.input, ensure_ascii=False, separators=(",", ":"))
    if (size := len(text.encode())) > INPUT_BYTES_MAX:
        raise ServiceError(
            f"the input is {size:,} bytes of JSON, and Step Functions takes at most "
            f"{INPUT_BYTES_MAX:,}: put it into S3, and pass on where it is",
            type="InputTooLarge",
            retryable=False,
        )
    try:
        await _check_standard(machine)
        if run.rerun and (present := await _present(machine, task)):
            return present
        name = _name(task.task_id, task.attempt if run.rerun else 1)
        await _start(machine, name, text)
    except AwsError as error:
        raise _refused(error) from error
    return _arn(machine, name)


async def _start(machine: str, name: str, text: str) -> None:
    try:
        await aws_client().call(
            "stepfunctions", "StartExecution", stateMachineArn=machine, name=name, input=text
        )
    except AwsError as error:
        if error.code != "ExecutionAlreadyExists":  # it has ended: what it came to is looked up
            raise


async def _present(machine: str, task: Task) -> str:
    """The execution of an earlier attempt that did not end badly; empty if there is none."""
    for attempt in range(task.attempt - 1, 0, -1):
        arn = _arn(machine, _name(task.task_id, attempt))
        try:
            found = await _look(arn)
        except AwsError as error:
            if error.code == "ExecutionDoesNotExist":
                continue
            raise
        return arn if found["status"] in ("SUCCEEDED", "RUNNING", "PENDING_REDRIVE") else ""
    return ""


async def _check_standard(machine: str) -> None:
    found = await aws_client().call(
        "stepfunctions", "DescribeStateMachine", stateMachineArn=machine
    )
    if found["type"] == "EXPRESS":
        raise ServiceError(
            f"{machine} is an express state machine, of whose executions nothing can be asked "
            "afterwards: call it from a standard one, or make it one",
            type="ExpressMachine",
            retryable=False,
        )


async def _look(arn: str) -> dict[str, Any]:
    return await aws_client().call("stepfunctions", "DescribeExecution", executionArn=arn)


def _name(task_id: str, attempt: int) -> str:
    """At most 80 characters that Step Functions takes."""
    readable = re.sub("[^A-Za-z0-9_-]", "-", task_id)[:NAME_CHARACTERS]
    name = f"{readable}-{hashlib.sha256(task_id.encode()).hexdigest()[:24]}"
    return name if attempt == 1 else f"{name}-{attempt}"


def _arn(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _result(found: dict[str, Any]) -> Execution:
    return Execution(
        output=json.loads(found.get("output") or "null"),
        arn=found["executionArn"],
        began=found["startDate"],
        ended=found["stopDate"],
    )


def _failed(run: Run, found: dict[str, Any]) -> ServiceError:
    status = str(found["status"])
    kind = str(found.get("error") or _UNNAMED.get(status, "ExecutionFailed"))
    cause = str(found.get("cause") or "")
    return ServiceError(
        f"execution {found['executionArn']} is {status}: {kind}: {cause or 'no cause was given'}",
        type=kind,
        retryable=run.rerun,
        details={
            "execution": found["executionArn"],
            "status": status,
            "error": kind,
            "cause": cause[:CAUSE_CHARACTERS_MAX],
        },
    )


def _refused(error: AwsError) -> ServiceError:
    return ServiceError(
        str(error), type=error.code, retryable=error.transient, details={"status": error.status}
    )
