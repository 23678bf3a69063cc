"""The adapter of `approval`: it keeps the question and returns the link.

A repeated task finds the question that the first delivery stored, decided or not, and returns the
same link.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import cache
from typing import Final

from lambda_workflow import InvalidToken, ServiceError, Task, serve
from lambda_workflow.aws.backend import SystemClock
from lambda_workflow.aws.client import AwsError
from lambda_workflow.aws.present import aws_client
from lambda_workflow.model.tokens import make_token, read_token
from lambda_workflow_services.approval import APPROVAL, Choice, Link, Question
from lambda_workflow_services.approval.record import Table, record_of
from lambda_workflow_services.approval.settings import Settings, read_settings
from lambda_workflow_services.approval.words import WORDS

LASTS: Final = timedelta(days=7)  # a link without `expires`
LASTS_MAX: Final = timedelta(days=366)  # as long as a callback's timeout may be

_clock: Final = SystemClock()


@cache
def settings() -> Settings:
    """The settings of the adapter's function, read at its first task.

    Raises:
        ConfigurationError: variables are missing or wrong; names all of them at once.
    """
    return read_settings(needs_url=True)


@serve(APPROVAL)
async def approval(question: Question, task: Task) -> Link:
    """Keep the question, and make the link to it."""
    chosen = settings()
    _check_way_back(question, task)
    record = record_of(
        question,
        task.task_id,
        task.callback_queue_url,
        expires=_end(question),
        choices=question.choices or _usual_choices(question),
    )
    try:
        kept = await Table(aws_client(), chosen.table).keep(record)
    except AwsError as error:
        raise ServiceError(
            str(error), type="ApprovalNotStored", retryable=error.transient
        ) from error
    return Link(chosen.link(kept.code), kept.end)


def _check_way_back(question: Question, task: Task) -> None:
    """Refuse a question whose answer would reach nobody."""
    try:
        execution_id, operation = read_token(question.token)
    except InvalidToken as error:
        raise _refused(str(error)) from error
    if execution_id != task.execution_id:
        raise _refused(
            f"the token is of execution {execution_id}, the question comes from "
            f"{task.execution_id}: ask in the execution that has opened the callback"
        )
    if question.token == make_token("", execution_id, operation):
        raise _refused(
            f"execution {execution_id} was started without a secret: anybody could make its token, "
            "and no answer by it is taken; start it by `Client.start`"
        )
    if not task.callback_queue_url.endswith(".fifo"):
        raise _refused(
            "the task names no FIFO queue that an answer could be sent to: the page works with "
            "workflows on AWS, called by `ctx.call`"
        )


def _end(question: Question) -> int:
    now = _clock.now()
    if question.expires is None:
        return now + int(LASTS.total_seconds()) * 1000
    end = int(question.expires.astimezone(UTC).timestamp() * 1000)
    if end > now + LASTS_MAX.total_seconds() * 1000:
        raise _refused(f"`expires` is more than {LASTS_MAX.days} days from now")
    return end


def _usual_choices(question: Question) -> tuple[Choice, ...]:
    words = WORDS[question.language]
    return Choice("approve", words.approve, approves=True), Choice("reject", words.reject)


def _refused(why: str) -> ServiceError:
    return ServiceError(why, type="BadQuestion", retryable=False)
