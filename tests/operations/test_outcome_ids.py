"""The ids of outcomes: what a reader of the response queue de-duplicates by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lambda_workflow import App, Context, ExecutionFailed, workflow
from lambda_workflow.local import Engine


@workflow
async def same(ctx: Context, n: int) -> int:
    if n < 0:
        raise RuntimeError("no")
    return n


APP = App("outcomes", workflows=[same])


async def test_each_outcome_has_an_id_of_its_own_also_under_one_execution_id(
    tmp_path: Path,
) -> None:
    seen: list[dict[str, Any]] = []
    async with Engine(APP, tmp_path / "file.db", responses=True) as engine:
        for n in (1, 1, -1):
            handle = await engine.client.start(
                same, n, execution_id="s", on_conflict="terminate_existing"
            )
            try:
                await handle.result()
            except ExecutionFailed:
                assert n < 0
            ((_, text),) = await engine._file.receive_responses()
            seen.append(json.loads(text))
    assert [one["status"] for one in seen] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert len({one["id"] for one in seen}) == 3
