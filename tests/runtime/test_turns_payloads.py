"""What a turn carries: large payloads apart, outcomes to who is owed them, units counted."""

from __future__ import annotations

import asyncio

import pytest

from lambda_workflow import App, Context, Service, serve, workflow
from lambda_workflow.errors import BackendError
from lambda_workflow.model import commands as c
from lambda_workflow.model import events as e
from lambda_workflow.model.messages import Request, Response, Update
from lambda_workflow.model.references import is_owned
from lambda_workflow.model.turn import encode_turn
from lambda_workflow.model.usage import Usage
from lambda_workflow.ports import Commit
from lambda_workflow.runtime.offload import INLINE_BYTES_MAX
from lambda_workflow.runtime.serve import perform
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, Host

ECHO: Service[str, str] = Service("echo", str, str)
LARGE = "x" * INLINE_BYTES_MAX  # with its quotes just over the limit
SMALL = LARGE[2:]


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


APP = App("tests", workflows=[echoed, failing, twice, wide], adapters=[echo, double])


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
    with pytest.raises(BackendError, match="is not what was stored there"):
        await host.answer("1", "small")
    assert len(host.store._texts["e"]) == 1  # the answer comes again
    await host.blobs.put(key, f'"{LARGE}"'.encode())
    await host.answer("1", "small")
    assert await host.finish() == "small"


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
