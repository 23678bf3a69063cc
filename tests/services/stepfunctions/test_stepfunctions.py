"""State machines that a workflow runs: begun once, looked at, stopped, and what they end in."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lambda_workflow_services import stepfunctions as contract
from lambda_workflow_services.stepfunctions import STEPFUNCTIONS, Execution, Run
from lambda_workflow_services.stepfunctions.adapter import (
    INPUT_BYTES_MAX,
    PAUSE_TROUBLED,
    pause_at,
    stepfunctions,
    stop,
)
from lambda_workflow_services.stepfunctions.settings import settings
from pydantic import ValidationError

from lambda_workflow import App, ConfigurationError, Context, Later, ServiceError, Task, workflow
from lambda_workflow.aws.client import Aws
from lambda_workflow.local import Engine, SkippingClock
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.services.stepfunctions.conftest import ARN, ENDLESS, RENDER, make

TASK = Task("order-7", "order-7/2.1", STEPFUNCTIONS.name, None, 1)
ENDED_SECONDS = 30


async def look(run: Run, task: Task) -> Task:
    """The task as it comes back."""
    with pytest.raises(Later) as later:
        await stepfunctions(run, task)
    return replace(task, state=later.value.state)


async def ended(run: Run, task: Task = TASK) -> Execution:
    """Look until it has ended."""
    async with asyncio.timeout(ENDED_SECONDS):
        while True:
            try:
                result: Execution = await stepfunctions(run, task)
            except Later as later:
                task = replace(task, state=later.state)
                await asyncio.sleep(0.01)
            else:
                return result


async def failure(run: Run, task: Task = TASK) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ended(run, task)
    return caught.value


async def executions(name: str) -> list[dict[str, Any]]:
    aws = Aws()
    found = await aws.call("stepfunctions", "ListExecutions", stateMachineArn=f"{ARN}{name}")
    await aws.close()
    return list(found["executions"])


RIGHT = Run(state_machine="render", input={"film": "Metropolis"})
WRONG = Run(state_machine="render", input={"film": "Nosferatu"})


async def test_its_output_is_the_result(machines: Server) -> None:
    done = await ended(RIGHT)
    assert done.output == {"file": "Metropolis.mp4"}
    assert done.arn.startswith(f"{ARN.replace('stateMachine', 'execution')}render:order-7-2-1-")
    assert done.began <= done.ended


async def test_its_error_is_the_call_s_and_is_final(machines: Server) -> None:
    error = await failure(WRONG)
    assert (error.type, error.retryable) == ("NoSuchFilm", False)
    assert error.details["status"] == "FAILED"
    assert error.details["cause"] == "there is no such film"


async def test_a_task_that_comes_twice_begins_it_once(machines: Server) -> None:
    run = Run(state_machine=f"{ARN}endless")
    first, second = await look(run, TASK), await look(run, TASK)
    assert first.state == second.state
    assert len(await executions("endless")) == 1


async def test_an_attempt_after_a_lost_one_finds_what_has_ended_meanwhile(
    machines: Server,
) -> None:
    done = await ended(RIGHT)
    assert await ended(RIGHT, replace(TASK, attempt=2)) == done
    assert len(await executions("render")) == 1


async def test_what_failed_is_run_again_where_that_is_asked_for(machines: Server) -> None:
    run = WRONG.model_copy(update={"rerun": True})
    for attempt in (1, 2, 3):
        assert (await failure(run, replace(TASK, attempt=attempt))).retryable
    assert len(await executions("render")) == 3


async def test_what_still_runs_is_not_run_again(machines: Server) -> None:
    run = Run(state_machine="endless", rerun=True)
    first = await look(run, TASK)
    assert (await look(run, replace(TASK, attempt=3))).state == first.state
    assert len(await executions("endless")) == 1


@pytest.mark.parametrize(
    ("age", "pause"), [(-1, 2), (5, 2), (100, 20), (1_500, 300), (90_000, 300)]
)
def test_pauses_grow_with_its_age(age: int, pause: int) -> None:
    assert pause_at(timedelta(seconds=age)) == timedelta(seconds=pause)


async def test_what_aws_cannot_answer_is_asked_again_later(
    machines: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    run = Run(state_machine="endless")
    task = await look(run, TASK)
    machines.fault("states", "DescribeExecution", "throttle")
    with pytest.raises(Later) as later:
        await stepfunctions(run, task)
    assert (later.value.after, later.value.state) == (PAUSE_TROUBLED, task.state)


async def test_what_is_given_up_is_stopped_whichever_machine_it_is_of(machines: Server) -> None:
    task = await look(Run(state_machine="endless"), TASK)
    await stop(replace(TASK, cancelled=True))
    await stop(replace(TASK, cancelled=True))
    error = await failure(Run(state_machine="endless"), task)
    assert (error.details["status"], error.retryable) == ("ABORTED", False)


@pytest.mark.parametrize("wanted", ["", "a b", f"{ARN}render:1", "s3://render", "x" * 81])
def test_what_names_no_machine_is_told_what_to_give(wanted: str) -> None:
    with pytest.raises(ValidationError, match="write the name of a state machine"):
        Run(state_machine=wanted)


async def test_a_machine_that_is_not_listed_is_refused(machines: Server) -> None:
    error = await failure(Run(state_machine="another"))
    assert (error.type, error.retryable) == ("NotAllowed", False)
    assert f"STEPFUNCTIONS_MACHINES allows {ARN}render, {ARN}endless" in str(error)


async def test_one_that_is_listed_and_is_not_there_is_a_clear_error(machines: Server) -> None:
    error = await failure(Run(state_machine="quick"))
    assert (error.type, error.retryable) == ("StateMachineDoesNotExist", False)


async def test_an_express_machine_is_refused_before_it_runs(machines: Server) -> None:
    await make("quick", RENDER, type="EXPRESS")
    error = await failure(Run(state_machine="quick", input={"film": "Metropolis"}))
    assert (error.type, error.retryable) == ("ExpressMachine", False)
    assert await executions("quick") == []


async def test_an_input_over_the_quota_is_refused(machines: Server) -> None:
    error = await failure(Run(state_machine="render", input="x" * (INPUT_BYTES_MAX - 1)))
    assert (error.type, error.retryable) == ("InputTooLarge", False)
    assert "262,145 bytes" in str(error)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "STEPFUNCTIONS_MACHINES is not set"),
        ("render", "'render': give ARNs of state machines"),
        (f"{ARN}render:PROD", "without a version, an alias"),
        (f"{ARN}*", "without a version, an alias or a"),
        (",".join(f"{ARN}m{n}" for n in range(51)), "has 51 state machines"),
    ],
)
def test_wrong_settings_are_named(value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPFUNCTIONS_MACHINES", value)
    settings.cache_clear()
    with pytest.raises(ConfigurationError) as caught:
        settings()
    settings.cache_clear()
    assert said in str(caught.value)


@workflow
async def runs_endless(ctx: Context, seconds: int) -> str:
    try:
        async with asyncio.timeout(seconds):
            await ctx.call(STEPFUNCTIONS, Run(state_machine="endless"))
    except TimeoutError:
        await ctx.sleep(timedelta(hours=1))
    return "given up"


async def test_a_workflow_that_gives_up_stops_it(machines: Server, tmp_path: Path) -> None:
    app = App("films", workflows=[runs_endless], adapters=[stepfunctions])
    async with Engine(app, tmp_path / "films.db", clock=SkippingClock()) as engine:
        assert await (await engine.client.start(runs_endless, 30)).result() == "given up"
    assert [found["status"] for found in await executions("endless")] == ["ABORTED"]


async def test_the_readme_says_what_happens(
    machines: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_stepfunctions")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(Path(str(contract.__file__)).parent / "README.md", module)


def test_the_machines_of_these_tests_wait_longer_than_a_test() -> None:
    assert ENDLESS["States"]["Wait"]["Seconds"] > ENDED_SECONDS
