"""The App of the tests that kill a process within a step; also the process that is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from lambda_workflow import App, Context, RetryPolicy, StepInterrupted, step_info, workflow
from lambda_workflow.local.engine import Engine


def note(folder: Path) -> int:
    """Leave a line that survives the process; the number of lines so far."""
    with (folder / "begun").open("a") as lines:
        lines.write(f"{step_info().attempt}\n")
        lines.flush()
        os.fsync(lines.fileno())
    return len((folder / "begun").read_text().splitlines())


def make_app(folder: Path) -> App:
    """The App; the first process that gets to its step stays there."""

    async def charge() -> str:
        if note(folder) == 1:
            await asyncio.Event().wait()
        return "charged"

    @workflow
    async def pays(ctx: Context, attempts: int) -> str:
        policy = RetryPolicy(attempts=max(1, attempts), initial=timedelta(milliseconds=10))
        try:
            return await ctx.step(charge, at_most_once=attempts > 0, retry=policy)
        except StepInterrupted as unknown:
            return unknown.type

    return App("step", workflows=[pays])


async def main(folder: Path, attempts: int) -> None:
    """Start the execution, and serve it until killed."""
    app = make_app(folder)
    async with Engine(app, folder / "step.db", lease_seconds=3600) as engine:
        await engine.client.start(app.workflows["pays"], attempts, execution_id="e")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
