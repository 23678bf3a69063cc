"""Each ready-made service, deployed alone by its committed template, does what its README says.

Beside it there is nothing but the queue of the App that calls it. What its functions call is all
that their roles allow, and their roles allow nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lambda_workflow_services.approval import adapter as approval
from lambda_workflow_services.ecs_task import settings as ecs_task
from lambda_workflow_services.eventbridge import settings as eventbridge
from lambda_workflow_services.lambda_invoke import settings as lambda_invoke
from lambda_workflow_services.s3_object import settings as s3_object
from lambda_workflow_services.stepfunctions import settings as stepfunctions

from lambda_workflow.aws.client import Aws
from lambda_workflow.aws.config import PREFIX
from lambda_workflow.cli.loading import load_app
from tests.aws.deployed import create_queue
from tests.aws.server.process import Server
from tests.services import uses
from tests.services.caller import QUEUE, QUEUE_ARN, TEMPLATES, Caller, check
from tests.synth.asked import ACCOUNT
from tests.synth.comparing import refused, unused
from tests.synth.stack import at_work, create
from tests.synth.test_deployed import provoke

HERE = f"us-east-1:{ACCOUNT}"
MACHINES = ("render", "endless")
READ_ONCE = (
    approval.settings,
    ecs_task.settings,
    eventbridge.buses,
    eventbridge.waiting,
    lambda_invoke.settings,
    s3_object.part_bytes,
    stepfunctions.settings,
)


@dataclass(frozen=True)
class Case:
    """How a service is deployed, and used: every feature that needs a right."""

    use: Callable[[Caller], Awaitable[None]]
    parameters: dict[str, str] = field(default_factory=dict)


CASES = {
    "approval": Case(uses.ask),
    "delay": Case(uses.sleep),
    "ecs_task": Case(
        uses.contain,
        {
            "EcsTaskCluster": "films",
            "EcsTaskDefinitions": f"arn:aws:ecs:{HERE}:task-definition/render:*",
            "EcsTaskRoles": f"arn:aws:iam::{ACCOUNT}:role/render",
            "EcsTaskSubnets": "subnet-1,subnet-2",
            "EcsTaskResults": "results/films",
        },
    ),
    "email": Case(
        uses.mail,
        {
            "EmailSender": "shop@example.com",
            "EmailIdentity": "example.com",
            "EmailSenderName": "Shop",
            "EmailConfigurationSet": "tracked",
        },
    ),
    "eventbridge": Case(
        uses.tell,
        {
            "EventBuses": ",".join(
                f"arn:aws:events:{HERE}:event-bus/{bus}" for bus in ("default", "orders")
            ),
            "EventPattern": '{"source": ["carrier"]}',
        },
    ),
    "http": Case(
        uses.request,
        {"HttpSecretPrefix": "shop/http/", "HttpAllowPrivate": "127.0.0.0/8,::1/128"},
    ),
    "lambda_invoke": Case(
        uses.invoke,
        {
            "LambdaInvokeFunctions": ",".join(
                f"arn:aws:lambda:{HERE}:function:{name}" for name in ("resize", "crop:live")
            )
        },
    ),
    "s3_object": Case(
        uses.store,
        {
            "S3Sources": "arn:aws:s3:::orders/in/*",
            "S3Targets": "arn:aws:s3:::orders/out/*",
            "S3Buckets": "arn:aws:s3:::orders",
            "S3PartMib": "5",
        },
    ),
    "stepfunctions": Case(
        uses.run_machine,
        {
            "StepfunctionsMachines": ",".join(
                f"arn:aws:states:{HERE}:stateMachine:{name}" for name in MACHINES
            ),
            "StepfunctionsExecutions": ",".join(
                f"arn:aws:states:{HERE}:execution:{name}:*" for name in MACHINES
            ),
        },
    ),
}


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Adapters read their settings anew."""
    for settings in READ_ONCE:
        settings.cache_clear()
    yield
    for settings in READ_ONCE:
        settings.cache_clear()


@pytest.mark.parametrize("name", CASES)
async def test_a_service_does_its_work_with_what_its_stack_has_and_may(
    server: Server, forgetful: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    case, aws = CASES[name], Aws()
    text = (TEMPLATES / name / "template.yaml").read_text(encoding="utf-8")
    parameters = {"AppShopQueueArn": QUEUE_ARN, **case.parameters}
    check(text, parameters)
    await create_queue(aws, QUEUE)
    deployed = await create(aws, text, **parameters)
    for environment in deployed.environments.values():
        for variable, value in environment.items():
            if not variable.startswith(PREFIX):
                monkeypatch.setenv(variable, value)
    app = load_app(f"lambda_workflow_services.{name}.app:app")
    async with at_work(app, deployed) as run:
        await case.use(Caller(server, aws, monkeypatch, tmp_path, deployed, run))
        await provoke(server, deployed, run)
    await aws.close()
    for function, calls in run.calls.items():
        assert refused(deployed.rights[function], calls) == set(), function
        assert unused(deployed.rights[function], calls) == set(), function


def test_every_service_is_deployed_here() -> None:
    assert set(CASES) == {file.parent.name for file in TEMPLATES.glob("*/template.yaml")}
