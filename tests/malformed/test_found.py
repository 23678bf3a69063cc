"""What the properties beside this file have found, one example of each kind."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_workflow import Client
from lambda_workflow.errors import WorkflowError
from lambda_workflow.model import messages as m
from lambda_workflow.model.exported import read_history
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.batch import Record
from tests.malformed.queue import deliver
from tests.malformed.samples import APP
from tests.malformed.test_rows import document, records
from tests.runtime.harness import Host

ANSWER = Record("a", render(m.Update("e", "2", 5, None, 2)), "e")


def _set(value: Any, *path: Any) -> Callable[[Any], Any]:
    def change(turns: Any) -> Any:
        holder = turns
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
        return turns

    return change


# what is damaged in the records of an execution, and what the reason of its dead letter says
DAMAGED: list[tuple[Callable[[list[Any]], Any], str]] = [
    (lambda turns: turns[1:], "its records do not fit together: turn 2"),
    (lambda turns: [*turns, turns[-1]], "its records do not fit together: turn 6"),
    (_set(None, 1, "c"), "record 2 of 6: not a turn record"),
    (_set(None, 1, "t"), "record 2: `at` of Turn is no sound NoneType"),
    (_set([1], 1, "e", 0, 1), "record 2: `operation` of StepSucceeded is no sound list"),
    (_set({"$blob": [["k"], "d", 1]}, 1, "e", 0, 2), "record 2: `key` of BlobRef is no sound list"),
    (_set("x", 0, "e", 0, 3, 0), "record 1: `semantics` of Started is no sound str"),
    (_set("x", 0, "e", 0, 5, 2), "record 1: `timeout_ms` of StartOptions is no sound str"),
]


@pytest.mark.parametrize(("damage", "why"), DAMAGED)
async def test_a_message_for_a_damaged_execution_is_moved_aside_with_the_record(
    damage: Callable[[list[Any]], Any], why: str
) -> None:
    host = Host(APP)
    host.store._texts["e"] = list(map(json.dumps, damage(list(map(json.loads, records())))))
    letters = await deliver(host, [ANSWER])
    host.close()
    gc.collect()  # a coroutine that nothing awaits warns here
    (reason,) = letters.reasons.values()
    assert reason.startswith("DamagedRecord: execution e cannot be read: " + why)
    with pytest.raises(WorkflowError, match="execution e cannot be read"):
        await Client(APP, host.memory.backend).history("e")


async def test_a_message_for_an_execution_of_a_later_version_waits_for_its_deployment() -> None:
    host = Host(APP)
    host.store._texts["e"] = [text.replace('"v":1', '"v":2') for text in records()]
    letters = await deliver(host, [ANSWER])
    host.close()
    assert letters.reasons == {}
    assert "deploy the newer" in str(host.notes.of("failed")[-1].fields)


EXPORTED: list[tuple[Any, str]] = [
    (_set(None, "turns", 1, "t"), "record 2: `at` of Turn is no sound NoneType"),
    (_set([], "turns", 1, "e", 0, 1), "record 2: `operation` of StepSucceeded is no sound list"),
    (_set(float("inf"), "turns", 1, "e", 0, 2), "a number is out of range"),
]


@pytest.mark.parametrize(("damage", "why"), EXPORTED)
def test_a_damaged_document_is_refused_by_its_record(damage: Any, why: str) -> None:
    text = json.dumps(damage(document())).replace("Infinity", "1e400")
    with pytest.raises(WorkflowError, match="no exported history: ") as refused:
        read_history(text)
    assert why in str(refused.value)
