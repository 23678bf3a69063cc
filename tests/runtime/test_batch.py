"""The laws of runtime/batch.py, with a fake Turns that fails where it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lambda_workflow.errors import BackendError
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.messages import Message, Redrive, Signal, Timer, Update
from lambda_workflow.model.references import key_of
from lambda_workflow.model.usage import Usage
from lambda_workflow.model.wire import render
from lambda_workflow.runtime.batch import Record, run_batch
from lambda_workflow.runtime.intake import Arrival, RefusedArrival
from lambda_workflow.runtime.turns import TurnResult
from tests.notes import Notes
from tests.patience import patience


@dataclass
class FakeTurns:
    """Takes note of each turn; fails those of the executions in `failing`."""

    failing: frozenset[str] = frozenset()
    refusing: frozenset[str] = frozenset()
    meet: asyncio.Barrier | None = None
    turns: list[tuple[str, list[Message]]] = field(default_factory=list)
    consumed: list[Usage] = field(default_factory=list)

    async def run(
        self, execution_id: str, arrivals: Sequence[Arrival], *, consumed: Usage = Usage()
    ) -> TurnResult:
        if self.meet is not None:
            await self.meet.wait()
        self.turns.append((execution_id, [arrival.message for arrival in arrivals]))
        self.consumed.append(consumed)
        for arrival in arrivals:
            if isinstance(arrival.message, Update) and arrival.receipt in self.refusing:
                raise RefusedArrival("it is another execution's", arrival.receipt)
        if execution_id in self.failing:
            raise BackendError(f"{execution_id}: the table is throttled")
        return TurnResult(Status.RUNNING, 1, False)


@dataclass
class FakeDeadLetters:
    """Keeps what is put, or fails."""

    fails: bool = False
    kept: list[tuple[Record, str]] = field(default_factory=list)

    async def put(self, record: Record, reason: str) -> None:
        if self.fails:
            raise BackendError("the dead-letter queue is throttled")
        self.kept.append((record, reason))


def timer(execution_id: str, operation: str = "1") -> Timer:
    return Timer(execution_id, operation, 1_000)


def record(number: int, message: Message | str, group: str = "") -> Record:
    body = message if isinstance(message, str) else render(message)
    owner = group or (message.execution_id if not isinstance(message, str) else "")
    return Record(f"m{number}", body, owner)


async def test_records_of_one_execution_make_one_turn_in_their_order() -> None:
    turns, dead = FakeTurns(), FakeDeadLetters()
    messages = [timer("a", str(n)) for n in range(5)]
    failed = await run_batch(turns, [record(n, m) for n, m in enumerate(messages)], dead)
    assert (failed, turns.turns) == (set(), [("a", messages)])


async def test_an_empty_batch_does_nothing() -> None:
    turns = FakeTurns()
    assert await run_batch(turns, [], FakeDeadLetters()) == set()
    assert turns.turns == []


async def test_a_failed_group_fails_whole_and_leaves_the_others_alone() -> None:
    turns, notes = FakeTurns(frozenset({"b"})), Notes()
    batch = [record(n, timer("abc"[n % 3], str(n))) for n in range(9)]
    failed = await run_batch(turns, batch, FakeDeadLetters(), observer=notes)
    assert failed == {"m1", "m4", "m7"}
    assert {execution for execution, _ in turns.turns} == {"a", "b", "c"}
    (note,) = notes.happenings
    assert (note.kind, note.execution_id) == ("failed", "b")
    assert "the table is throttled" in note.fields["error"]


async def test_groups_run_side_by_side() -> None:
    turns = FakeTurns(meet=asyncio.Barrier(3))
    batch = [record(n, timer(f"e{n}")) for n in range(3)]
    async with asyncio.timeout(patience(5)):
        assert await run_batch(turns, batch, FakeDeadLetters()) == set()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("not json", "not JSON"),
        ("[1]", "not an object"),
        ('{"type":"Wat","execution_id":"a"}', "`type` is 'Wat'"),
        ('{"type":"Timer","execution_id":"a"}', "`task_id`"),
        ('{"type":"Redrive","execution_id":"a b"}', "`execution_id`"),
        ("[" * 100_000, "nests too deeply"),
    ],
)
async def test_a_poison_record_is_moved_intact_and_its_neighbours_go_on(
    body: str, reason: str
) -> None:
    turns, dead, notes = FakeTurns(), FakeDeadLetters(), Notes()
    poison = Record("m1", body, "a", 3, {"SentTimestamp": "17"})
    batch = [record(0, timer("a", "1")), poison, record(2, timer("a", "2"))]
    assert await run_batch(turns, batch, dead, observer=notes) == set()
    assert turns.turns == [("a", [timer("a", "1"), timer("a", "2")])]
    ((kept, why),) = dead.kept
    assert kept == poison
    assert reason in why
    assert [note.kind for note in notes.happenings] == ["dead_letter"]


async def test_poison_that_cannot_be_moved_fails_with_all_that_follows_it() -> None:
    turns, dead = FakeTurns(), FakeDeadLetters(fails=True)
    batch = [record(0, timer("a", "1")), record(1, "?", "a"), record(2, timer("a", "2"))]
    batch.append(record(3, timer("b")))
    assert await run_batch(turns, batch, dead) == {"m1", "m2"}
    assert ("a", [timer("a", "1")]) in turns.turns
    assert ("b", [timer("b")]) in turns.turns


async def test_poison_moved_before_a_failing_turn_does_not_come_again() -> None:
    turns, dead = FakeTurns(frozenset({"a"})), FakeDeadLetters()
    batch = [record(0, timer("a", "1")), record(1, "?", "a"), record(2, timer("a", "2"))]
    assert await run_batch(turns, batch, dead) == {"m0", "m2"}
    assert [kept.id for kept, _ in dead.kept] == ["m1"]


async def test_a_group_with_several_executions_keeps_its_order_when_one_fails() -> None:
    turns = FakeTurns(frozenset({"b"}))
    order = ["a", "b", "a", "c"]
    batch = [record(n, Redrive(execution), "shared") for n, execution in enumerate(order)]
    assert await run_batch(turns, batch, FakeDeadLetters()) == {"m1", "m2", "m3"}
    assert [execution for execution, _ in turns.turns] == ["a", "b"]


async def test_what_the_batch_cost_is_counted_for_each_execution_in_it() -> None:
    turns, cost = FakeTurns(), Usage(receives=1, deletes=1, invocations=1)
    batch = [record(0, timer("a")), record(1, timer("b")), record(2, timer("a"))]
    await run_batch(turns, batch, FakeDeadLetters(), consumed=cost)
    assert turns.consumed == [cost, cost]


async def test_what_an_execution_refuses_is_moved_away_and_the_rest_has_its_turn() -> None:
    turns, dead = FakeTurns(refusing=frozenset({"m1", "m3"})), FakeDeadLetters()
    messages: list[Message] = [timer("a", "1"), Update("a", "2"), timer("a", "3"), Update("a", "4")]
    batch = [record(n, m) for n, m in enumerate(messages)]
    assert await run_batch(turns, batch, dead) == set()
    assert [kept.id for kept, _ in dead.kept] == ["m1", "m3"]
    assert dead.kept[0][1] == "MessageError: it is another execution's"
    assert turns.turns[-1] == ("a", [messages[0], messages[2]])


async def test_what_is_refused_and_cannot_be_moved_away_comes_again_with_its_turn() -> None:
    turns, dead = FakeTurns(refusing=frozenset({"m1"})), FakeDeadLetters(fails=True)
    messages: list[Message] = [timer("a", "1"), Update("a", "2")]
    batch = [record(n, m) for n, m in enumerate(messages)]
    assert await run_batch(turns, batch, dead) == {"m0", "m1"}


async def test_a_reference_to_another_executions_payload_is_a_dead_letter() -> None:
    turns, dead = FakeTurns(), FakeDeadLetters()
    ref = BlobRef(key_of("client", "other", b"1"), "0" * 16, 1)
    batch = [record(0, Signal("a", "go", ref, "s")), record(1, timer("a"))]
    assert await run_batch(turns, batch, dead) == set()
    ((kept, reason),) = dead.kept
    assert kept.id == "m0"
    assert "does not belong to that execution" in reason
    assert turns.turns == [("a", [timer("a")])]
