"""What cannot work is refused before it is deployed, with what to change."""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from lambda_workflow.aws.config import (
    DEAD_LETTER_DAYS,
    RETENTION_DAYS_MAX,
    is_of_service,
    turn_limits_of,
)
from lambda_workflow.aws.synth.gather import Needs
from lambda_workflow.aws.synth.options import (
    BATCH_MAX,
    CONCURRENCY_MAX,
    CONCURRENCY_MIN,
    LOG_DAYS,
    MEMORY_MB_MAX,
    MEMORY_MB_MIN,
    TIMEOUT_SECONDS_MAX,
    FunctionOptions,
    Options,
)
from lambda_workflow.aws.synth.resources import Function, Queue, Role, Stack
from lambda_workflow.aws.synth.uses import Uses
from lambda_workflow.aws.synth.values import NAME, Because, Parameter, Text
from lambda_workflow.errors import ConfigurationError
from lambda_workflow.model.ids import check_name
from lambda_workflow.runtime.app import App

FUNCTION_NAME_MAX: Final = 64
QUEUE_NAME_MAX: Final = 80
NAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9_-]*$"
RESOURCES_MAX: Final = 500  # CloudFormation's, of one stack
ENVIRONMENT_BYTES_MAX: Final = 4096  # Lambda's, names and values together
POLICY_BYTES_MAX: Final = 10_240  # IAM's, of all inline policies of a role
VALUE_BYTES: Final = 90  # of a queue's URL or ARN, roughly, beside the names in it
TURN_VARIABLES: Final = ("TURN_WARNING_SECONDS", "TURN_SECONDS_MAX")
PYTHONS: Final = ("3.11", "3.12", "3.13")


def check_options(app: App, options: Options, uses: Uses) -> None:
    """Whether options and App fit.

    Raises:
        ConfigurationError: they do not; says what to change.
    """
    served = {service.name for service in uses.served}
    unknown = sorted(set(options.elsewhere) - set(uses.elsewhere))
    if unknown:
        why = "the App serves it" if unknown[0] in served else "no workflow may call it"
        _refuse(f"elsewhere names {unknown[0]!r}, but {why}: take it out, or list it in "
                f"App(services=[…]) without an adapter")  # fmt: skip
    for name in uses.elsewhere:
        if name not in options.elsewhere:
            _refuse(f"service {name!r} has no adapter in App {app.name!r}: add one to "
                    f"App(adapters=[…]), or where another stack serves it, write "
                    f'elsewhere = ["{name}"] into the options')  # fmt: skip
    for flow, name in uses.unlisted:
        _refuse(f"the code of workflow {flow!r} names service {name!r}, which App {app.name!r} "
                "does not list: add its adapter to App(adapters=[…]), or where another stack "
                f'serves it, list it in App(services=[…]) and write elsewhere = ["{name}"] into '
                "the options")  # fmt: skip
    for name in sorted(set(options.service) - served):
        _refuse(f"[service.{name}]: App {app.name!r} serves no {name!r}; it serves "
                f"{', '.join(sorted(served)) or 'nothing'}")  # fmt: skip
    if not uses.workflows and not served:
        _refuse(f"App {app.name!r} has neither workflows nor adapters: there is nothing to deploy")
    if not uses.workflows and not uses.callers:
        _refuse(f"App {app.name!r} has no workflows: name the Apps that call its services, such as "
                'callers = ["shop"] in synth.toml: it must be allowed to answer them')  # fmt: skip
    for name in sorted({*options.apps, *options.callers}):
        check_name("app", name)
    if options.starters and not uses.workflows:
        _refuse(f"starters is true, but App {app.name!r} has no workflows to start: take it out")
    if options.bucket and options.shared_bucket:
        _refuse("bucket and shared_bucket are both true: payloads lie in one of them")
    _check_numbers(options)
    _check_function("workflow", options.workflow)
    _check_function("services", options.services)


def check_needs(needs: Needs) -> None:
    """Whether what services need is within AWS's limits.

    Raises:
        ConfigurationError: it is not; says what to change.
    """
    for name, own in needs.services.items():
        _check_function(f"service.{name}", own)
        if own.page:
            section = f"service.{name}.page"
            for option, value, low, high in (
                ("memory", own.page.memory, MEMORY_MB_MIN, MEMORY_MB_MAX),
                ("timeout", own.page.timeout, 1, TIMEOUT_SECONDS_MAX),
                ("concurrency", own.page.concurrency, 0, CONCURRENCY_MAX),
            ):
                _check_range(section, option, value, (low, high))


def _check_numbers(options: Options) -> None:
    if options.python not in PYTHONS:
        _refuse(f"python is {options.python!r}: it must be one of {', '.join(PYTHONS)}")
    wrong: list[str] = []
    turn_limits_of({n: getattr(options, n.lower()) for n in TURN_VARIABLES}, wrong)
    if wrong:
        _refuse("; ".join(wrong))
    if options.log_days not in LOG_DAYS:
        days = min(LOG_DAYS, key=lambda known: abs(known - options.log_days))
        _refuse(f"log_days is {options.log_days}: CloudWatch Logs has {days} next to it")
    if not DEAD_LETTER_DAYS <= options.retention_days <= RETENTION_DAYS_MAX:
        _refuse(f"retention_days is {options.retention_days}: it must be {DEAD_LETTER_DAYS} to "
                f"{RETENTION_DAYS_MAX}. A dead letter lives {DEAD_LETTER_DAYS} days: a start that "
                "is moved back after its execution has expired would run everything again"
                )  # fmt: skip


def _check_function(section: str, own: FunctionOptions) -> None:
    for name, value, low, high in (
        ("memory", own.memory, MEMORY_MB_MIN, MEMORY_MB_MAX),
        ("batch", own.batch, 1, BATCH_MAX),
        ("concurrency", own.concurrency, CONCURRENCY_MIN, CONCURRENCY_MAX),
    ):
        _check_range(section, name, value, (low, high))


def _check_range(section: str, name: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if not low <= value <= high:
        _refuse(f"[{section}] {name} is {value}: it must be {low} to {high}")


def name_of(app: App, options: Options, needs: Needs) -> Parameter:
    """The parameter that all names begin with; no name made with it is too long.

    Raises:
        ConfigurationError: its default is.
    """
    longest = max(needs.services, key=len, default="")
    pages = [f"-service-{name}-page" for name, own in needs.services.items() if own.page]
    suffixes = ["-workflow", *pages, *(f"-service-{name}" for name in needs.services)]
    of_function = max(map(len, suffixes))
    of_queue = max(len("-workflow-dead.fifo"), len(f"-service-{longest}-dead") if longest else 0)
    room = min(FUNCTION_NAME_MAX - of_function, QUEUE_NAME_MAX - of_queue)
    default = options.name or app.name
    if not re.fullmatch(NAME_PATTERN, default):
        _refuse(f"the stack's name {default!r} must begin with a letter or digit, and have letters,"
                " digits, '-' and '_': write another name = \"…\" into the options")  # fmt: skip
    if len(default) > room:
        what = f"the longest service name, {longest!r}, leaves" if longest else "suffixes leave"
        _refuse(f"the stack's name {default!r} has {len(default)} characters, and {what} {room} "
                f"(Lambda's names have {FUNCTION_NAME_MAX}): write a shorter name = \"…\" into "
                "the options, or rename the service")  # fmt: skip
    return dataclasses.replace(NAME, default=default, pattern=NAME_PATTERN, length_max=room)


def check_stack(stack: Stack) -> None:
    """Whether a stack is within the limits of CloudFormation, Lambda and IAM.

    Raises:
        ConfigurationError: it is not; says what to change.
    """
    if len(stack.resources) > RESOURCES_MAX:
        _refuse(f"the stack has {len(stack.resources)} resources, CloudFormation takes "
                f"{RESOURCES_MAX}: split the App, its services first")  # fmt: skip
    known: dict[str, str] = {}
    for part in (*stack.parameters, *stack.resources):
        word = "".join(c for c in part.id.lower() if c.isalnum())
        if word in known:
            _refuse(f"{part.id!r} and {known[word]!r} would have one name in the template: "
                    "give one of the services or parameters another")  # fmt: skip
        known[word] = part.id
    for resource in stack.resources:
        match resource:
            case Function():
                size = sum(
                    len(name) + _bytes(value) for name, value in resource.environment.items()
                )
                if size > ENVIRONMENT_BYTES_MAX:
                    _refuse(f"{resource.id}: its {len(resource.environment)} variables take about "
                            f"{size} bytes, Lambda has {ENVIRONMENT_BYTES_MAX}: {_room(resource)}"
                            "split the App: move some of its workflows, with the services that "
                            "only they call, into an App of their own")  # fmt: skip
            case Role():
                size = sum(VALUE_BYTES * (1 + len(s.targets)) + sum(map(len, s.actions))
                           for s in resource.statements)  # fmt: skip
                if size > POLICY_BYTES_MAX:
                    _refuse(f"{resource.id}: its policy takes about {size} bytes, IAM has "
                            f"{POLICY_BYTES_MAX}: split the App")  # fmt: skip
            case _:
                pass
    _check_names(stack)


def _room(function: Function) -> str:
    """How many services a function has variables for, and how many there is room for."""
    queues = sorted(
        len(name) + _bytes(value)
        for name, value in function.environment.items()
        if is_of_service(name)
    )
    if not queues:
        return ""
    rest = sum(len(n) + _bytes(v) for n, v in function.environment.items()) - sum(queues)
    fit = max(0, ENVIRONMENT_BYTES_MAX - rest) // (sum(queues) // len(queues))
    return f"{len(queues)} services have a queue here, and about {fit} have room; "


def _bytes(value: object) -> int:
    """Of a variable's value; what is known only once it is deployed is taken to be long."""
    match value:
        case str():
            return len(value.encode())
        case Because(inner, _):
            return _bytes(inner)
        case Text(parts):
            return sum(len(p.encode()) if isinstance(p, str) else VALUE_BYTES // 2 for p in parts)
        case _:
            return VALUE_BYTES


def _check_names(stack: Stack) -> None:
    taken: set[tuple[type[object], Text]] = set()
    for resource in stack.resources:
        if isinstance(resource, Queue | Function):
            name = type(resource), resource.name
            if name in taken:
                _refuse(f"{resource.id}: another {name[0].__name__.lower()} of the stack is called "
                        f"…{resource.name.parts[-1]}, too: rename one of the services")  # fmt: skip
            taken.add(name)


def _refuse(message: str) -> None:
    raise ConfigurationError(message)
