"""A template as a stack on the moto server, and its functions at work, what they call recorded.

What Lambda does is done here with nothing but the stack's own words: a function's variables, role
and event source mappings. What moto lacks is done by hand: SAM's form of a function becomes
CloudFormation's (aws-sam-translator does the same), and the Scheduler group is made beside it.
"""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from lambda_workflow import App
from lambda_workflow.aws.client import Aws, AwsError
from lambda_workflow.aws.config import PREFIX, read_config
from lambda_workflow.aws.handlers import AsyncHandler, task_handler, workflow_handler
from lambda_workflow.aws.worker import Poller
from lambda_workflow.runtime.log import LogObserver
from tests.aws.deployed import ShiftedClock
from tests.synth.asked import ACCOUNT as ACCOUNT
from tests.synth.asked import SCHEDULER, asked, asked_of_missing
from tests.synth.template_text import read

STACK = "stack"
LACKED = {"TimerGroup", "Schedules"}  # moto would run a function for a resource of one's own


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack: its outputs; by function its variables and role; queues and whom they feed."""

    outputs: dict[str, str]
    environments: dict[str, dict[str, str]]
    rights: dict[str, list[dict[str, Any]]]
    triggers: list[tuple[str, str]]


def cloudformation(tree: Any) -> Any:
    """A template that was read, in CloudFormation's long form, functions in its own words."""
    match tree:
        case ("!", "Ref", name):
            return {"Ref": name}
        case ("!", "GetAtt", path):
            return {"Fn::GetAtt": path.split(".")}
        case ("!", name, value):
            return {f"Fn::{name}": cloudformation(value)}
        case {"Type": "AWS::Serverless::Function", "Properties": properties}:
            changed = {**properties, "Code": {"ZipFile": "pass"}}
            del changed["CodeUri"]
            return {"Type": "AWS::Lambda::Function", "Properties": cloudformation(changed)}
        case dict():
            return {key: cloudformation(value) for key, value in tree.items()}
        case list():
            return [cloudformation(item) for item in tree]
        case _:
            return tree


def url_of(resource: str) -> str:
    """What a function's URL is called."""
    return f"https://{resource.lower()}.lambda-url.us-east-1.on.aws/"


def without_group(tree: Any, group: str) -> Any:
    """What moto's CloudFormation lacks is left out, and its references are names."""
    match tree:
        case {"Fn::GetAtt": [resource, "FunctionUrl"]}:
            return url_of(resource)
        case {"Ref": "TimerGroup"}:
            return group
        case {"Fn::GetAtt": ["TimerGroup", _]}:
            return f"{SCHEDULER}-group/{group}"
        case dict():
            return {k: without_group(v, group) for k, v in tree.items() if k not in LACKED}
        case list():
            return [without_group(item, group) for item in tree]
        case str():
            return tree.replace("${TimerGroup}", group)
        case _:
            return tree


def with_patterns(tree: Any, parameters: dict[str, str]) -> Any:
    """CloudFormation takes a rule's pattern as a text, so as a parameter, too; moto does not."""
    match tree:
        case {"EventPattern": {"Ref": name}}:
            return {**tree, "EventPattern": json.loads(parameters[name])}
        case dict():
            return {key: with_patterns(value, parameters) for key, value in tree.items()}
        case _:
            return tree


async def create(aws: Aws, text: str, **parameters: str) -> Deployed:
    """Create the stack of a template, and read back what it says."""
    tree = cloudformation(read(text))
    if "TimerGroup" in tree["Resources"]:
        await aws.call("scheduler", "CreateScheduleGroup", Name=_group(tree))
    return await _put("CreateStack", aws, tree, parameters)


async def update(aws: Aws, text: str, **parameters: str) -> Deployed:
    """Update the stack in place to a template, and read back what it says then."""
    return await _put("UpdateStack", aws, cloudformation(read(text)), parameters)


def _group(tree: Any) -> str:
    return f"{tree['Parameters']['Name']['Default']}-timers"


async def _put(operation: str, aws: Aws, tree: Any, parameters: dict[str, str]) -> Deployed:
    body = json.dumps(with_patterns(without_group(tree, _group(tree)), parameters))
    given = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    await aws.call("cloudformation", operation, StackName=STACK, TemplateBody=body,
                   Parameters=given, Capabilities=["CAPABILITY_IAM"])  # fmt: skip
    (made,) = (await aws.call("cloudformation", "DescribeStacks", StackName=STACK))["Stacks"]
    assert made["StackStatus"] == f"{operation.removesuffix('Stack').upper()}_COMPLETE"
    outputs = {found["OutputKey"]: found["OutputValue"] for found in made["Outputs"]}
    environments, rights = {}, {}
    for found in (await aws.call("lambda", "ListFunctions"))["Functions"]:
        name = found["FunctionName"]
        environments[name] = found["Environment"]["Variables"]
        role = found["Role"].rpartition("/")[2]
        policy = await aws.call("iam", "GetRolePolicy", RoleName=role, PolicyName="own")
        statements = ast.literal_eval(policy["PolicyDocument"])["Statement"]  # so moto
        rights[name] = [one for one in statements if one]  # it keeps AWS::NoValue, as None
    return Deployed(outputs, environments, rights, await _triggers(aws))


async def _triggers(aws: Aws) -> list[tuple[str, str]]:
    triggers = []
    for found in (await aws.call("lambda", "ListEventSourceMappings"))["EventSourceMappings"]:
        assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        triggers.append((found["EventSourceArn"], found["FunctionArn"].rpartition(":")[2]))
        # moto would take messages from the queue by itself, and lose them
        await aws.call("lambda", "UpdateEventSourceMapping", UUID=found["UUID"], Enabled=False)
    return triggers


@dataclass
class Recorder(Aws):
    """AWS for one function: everything that it calls, as (action, ARN)."""

    calls: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        self.calls |= asked(service, operation, params)
        try:
            return await super().call(service, operation, **params)
        except AwsError as error:
            self.calls |= asked_of_missing(service, params, error.status)
            raise


def queue_url(arn: str) -> str:
    """The URL of a queue, all of it from its ARN."""
    _, _, service, region, account, name = arn.split(":")
    return f"https://{service}.{region}.amazonaws.com/{account}/{name}"


async def policy_of(aws: Aws, arn: str) -> list[dict[str, Any]]:
    """The statements of a managed policy."""
    found = await aws.call("iam", "GetPolicyVersion", PolicyArn=arn, VersionId="v1")
    statements: list[dict[str, Any]] = found["PolicyVersion"]["Document"]["Statement"]
    return statements


@dataclass(frozen=True, slots=True)
class Run:
    """The functions at work."""

    clock: ShiftedClock
    calls: dict[str, set[tuple[str, str]]]
    handlers: dict[str, AsyncHandler]


@asynccontextmanager
async def at_work(app: App, deployed: Deployed) -> AsyncIterator[Run]:
    """Feed each function from its queues, as its event source mappings say."""
    recorders = {name: Recorder() for name in deployed.environments}
    clock, pollers, handlers = ShiftedClock(), [], {}
    for arn, name in deployed.triggers:
        aws, environment = recorders[name], deployed.environments[name]
        if f"{PREFIX}QUEUE_URL" in environment:
            config = read_config(environment)
            handle = workflow_handler(app, config, aws, clock=clock, observer=LogObserver())
        else:
            config = read_config(environment, required=())
            handle = task_handler(*app.adapters.values(), config=config, aws=aws, clock=clock)
        handlers[name] = handle
        pollers.append(
            asyncio.create_task(Poller(aws, queue_url(arn), handle, wait_seconds=1).run())
        )
    try:
        yield Run(clock, {name: recorder.calls for name, recorder in recorders.items()}, handlers)
    finally:
        for poller in pollers:
            poller.cancel()
        for poller in pollers:
            with suppress(asyncio.CancelledError):
                await poller
        for recorder in recorders.values():
            await recorder.close()
