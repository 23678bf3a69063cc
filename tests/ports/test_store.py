"""The turn log of every backend."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from lambda_workflow.errors import Conflict
from lambda_workflow.model.events import Run, Started
from lambda_workflow.model.lifecycle import Status
from lambda_workflow.model.limits import (
    MEMO_BYTES_MAX,
    TAG_CHARACTERS_MAX,
    TAG_NAME_CHARACTERS_MAX,
    TAGS_MAX,
)
from lambda_workflow.model.turn import Turn, decode_turn, encode_turn
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Commit, PutHeader
from lambda_workflow.runtime.dispatch import dispatch
from lambda_workflow.runtime.offload import (
    INLINE_BYTES_MAX,
    RECORD_BYTES_MAX,
    deposit_record,
    fetch_records,
)
from tests.ports.harness import Harness
from tests.ports.made import (
    LONG_ID,
    ODD_ID,
    commit_of,
    header_of,
    message_send,
    task_send,
    turn,
)

RECORD_BYTES_LARGE = 380_000  # just below DynamoDB's item limit of 400 KB, keys and header included


async def test_an_unknown_execution_has_no_records(harness: Harness) -> None:
    loaded = await harness.backend.store.load("nobody")
    assert list(loaded.texts) == []
    assert await harness.backend.store.header("nobody") is None


@pytest.mark.parametrize("execution_id", ["plain", ODD_ID, LONG_ID])
async def test_records_come_back_as_they_were_committed(
    harness: Harness, execution_id: str
) -> None:
    store = harness.backend.store
    turns = [turn(1, 10, "Grüße, 世界 🚀 \x00\n'\"\\"), turn(2, 20), turn(3, 30)]
    for each in turns:
        await store.commit(commit_of(execution_id, each))
    loaded = await store.load(execution_id)
    assert [decode_turn(text) for text in loaded.texts] == turns
    assert list(loaded.texts) == [encode_turn(each) for each in turns]


async def test_executions_do_not_see_each_other(harness: Harness) -> None:
    store = harness.backend.store
    ids = ["a", "a#", "a/", "a%", "A", "ab", "a_", "a-", "*", "1"]
    for execution_id in ids:
        await store.commit(commit_of(execution_id, turn(1, 10, execution_id)))
    for execution_id in ids:
        (text,) = (await store.load(execution_id)).texts
        assert decode_turn(text) == turn(1, 10, execution_id)


async def test_a_taken_number_is_a_conflict_and_changes_nothing(harness: Harness) -> None:
    store = harness.backend.store
    await store.commit(commit_of("e", turn(1, 10, "first")))
    sends = (task_send(1), message_send("e", 1))
    with pytest.raises(Conflict, match="e"):
        await store.commit(commit_of("e", turn(1, 10, "second"), sends))
    assert list((await store.load("e")).texts) == [encode_turn(turn(1, 10, "first"))]
    assert await harness.tasks("mail") == []
    assert await harness.messages() == []


async def test_an_equal_repeat_is_no_conflict(harness: Harness) -> None:
    store = harness.backend.store
    commit = commit_of("e", turn(1, 10, "once"))
    await store.commit(commit)
    await store.commit(commit)
    assert len((await store.load("e")).texts) == 1


async def test_an_equal_repeat_of_an_old_record_is_no_conflict(harness: Harness) -> None:
    store = harness.backend.store
    for number in (1, 2, 3):
        await store.commit(commit_of("e", turn(number, number)))
    await store.commit(commit_of("e", turn(2, 2)))
    with pytest.raises(Conflict):
        await store.commit(commit_of("e", turn(2, 2, "other")))
    assert len((await store.load("e")).texts) == 3


async def test_of_many_who_commit_one_number_one_wins(harness: Harness) -> None:
    store = harness.backend.store
    await store.commit(commit_of("e", turn(1, 10)))
    rivals = [commit_of("e", turn(2, 20, f"-{n}")) for n in range(8)]
    outcomes = await asyncio.gather(*map(store.commit, rivals), return_exceptions=True)
    winners = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(o, Conflict) for n, o in enumerate(outcomes) if n != winners[0])
    assert list((await store.load("e")).texts)[1] == rivals[winners[0]].text


async def test_effects_arrive_by_the_commit_or_by_dispatch(harness: Harness) -> None:
    store = harness.backend.store
    sends = (task_send(1), task_send(2, "ledger"), message_send("other", 7))
    left = await store.commit(commit_of("e", turn(1, 10), sends))
    if store.transactional:
        assert list(left) == []
    await dispatch(left, harness.backend)
    assert await harness.tasks("mail") == [task_send(1).task]
    assert await harness.tasks("ledger") == [task_send(2, "ledger").task]
    assert await harness.messages() == [message_send("other", 7).message]


async def test_a_thousand_records_come_back_in_order(harness: Harness) -> None:
    store = harness.backend.store
    turns = [turn(number, number, "-" + "x" * 2_000) for number in range(1, 1_001)]
    turns[0] = turn(1, 1, "x" * 2_000)
    for each in turns:
        await store.commit(commit_of("e", each))
    loaded = await store.load("e")
    assert [decode_turn(text).number for text in loaded.texts] == list(range(1, 1_001))
    assert list(loaded.texts) == [encode_turn(each) for each in turns]


async def test_records_near_the_limit_come_back_over_several_pages(harness: Harness) -> None:
    store = harness.backend.store
    filler = "ü" * (RECORD_BYTES_LARGE // 2)  # two bytes each in UTF-8
    turns = [turn(number, number, filler) for number in range(1, 8)]
    for each in turns:
        await store.commit(commit_of("e", each))
    assert list((await store.load("e")).texts) == [encode_turn(each) for each in turns]


async def test_a_record_of_any_size_is_stored_once(harness: Harness) -> None:
    """By the door that turns use: what no item can hold goes into the blob store before."""
    store = harness.backend.store
    large = turn(1, 10, "ü" * 600_000)
    await store.commit(await kept(harness, large))
    await store.commit(await kept(harness, large))
    with pytest.raises(Conflict):
        await store.commit(await kept(harness, turn(1, 10, "é" * 600_000)))
    await store.commit(await kept(harness, turn(2, 20, "small")))
    texts = await fetch_records((await store.load("e")).texts, harness.backend.blobs)
    assert texts == [encode_turn(large), encode_turn(turn(2, 20, "small"))]


async def test_the_largest_record_goes_with_the_largest_header(harness: Harness) -> None:
    """What a header may have: a status just inline, a full memo, and tags, in any script."""
    store = harness.backend.store
    large: dict[str, Any] = {
        "custom": "ü" * (INLINE_BYTES_MAX // 2 - 1),  # two bytes each in UTF-8, and its quotes
        "memo": "ü" * (MEMO_BYTES_MAX // 2 - 1),
        "tags": {
            f"{n}" * TAG_NAME_CHARACTERS_MAX: "世" * TAG_CHARACTERS_MAX for n in range(TAGS_MAX)
        },
    }
    usual = len(encode_turn(turn(1, 10)).encode())
    first = turn(1, 10, "x" * (RECORD_BYTES_MAX - usual))
    for execution_id, told in ((ODD_ID, large), (LONG_ID, {})):  # with the record, and after it
        commit = commit_of(execution_id, first, (), header_of(execution_id, 10, **told))
        kept = await deposit_record(commit.text, execution_id, harness.backend.blobs)
        assert kept == commit.text
        await store.commit(commit)
        assert list((await store.load(execution_id)).texts) == [commit.text]
    later = header_of(LONG_ID, 10, turn=2, **large)
    await store.put_header(later)
    assert await store.header(LONG_ID) == later
    assert await store.header(ODD_ID) == header_of(ODD_ID, 10, **large)


async def kept(harness: Harness, turn: Turn) -> Commit:
    """A turn as `runtime.committing` hands it to the store."""
    commit = commit_of("e", turn)
    return replace(commit, text=await deposit_record(commit.text, "e", harness.backend.blobs))


async def test_the_header_is_projected_and_an_older_one_ignored(harness: Harness) -> None:
    store = harness.backend.store
    await store.commit(commit_of("e", turn(1, 10)))
    usage = Usage(*range(1, 8))
    newer = replace(header_of("e", 10, turn=5), usage=usage, reason="flow.py:3 calls …")
    await store.put_header(newer)
    assert await store.header("e") == newer
    await store.put_header(header_of("e", 10, turn=4))
    assert await store.header("e") == newer
    await store.put_header(newer)
    assert await store.header("e") == newer


async def test_a_header_leaves_the_records_alone(harness: Harness) -> None:
    store = harness.backend.store
    await store.commit(commit_of("e", turn(1, 10, "kept")))
    await store.put_header(header_of("e", 10, turn=1))
    assert list((await store.load("e")).texts) == [encode_turn(turn(1, 10, "kept"))]


async def test_what_replaces_an_execution_outlives_it(harness: Harness) -> None:
    """A closed execution's records may go after some weeks, but not from under its replacement."""
    backend = harness.backend
    now = backend.clock.now()
    await backend.store.commit(commit_of("e", turn(1, now)))
    closed = header_of("e", now, status=Status.COMPLETED, turn=2)
    await dispatch(
        await backend.store.commit(commit_of("e", turn(2, now), [PutHeader(closed)], closed)),
        backend,
    )
    anew = Turn(3, now, (Started(now, "flow", "", 1, run=Run(2)),), ())
    header = header_of("e", now, turn=3)
    await dispatch(
        await backend.store.commit(commit_of("e", anew, [PutHeader(header)], header)), backend
    )
    await harness.advance(200 * 86_400)
    assert await backend.store.header("e") == header
    loaded = await backend.store.load("e", whole=True)
    assert [decode_turn(text).number for text in loaded.texts] == [1, 2, 3]
    loaded = await backend.store.load("e")
    assert decode_turn(loaded.texts[-1]) == anew
