"""What a deployment asks of the workflow function: to make the App's schedules.

The template has a custom resource that changes whenever a schedule of the code does. CloudFormation
then invokes the function, and waits for the answer that it puts to the event's `ResponseURL`;
Terraform invokes it by `aws_lambda_invocation`, and reads what it returns. Asked again, nothing is
made twice. When the stack is deleted the schedules stay with the histories that they are.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final
from urllib.request import Request, urlopen

from lambda_workflow.aws.entry import Event
from lambda_workflow.errors import BackendError
from lambda_workflow.runtime.client import Client

APPLY: Final = "apply_schedules"  # the key of Terraform's event
RESOURCE: Final = "schedules"  # the physical id: there is nothing to replace
REASON_BYTES_MAX: Final = 2000  # of JSON; CloudFormation takes an answer of 4 KB, names and all
ANSWER_SECONDS_MAX: Final = 10.0
PAUSES: Final = (1, 2, 4)  # seconds: the rights of a role that was just made take some to be known
DELETE: Final = "Delete"

_log = logging.getLogger("lambda_workflow")


def is_deployment(event: Event) -> bool:
    """Whether an event is a deployment's, not a queue's."""
    return "ResponseURL" in event or APPLY in event


async def deploy(client: Client, event: Event) -> dict[str, Any]:
    """Make the schedules, and answer; what each was: "created", "updated" or "unchanged".

    Raises:
        WorkflowError: (Terraform's event) they could not be made.
    """
    if "ResponseURL" not in event:
        return await _apply(client)
    answer = {name: event.get(name) for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": RESOURCE}
    done: dict[str, str] = {}
    if event.get("RequestType") != DELETE:
        try:
            done = await _apply(client)
        except Exception as error:  # noqa: BLE001  # without an answer a deployment waits an hour
            _log.exception("the schedules could not be made")
            answer |= {"Status": "FAILED", "Reason": reason_of(error)}
    await asyncio.to_thread(_put, event["ResponseURL"], json.dumps(answer).encode())
    return dict(done)


def reason_of(error: Exception) -> str:
    """What a deployment is told of an error: as much as there is room for in JSON."""
    reason = f"{type(error).__name__}: {error}"
    while len(json.dumps(reason)) > REASON_BYTES_MAX:
        reason = reason[: len(reason) * 9 // 10]
    return reason


async def _apply(client: Client) -> dict[str, str]:
    for seconds in PAUSES:
        try:
            return await client.schedules.apply()
        except BackendError as error:
            _log.warning("the schedules are tried again in %d s: %s", seconds, error)
            await client.backend.clock.sleep(seconds)
    return await client.schedules.apply()


def _put(url: str, body: bytes) -> None:
    # the URL is signed for a request without a content type
    request = Request(url, body, {"Content-Type": ""}, method="PUT")
    with urlopen(request, timeout=ANSWER_SECONDS_MAX):
        pass
