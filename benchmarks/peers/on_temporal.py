"""Temporal's replayer: activities per CPU second.

Prints one JSON line. The history of sequential activities is made here, event by event, since its
replayer needs no server; it comes as protobuf messages, decoded already. `sandboxed` is the default
runner. The best of ROUNDS, the CPU time of all threads.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.converter import default
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

LENGTHS, ROUNDS = (100, 1_000), 5
START_MS = 1_767_225_600_000


@workflow.defn(name="chain")
class Chain:
    """Activities one after another."""

    @workflow.run
    async def run(self, calls: int) -> int:
        total = 0
        for number in range(calls):
            total += await workflow.execute_activity(
                "echo", number, result_type=int, start_to_close_timeout=timedelta(minutes=1)
            )
        return total


class Writer:
    """Writes a history as the server does."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._converter = default().payload_converter

    def payloads(self, value: int) -> Any:
        """An input or result."""
        return self._converter.to_payloads([value])

    def add(self, kind: str) -> tuple[int, Any]:
        """The next event's number, and its attributes to be filled in."""
        event = HistoryEvent(event_id=len(self.events) + 1)
        event.event_type = EventType.Value(f"EVENT_TYPE_{kind.upper()}")
        event.event_time.FromMilliseconds(START_MS + len(self.events))
        self.events.append(event)
        attributes = getattr(event, f"{kind}_event_attributes")
        attributes.SetInParent()
        return event.event_id, attributes

    def task(self) -> int:
        """A workflow task from schedule to completion."""
        scheduled, attributes = self.add("workflow_task_scheduled")
        attributes.task_queue.name, attributes.attempt = "q", 1
        started, attributes = self.add("workflow_task_started")
        attributes.scheduled_event_id = scheduled
        completed, attributes = self.add("workflow_task_completed")
        attributes.scheduled_event_id, attributes.started_event_id = scheduled, started
        return completed

    def activity(self, number: int, decided_by: int) -> None:
        """An activity from schedule to completion."""
        scheduled, attributes = self.add("activity_task_scheduled")
        attributes.activity_id, attributes.activity_type.name = str(number + 1), "echo"
        attributes.task_queue.name = "q"
        attributes.input.payloads.extend(self.payloads(number))
        attributes.workflow_task_completed_event_id = decided_by
        started, attributes = self.add("activity_task_started")
        attributes.scheduled_event_id, attributes.attempt = scheduled, 1
        _, attributes = self.add("activity_task_completed")
        attributes.scheduled_event_id, attributes.started_event_id = scheduled, started
        attributes.result.payloads.extend(self.payloads(number))


def history(calls: int) -> WorkflowHistory:
    """A whole execution."""
    writer = Writer()
    _, attributes = writer.add("workflow_execution_started")
    attributes.workflow_type.name, attributes.task_queue.name = "chain", "q"
    attributes.input.payloads.extend(writer.payloads(calls))
    attributes.original_execution_run_id = attributes.first_execution_run_id = "r"
    attributes.workflow_id, attributes.attempt = "w", 1
    decided_by = writer.task()
    for number in range(calls):
        writer.activity(number, decided_by)
        decided_by = writer.task()
    _, attributes = writer.add("workflow_execution_completed")
    attributes.result.payloads.extend(writer.payloads(sum(range(calls))))
    attributes.workflow_task_completed_event_id = decided_by
    return WorkflowHistory("w", writer.events)


async def rate(calls: int, **options: Any) -> int:
    """Activities per CPU second."""
    made, best = history(calls), float("inf")
    for _ in range(ROUNDS):
        before = time.process_time()
        replayed = await Replayer(workflows=[Chain], **options).replay_workflow(made)
        best = min(best, time.process_time() - before)
        assert replayed.replay_failure is None
    return round(calls / best)


async def main() -> None:
    """Measure, and print the line."""
    bare = UnsandboxedWorkflowRunner()
    figures = {
        "activities_per_cpu_second_sandboxed": {str(n): await rate(n) for n in LENGTHS},
        "activities_per_cpu_second_unsandboxed": {
            str(n): await rate(n, workflow_runner=bare) for n in LENGTHS
        },
    }
    version = importlib.metadata.version("temporalio")
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    print(json.dumps({"peer": "temporal", "version": version, **figures, **machine}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
