"""Several versions of one workflow: new executions run the newest, running ones keep their own."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_workflow import (
    App,
    Client,
    ConfigurationError,
    Context,
    Status,
    UnknownWorkflow,
    Workflow,
    workflow,
)
from lambda_workflow.model.messages import Request
from tests.runtime.conftest import MakeHost
from tests.runtime.harness import DOUBLE, OTHER


@workflow(name="flow")
async def unversioned(ctx: Context, n: int) -> str:
    return f"none:{await ctx.call(DOUBLE, n)}:{ctx.info.version}"


@workflow(name="flow", version="1")
async def first(ctx: Context, n: int) -> str:
    return f"1:{await ctx.call(DOUBLE, n)}:{ctx.info.version}"


@workflow(name="flow", version="2")
async def second(ctx: Context, n: int) -> str:
    other = await ctx.call(OTHER, n)
    return f"2:{await ctx.call(DOUBLE, other)}:{ctx.info.version}"


@workflow(name="another")
async def another(ctx: Context, n: int) -> int:
    return n


def app(*workflows: Workflow[Any, Any], version: str = "") -> App:
    return App("tests", workflows=workflows, services=[DOUBLE, OTHER], version=version)


async def test_new_executions_run_the_last_listed_and_running_ones_their_own(
    make_host: MakeHost,
) -> None:
    host = make_host(app(first))
    await host.start(first, execution_id="e")
    host.deploy(app(first, second))
    await host.start(second, execution_id="e2")
    await host.answer("1", 7)
    assert host.outcome("e") == "1:7:1"
    assert [task.service for task in host.tasks()] == ["double", "other"]
    started = host.history("e2").started
    assert started is not None
    assert started.version == "2"


async def test_code_without_a_version_keeps_what_began_before_versions_came(
    make_host: MakeHost,
) -> None:
    host = make_host(app(unversioned, version="commit-17"))
    await host.start(unversioned)
    host.deploy(app(unversioned, second, version="commit-18"))
    await host.answer("1", 7)
    assert host.outcome() == "none:7:commit-17"


@pytest.mark.parametrize(
    ("began", "words"),
    [
        (
            first,
            ["began with version '1', and", "has version '2' only", 'name="flow", version="1"'],
        ),
        (
            unversioned,
            ["began with code that had no version", "has version '2' only", "as well, without a"],
        ),
    ],
)
async def test_a_version_that_is_gone_blocks_its_executions_until_it_is_back(
    make_host: MakeHost, began: Workflow[Any, Any], words: list[str]
) -> None:
    host = make_host(app(began))
    await host.start(began)
    host.deploy(app(second))
    await host.answer("1", 7)
    assert host.status() is Status.BLOCKED
    reason = host.history().turns[-1].reason
    assert reason.startswith("UnknownWorkflow: workflow 'flow': this execution began with ")
    assert all(word in reason for word in words), reason
    host.deploy(app(began, second))
    await host.redrive()
    assert host.status() is Status.COMPLETED
    assert str(host.outcome()).split(":")[1] == "7"


async def test_what_began_while_its_workflow_was_missing_is_not_moved_by_a_further_version(
    make_host: MakeHost,
) -> None:
    host = make_host(app(another))
    await host.start(first)
    assert host.status() is Status.BLOCKED
    host.deploy(app(another, first))
    await host.redrive()
    host.deploy(app(another, first, second))
    await host.answer("1", 7)
    assert host.outcome() == "1:7:?"


async def test_the_next_run_of_an_execution_is_of_the_newest_version(make_host: MakeHost) -> None:
    @workflow(name="flow", version="1")
    async def for_ever(ctx: Context, n: int) -> str:
        ctx.continue_as_new(await ctx.call(DOUBLE, n))

    host = make_host(app(for_ever), check=True)
    await host.start(for_ever)
    await host.answer("1", 3)
    host.deploy(app(for_ever, second), check=True)
    run, operation = host.history().started, next(iter(host.history().open))
    assert run is not None
    assert run.version == "1"
    await host.answer(operation, 5)
    started = host.history().started
    assert started is not None
    assert (started.version, started.request) == ("2", 5)


async def test_a_child_is_of_the_newest_version(make_host: MakeHost) -> None:
    @workflow
    async def parent(ctx: Context, n: int) -> str:
        return await ctx.call(second, n)

    host = make_host(app(parent, first, second), check=True)
    await host.start(parent)
    (begun,) = [m for m in host.queue.take_messages() if isinstance(m, Request)]
    await host.send(begun)
    started = host.history(begun.execution_id).started
    assert started is not None
    assert started.version == "2"


async def test_the_client_starts_the_newest_only_and_reads_results_with_the_versions_own_types(
    make_host: MakeHost,
) -> None:
    @workflow(name="flow", version="2")
    async def counting(ctx: Context, n: int) -> int:
        return n

    host = make_host(app(first))
    await host.start(first)
    await host.answer("1", 7)
    client = Client(app(first, counting), host.memory.backend)
    assert await client.result("e") == "1:7:1"
    with pytest.raises(
        UnknownWorkflow, match=r"new executions run version '2'.*this is version '1'"
    ):
        await client.start(first, 1)


def test_the_newest_is_the_last_listed() -> None:
    two = app(first, another, second)
    assert two.workflow("flow") is second
    assert two.workflow("flow", "1") is first
    assert dict(two.workflows) == {"flow": second, "another": another}
    assert (two.version_of("flow"), two.version_of("another")) == ("2", "")


def versions(*names: str) -> list[Workflow[Any, Any]]:
    return [workflow(name="flow", version=name)(second.function) for name in names]


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (["2", "1"], "'2' is listed before '1'"),
        (["10", "9"], "'10' is listed before '9'"),
        (["1.10", "1.9"], "'1.10' is listed before '1.9'"),
        (["v2", "1"], "'v2' is listed before '1'"),
        (["1", ""], "'1' is listed before the code without a version"),
        (["blue", ""], "'blue' is listed before the code without a version"),
        (["1", "1"], "two workflows are named 'flow' with version '1'"),
        (["", ""], 'a version: @workflow(name="flow", version="2")'),
    ],
)
def test_an_order_that_may_be_meant_otherwise_is_refused(listed: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        app(*versions(*listed))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "listed", [["", "1"], ["1", "2", "10"], ["1.9", "1.10"], ["blue", "amber"], ["blue", "2"]]
)
def test_the_order_of_the_list_counts(listed: list[str]) -> None:
    assert app(*versions(*listed)).workflow("flow").version == listed[-1]


@pytest.mark.parametrize("version", ["a b", "?", "x" * 65, "ä", 2, None])
def test_what_is_no_version_is_refused(version: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"use a text of 1 to 64"):
        workflow(name="flow", version=version)(second.function)
