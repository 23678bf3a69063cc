"""What fails the same way at each delivery is moved aside at its third, and drags nobody along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from lambda_workflow.errors import BackendError, Conflict, WorkflowError
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Message, Timer
from lambda_workflow.model.turn import NotARecord
from lambda_workflow.model.usage import Usage
from lambda_workflow.model.wire import render
from lambda_workflow.ports import BlobMissing, Unprocessable
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.deterministic import is_deterministic
from lambda_workflow.runtime.intake import Arrival
from lambda_workflow.runtime.turns import TurnResult
from tests.notes import Notes


@dataclass
class Poisoned:
    """Turns that fail whenever a poisonous operation is among what arrived."""

    poison: dict[str, Exception]
    done: list[str] = field(default_factory=list)

    async def run(
        self, execution_id: str, arrivals: Sequence[Arrival], *, consumed: Usage = Usage()
    ) -> TurnResult:
        operations = [a.message.operation for a in arrivals if isinstance(a.message, Timer)]
        for operation in operations:
            if operation in self.poison:
                raise self.poison[operation]
        self.done += operations
        return TurnResult(Status.RUNNING, 1, False)


@dataclass
class Letters:
    fails: bool = False
    kept: list[tuple[str, str]] = field(default_factory=list)

    async def put(self, record: Record, reason: str) -> None:
        if self.fails:
            raise BackendError("throttled")
        self.kept.append((record.id, reason))


def record(operation: str, receives: int, execution: str = "e") -> Record:
    message: Message = Timer(execution, operation, 1_000)
    return Record(f"m{operation}", render(message), execution, receives)


def batch(receives: int) -> list[Record]:
    return [record(str(n), receives) for n in range(1, 6)]


ALWAYS: list[Exception] = [
    BlobMissing("the payload k is not in table t"),
    Unprocessable("an item is too large"),
    NotARecord("not a turn record"),
    UnicodeEncodeError("utf-8", "secret\udcff", 6, 7, "surrogates not allowed"),
    TypeError("no JSON"),
    OverflowError("too large"),
    RecursionError("too deep"),
]
MAY_PASS: list[Exception] = [
    BackendError("throttled"),
    Conflict("another worker"),
    TimeoutError("late"),
    ConnectionResetError("broken"),
    WorkflowError("record of format 2: deploy the newer version"),
    MemoryError(),
]


@pytest.mark.parametrize("error", ALWAYS, ids=repr)
async def test_a_message_that_always_fails_is_moved_aside_at_its_third_receive(
    error: Exception,
) -> None:
    turns, letters, notes = Poisoned({"3": error}), Letters(), Notes()
    # first and second: what stands before it is done, what stands behind it waits for it
    for receives in (1, 2):
        failed = await run_batch(turns, batch(receives), letters, observer=notes)
        assert failed == {"m3", "m4", "m5"}
        assert letters.kept == []
    assert await run_batch(turns, batch(3), letters, observer=notes) == set()
    ((moved, reason),) = letters.kept
    assert moved == "m3"
    assert type(error).__name__ in reason
    assert "secret" not in reason
    assert turns.done[-4:] == ["1", "2", "4", "5"]
    (told,) = notes.of("dead_letter")
    assert (told.fields["message_id"], told.fields["reason"]) == ("m3", reason)


@pytest.mark.parametrize("error", MAY_PASS, ids=repr)
async def test_what_may_pass_is_never_moved_aside(error: Exception) -> None:
    turns, letters = Poisoned({"3": error}), Letters()
    assert await run_batch(turns, batch(1_000), letters) == {"m1", "m2", "m3", "m4", "m5"}
    assert (letters.kept, turns.done) == ([], [])


async def test_several_of_a_group_are_moved_aside_and_other_groups_never_wait() -> None:
    turns, letters = Poisoned({"2": TypeError(), "4": ValueError()}), Letters()
    others = [replace(record(str(n), 1, "f"), id=f"f{n}") for n in (1, 5)]
    assert await run_batch(turns, [*batch(3), *others], letters) == set()
    assert [moved for moved, _ in letters.kept] == ["m2", "m4"]
    assert sorted(turns.done) == ["1", "1", "3", "5", "5"]


async def test_what_cannot_be_moved_aside_comes_again_with_what_is_behind_it() -> None:
    turns, letters = Poisoned({"3": TypeError()}), Letters(fails=True)
    assert await run_batch(turns, batch(9), letters) == {"m3", "m4", "m5"}


async def test_a_message_behind_one_that_may_pass_is_not_moved_aside() -> None:
    turns = Poisoned({"2": BackendError("throttled"), "4": TypeError()})
    assert await run_batch(turns, batch(9), letters := Letters()) == {f"m{n}" for n in range(1, 6)}
    assert letters.kept == []


def test_a_task_of_the_event_loop_that_is_cancelled_is_no_failure_of_a_message() -> None:
    assert not is_deterministic(KeyboardInterrupt())
