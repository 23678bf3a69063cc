"""What a turn carries: large payloads apart, outcomes to who is owed them, units counted."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, Context, Service, Status, serve, workflow
from lambda_workflow.errors import BackendError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model import signal
from lambda_workflow.model.events import BlobRef
from lambda_workflow.model.messages import (
    Pause,
    Redrive,
    Request,
    Response,
    Resume,
    Signal,
    Update,
)
from lambda_workflow.model.references import CLIENT_PLACE, is_owned, key_of
from lambda_workflow.model.turn import encode_turn
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import BlobMissing, Commit
from lambda_workflow.runtime.offload import INLINE_BYTES_MAX
from lambda_workflow.runtime.serve import perform
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

ECHO: Service[str, str] = Service("echo", str, str)
LARGE = "x" * INLINE_BYTES_MAX  # with its quotes just over the limit
SMALL = LARGE[2:]
WORD: signal.Signal[str] = signal.Signal("word", str)


@workflow
async def echoed(ctx: Context, text: str) -> str:
    return await ctx.call(ECHO, text)


@workflow
async def twice(ctx: Context, n: int) -> int:
    return await ctx.call(DOUBLE, await ctx.call(DOUBLE, n))


@workflow
async def wide(ctx: Context, n: int) -> list[int]:
    return await asyncio.gather(*(ctx.call(DOUBLE, i) for i in range(n)))


@workflow
async def failing(ctx: Context, n: int) -> int:
    raise ValueError("no")


@serve(ECHO)
def echo(text: str) -> str:
    return text


@serve(DOUBLE)
def double(n: int) -> int:
    return 2 * n


@workflow
async def renews(ctx: Context, text: str) -> str:
    if len(text) < len(LARGE):
        ctx.continue_as_new(LARGE)
    return str(len(text))


@workflow
async def hears(ctx: Context, n: int) -> str:
    return await ctx.wait_signal(WORD)


APP = App("tests", workflows=[echoed, failing, hears, renews, twice, wide], adapters=[echo, double])


async def test_a_payload_at_the_limit_stays_in_the_record(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(echoed, SMALL)
    assert await host.finish() == SMALL
    assert host.blobs._contents == {}


async def test_a_payload_over_the_limit_is_stored_apart_and_comes_back(make_host: MakeHost) -> None:
    host = make_host(APP, check=True)
    await host.start(echoed, LARGE)
    outcome = await host.finish()
    (content,) = set(host.blobs._contents.values())
    assert content.decode() == f'"{LARGE}"'
    places = {key.rpartition("/")[0].rpartition("/")[0] for key in host.blobs._contents}
    assert places == {"workflow", "service/echo"}  # each role in its own
    assert outcome == e.BlobRef(outcome.key, outcome.digest, len(LARGE) + 2)
    assert max(len(text) for text in host.store._texts["e"]) < 1024
    answers = [x for x in (await host.whole()).events() if isinstance(x, e.CallSucceeded)]
    assert [x.payload for x in answers] == [LARGE]


async def test_it_is_stored_before_the_commit_that_names_it(make_host: MakeHost) -> None:
    host = make_host(APP)
    missing: list[str] = []

    def look(commit: Commit) -> None:
        for part in (*commit.turn.events, *commit.turn.commands):
            ref = getattr(part, "payload", getattr(part, "request", None))
            assert isinstance(ref, e.BlobRef)
            if ref.key not in host.blobs._contents:
                missing.append(ref.key)

    host.store.before_commit = look
    await host.start(echoed, LARGE)
    await host.finish()
    assert (missing, len(host.store.commits)) == ([], 2)


async def test_content_that_was_replaced_is_not_replayed(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(echoed, LARGE)
    (key,) = host.blobs._contents
    host.blobs._contents[key] = host.blobs._contents[key].replace(b"x", b"y", 1)
    (task,) = host.tasks()
    with pytest.raises(BackendError, match="is not what was stored there"):
        await perform(echo, task, host.blobs)
    await host.answer("1", "small")  # recorded, as a message that is in order
    assert host.status() is Status.BLOCKED
    assert "is not what was stored there" in host.history().turns[-1].reason
    await host.blobs.put(key, f'"{LARGE}"'.encode())
    await host.redrive()
    assert await host.finish() == "small"


async def test_an_execution_whose_recorded_payload_is_gone_is_blocked_and_keeps_its_facts(
    make_host: MakeHost,
) -> None:
    host = make_host(APP, live_max=0)
    await host.start(echoed, LARGE)
    ((key, content),) = host.blobs._contents.items()
    del host.blobs._contents[key]
    await host.answer("1", "small")
    await host.redrive()
    assert (host.status(), len(host.history().turns)) == (Status.BLOCKED, 2)
    reason = host.history().turns[-1].reason
    assert reason.startswith("PayloadLost: a recorded payload cannot be read: BlobMissing: ")
    assert key in reason
    await host.blobs.put(key, content)
    await host.redrive()
    assert await host.finish() == "small"


async def test_the_state_of_a_next_run_that_is_gone_blocks(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)

    def lose(commit: Commit) -> None:  # the last write before its worker dies
        if commit.turn.number == 1:
            host.queue.failing = True
            kept.update(host.blobs._contents)
            host.blobs._contents.clear()

    kept: dict[str, bytes] = {}
    host.store.before_commit = lose
    await host.start(renews, "start")
    assert host.status() is Status.BLOCKED
    assert "PayloadLost" in host.history().turns[-1].reason
    host.queue.failing = False
    host.blobs._contents.update(kept)
    await host.redrive()
    assert await host.finish() == f"{len(LARGE)}"


@pytest.mark.parametrize("held", [Status.BLOCKED, Status.PAUSED])
async def test_a_message_without_its_payload_is_not_recorded_by_what_stands_still(
    make_host: MakeHost, held: Status
) -> None:
    """Once recorded it would block the execution for good, and no message would be to blame."""
    host = make_host(APP)
    await host.start(hears)
    if held is Status.PAUSED:
        await host.send(Pause("e"))
    else:
        host.deploy(App("tests", workflows=[echoed]))
        await host.redrive()
    nowhere = BlobRef(key_of(CLIENT_PLACE, "e", b"gone"), "digest", 4)
    with pytest.raises(BlobMissing):
        await host.send(Signal("e", "word", nowhere, "s1"))
    assert host.status() is held
    await host.send(Signal("e", "word", "here", "s2"))
    host.deploy(APP)
    await host.send(Redrive("e") if held is Status.BLOCKED else Resume("e"))
    assert await host.finish() == "here"


async def test_a_child_owns_its_request_and_its_parent_may_read_its_result(
    make_host: MakeHost,
) -> None:
    @workflow
    async def parent(ctx: Context, text: str) -> str:
        return await ctx.call(echoed, text, id="child")

    host = make_host(App("tests", workflows=[parent, echoed], adapters=[echo]), check=True)
    await host.start(parent, LARGE)
    outcome = await host.finish()
    assert isinstance(outcome, e.BlobRef)
    assert is_owned(outcome.key, "e")
    (begun,) = [x for x in (await host.whole("child")).events() if isinstance(x, e.Started)]
    assert begun.request == LARGE
    (started,) = [x for x in host.history("child").events() if isinstance(x, e.Started)]
    assert isinstance(started.request, e.BlobRef)
    assert is_owned(started.request.key, "child")


async def test_a_service_gets_the_reference_and_not_the_payload(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(echoed, LARGE)
    (task,) = host.tasks()
    assert isinstance(task.payload, e.BlobRef)


async def test_a_repeated_start_with_a_large_request_is_recognised(make_host: MakeHost) -> None:
    host = make_host(APP, live_max=0)
    await host.start(echoed, LARGE)
    await host.start(echoed, LARGE)
    assert len(host.notes.of("duplicate")) == 1
    await host.start(echoed, LARGE + "y")
    assert len(host.notes.of("late")) == 1


@pytest.mark.parametrize("n", [3, 0])
async def test_an_outcome_is_sent_to_who_called_and_to_the_response_queue(
    make_host: MakeHost, n: int
) -> None:
    host = make_host(APP)
    callback = e.Callback("memory://parent", "parent", "parent/4")
    code = twice if n else failing
    await host.start(code, n, callback=callback)
    await host.finish()
    (message,) = host.queue.take_messages("memory://parent")
    (response,) = host.queue.take_responses()
    assert isinstance(message, Update)
    assert (message.execution_id, message.operation, message.attempt) == ("parent", "4", 0)
    if n:
        assert (message.payload, message.failure) == (12, None)
        assert response == Response("e", "twice", "COMPLETED", 12, id=response.id)
        assert response.id
    else:
        assert message.failure == response.failure
        assert response.failure is not None
        assert (response.status, response.failure.type) == ("FAILED", "ValueError")


async def test_the_outcome_of_a_workflow_answers_the_call_of_another(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(twice, 1, execution_id="parent")
    inbox = host.memory.backend.inbox_url
    callback = e.Callback(inbox, "parent", "parent/1")
    await host.start(twice, 3, execution_id="child", callback=callback)
    host.queue.take_tasks("double")
    for n in (1, 2):
        await host.send(Update("child", str(n), 10 * n, attempt=1))
    assert await host.finish("parent") == 40


async def test_a_repeated_last_message_sends_the_outcome_again_under_the_same_id(
    make_host: MakeHost,
) -> None:
    host = make_host(APP)
    await host.start(failing)
    await host.start(failing)
    assert len(host.queue.responses) == 2
    assert len({send.deduplication for send in host.queue.responses}) == 1


def counted(host: Host) -> Usage:
    return host.history().usage


async def test_units_are_counted_as_they_are_spent(make_host: MakeHost) -> None:
    host = make_host(APP)
    spent = Usage(receives=1, deletes=1, invocations=1)
    await host.send(Request("e", "twice", 1), consumed=spent)
    await host.send(Update("e", "1", 2, attempt=1), consumed=spent)
    await host.send(Update("e", "2", 4, attempt=1), consumed=spent)
    usage = counted(host)
    assert usage._replace(bytes=0) == Usage(
        writes=3 + 1,  # a record each, and the listing's line when the status changed
        reads=1,  # a worker cannot know that there is nothing yet
        sends=3,  # two tasks and the outcome
        receives=3,
        deletes=3,
        invocations=3,
    )
    assert usage.bytes >= sum(len(encode_turn(turn).encode()) - 60 for turn in host.history().turns)


async def test_a_fan_out_counts_a_request_for_ten_tasks(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(wide, 25)
    assert counted(host).sends == 3


async def test_reads_are_counted_when_a_worker_has_no_copy(make_host: MakeHost) -> None:
    warm, cold = make_host(APP), make_host(APP, live_max=0)
    for host in (warm, cold):
        await host.start(twice, 1)
        await host.answer("1", 2)
        await host.answer("2", 4)
    assert counted(cold).reads > counted(warm).reads
    assert counted(warm)._replace(reads=0, bytes=0, writes=0) == counted(cold)._replace(
        reads=0, bytes=0, writes=0
    )


async def test_the_first_turn_s_effects_are_all_in_its_commit(make_host: MakeHost) -> None:
    host = make_host(APP)
    await host.start(wide, 2)
    (commit,) = host.store.commits
    assert [type(x).__name__ for x in commit.effects] == ["SendTask", "SendTask"]
    assert [x.operation for x in commit.turn.commands if isinstance(x, c.ScheduleCall)] == [
        "1",
        "2",
    ]
