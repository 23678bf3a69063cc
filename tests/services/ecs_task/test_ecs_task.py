"""Containers that a workflow runs: begun once, looked at, stopped, and what they end in."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lambda_workflow_services import ecs_task as contract
from lambda_workflow_services.ecs_task import ECS_TASK, Container, Exit
from lambda_workflow_services.ecs_task.adapter import PAUSE_TROUBLED, ecs_task, pause_at, stop
from lambda_workflow_services.ecs_task.settings import read
from pydantic import ValidationError

from lambda_workflow import App, ConfigurationError, Context, Later, ServiceError, Task, workflow
from lambda_workflow.aws.client import Aws
from lambda_workflow.local import Engine, SkippingClock
from tests.aws.server.process import Server
from tests.docs.blocks import run_page
from tests.services.ecs_task.cluster import ARN, Cluster, Refused
from tests.services.ecs_task.conftest import SETTINGS

TASK = Task("order-7", "order-7/2.1", ECS_TASK.name, None, 1)
RENDER = Container(task_definition="render", container="render", command=["--film", "M"])


async def begin(task: Task = TASK, container: Container = RENDER) -> Task:
    """The task as it comes back."""
    with pytest.raises(Later) as later:
        await ecs_task(container, task)
    return replace(task, state=later.value.state)


async def failure(task: Task = TASK, container: Container = RENDER) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await ecs_task(container, task)
    return caught.value


def arn_of(task: Task) -> str:
    return str(task.state["task"])


async def test_exit_code_zero_is_the_result(cluster: Cluster) -> None:
    cluster.ends_with = 0
    task = await begin(await begin())
    done: Exit = await ecs_task(RENDER, task)
    assert (done.arn, done.exit_codes) == (arn_of(task), {"render": 0, "log": 137})
    assert done.stopped_reason == "Essential container in task exited"
    assert done.began < done.ended


async def test_the_container_gets_its_orders_and_its_task_id(cluster: Cluster) -> None:
    container = Container(
        task_definition="render:7", container="render", environment={"QUALITY": "best"},
        cpu=2048, memory=4096,
    )  # fmt: skip
    await begin(container=container)
    [asked] = cluster.run
    assert asked["taskDefinition"] == "render:7"
    assert asked["launchType"] == "FARGATE"
    [own] = asked["overrides"]["containerOverrides"]
    assert "command" not in own
    assert {one["name"]: one["value"] for one in own["environment"]} == {
        "QUALITY": "best",
        "LAMBDA_WORKFLOW_TASK_ID": "order-7/2.1",
        "LAMBDA_WORKFLOW_EXECUTION_ID": "order-7",
        "LAMBDA_WORKFLOW_ATTEMPT": "1",
    }
    assert (asked["overrides"]["cpu"], asked["overrides"]["memory"]) == ("2048", "4096")
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }


async def test_a_capacity_provider_takes_the_place_of_the_launch_type(cluster: Cluster) -> None:
    await begin(container=RENDER.model_copy(update={"capacity_provider": "FARGATE_SPOT"}))
    [asked] = cluster.run
    assert "launchType" not in asked
    assert asked["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE_SPOT"}]


async def test_a_task_that_comes_twice_runs_it_once(cluster: Cluster) -> None:
    first, second = await begin(), await begin()
    assert first.state == second.state
    assert len(cluster.tasks) == 1


async def test_an_attempt_after_a_lost_one_finds_what_still_runs(cluster: Cluster) -> None:
    first = await begin()
    assert (await begin(replace(TASK, attempt=2))).state == first.state
    assert len(cluster.run) == 1


async def test_an_attempt_after_one_that_failed_runs_another(cluster: Cluster) -> None:
    first = await begin()
    cluster.stop(arn_of(first), "EssentialContainerExited", "it ended", 1)
    assert (await begin(replace(TASK, attempt=2))).state != first.state


@pytest.mark.parametrize(
    ("code", "exit_code", "kind", "retryable"),
    [
        ("EssentialContainerExited", 3, "ContainerFailed", True),
        ("TaskFailedToStart", None, "TaskFailedToStart", True),
        ("SpotInterruption", 143, "Interrupted", True),
        ("SpotInterruption", 0, "Interrupted", True),
        ("UserInitiated", 143, "TaskStopped", False),
    ],
)
async def test_any_other_end_is_an_error(
    cluster: Cluster, code: str, exit_code: int | None, kind: str, retryable: bool
) -> None:
    task = await begin()
    cluster.stop(arn_of(task), code, "for a reason", exit_code)
    error = await failure(task)
    assert (error.type, error.retryable) == (kind, retryable)
    assert error.details["exit_codes"] == {"render": exit_code, "log": 137}
    assert (error.details["stop_code"], error.details["stopped_reason"]) == (code, "for a reason")
    assert "for a reason" in str(error)


async def test_a_container_that_the_definition_does_not_have_is_said_so(cluster: Cluster) -> None:
    task = await begin()
    cluster.stop(arn_of(task), "EssentialContainerExited", "it ended", 0)
    error = await failure(task, RENDER.model_copy(update={"container": "main"}))
    assert (error.type, error.retryable) == ("NoSuchContainer", False)


@pytest.mark.parametrize(
    "trouble",
    [
        [{"reason": "RESOURCE:MEMORY"}],
        [{"reason": "AGENT"}],
        Refused("ClientException", "Capacity is unavailable at this time. Please try again later"),
    ],
)
async def test_where_there_is_no_room_it_is_tried_again_in_a_minute(
    cluster: Cluster, trouble: Any
) -> None:
    cluster.trouble.append(trouble)
    error = await failure()
    assert (error.type, error.retryable) == ("NoCapacity", True)
    assert error.retry_after == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("trouble", "kind", "retryable"),
    [
        ([{"reason": "MISSING", "detail": "no such instance"}], "NotRun", False),
        (
            Refused("InvalidParameterException", "no such subnet"),
            "InvalidParameterException",
            False,
        ),
        (Refused("AccessDeniedException", "not allowed"), "AccessDeniedException", False),
        (Refused("ThrottlingException", "Rate exceeded"), "ThrottlingException", True),
    ],
)
async def test_a_refusal_says_why_and_whether_to_try_again(
    cluster: Cluster, trouble: Any, kind: str, retryable: bool
) -> None:
    cluster.trouble.append(trouble)
    error = await failure()
    assert (error.type, error.retryable) == (kind, retryable)


async def test_what_aws_cannot_answer_is_asked_again_later(cluster: Cluster) -> None:
    task = await begin()
    cluster.trouble.append(Refused("ThrottlingException", "Rate exceeded"))
    with pytest.raises(Later) as later:
        await ecs_task(RENDER, task)
    assert (later.value.after, later.value.state) == (PAUSE_TROUBLED, task.state)


async def test_a_task_that_ecs_has_forgotten_is_an_error(cluster: Cluster) -> None:
    task = await begin()
    cluster.tasks.clear()
    error = await failure(task)
    assert (error.type, error.retryable) == ("TaskGone", False)


async def test_what_is_given_up_is_stopped_and_nothing_else(cluster: Cluster) -> None:
    task, other = await begin(), await begin(replace(TASK, task_id="order-7/2.2"))
    await stop(replace(TASK, cancelled=True))
    await stop(replace(TASK, cancelled=True))
    assert cluster.tasks[arn_of(task)]["stopCode"] == "UserInitiated"
    assert "order-7/2.1" in cluster.tasks[arn_of(task)]["stoppedReason"]
    assert cluster.tasks[arn_of(other)]["lastStatus"] != "STOPPED"


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("render", "render"),
        (f"{ARN}task-definition/render:2", "render:2"),
        (f"{ARN}task-definition/render", "render"),
    ],
)
async def test_a_definition_is_named_by_its_arn_too(
    cluster: Cluster, wanted: str, asked: str
) -> None:
    await begin(container=Container(task_definition=wanted, container="render"))
    assert [run["taskDefinition"] for run in cluster.run] == [asked]


@pytest.mark.parametrize("wanted", ["", "render:latest", "a b", "arn:aws:ecs:render", "x/render"])
def test_what_names_no_definition_is_told_what_to_give(wanted: str) -> None:
    with pytest.raises(ValidationError, match="write FAMILY or FAMILY:REVISION"):
        Container(task_definition=wanted, container="render")


@pytest.mark.parametrize(
    "wanted",
    [
        *("another", "cut", "cut:4", f"{ARN}task-definition/cut:4"),
        "arn:aws:ecs:eu-west-1:999999999999:task-definition/render:1",
    ],
)
async def test_a_definition_that_is_not_listed_is_refused(cluster: Cluster, wanted: str) -> None:
    error = await failure(container=RENDER.model_copy(update={"task_definition": wanted}))
    assert (error.type, error.retryable) == ("NotAllowed", False)
    assert cluster.run == []


async def test_orders_over_the_quota_are_refused(cluster: Cluster) -> None:
    error = await failure(container=RENDER.model_copy(update={"command": ["x" * 8_192]}))
    assert (error.type, error.retryable) == ("OverridesTooLarge", False)
    assert cluster.run == []


def test_names_of_the_service_s_own_are_refused() -> None:
    with pytest.raises(ValueError, match="LAMBDA_WORKFLOW_TASK_ID: names of the service's own"):
        Container(
            task_definition="render",
            container="render",
            environment={"LAMBDA_WORKFLOW_TASK_ID": "forged"},
        )


@pytest.mark.parametrize(("age", "pause"), [(-1, 10), (30, 10), (100, 20), (1_500, 300)])
def test_pauses_grow_with_its_age(age: int, pause: int) -> None:
    assert pause_at(timedelta(seconds=age)) == timedelta(seconds=pause)


def test_wrong_settings_are_named_all_at_once() -> None:
    wrong = {
        "ECS_TASK_DEFINITIONS": "render",
        "ECS_TASK_PUBLIC_IP": "yes",
        "ECS_TASK_RESULTS": "s3://results",
    }
    with pytest.raises(ConfigurationError) as caught:
        read(wrong)
    for said in (
        "ECS_TASK_CLUSTER is ''",
        "ECS_TASK_DEFINITIONS has 'render'",
        "ECS_TASK_PUBLIC_IP is 'yes': it must be ENABLED or DISABLED",
        "ECS_TASK_SUBNETS is not set",
        "ECS_TASK_RESULTS is 's3://results': give BUCKET",
    ):
        assert said in str(caught.value)
    assert read({**SETTINGS, "ECS_TASK_PUBLIC_IP": "ENABLED"}).public_ip
    assert read({**SETTINGS, "ECS_TASK_RESULTS": ""}).results == ""


def test_tasks_without_a_network_of_their_own_need_a_capacity_provider() -> None:
    settings = read({**SETTINGS, "ECS_TASK_SUBNETS": "", "ECS_TASK_CAPACITY_PROVIDER": "machines"})
    assert settings.network == {}


async def result_of(cluster: Cluster, body: bytes | None) -> Any:
    """What comes of a container that leaves this in S3."""
    container = RENDER.model_copy(update={"result": True})
    task = await begin(container=container)
    [own] = cluster.run[-1]["overrides"]["containerOverrides"]
    environment = {one["name"]: one["value"] for one in own["environment"]}
    bucket, _, key = environment["LAMBDA_WORKFLOW_RESULT"].removeprefix("s3://").partition("/")
    assert (bucket, key.partition("/")[0]) == ("results", "films")
    if body is not None:
        aws = Aws()
        await aws.call("s3", "CreateBucket", Bucket=bucket)
        await aws.call("s3", "PutObject", Bucket=bucket, Key=key, Body=body)
        await aws.close()
    cluster.stop(arn_of(task), "EssentialContainerExited", "it ended", 0)
    return (await ecs_task(container, task)).result


@pytest.fixture
def results(server: Server, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("ECS_TASK_RESULTS", "results/films")
    return cluster


async def test_what_a_container_leaves_in_s3_is_its_result(results: Cluster) -> None:
    assert await result_of(results, b'{"frames": 7}') == {"frames": 7}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "cannot be read: NoSuchBucket"),
        (b"7 frames", "is no JSON"),
        (b"1" * 5_242_881, "at most"),
    ],
)
async def test_a_result_that_is_none_is_an_error(
    results: Cluster, body: bytes | None, said: str
) -> None:
    with pytest.raises(ServiceError, match=said) as caught:
        await result_of(results, body)
    assert (caught.value.type, caught.value.retryable) == ("NoResult", False)


async def test_a_result_without_a_place_for_it_is_refused_before_it_runs(cluster: Cluster) -> None:
    error = await failure(container=RENDER.model_copy(update={"result": True}))
    assert (error.type, error.retryable) == ("NoPlaceForResults", False)
    assert cluster.run == []


@workflow
async def gives_up(ctx: Context, seconds: int) -> str:
    try:
        async with asyncio.timeout(seconds):
            await ctx.call(ECS_TASK, RENDER)
    except TimeoutError:
        await ctx.sleep(timedelta(hours=1))
    return "given up"


async def test_a_workflow_that_gives_up_stops_it(cluster: Cluster, tmp_path: Path) -> None:
    app = App("films", workflows=[gives_up], adapters=[ecs_task])
    async with Engine(app, tmp_path / "films.db", clock=SkippingClock()) as engine:
        assert await (await engine.client.start(gives_up, 60)).result() == "given up"
    assert [task["stopCode"] for task in cluster.tasks.values()] == ["UserInitiated"]


async def test_the_readme_says_what_happens(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cluster.ends_with = 0
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_ecs_task")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    await run_page(Path(str(contract.__file__)).parent / "README.md", module)
