"""Answers to tasks that another invocation took in: by an event, a page, a job that has ended.

    await put_aside(render_task(task))                        # in the adapter, which ends Later
    await post_result(PAY, parse_task(await found()), paid)   # wherever the end is learned of

Law: an answer is the message that the SDK itself would have sent, in the same group, under the same
deduplication id. So it does not matter how often, or by how many, a task is answered alike; of
different answers to an attempt one counts.
"""

from __future__ import annotations

from typing import Never, TypeVar

from lambda_workflow.aws.backend import blobs_for
from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.present import aws_client, present_config
from lambda_workflow.aws.sqs import Entry, send_batch
from lambda_workflow.errors import MessageError, WorkflowError
from lambda_workflow.model.failures import failure_of
from lambda_workflow.model.ids import deduplication_id
from lambda_workflow.model.messages import Task, Update
from lambda_workflow.model.references import service_place
from lambda_workflow.model.service import Service
from lambda_workflow.model.wire import parse_task, render, render_task
from lambda_workflow.runtime.offload import deposit

__all__ = ["parse_task", "post_error", "post_result", "render_task"]

Res = TypeVar("Res")


async def post_result(service: Service[Never, Res], task: Task, value: Res) -> None:
    """Answer a task: the call returns `value`. Nothing is sent where no call waits (`ctx.send`).

    The task is one that an adapter was given, kept as `render_task(task)`, a JSON object, and read
    by `parse_task(text)`. The function that answers needs the right to send to the task's queue.

    Raises:
        EncodeError: the value is not of the service's response type.
        MessageError: the task has no queue for its answer: it is one of the embedded engine's.
        WorkflowError: the task is a withdrawal.
        BackendError: it could not be sent, or is too large to be sent and cannot be stored.
    """
    answer = service.response_codec.encode(value, service.response_label)
    if _is_awaited(task):
        blobs = blobs_for(aws_client(), present_config())
        place = service_place(service.name)
        kept = await deposit(answer, task.execution_id, blobs, place=place)
        await _post(task, task.update(kept))


async def post_error(task: Task, error: Exception) -> None:
    """Answer a task: its attempt ended in an error, which is retried by the call's policy.

    A `ServiceError` says type, details and whether to retry. An error of an attempt that is over
    already is dropped; a result of one still counts.

    Raises:
        MessageError: the task has no queue for its answer: it is one of the embedded engine's.
        WorkflowError: the task is a withdrawal.
        BackendError: it could not be sent.
    """
    if _is_awaited(task):
        await _post(task, task.update(failure=failure_of(error)))


async def send_answer(aws: Aws, task: Task, body: str) -> None:
    """Send the JSON of an answer; see the law above."""
    deduplication = deduplication_id(task.task_id, task.attempt, "result")
    entry = Entry(body, task.execution_id, deduplication)
    await send_batch(aws, task.callback_queue_url, [entry])


async def _post(task: Task, update: Update) -> None:
    await send_answer(aws_client(), task, render(update))


def _is_awaited(task: Task) -> bool:
    if task.cancelled:
        raise WorkflowError(f"this withdraws task {task.task_id}: there is nothing to answer")
    if task.reply and not task.callback_queue_url:
        raise MessageError(
            f"task {task.task_id} has no `callback_queue_url`: the embedded engine's tasks are "
            "answered by the adapter that does them"
        )
    return task.reply
