"""Apps for tests of the synthesis, and the stacks that they become."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lambda_workflow import App, Context, RemoteWorkflow, Schedule, Service, serve, workflow
from lambda_workflow.aws.handlers import lambda_handler, service_handler
from lambda_workflow.aws.synth.options import Options
from lambda_workflow.aws.synth.plan import plan
from lambda_workflow.aws.synth.resources import Function, Role, Stack, Statement, Target
from lambda_workflow.aws.synth.values import Param, Ref, Split, Text

ADDRESS = "tests.synth.apps:app"
WASH = Service("wash", str, str)
DRY = Service("dry", str, str, attempt_timeout=timedelta(minutes=2))
IRON = Service("iron", str, str)
BILL = RemoteWorkflow("bill", str, str, app="accounts")


@workflow
async def launder(ctx: Context, shirt: str) -> str:
    """Calls services, and a workflow of another App."""
    for service in (WASH, DRY, IRON):
        shirt = await ctx.call(service, shirt)
    return await ctx.call(BILL, shirt)


@workflow
async def fold(ctx: Context, shirt: str) -> str:
    return shirt


@serve(WASH)
async def wash(shirt: str) -> str:
    return shirt


@serve(DRY)
async def dry(shirt: str) -> str:
    return shirt


weekly = Schedule("weekly", fold, "sheets", every=timedelta(days=7))
app = App("laundry", workflows=[launder], adapters=[wash, dry], services=[IRON])
timed = App("timed", workflows=[fold], schedules=[weekly])
served = App("machines", workflows=[], adapters=[wash, dry])

handler = lambda_handler(app)
services_handler = service_handler(wash, dry)
no_handler = "a text"

HANDLERS = {
    "workflow": {"handler": "tests.synth.apps.handler"},
    "services": {"handler": "tests.synth.apps.services_handler"},
}
EVERYTHING: dict[str, Any] = {
    "bucket": True,
    "responses": True,
    "deduplicate": True,
    "services": {"later": True},
    "service": {"wash": {"events": {"pattern": '{"source": ["weather"]}'}}},
    "kms": True,
    "callers": ["shop"],
    "turn_warning_seconds": "1.5",
    "turn_seconds_max": "none",
}


def options_of(**given: Any) -> Options:
    """Options as a file would have them; the handlers are this module's."""
    from lambda_workflow.aws.synth.options import parse_options

    sections = {name: {**own, **given.pop(name, {})} for name, own in HANDLERS.items()}
    return parse_options({**given, **sections}, "synth.toml")


def stack_of(chosen: App = app, /, **given: Any) -> Stack:
    """The stack of an App; services that nobody serves here are elsewhere."""
    elsewhere = sorted(set(chosen.services) - set(chosen.adapters))
    return plan(chosen, ADDRESS, options_of(**{"elsewhere": elsewhere, **given}))


def functions(stack: Stack) -> dict[str, Function]:
    """The functions of a stack, by id."""
    return {found.id: found for found in stack.resources if isinstance(found, Function)}


def statements(stack: Stack, function: str) -> tuple[Statement, ...]:
    """What a function may do."""
    role = functions(stack)[function].role
    (found,) = (r for r in stack.resources if isinstance(r, Role) and r.id == role)
    return found.statements


def owner(target: Target) -> str:
    """The resource or parameter that a target of a right is, or is named with."""
    if isinstance(target, Split):
        return target.param.id
    if isinstance(target, Text):
        (found,) = (part.id for part in target.parts if isinstance(part, Ref | Param))
        return found
    return target.id


def may(stack: Stack, function: str, action: str) -> set[str]:
    """The resources and parameters that a function may do something with."""
    return {
        owner(target)
        for statement in statements(stack, function)
        if action in statement.actions
        for target in statement.targets
    }
