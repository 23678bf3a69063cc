"""Fires what falls due on EventBridge Scheduler, as its SQS target does."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.scheduler.models import Schedule, scheduler_backends
from moto.sqs.models import sqs_backends

from tests.aws.server import clock

_FORMAT: Final = "at(%Y-%m-%dT%H:%M:%S)"


def fire(region: str) -> None:
    """Send the inputs of all one-time schedules whose time has come, the earliest first.

    Scheduler gives the message its group and no deduplication id, so that a FIFO queue needs
    content-based deduplication; without it the delivery fails, as on AWS.
    """
    for group in scheduler_backends[DEFAULT_ACCOUNT_ID][region].schedule_groups.values():
        due = [s for s in group.schedules.values() if _at(s) <= clock.now()]
        for schedule in sorted(due, key=_at):
            _deliver(region, schedule)
            if schedule.action_after_completion == "DELETE":
                group.delete_schedule(schedule.name)


def _at(schedule: Schedule) -> datetime:
    if schedule.schedule_expression_timezone != "UTC":
        raise ValueError(f"{schedule.name}: only schedules in UTC are fired here")
    return datetime.strptime(schedule.schedule_expression, _FORMAT)  # noqa: DTZ007  # as moto's


def _deliver(region: str, schedule: Schedule) -> None:
    target = schedule.target
    queue = target["Arn"].rpartition(":")[2]
    parameters = target.get("SqsParameters", {})
    sqs_backends[DEFAULT_ACCOUNT_ID][region].send_message(
        queue, target["Input"], group_id=parameters.get("MessageGroupId")
    )
