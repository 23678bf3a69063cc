"""Runs a whole execution over a backend, by the ports alone."""

from __future__ import annotations

from typing import Any

from lambda_workflow import App, Workflow
from lambda_workflow.model.messages import Cancel, Message, Request, Response
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.serve import perform
from lambda_workflow.runtime.turns import Turns
from tests.ports.harness import Harness

ROUNDS_MAX = 60


async def finish(
    harness: Harness, app: App, code: Workflow[Any, Any], request: Any, *, cancel: bool = False
) -> Response:
    """The outcome of an execution, each of its turns made by a worker that knows nothing yet.

    Args:
        cancel: ask it to end, twice, as soon as it waits for nothing but time.
    """
    backend = harness.backend
    turns = Turns(app, backend, live_max=0, strict=True)
    pending: list[Message] = [Request("e", code.name, request)]
    for _ in range(ROUNDS_MAX):
        if pending:
            await turns.run("e", [Arrival(message) for message in pending])
        if responses := await harness.responses():
            return responses[0]
        pending = await harness.messages()
        for name, adapter in app.adapters.items():
            tasks = await harness.tasks(name)
            pending += [await perform(adapter, task, backend.blobs) for task in tasks]
        if not pending and cancel:
            cancel = False
            pending = [Cancel("e", "enough"), Cancel("e", "I said enough")]
        elif not pending:
            await harness.advance(61)
    raise AssertionError("it hangs")
